import cv2
import numpy as np
import pytest

from usmicro.kernels import masks as kernels


def shares_in_numpy(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Fraction of each pixel of a coarser grid that a mask covers."""

    def overlaps(fine: int, coarse: int) -> np.ndarray:
        edges, cells = np.arange(fine), np.arange(coarse)[:, None] * fine / coarse
        covered = np.minimum(edges + 1, cells + fine / coarse) - np.maximum(edges, cells)
        return np.clip(covered, 0, None) / (fine / coarse)

    return overlaps(mask.shape[0], shape[0]) @ mask @ overlaps(mask.shape[1], shape[1]).T


@pytest.mark.parametrize(
    ("fine", "coarse"),
    [
        ((64, 80), (32, 40)),
        ((61, 83), (31, 42)),
        ((61, 83), (16, 21)),
        ((5, 40), (5, 7)),
        ((9, 9), (1, 1)),
    ],
)
def test_majority_covered_pixels_equal_their_numpy_twin(fine, coarse):
    rng = np.random.default_rng(1)
    for density in (0.5, 0.9):
        mask, out = rng.random(fine) < density, np.empty(coarse, bool)
        kernels.majority_covered(mask, out)
        share = shares_in_numpy(mask, coarse)
        decided = np.abs(share - 0.5) > 1e-3  # beyond rounding
        np.testing.assert_array_equal(out[decided], share[decided] > 0.5)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_majority_covered_pixels_equal_those_of_opencv(factor):
    rng = np.random.default_rng(factor)
    for _ in range(20):
        shape = rng.integers(20, 150, 2)
        patches, size = (rng.random((9, 7)) < 0.6).astype(np.uint8), tuple(map(int, shape[::-1]))
        mask = cv2.resize(patches, size, interpolation=cv2.INTER_NEAREST) > 0
        rows, columns = (int(-(-n // factor)) for n in shape)
        out = np.empty((rows, columns), bool)
        kernels.majority_covered(mask, out)
        share = cv2.resize(mask.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
        decided = np.abs(share - 0.5) > 1e-5  # beyond rounding
        np.testing.assert_array_equal(out[decided], share[decided] > 0.5)


def test_pixels_of_which_half_is_covered_are_not_marked():
    mask, out = np.zeros((8, 8), bool), np.empty((4, 4), bool)
    mask[:3] = True
    kernels.majority_covered(mask, out)
    np.testing.assert_array_equal(out.all(axis=1), [True, False, False, False])
    assert not out[1:].any()


@pytest.mark.parametrize("step", [1, 2, 7])
def test_every_nth_pixel_equals_its_numpy_twin(step):
    mask = np.random.default_rng(3).random((20, 30)) < 0.4
    expected = np.argwhere(mask)[::step]
    position = np.empty(expected.shape, np.int32)
    kernels.every_nth_pixel(mask, step, position)
    np.testing.assert_array_equal(position, expected)
    kernels.every_nth_pixel(mask, step, position[:3])
    np.testing.assert_array_equal(position[:3], expected[:3])
