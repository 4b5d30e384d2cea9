import cv2
import numpy as np
import pytest

from usmicro.kernels import levels as kernels


def laplacian_in_numpy(image: np.ndarray) -> np.ndarray:
    """Magnitude of the sum of second differences, in double precision."""
    wide = np.pad(image.astype(float), 1, mode="reflect")
    return np.abs(
        wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] - 4 * wide[1:-1, 1:-1]
    )


@pytest.mark.parametrize("shape", [(50, 70), (2, 9), (9, 2)])
def test_laplacians_equal_their_numpy_twin(shape):
    image = np.random.default_rng(1).normal(90, 30, shape).astype(np.float32)
    position = np.argwhere(np.ones(shape, bool)).astype(np.int32)
    out, levels = np.empty(len(position), np.float32), np.empty(shape, np.uint8)
    kernels.laplacian_at(image, position, out)
    expected = laplacian_in_numpy(image)
    np.testing.assert_allclose(out.reshape(shape), expected, rtol=1e-5, atol=1e-4)
    kernels.laplacian_levels(image, np.float32(1.7), levels)
    np.testing.assert_allclose(levels, np.clip(np.floor(1.7 * expected + 0.5), 0, 255), atol=1)
    rounded = np.minimum(out.reshape(shape) * np.float32(1.7) + np.float32(0.5), 255)
    np.testing.assert_array_equal(levels, rounded.astype(np.uint8))


def test_laplacians_equal_those_of_opencv():
    image = np.random.default_rng(2).normal(90, 30, (61, 83)).astype(np.float32)
    position = np.argwhere(np.ones(image.shape, bool)).astype(np.int32)
    out = np.empty(image.size, np.float32)
    kernels.laplacian_at(image, position, out)
    expected = np.abs(cv2.Laplacian(image, cv2.CV_32F, ksize=1))
    np.testing.assert_allclose(out.reshape(image.shape), expected, rtol=1e-5, atol=1e-4)


def test_whole_levels_equal_their_numpy_twin():
    rng = np.random.default_rng(3)
    grey = rng.normal(128, 90, (40, 60)).astype(np.float32)
    grey[0, :4] = 0.5, 1.5, 254.5, 255.5
    usable = rng.random(grey.shape) < 0.7
    levels, histogram = np.empty(grey.shape, np.uint8), np.empty(256, np.int64)
    kernels.round_to_levels(grey, usable, levels, histogram)
    expected = np.clip(np.round(grey), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(levels, expected)
    np.testing.assert_array_equal(histogram, np.bincount(expected[usable], minlength=256))


def test_saturated_shares_equal_their_numpy_twin():
    rng = np.random.default_rng(4)
    levels = rng.integers(0, 256, (30, 50)).astype(np.uint8)
    row, column, reach = rng.integers(0, 30, 60), rng.integers(0, 50, 60), rng.integers(1, 12, 60)
    out = np.empty(60)
    kernels.saturated_fractions(levels, row, column, reach, 200, out)
    rows, columns = np.indices(levels.shape)
    for i in range(60):
        window = np.maximum(np.abs(rows - row[i]), np.abs(columns - column[i])) <= reach[i]
        assert out[i] == np.mean(levels[window] >= 200)


def test_counts_and_values_of_whole_levels_equal_their_numpy_twins():
    rng = np.random.default_rng(5)
    grey, mask = rng.normal(90, 90, (30, 40)).astype(np.float32), rng.random((30, 40)) < 0.6
    values = grey[mask]
    whole = np.clip(values, 0, 255).astype(int)
    histogram = np.empty(256, np.int64)
    kernels.count_whole_levels(grey, mask, histogram)
    np.testing.assert_array_equal(histogram, np.bincount(whole, minlength=256))
    for levels in ([0], [255], [17, 90, 91], range(256), []):
        chosen = np.isin(np.arange(256), levels)
        out = np.empty(histogram[chosen].sum(), np.float32)
        kernels.values_of_whole_levels(grey, mask, chosen, out)
        np.testing.assert_array_equal(out, values[chosen[whole]])
