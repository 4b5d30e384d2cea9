import numpy as np
import pytest

from usmicro.kernels import area_means as kernels


def means_of_rows(image: np.ndarray, count: int) -> np.ndarray:
    out = np.full((count, image.shape[1]), np.nan, np.float32)
    kernels.area_means_of_rows(image, out)
    return out


def means_of_rows_in_numpy(image: np.ndarray, count: int) -> np.ndarray:
    edges = np.linspace(0, len(image), count + 1)
    starts, ends = edges[:-1, np.newaxis], edges[1:, np.newaxis]
    rows = np.arange(len(image))
    parts = np.clip(np.minimum(ends, rows + 1) - np.maximum(starts, rows), 0, None)
    return parts @ image.astype(np.float64) / (ends - starts)


@pytest.mark.parametrize(("rows", "count"), [(31, 7), (30, 20), (9, 9), (8, 2), (5, 1), (41, 40)])
def test_means_equal_their_numpy_twin(rows, count):
    image = np.random.default_rng(rows).uniform(0, 255, (rows, 6)).astype(np.float32)
    expected = means_of_rows_in_numpy(image, count)
    np.testing.assert_allclose(means_of_rows(image, count), expected, rtol=2e-6)


def test_a_row_that_lies_in_two_new_ones_counts_in_both():
    image = np.array([[0], [6], [12]], np.float32)
    np.testing.assert_allclose(means_of_rows(image, 2), [[2], [10]], rtol=1e-6)
