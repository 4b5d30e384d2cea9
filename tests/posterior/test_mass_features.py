import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.posterior.scans import GREY_PER_DB, sector_of, speckle, view_of
from usmicro.posterior.mass_features import posterior_feature


def ellipse(shape, x, y, a, b):
    """Mask of an ellipse with the half axes `a` and `b`."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return ((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 <= 1


def scan_with_mass(seed, *, behind=()):
    """Speckle with a dark mass, and its mask; `behind` is (first, last, dB) of columns below it."""
    grey = speckle(seed) - 15 * GREY_PER_DB  # breast tissue is darker than the middle of the scale
    mass = ellipse((500, 480), 240, 150, 80, 50)
    for first, last, decibels in behind:
        grey[150:, first:last] += decibels * GREY_PER_DB
    grey[mass] = speckle(seed)[mass] - 25 * GREY_PER_DB
    return grey, mass


@pytest.mark.parametrize(
    ("behind", "feature"),
    [
        ((), "none"),
        (((160, 321, -9),), "shadowing"),
        (((160, 321, 9),), "enhancement"),
        (((160, 225, -12), (225, 321, 9)), "combined"),
        (((160, 190, -15), (290, 321, -15)), "none"),  # edge shadow
    ],
)
def test_posterior_features(behind, feature):
    grey, mass = scan_with_mass(12, behind=behind)
    assert posterior_feature(view_of(grey), mass).feature == feature


def test_the_score_is_negative_behind_a_dark_mass_and_equal_in_the_mirrored_scan():
    grey, mass = scan_with_mass(13, behind=((160, 321, -9),))
    posterior = posterior_feature(view_of(grey), mass)
    mirrored = posterior_feature(view_of(grey[:, ::-1].copy()), mass[:, ::-1].copy())
    assert posterior.score < 0
    assert_allclose(mirrored.score, posterior.score, atol=0.01)


def test_a_sector_scan_has_the_feature_of_its_polar_image():
    polar, mass = scan_with_mass(14, behind=((160, 321, -9),))
    polar = np.clip(polar, 0, 255)
    view, _ = sector_of(polar, face=400.0)
    sector_mass = sector_of(255.0 * mass, face=400.0)[0].grey > 127
    linear, sector = posterior_feature(view_of(polar), mass), posterior_feature(view, sector_mass)
    assert sector.feature == linear.feature == "shadowing"
    assert_allclose(sector.score, linear.score, atol=0.08)


def test_a_mass_at_the_lower_edge_or_without_pixels_is_not_assessable():
    grey, _ = scan_with_mass(15)
    for mass in (ellipse((500, 480), 240, 460, 80, 40), np.zeros((500, 480), bool)):
        posterior = posterior_feature(view_of(grey), mass)
        assert posterior.feature == "not assessable"
        assert posterior.score is None
