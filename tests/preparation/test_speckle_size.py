import numpy as np
import pytest

from tests.helpers.drawn_screens import speckle
from usmicro.model.view import ScanLines
from usmicro.preparation.speckle_size import measure_speckle_size

LINEAR = ScanLines("linear", face=0)


@pytest.mark.parametrize(("across", "along"), [(5.0, 3.0), (8.0, 4.0), (4.0, 4.0), (10.0, 3.0)])
def test_speckle_size_is_proportional_to_the_point_spread(across, along):
    image = speckle(300, 320, across=across, along=along).astype(np.float32)
    measured = measure_speckle_size(image, np.ones(image.shape, dtype=bool), LINEAR)
    # for an intensity covariance r^2, a Gaussian as wide as the point spread, the covariance of
    # the log intensity is Li2(r^2); Li2 halves at r^2 = 0.68, so that the width is 0.75 of it
    assert measured == pytest.approx((0.75 * across, 0.75 * along), rel=0.15)


def test_transposing_the_image_swaps_the_axes():
    image = speckle(300, 300, across=8, along=3).astype(np.float32)
    usable = np.ones(image.shape, dtype=bool)
    across, along = measure_speckle_size(image, usable, LINEAR)
    transposed = measure_speckle_size(np.ascontiguousarray(image.T), usable, LINEAR)
    assert transposed == pytest.approx((along, across), rel=0.1)


def test_speckle_size_is_measured_along_the_beam_not_along_the_columns():
    image = np.ascontiguousarray(speckle(300, 300, across=8, along=3).T).astype(np.float32)
    sideways = ScanLines("sector", face=100, apex_x=-3000, apex_y=150)
    across, along = measure_speckle_size(image, np.ones(image.shape, dtype=bool), sideways)
    assert across > 1.8 * along


def test_layers_and_gain_have_little_influence():
    image = speckle(300, 320, across=6, along=3).astype(np.float32)
    usable = np.ones(image.shape, dtype=bool)
    plain = measure_speckle_size(image, usable, LINEAR)
    layered = image.copy()
    layered[100:110] += 90
    layered[:, 150:] += 40
    assert measure_speckle_size(layered, usable, LINEAR) == pytest.approx(plain, rel=0.15)
    assert measure_speckle_size(image * 0.6 + 20, usable, LINEAR) == pytest.approx(plain, rel=0.1)


@pytest.mark.parametrize(
    "image", [np.zeros((200, 200)), np.full((200, 200), 255.0), np.zeros((5, 200))]
)
def test_the_speckle_size_of_an_image_without_speckle_is_none(image):
    assert (
        measure_speckle_size(image.astype(np.float32), np.ones(image.shape, dtype=bool), LINEAR)
        is None
    )


def test_unusable_pixels_are_not_used():
    image = speckle(300, 320).astype(np.float32)
    assert measure_speckle_size(image, np.zeros(image.shape, dtype=bool), LINEAR) is None
