import numpy as np
import pytest

from usmicro.inspection import VELOCITY_COLOURS, draw_views, inspect, velocity_colours
from usmicro.phantom import random_settings, simulate
from usmicro.writing.masks import encode_png


def test_velocities_have_opposite_colours_and_no_flow_is_neutral():
    colours = velocity_colours(np.array([-5, -1, 0, 1, 5], np.float32))
    np.testing.assert_array_equal(
        colours,
        [
            VELOCITY_COLOURS[0],
            VELOCITY_COLOURS[0],
            VELOCITY_COLOURS[1],
            VELOCITY_COLOURS[2],
            VELOCITY_COLOURS[2],
        ],
    )


@pytest.fixture(scope="module")
def clip():
    return simulate(3001, random_settings(3001, "vessel"))


def test_the_flow_of_a_colour_scan_is_drawn_beside_it(clip, tmp_path):
    path = tmp_path / "flow.png"
    path.write_bytes(encode_png(clip.frames[0]))
    picture = draw_views(inspect(path))
    rows, columns = picture.shape[:2]
    assert columns == pytest.approx(
        rows / clip.frames[0].shape[0] * clip.frames[0].shape[1] * 2, abs=4
    )
    right = picture[:, columns // 2 :].astype(int)
    assert (np.ptp(right, axis=2) > 60).sum() > 200  # flow keeps its colours, the tissue is grey


def test_a_grey_scan_has_no_picture_of_flow(clip, tmp_path):
    path = tmp_path / "grey.png"
    path.write_bytes(encode_png(np.repeat(clip.frames[0].min(axis=2, keepdims=True), 3, axis=2)))
    picture = draw_views(inspect(path))
    assert picture.shape[1] / picture.shape[0] == pytest.approx(
        clip.frames[0].shape[1] / clip.frames[0].shape[0], rel=0.01
    )
