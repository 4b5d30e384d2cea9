import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from usmicro.kernels.inpainting import fill_hidden_pixels, nearest_visible_pixels


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_nearest_visible_pixels_equal_those_of_scipy(share):
    hidden = np.random.default_rng(2).random((60, 80)) < share
    row, column = np.empty((2, *hidden.shape), np.int32)
    nearest_visible_pixels(hidden, row, column)
    assert not hidden[row, column].any()
    rows, columns = np.indices(hidden.shape)
    distance = np.hypot(rows - row, columns - column)
    np.testing.assert_allclose(distance, distance_transform_edt(hidden), atol=0.1)
    np.testing.assert_array_equal(row[~hidden], rows[~hidden])
    np.testing.assert_array_equal(column[~hidden], columns[~hidden])


def test_filling_of_hidden_pixels_equals_its_numpy_twin():
    random = np.random.default_rng(3)
    image = random.uniform(0, 255, (30, 40)).astype(np.float32)
    hidden = random.random((30, 40)) < 0.6
    row, column = np.empty((2, *hidden.shape), np.int32)
    nearest_visible_pixels(hidden, row, column)
    out = image.copy()
    fill_hidden_pixels(out, hidden, row, column)
    twin = image.copy()
    for r, c in np.argwhere(hidden):
        top, left = max(row[r, c] - 1, 0), max(column[r, c] - 1, 0)
        window = np.s_[top : row[r, c] + 2, left : column[r, c] + 2]
        twin[r, c] = image[window][~hidden[window]].mean()
    np.testing.assert_allclose(out, twin, rtol=1e-5)
