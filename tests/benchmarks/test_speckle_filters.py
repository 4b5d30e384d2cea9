import cv2
import numpy as np
import pytest

from benchmarks.speckle.__main__ import CROP, SEED, SETTINGS, picture, score
from usmicro.phantom.simulation import simulate


@pytest.fixture(scope="module")
def phantom():
    return simulate(SEED, SETTINGS)


def test_the_unfiltered_scan_keeps_everything(phantom):
    grey = phantom.frames[0].astype(np.float32)
    kept = score("unfiltered", grey, grey, phantom, 0.002)
    assert (kept.edge, kept.focus, kept.ms) == (1, 1, 2)
    assert 0 < kept.gcnr < 1


def test_blur_quietens_speckle_and_lowers_foci_and_edges(phantom):
    grey = phantom.frames[0].astype(np.float32)
    plain, blurred = (
        score("", grey, image, phantom, 0) for image in (grey, cv2.GaussianBlur(grey, (0, 0), 4))
    )
    assert blurred.speckle_index < plain.speckle_index
    assert blurred.gcnr > plain.gcnr
    assert blurred.focus < 0.8
    assert blurred.edge < 0.9


def test_pictures_fill_whole_rows(phantom):
    grey = phantom.frames[0].astype(np.float32)
    rows, columns = grey[CROP].shape
    assert picture({"a": grey, "b": grey, "c": grey, "d": grey}).shape == (2 * rows, 3 * columns)
