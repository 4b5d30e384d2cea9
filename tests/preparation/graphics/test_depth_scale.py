import cv2
import numpy as np
import pytest

from tests.helpers.drawn_screens import speckle
from usmicro.preparation.graphics.text import find_graphics


def with_depth_scale(image, step, *, right=True, figures=True):
    """Draw ticks at a side, `step` rows apart, and a figure at every fourth."""
    drawn = np.zeros_like(image)
    for number, row in enumerate(np.arange(20, image.shape[0] - 10, step)):
        row = round(row)
        length = 8 if number % 4 == 0 else 5
        drawn[row, -length:] = 170
        if figures and number % 4 == 0:
            cv2.putText(
                drawn,
                str(number // 4),
                (image.shape[1] - 18, row + 4),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.3,
                170,
                1,
            )
    drawn = drawn if right else np.ascontiguousarray(drawn[:, ::-1])
    return np.maximum(image, drawn), drawn > 0


@pytest.mark.parametrize("step", [18.0, 19.5, 31.3])
@pytest.mark.parametrize("right", [True, False])
def test_ticks_on_dark_tissue_are_covered(step, right):
    image, drawn = with_depth_scale(speckle(400, 300, mean=35), step, right=right)
    mask = find_graphics(image, np.ones(image.shape, dtype=bool))
    assert mask[drawn].mean() > 0.9
    assert not mask[:, 30:-30].any()


@pytest.mark.parametrize("seed", range(3))
def test_no_depth_scale_is_found_in_speckle(seed):
    image = speckle(400, 300, seed=seed, across=12, along=3)
    assert not find_graphics(image, np.ones(image.shape, dtype=bool)).any()
