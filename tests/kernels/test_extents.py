import cv2
import numpy as np
import pytest

from usmicro.kernels import extents as kernels


def smooth_image(seed: int, shape: tuple[int, int] = (60, 80), sigma: float = 2.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return 50 * cv2.GaussianBlur(noise, (0, 0), sigma)


def float_array(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_second_differences_equal_their_numpy_twin():
    image = smooth_image(6)
    x, y = float_array(20, 33.5), float_array(15, 41.25)
    out = np.empty((2, 3), np.float32)
    kernels.second_differences(image, x, y, out)

    def at(dx: int, dy: int) -> np.ndarray:
        return cv2.remap(image, x + np.float32(dx), y + np.float32(dy), cv2.INTER_LINEAR).ravel()

    across = at(1, 0) + at(-1, 0) - 2 * at(0, 0)
    along = at(0, 1) + at(0, -1) - 2 * at(0, 0)
    mixed = (at(1, 1) + at(-1, -1) - at(1, -1) - at(-1, 1)) / 4
    np.testing.assert_allclose(out, np.stack([across, along, mixed], axis=1), atol=0.1)


def sample_in_numpy(image: np.ndarray, x: float, y: float) -> float:
    """Bilinear interpolation; outside the image, the value at its edge."""
    x, y = np.clip(x, 0, image.shape[1] - 1), np.clip(y, 0, image.shape[0] - 1)
    c, r = min(int(x), image.shape[1] - 2), min(int(y), image.shape[0] - 2)
    u, v = x - c, y - r
    upper = image[r, c] * (1 - u) + image[r, c + 1] * u
    lower = image[r + 1, c] * (1 - u) + image[r + 1, c + 1] * u
    return upper * (1 - v) + lower * v


def extent_in_numpy(
    image: np.ndarray, x: float, y: float, angle: float, level: float, most: float
) -> float:
    """Distance in one direction at which samples one pixel apart first fall below a level."""
    distances = np.arange(int(np.ceil(most)) + 1)
    values = np.array(
        [sample_in_numpy(image, x + d * np.cos(angle), y + d * np.sin(angle)) for d in distances]
    )
    below = np.flatnonzero(values[1:] < level)
    if not below.size:
        return most
    last = below[0]
    if values[last] <= level:
        return min(last, most)
    return min(last + (values[last] - level) / (values[last] - values[last + 1]), most)


def test_radial_extents_equal_their_numpy_twin():
    image, rng = smooth_image(9), np.random.default_rng(9)
    x, y, level, most = (
        rng.uniform(low, high, 30).astype(np.float32)
        for low, high in ((0, 79), (0, 59), (-6, 6), (3, 15))
    )
    out = np.empty((30, 16), np.float32)
    kernels.radial_extents(image, x, y, level, most, out)
    expected = [
        [
            extent_in_numpy(image, x[i], y[i], 2 * np.pi * k / 16, level[i], most[i])
            for k in range(16)
        ]
        for i in range(30)
    ]
    np.testing.assert_allclose(out, expected, atol=1e-3)
    assert len(np.unique(out)) > 100


def test_radial_extents_of_an_ellipse():
    rows, columns = np.indices((101, 101)) - 50.0
    image = (100 * np.exp(-0.5 * ((columns / 9) ** 2 + (rows / 4) ** 2))).astype(np.float32)
    middle, out = float_array(50), np.empty((1, 32), np.float32)
    kernels.radial_extents(image, middle, middle, float_array(50), float_array(40), out)
    angle = 2 * np.pi * np.arange(32) / 32
    expected = np.sqrt(2 * np.log(2)) / np.hypot(np.cos(angle) / 9, np.sin(angle) / 4)
    np.testing.assert_allclose(out[0], expected, rtol=0.03)


def test_radial_extents_are_at_most_the_limit():
    image, middle = np.ones((60, 60), np.float32), float_array(30)
    out = np.empty((1, 8), np.float32)
    kernels.radial_extents(image, middle, middle, float_array(0.5), float_array(7.5), out)
    np.testing.assert_array_equal(out, 7.5)


def test_centroids_equal_their_numpy_twin():
    image = smooth_image(7)
    x, y = float_array(30.2, 2, 70), float_array(20.7, 3, 58)
    level, radius = float_array(0.5, -1, 500), float_array(8, 6, 5)
    out = np.empty((3, 2), np.float32)
    kernels.centroids(image, x, y, level, radius, out)
    rows, columns = np.indices(image.shape)
    for i in range(2):
        in_disc = np.hypot(columns - x[i], rows - y[i]) <= radius[i]
        weight = np.clip(image - level[i], 0, None) * in_disc
        expected = [np.average(columns, weights=weight), np.average(rows, weights=weight)]
        np.testing.assert_allclose(out[i], expected, atol=1e-3)
    # no pixel exceeds the third level
    np.testing.assert_array_equal(out[2], [x[2], y[2]])


def ridge_in_numpy(
    image: np.ndarray, x: float, y: float, angle: float, level: float, most: int
) -> int:
    """Number of steps of a walk along a ridge, both ways together."""
    steps = 0
    for heading in (angle, angle + np.pi):
        column, row = x, y
        for _ in range(most):
            headings = heading + np.array([-0.35, -0.175, 0, 0.175, 0.35])
            values = [
                sample_in_numpy(image, column + np.cos(way), row + np.sin(way)) for way in headings
            ]
            if max(values) < level:
                break
            heading = headings[int(np.argmax(values))]
            column, row, steps = column + np.cos(heading), row + np.sin(heading), steps + 1
    return steps


def test_ridge_lengths_equal_their_numpy_twin():
    image, rng = smooth_image(8), np.random.default_rng(8)
    x, y, angle = (
        rng.uniform(low, high, 30).astype(np.float32)
        for low, high in ((0, 79), (0, 59), (0, np.pi))
    )
    levels, out = np.tile(float_array(3, 0, -4), (30, 1)), np.empty((30, 3), np.float32)
    kernels.ridge_lengths(image, x, y, angle, levels, np.float32(20), out)
    expected = [
        [ridge_in_numpy(image, x[i], y[i], angle[i], level, 20) for level in levels[i]]
        for i in range(30)
    ]
    np.testing.assert_array_equal(out, expected)
    assert len(np.unique(out)) > 10


@pytest.mark.parametrize("bend", [0.0, 0.01])
def test_ridge_lengths_follow_a_curved_line(bend):
    rows, columns = np.indices((120, 160)).astype(float)
    distance = rows - 60 - bend * (columns - 80) ** 2
    line = 100 * np.exp(-0.5 * (distance / 2) ** 2) * (np.abs(columns - 80) <= 30)

    def length(most: float) -> float:
        out, angle = np.empty((1, 1), np.float32), float_array(0)
        start, levels = (float_array(80), float_array(60)), np.full((1, 1), 50, np.float32)
        image = line.astype(np.float32)
        kernels.ridge_lengths(image, *start, angle, levels, np.float32(most), out)
        return float(out[0, 0])

    along = np.linspace(-30, 30, 1000)
    arc = np.trapezoid(np.hypot(1, 2 * bend * along), along)
    assert length(100) == pytest.approx(arc, rel=0.1)  # directions of the walk are discrete
    assert length(12) == 24
