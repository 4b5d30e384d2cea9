import cv2
import numpy as np
import pytest

from usmicro.phantom import PhantomSettings, simulate
from usmicro.preparation.colour.separation import separate_colour


@pytest.fixture(scope="module")
def sector_frame():
    settings = PhantomSettings(
        geometry="sector",
        width=50.0,
        radius=50.0,
        spacing=0.09,
        screen=True,
        colour=True,
        vessels=2,
        box_style="outline",
    )
    return simulate(3, settings).frames[0]


@pytest.mark.parametrize("factor", [0.6, 0.8, 1.25, 1.6])
def test_arcs_of_a_colour_box_are_followed_on_pixels_that_are_not_square(sector_frame, factor):
    rows, columns = sector_frame.shape[:2]
    size = (columns, round(rows * factor))
    stretched = cv2.resize(sector_frame, size, interpolation=cv2.INTER_NEAREST)
    found = separate_colour(stretched, aspect=rows / size[1]).box
    square = separate_colour(sector_frame).box.astype(np.uint8)
    expected = cv2.resize(square, size, interpolation=cv2.INTER_NEAREST) > 0
    assert (found & expected).sum() / (found | expected).sum() > 0.98
