import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import map_coordinates

from usmicro.kernels import scan_lines


def samples_in_numpy(image, usable, x, y, dx, dy, steps):
    px = x[:, None] + np.arange(steps) * dx[:, None]
    py = y[:, None] + np.arange(steps) * dy[:, None]
    values = map_coordinates(image, [py, px], order=1, mode="nearest")
    rows, columns = image.shape
    within = (px >= 0) & (py >= 0) & (px <= columns - 1) & (py <= rows - 1)
    c, r = (np.clip(p.astype(int), 0, n - 2) for p, n in ((px, columns), (py, rows)))
    all_usable = usable[r, c] & usable[r, c + 1] & usable[r + 1, c] & usable[r + 1, c + 1]
    return np.where(within & all_usable, values, np.nan)


@pytest.fixture
def rays():
    random = np.random.default_rng(5)
    x, y = random.uniform(-3, 43, 60), random.uniform(-3, 33, 60)
    angle = random.uniform(0, 2 * np.pi, 60)
    return tuple(a.astype(np.float32) for a in (x, y, np.cos(angle), np.sin(angle)))


def test_samples_along_rays_equal_their_numpy_twin(rays):
    random = np.random.default_rng(6)
    image = random.normal(size=(31, 41)).astype(np.float32)
    usable = random.random((31, 41)) > 0.05
    out = np.empty((60, 25), np.float32)
    scan_lines.sample_along_rays(image, usable, *rays, out)  # type: ignore[call-arg]
    expected = samples_in_numpy(image, usable, *rays, 25)  # type: ignore[call-arg]
    assert np.isfinite(expected).any()
    assert np.isnan(expected).any()
    # positions in single precision are exact to 1e-5 pixels: a few samples fall on the other side
    # of the edge of a masked pixel
    assert (np.isnan(out) != np.isnan(expected)).mean() < 0.002
    both = np.isfinite(out) & np.isfinite(expected)
    assert_allclose(out[both], expected[both], atol=2e-4)


def test_samples_of_a_plane_lie_on_it(rays):
    row, column = np.mgrid[:31, :41].astype(np.float32)
    out = np.empty((60, 25), np.float32)
    scan_lines.sample_along_rays(2 * column - row, np.ones((31, 41), bool), *rays, out)  # type: ignore[call-arg]
    x, y, dx, dy = (a[:, None] for a in rays)
    plane = 2 * (x + np.arange(25) * dx) - (y + np.arange(25) * dy)
    assert_allclose(out[np.isfinite(out)], plane[np.isfinite(out)], atol=1e-3)


def test_labels_along_rays_are_those_of_the_nearest_pixels(rays):
    labels = np.arange(31 * 41, dtype=np.int32).reshape(31, 41)
    out = np.empty((60, 25), np.int32)
    scan_lines.sample_labels_along_rays(labels, *rays, out)  # type: ignore[call-arg]
    x, y, dx, dy = (a[:, None] for a in rays)
    steps = np.arange(25, dtype=np.float32)
    column = np.floor(x + steps * dx + np.float32(0.5)).astype(int)
    row = np.floor(y + steps * dy + np.float32(0.5)).astype(int)
    inside = (column >= 0) & (column < 41) & (row >= 0) & (row < 31)
    assert_array_equal(out, np.where(inside, row * 41 + column, -1))
