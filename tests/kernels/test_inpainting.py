import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from usmicro.kernels.inpainting import fill_hidden_pixels, nearest_visible_pixels


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_nearest_pixels_equal_those_of_scipy(share):
    hidden = np.random.default_rng(2).random((60, 80)) < share
    row, column = np.empty((2, *hidden.shape), np.int32)
    nearest_visible_pixels(hidden, row, column)
    assert not hidden[row, column].any()
    rows, columns = np.indices(hidden.shape)
    np.testing.assert_allclose(
        np.hypot(rows - row, columns - column), distance_transform_edt(hidden), atol=0.1
    )
    np.testing.assert_array_equal(
        (row[~hidden], column[~hidden]), (rows[~hidden], columns[~hidden])
    )


def test_filling_equals_its_numpy_twin():
    random = np.random.default_rng(3)
    image, hidden = (
        random.uniform(0, 255, (30, 40)).astype(np.float32),
        random.random((30, 40)) < 0.6,
    )
    row, column = np.empty((2, *hidden.shape), np.int32)
    nearest_visible_pixels(hidden, row, column)
    out = image.copy()
    fill_hidden_pixels(out, hidden, row, column)
    twin = image.copy()
    for r, c in np.argwhere(hidden):
        around = (
            slice(max(row[r, c] - 1, 0), row[r, c] + 2),
            slice(max(column[r, c] - 1, 0), column[r, c] + 2),
        )
        twin[r, c] = image[around][~hidden[around]].mean()
    np.testing.assert_allclose(out, twin, rtol=1e-5)
