import cv2
import numpy as np
import pytest

from benchmarks.speckle.__main__ import CROP, SEED, SETTINGS, picture, score
from usmicro.phantom.simulation import simulate


@pytest.fixture(scope="module")
def phantom():
    return simulate(SEED, SETTINGS)


def test_edge_and_focus_of_the_unfiltered_scan_are_1(phantom):
    grey = phantom.frames[0].astype(np.float32)
    scores = score("unfiltered", grey, grey, phantom, 0.002)
    assert (scores.edge, scores.focus, scores.ms) == (1, 1, 2)
    assert 0 < scores.gcnr < 1


def test_a_blur_lowers_speckle_foci_and_edges(phantom):
    grey = phantom.frames[0].astype(np.float32)
    unfiltered, blurred = (
        score("", grey, image, phantom, 0) for image in (grey, cv2.GaussianBlur(grey, (0, 0), 4))
    )
    assert blurred.speckle_index < unfiltered.speckle_index
    assert blurred.gcnr > unfiltered.gcnr
    assert blurred.focus < 0.8
    assert blurred.edge < 0.9


def test_the_last_row_of_pictures_is_filled(phantom):
    grey = phantom.frames[0].astype(np.float32)
    rows, columns = grey[CROP].shape
    assert picture({"a": grey, "b": grey, "c": grey, "d": grey}).shape == (2 * rows, 3 * columns)
