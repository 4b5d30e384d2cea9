from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.posterior.masses import ellipse, scan_with_mass
from tests.posterior.scans import sector_of, view_of
from usmicro.posterior.mass_features import feature_of, posterior_feature
from usmicro.settings import ShadowSettings

SHADOWING = ((160, 321, -9),)
"""The whole width behind the mass of `scan_with_mass` is 9 dB darker."""


@pytest.mark.parametrize(
    ("behind", "feature"),
    [
        ((), "none"),
        (SHADOWING, "shadowing"),
        (((160, 321, 9),), "enhancement"),
        (((160, 225, -12), (225, 321, 9)), "combined"),
        (((160, 190, -15), (290, 321, -15)), "none"),  # edge shadow
    ],
)
@pytest.mark.parametrize("seed", [12, 16, 17])
def test_posterior_features(behind, feature, seed):
    grey, mass = scan_with_mass(seed, behind=behind)
    assert posterior_feature(view_of(grey), mass).feature == feature


def test_the_score_is_negative_behind_a_dark_mass_and_equal_in_the_mirrored_scan():
    grey, mass = scan_with_mass(13, behind=SHADOWING)
    posterior = posterior_feature(view_of(grey), mass)
    mirrored = posterior_feature(view_of(grey[:, ::-1].copy()), mass[:, ::-1].copy())
    assert -1 <= posterior.score < -0.5
    assert mirrored.feature == posterior.feature
    assert_allclose(mirrored.score, posterior.score, atol=1e-3)


def test_the_score_rises_with_the_level_behind_the_mass():
    scores: list[float] = []
    for decibels in (-12, -6, 0, 6, 12):
        grey, mass = scan_with_mass(18, behind=((160, 321, decibels),))
        score = posterior_feature(view_of(grey), mass).score
        assert score is not None
        scores.append(score)
    assert scores == sorted(scores)


def test_a_sector_scan_has_the_feature_of_its_polar_image():
    polar, mass = scan_with_mass(14, behind=SHADOWING)
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


def test_both_probabilities_above_their_thresholds_are_a_combined_feature():
    settings = replace(ShadowSettings(), posterior_enhancement=0.6, posterior_shadowing=0.3)
    words = {
        (0.7, 0.4): "combined",
        (0.7, 0.3): "enhancement",
        (0.6, 0.4): "shadowing",
        (0.6, 0.3): "none",
    }
    assert {pair: feature_of(*pair, settings) for pair in words} == words


def test_the_thresholds_are_settings():
    grey, mass = scan_with_mass(12, behind=SHADOWING)
    strict = replace(ShadowSettings(), posterior_shadowing=1.0)
    assert posterior_feature(view_of(grey), mass, strict).feature == "none"
