import cv2
import numpy as np
import pytest

from usmicro.kernels import foci as kernels


def smooth_image(seed: int, shape: tuple[int, int] = (60, 80), sigma: float = 2.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return 50 * cv2.GaussianBlur(noise, (0, 0), sigma)


def blob_maxima(
    image: np.ndarray, usable: np.ndarray | None = None, least: float = 1e-3, room: int = 2000
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (x, y) and responses of the maxima that the kernel finds, at most `room`."""
    usable = np.ones(image.shape, bool) if usable is None else usable
    position, strength = np.empty((room, 2), np.float32), np.empty(room, np.float32)
    count = kernels.blob_maxima(image, usable, np.float32(least), position, strength)
    return position[:count], strength[:count]


def blobness_in_numpy(image: np.ndarray) -> np.ndarray:
    """Square root of the product of the eigenvalues of the Hessian where both are negative."""
    image = image.astype(float)
    out = np.zeros(image.shape)
    for r in range(1, image.shape[0] - 1):
        for c in range(1, image.shape[1] - 1):
            window = image[r - 1 : r + 2, c - 1 : c + 2]
            across = window[1, 0] + window[1, 2] - 2 * window[1, 1]
            along = window[0, 1] + window[2, 1] - 2 * window[1, 1]
            mixed = (window[0, 0] + window[2, 2] - window[0, 2] - window[2, 0]) / 4
            low, high = np.linalg.eigvalsh([[across, mixed], [mixed, along]])
            out[r, c] = np.sqrt(low * high) if high < 0 else 0
    return out


def maxima_in_numpy(response: np.ndarray, least: float) -> set[tuple[int, int]]:
    """Row and column of each pixel that is larger than its eight neighbours."""
    maxima = set()
    for r in range(1, response.shape[0] - 1):
        for c in range(1, response.shape[1] - 1):
            window = response[r - 1 : r + 2, c - 1 : c + 2]
            is_largest = response[r, c] == window.max()
            is_single = np.count_nonzero(window == window.max()) == 1
            if response[r, c] >= least and is_largest and is_single:
                maxima.add((r, c))
    return maxima


@pytest.mark.parametrize("least", [1e-3, 0.5])
def test_blob_maxima_equal_their_numpy_twin(least):
    image = smooth_image(1)
    response = blobness_in_numpy(image)
    position, strength = blob_maxima(image, least=least)
    pixels = np.round(position).astype(int)
    assert {(int(r), int(c)) for c, r in pixels} == maxima_in_numpy(response, least)
    np.testing.assert_allclose(strength, response[pixels[:, 1], pixels[:, 0]], rtol=1e-3)


def test_no_more_blob_maxima_are_written_than_fit():
    image = smooth_image(2)
    position, _ = blob_maxima(image, room=5)
    np.testing.assert_array_equal(position, blob_maxima(image)[0][:5])


def test_blob_maxima_lie_on_usable_pixels():
    image = smooth_image(3)
    usable = np.zeros(image.shape, bool)
    usable[:, 40:] = True
    position, _ = blob_maxima(image, usable)
    everywhere, _ = blob_maxima(image)
    np.testing.assert_array_equal(position, everywhere[np.round(everywhere[:, 0]) >= 40])


def test_a_line_has_no_blob_response():
    image = np.zeros((40, 60), np.float32)
    image[20] = 100
    assert len(blob_maxima(cv2.GaussianBlur(image, (0, 0), 2.0), least=0.01)[0]) == 0


def suppression_in_numpy(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    kept = np.zeros(len(x), bool)
    for i in range(len(x)):
        stronger = np.flatnonzero(kept[:i])
        kept[i] = (np.hypot(x[i] - x[stronger], y[i] - y[stronger]) > radius[stronger]).all()
    return kept


@pytest.mark.parametrize("count", [0, 1, 40, 800])
def test_suppression_of_non_maxima_equals_its_numpy_twin(count):
    rng = np.random.default_rng(count)
    x, y, radius = (
        rng.uniform(least, most, count).astype(np.float32)
        for least, most in ((-20, 300), (5, 200), (0.5, 19))
    )
    kept = np.empty(count, bool)
    kernels.suppress_non_maxima(x, y, radius, kept)
    np.testing.assert_array_equal(kept, suppression_in_numpy(x, y, radius))


def ring_quantiles(
    levels: np.ndarray, usable: np.ndarray, rings: np.ndarray, shares: list[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles and pixel counts by the kernel; `rings` has a row x, y, inner, outer, step each."""
    x, y, inner, outer = np.ascontiguousarray(rings[:, :4].T, np.float32)
    step = rings[:, 4].astype(np.int32)
    quantiles = np.array(shares, np.float32)
    out = np.empty((len(rings), len(shares)), np.float32)
    counted = np.empty(len(rings), np.float32)
    kernels.ring_quantiles(levels, usable, x, y, inner, outer, step, quantiles, out, counted)
    return out, counted


def test_ring_quantiles_equal_their_numpy_twin():
    rng = np.random.default_rng(4)
    levels = np.clip(rng.normal(90, 30, (120, 140)), 0, 255).astype(np.uint8)
    usable = rng.random(levels.shape) < 0.8
    rings = np.array([[60, 50, 5, 20, 1], [3, 100, 4, 30, 1], [139, 0, 10, 60, 1]])
    shares = [0.25, 0.5, 0.75]
    out, counted = ring_quantiles(levels, usable, rings, shares)
    rows, columns = np.indices(levels.shape)
    for i, (x, y, inner, outer, _) in enumerate(rings):
        squared = (rows - y) ** 2 + (columns - x) ** 2
        ring = levels[(squared > inner**2) & (squared <= outer**2) & usable]
        assert counted[i] == ring.size
        # the kernel spreads each level over its bin
        np.testing.assert_allclose(out[i], np.quantile(ring, shares), atol=0.75)


def test_a_ring_does_not_depend_on_the_rings_beside_it():
    rng = np.random.default_rng(14)
    levels, usable = rng.integers(0, 256, (90, 110)).astype(np.uint8), rng.random((90, 110)) < 0.9
    sizes = np.array([[0, 4, 1], [3, 25, 2], [6, 30, 3]])[rng.integers(0, 3, 40)]
    rings = np.column_stack([rng.uniform(0, 109, 40), rng.uniform(0, 89, 40), sizes])
    together, counted = ring_quantiles(levels, usable, rings, [0.25, 0.75])
    for i in range(40):
        alone, count = ring_quantiles(levels, usable, rings[i : i + 1], [0.25, 0.75])
        np.testing.assert_array_equal(alone[0], together[i])
        assert count[0] == counted[i]


def test_a_ring_without_usable_pixels_has_a_count_of_0():
    levels = np.full((40, 40), 9, np.uint8)
    _, counted = ring_quantiles(
        levels, np.zeros(levels.shape, bool), np.array([[20, 20, 2, 10, 1]]), [0.5]
    )
    assert counted[0] == 0


def test_ring_quantiles_of_a_subsample_are_close_to_those_of_all_pixels():
    levels = np.clip(np.random.default_rng(5).normal(90, 30, (200, 200)), 0, 255).astype(np.uint8)
    rings = np.array([[100, 100, 10, 60, step] for step in (1, 3)])
    out, counted = ring_quantiles(levels, np.ones(levels.shape, bool), rings, [0.5, 0.75])
    np.testing.assert_allclose(counted, np.pi * (60**2 - 10**2), rtol=0.03)
    np.testing.assert_allclose(out[1], out[0], atol=3)
