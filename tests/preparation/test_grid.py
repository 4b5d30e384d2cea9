import numpy as np
import pytest

from usmicro.model.scan import Spacing
from usmicro.preparation.grid import pixel_aspect


@pytest.mark.parametrize(
    ("x_mm", "y_mm", "expected"),
    [
        (0.1, 0.1, 1.0),
        (0.1, 0.16, 1.6),
        (0.1, 0.06, 0.6),
        (None, None, 1.0),
        (0.1, None, 1.0),
        (0.0, 0.1, 1.0),
        (0.1, np.nan, 1.0),
        (np.inf, 0.1, 1.0),
        (0.1, 5.0, 1.0),
    ],
)
def test_aspect_is_height_over_width_of_a_pixel_if_plausible(x_mm, y_mm, expected):
    assert pixel_aspect(Spacing(x_mm, y_mm, "given")) == pytest.approx(expected)
