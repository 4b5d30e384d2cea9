import cv2
import numpy as np
import pytest

from usmicro.model.anatomy import AreaLabel
from usmicro.model.frame_outlines import MOST_CORNERS, FrameOutlines


def ellipse(shape, centre, radii):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.hypot((x - centre[0]) / radii[0], (y - centre[1]) / radii[1]) < 1


@pytest.fixture
def labels():
    """A mass with a hole, a duct and a nonmass area below a header."""
    shape = 300, 400
    drawn = np.zeros(shape, np.uint8)
    drawn[ellipse(shape, (150, 150), (70, 50))] = AreaLabel.MASS
    drawn[ellipse(shape, (150, 150), (12, 10))] = AreaLabel.TISSUE
    drawn[250:260, 20:200] = AreaLabel.DUCT
    drawn[ellipse(shape, (320, 100), (40, 30))] = AreaLabel.NONMASS
    drawn[:31] = AreaLabel.NOT_TISSUE
    drawn[40, 60] = AreaLabel.NOT_TISSUE
    return drawn


def filled(outlines, shape):
    """Return the area inside outlines, whose holes are outlined on pixels of the area."""
    area = np.zeros(shape, np.uint8)
    cv2.drawContours(area, [corners[:, None] for corners in outlines], -1, 1, cv2.FILLED)
    return area > 0


def test_outlines_are_those_of_the_label_image(labels):
    outlines = FrameOutlines()
    outlines.add(7, labels)
    found = outlines.of_frame(7)
    assert set(found) == {AreaLabel.MASS, AreaLabel.DUCT, AreaLabel.NONMASS}
    for kind, corners in found.items():
        true, drawn = labels == kind, filled(corners, labels.shape)
        assert (true & drawn).sum() / (true | drawn).sum() > 0.97
    assert len(found[AreaLabel.MASS]) == 2  # with its hole


def test_tissue_is_kept_exactly(labels):
    outlines = FrameOutlines()
    for frame in range(3):
        outlines.add(frame, np.roll(labels, frame, axis=1))
    for frame in range(3):
        true = np.roll(labels, frame, axis=1) != AreaLabel.NOT_TISSUE
        assert (outlines.tissue(frame) == true).all()


def test_frames_without_tissue_are_counted_and_show_nothing(labels):
    outlines = FrameOutlines()
    outlines.add(0, labels)
    outlines.add(10, None)
    outlines.add(20, np.zeros_like(labels))
    assert outlines.analysed == [0, 10, 20]
    assert not outlines.tissue(10).any()
    assert outlines.tissue(10).shape == labels.shape
    assert outlines.of_frame(10) == outlines.of_frame(20) == {}
    assert outlines.tissue(20).all()


def test_ragged_areas_have_few_corners():
    noise = cv2.GaussianBlur(np.random.default_rng(3).normal(size=(300, 400)), (0, 0), 6)
    labels = np.where(noise > 0.02, AreaLabel.NONMASS, AreaLabel.TISSUE).astype(np.uint8)
    outlines = FrameOutlines()
    outlines.add(0, labels)
    corners = outlines.of_frame(0)[AreaLabel.NONMASS]
    contours = cv2.findContours((labels == 3).astype(np.uint8), cv2.RETR_CCOMP, 1)[0]
    assert len(corners) == len(contours)
    assert sum(map(len, corners)) < max(MOST_CORNERS, 8 * len(contours))


def test_ten_thousand_frames_need_about_10_mb(labels):
    outlines = FrameOutlines()
    for frame in range(100):
        outlines.add(frame, np.roll(labels, frame % 10, axis=1))
    assert outlines.size * 100 < 10e6


def test_equal_tissue_of_successive_frames_is_stored_once(labels):
    one, many = FrameOutlines(), FrameOutlines()
    bare = np.where(labels == AreaLabel.NOT_TISSUE, labels, 0).astype(np.uint8)
    one.add(0, bare)
    for frame in range(50):
        many.add(frame, bare)
    assert many.size == one.size > 0
