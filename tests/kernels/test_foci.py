import cv2
import numpy as np
import pytest

from usmicro.kernels import foci as kernels


def smooth_image(seed: int, shape: tuple[int, int] = (60, 80), sigma: float = 2.0) -> np.ndarray:
    return 50 * cv2.GaussianBlur(
        np.random.default_rng(seed).normal(size=shape).astype(np.float32), (0, 0), sigma
    )


def maxima(
    image: np.ndarray, usable: np.ndarray | None = None, least: float = 1e-3, room: int = 2000
):
    usable = np.ones(image.shape, bool) if usable is None else usable
    position, strength = np.empty((room, 2), np.float32), np.empty(room, np.float32)
    count = kernels.blob_maxima(image, usable, np.float32(least), position, strength)
    return position[:count], strength[:count]


def blobness_in_numpy(image: np.ndarray) -> np.ndarray:
    """Square root of the product of the Hessian's eigenvalues where both are negative, from its eigenvalues."""
    image = image.astype(float)
    out = np.zeros(image.shape)
    for r in range(1, image.shape[0] - 1):
        for c in range(1, image.shape[1] - 1):
            around = image[r - 1 : r + 2, c - 1 : c + 2]
            across, along = (
                around[1, 0] + around[1, 2] - 2 * around[1, 1],
                around[0, 1] + around[2, 1] - 2 * around[1, 1],
            )
            mixed = (around[0, 0] + around[2, 2] - around[0, 2] - around[2, 0]) / 4
            low, high = np.linalg.eigvalsh([[across, mixed], [mixed, along]])
            out[r, c] = np.sqrt(low * high) if high < 0 else 0
    return out


def maxima_in_numpy(response: np.ndarray, least: float) -> set[tuple[int, int]]:
    found = set()
    for r in range(1, response.shape[0] - 1):
        for c in range(1, response.shape[1] - 1):
            around = response[r - 1 : r + 2, c - 1 : c + 2]
            if (
                response[r, c] >= least
                and response[r, c] == around.max()
                and np.count_nonzero(around == around.max()) == 1
            ):
                found.add((r, c))
    return found


@pytest.mark.parametrize("least", [1e-3, 0.5])
def test_blob_maxima_equal_their_numpy_twin(least):
    image = smooth_image(1)
    response = blobness_in_numpy(image)
    position, strength = maxima(image, least=least)
    pixels = np.round(position).astype(int)
    assert {(int(r), int(c)) for c, r in pixels} == maxima_in_numpy(response, least)
    np.testing.assert_allclose(strength, response[pixels[:, 1], pixels[:, 0]], rtol=1e-3)


def test_blob_maxima_stop_where_the_room_ends():
    image = smooth_image(2)
    position, _ = maxima(image, room=5)
    np.testing.assert_array_equal(position, maxima(image)[0][:5])


def test_blob_maxima_keep_to_the_usable_pixels():
    image = smooth_image(3)
    usable = np.zeros(image.shape, bool)
    usable[:, 40:] = True
    position, _ = maxima(image, usable)
    everywhere, _ = maxima(image)
    np.testing.assert_array_equal(position, everywhere[np.round(everywhere[:, 0]) >= 40])


def test_a_line_has_no_blob_response():
    image = np.zeros((40, 60), np.float32)
    image[20] = 100
    assert len(maxima(cv2.GaussianBlur(image, (0, 0), 2.0), least=0.01)[0]) == 0


def strongest_apart_in_numpy(x: np.ndarray, y: np.ndarray, reach: np.ndarray) -> np.ndarray:
    kept = np.zeros(len(x), bool)
    for i in range(len(x)):
        stronger = np.flatnonzero(kept[:i])
        kept[i] = (np.hypot(x[i] - x[stronger], y[i] - y[stronger]) > reach[stronger]).all()
    return kept


@pytest.mark.parametrize("count", [0, 1, 40, 800])
def test_strongest_apart_equal_their_numpy_twin(count):
    rng = np.random.default_rng(count)
    x, y, reach = (
        rng.uniform(least, most, count).astype(np.float32)
        for least, most in ((-20, 300), (5, 200), (0.5, 19))
    )
    kept = np.empty(count, bool)
    kernels.suppress_non_maxima(x, y, reach, kept)
    np.testing.assert_array_equal(kept, strongest_apart_in_numpy(x, y, reach))


def test_ring_quantiles_equal_their_numpy_twin():
    rng = np.random.default_rng(4)
    levels = np.clip(rng.normal(90, 30, (120, 140)), 0, 255).astype(np.uint8)
    usable = rng.random(levels.shape) < 0.8
    x, y = np.array([60, 3, 139], np.float32), np.array([50, 100, 0], np.float32)
    inner, outer = np.array([5, 4, 10], np.float32), np.array([20, 30, 60], np.float32)
    shares = np.array([0.25, 0.5, 0.75], np.float32)
    out, counted = np.empty((3, 3), np.float32), np.empty(3, np.float32)
    kernels.ring_quantiles(
        levels, usable, x, y, inner, outer, np.ones(3, np.int32), shares, out, counted
    )
    rows, columns = np.indices(levels.shape)
    for i in range(3):
        distance = np.hypot(rows - y[i], columns - x[i])
        ring = levels[(distance > inner[i]) & (distance <= outer[i]) & usable]
        assert counted[i] == ring.size
        np.testing.assert_allclose(
            out[i], np.quantile(ring, shares), atol=0.75
        )  # each level is spread over its bin


def test_rings_of_several_sizes_are_each_as_if_alone():
    rng = np.random.default_rng(14)
    levels, usable = rng.integers(0, 256, (90, 110)).astype(np.uint8), rng.random((90, 110)) < 0.9
    x, y = rng.uniform(0, 109, 40).astype(np.float32), rng.uniform(0, 89, 40).astype(np.float32)
    size = rng.integers(0, 3, 40)
    inner, outer, step = (
        np.array([0, 3, 6], np.float32)[size],
        np.array([4, 25, 30], np.float32)[size],
        np.array([1, 2, 3], np.int32)[size],
    )
    shares = np.array([0.25, 0.75], np.float32)

    def found(which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out, counted = np.empty((len(which), 2), np.float32), np.empty(len(which), np.float32)
        kernels.ring_quantiles(
            levels, usable, *(a[which] for a in (x, y, inner, outer, step)), shares, out, counted
        )
        return out, counted

    together, counted = found(np.arange(40))
    for i in range(40):
        np.testing.assert_array_equal(found(np.array([i]))[0][0], together[i])
        assert found(np.array([i]))[1][0] == counted[i]


def test_a_ring_without_usable_pixels_counts_none():
    out, counted = np.empty((1, 1), np.float32), np.empty(1, np.float32)
    where, share = np.full(1, 20, np.float32), np.array([0.5], np.float32)
    nothing, levels = np.zeros((40, 40), bool), np.full((40, 40), 9, np.uint8)
    kernels.ring_quantiles(
        levels,
        nothing,
        where,
        where,
        where / 10,
        where / 2,
        np.ones(1, np.int32),
        share,
        out,
        counted,
    )
    assert counted[0] == 0


def test_ring_quantiles_of_a_subsample_are_close():
    levels = np.clip(np.random.default_rng(5).normal(90, 30, (200, 200)), 0, 255).astype(np.uint8)
    usable, where = np.ones(levels.shape, bool), np.full(1, 100, np.float32)
    ring, shares = (
        (np.full(1, 10, np.float32), np.full(1, 60, np.float32)),
        np.array([0.5, 0.75], np.float32),
    )
    found = []
    for step in (1, 3):
        out, counted = np.empty((1, 2), np.float32), np.empty(1, np.float32)
        kernels.ring_quantiles(
            levels, usable, where, where, *ring, np.full(1, step, np.int32), shares, out, counted
        )
        found.append(out[0])
        assert counted[0] == pytest.approx(np.pi * (60**2 - 10**2), rel=0.03)
    np.testing.assert_allclose(found[1], found[0], atol=3)


def test_curvatures_equal_their_numpy_twin():
    image = smooth_image(6)
    x, y = np.array([20, 33.5], np.float32), np.array([15, 41.25], np.float32)
    out = np.empty((2, 3), np.float32)
    kernels.second_differences(image, x, y, out)

    def at(dx: int, dy: int) -> np.ndarray:
        return cv2.remap(image, x + np.float32(dx), y + np.float32(dy), cv2.INTER_LINEAR).ravel()

    mixed = (at(1, 1) + at(-1, -1) - at(1, -1) - at(-1, 1)) / 4
    expected = np.stack(
        [at(1, 0) + at(-1, 0) - 2 * at(0, 0), at(0, 1) + at(0, -1) - 2 * at(0, 0), mixed], axis=1
    )
    np.testing.assert_allclose(out, expected, atol=0.1)


def test_radii_of_an_ellipse():
    rows, columns = np.indices((101, 101)) - 50.0
    image = (100 * np.exp(-0.5 * ((columns / 9) ** 2 + (rows / 4) ** 2))).astype(np.float32)
    middle, out = np.full(1, 50, np.float32), np.empty((1, 32), np.float32)
    kernels.radial_extents(
        image, middle, middle, np.full(1, 50, np.float32), np.full(1, 40, np.float32), out
    )
    angle = 2 * np.pi * np.arange(32) / 32
    expected = np.sqrt(2 * np.log(2)) / np.hypot(np.cos(angle) / 9, np.sin(angle) / 4)
    np.testing.assert_allclose(out[0], expected, rtol=0.03)


def test_radii_go_no_farther_than_allowed():
    out = np.empty((1, 8), np.float32)
    middle = np.full(1, 30, np.float32)
    kernels.radial_extents(
        np.ones((60, 60), np.float32),
        middle,
        middle,
        np.full(1, 0.5, np.float32),
        np.full(1, 7.5, np.float32),
        out,
    )
    np.testing.assert_array_equal(out, 7.5)


def test_centroids_equal_their_numpy_twin():
    image = smooth_image(7)
    x, y = np.array([30.2, 2, 70], np.float32), np.array([20.7, 3, 58], np.float32)
    level, radius = np.array([0.5, -1, 500], np.float32), np.array([8, 6, 5], np.float32)
    out = np.empty((3, 2), np.float32)
    kernels.centroids(image, x, y, level, radius, out)
    rows, columns = np.indices(image.shape)
    for i in range(2):
        weight = np.clip(image - level[i], 0, None) * (
            np.hypot(columns - x[i], rows - y[i]) <= radius[i]
        )
        np.testing.assert_allclose(
            out[i],
            [np.average(columns, weights=weight), np.average(rows, weights=weight)],
            atol=1e-3,
        )
    np.testing.assert_array_equal(out[2], [x[2], y[2]])


def ridge_in_numpy(
    image: np.ndarray, x: float, y: float, angle: float, level: float, most: int
) -> int:
    """Steps that a walk takes along a ridge, both ways together."""

    def at(column: float, row: float) -> float:
        column, row = np.clip(column, 0, image.shape[1] - 1), np.clip(row, 0, image.shape[0] - 1)
        c, r = min(int(column), image.shape[1] - 2), min(int(row), image.shape[0] - 2)
        u, v = column - c, row - r
        return (image[r, c] * (1 - u) + image[r, c + 1] * u) * (1 - v) + (
            image[r + 1, c] * (1 - u) + image[r + 1, c + 1] * u
        ) * v

    steps = 0
    for heading in (angle, angle + np.pi):
        column, row = x, y
        for _ in range(most):
            ways = heading + np.array([-0.35, -0.175, 0, 0.175, 0.35])
            values = [at(column + np.cos(way), row + np.sin(way)) for way in ways]
            if max(values) < level:
                break
            heading = ways[int(np.argmax(values))]
            column, row, steps = column + np.cos(heading), row + np.sin(heading), steps + 1
    return steps


def test_ridge_lengths_equal_their_numpy_twin():
    image = smooth_image(8)
    rng = np.random.default_rng(8)
    x, y, angle = (
        rng.uniform(low, high, 30).astype(np.float32)
        for low, high in ((0, 79), (0, 59), (0, np.pi))
    )
    levels, out = np.tile(np.array([3, 0, -4], np.float32), (30, 1)), np.empty((30, 3), np.float32)
    kernels.ridge_lengths(image, x, y, angle, levels, np.float32(20), out)
    expected = [
        [ridge_in_numpy(image, x[i], y[i], angle[i], level, 20) for level in levels[i]]
        for i in range(30)
    ]
    np.testing.assert_array_equal(out, expected)
    assert len(np.unique(out)) > 10


@pytest.mark.parametrize("bend", [0.0, 0.01])
def test_ridge_lengths_follow_a_line_that_bends(bend):
    rows, columns = np.indices((120, 160)).astype(float)
    distance = rows - 60 - bend * (columns - 80) ** 2
    image = (100 * np.exp(-0.5 * (distance / 2) ** 2) * (np.abs(columns - 80) <= 30)).astype(
        np.float32
    )
    out, start = (
        np.empty((1, 1), np.float32),
        (np.full(1, 80, np.float32), np.full(1, 60, np.float32)),
    )
    kernels.ridge_lengths(
        image,
        *start,
        np.zeros(1, np.float32),
        np.full((1, 1), 50, np.float32),
        np.float32(100),
        out,
    )
    along = np.linspace(-30, 30, 1000)
    assert out[0, 0] == pytest.approx(
        np.trapezoid(np.hypot(1, 2 * bend * along), along), rel=0.1
    )  # the walk turns in steps
    kernels.ridge_lengths(
        image, *start, np.zeros(1, np.float32), np.full((1, 1), 50, np.float32), np.float32(12), out
    )
    assert out[0, 0] == 24
