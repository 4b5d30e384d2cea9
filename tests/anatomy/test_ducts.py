import numpy as np
import pytest

from usmicro.anatomy.ducts import tubes
from usmicro.anatomy.network import Prediction, network_input
from usmicro.model.view import Grid, ScanLines, View


def view_of(rows, columns, pixel_mm=0.1):
    everywhere = np.ones((rows, columns), np.bool_)
    grey = np.full((rows, columns), 80, np.float32)
    scan_lines = ScanLines("linear", 0.0, middle_x=columns / 2)
    return View(grey, everywhere, ~everywhere, Grid(0, 0, 1, 1, pixel_mm), scan_lines, (3.0, 3.0))


@pytest.mark.parametrize("side", [300, 320, 340])
def test_a_tube_is_measured_with_the_true_pixel_size_of_the_network(side):
    view = view_of(side, side)
    logit = np.full((160, 160), -8, np.float32)
    logit[80:88, 30:130] = 8
    prediction = Prediction(network_input(logit, np.ones(logit.shape, np.bool_)), logit)
    pixel_mm = side * view.grid.pixel_mm / 160
    assert prediction.pixel_mm(view) == pytest.approx(pixel_mm)
    # the width follows from the mean distance to the edge, in whole pixels: 10 % too large here
    (tube,) = tubes(view, prediction, np.zeros(view.shape, np.float32))
    assert tube.features["width"] == pytest.approx(8 * pixel_mm, rel=0.12)
    assert np.exp(tube.features["length"]) == pytest.approx(100 * pixel_mm, rel=0.12)
    assert tube.features["depth"] == pytest.approx(84 * pixel_mm / 10, rel=0.05)
