import cv2
import numpy as np
import pytest

from usmicro.tracking.motion import reduced_tissue, tissue_shift


def speckle(seed: int) -> np.ndarray:
    return cv2.GaussianBlur(
        np.random.default_rng(seed).rayleigh(40, (300, 360)).astype(np.float32), (0, 0), 2.0
    )


@pytest.mark.parametrize("moved", [(0, 0), (4, -6), (-11, 3)])
def test_the_movement_of_the_tissue_is_that_of_its_speckle(moved):
    grey, tissue = speckle(1), np.zeros((300, 360), bool)
    tissue[20:280, 30:330] = True
    before = reduced_tissue(grey, tissue)
    found = tissue_shift(before, reduced_tissue(np.roll(grey, moved[::-1], axis=(0, 1)), tissue))
    np.testing.assert_allclose(found, moved, atol=0.6)


def test_frames_that_have_nothing_in_common_have_not_moved():
    tissue = np.ones((300, 360), bool)
    assert (
        tissue_shift(reduced_tissue(speckle(1), tissue), reduced_tissue(speckle(2), tissue)) is None
    )
    assert tissue_shift(np.zeros((10, 10), np.float32), np.zeros((10, 12), np.float32)) is None
