from dataclasses import replace

import pytest

from usmicro.foci.operating_point import (
    listing_confidence,
    listing_confidence_of_models,
    shown_confidence,
)
from usmicro.foci.site import model_confidence, site_confidence
from usmicro.settings import FociSettings

CALIBRATED = FociSettings(confidence_offset=-1.5, confidence_slope=0.8)


@pytest.mark.parametrize("confidence", [0.0, 1e-9, 0.004, 0.3, 0.999, 1.0])
def test_without_calibration_a_confidence_keeps_every_bit(confidence):
    assert site_confidence(confidence, FociSettings()) == confidence
    assert model_confidence(confidence, FociSettings()) == confidence


@pytest.mark.parametrize("confidence", [1e-9, 0.004, 0.3, 0.999])
def test_the_two_scales_are_inverse(confidence):
    of_site = site_confidence(confidence, CALIBRATED)
    assert 0 < of_site < 1
    assert model_confidence(of_site, CALIBRATED) == pytest.approx(confidence, rel=1e-9)


def test_log_odds_are_stretched_and_shifted():
    # odds of 1 have log odds of 0, so that only the offset remains: 1 / (1 + e^1.5)
    assert site_confidence(0.5, CALIBRATED) == pytest.approx(0.18242552)


def test_the_order_of_confidences_stays():
    values = [0.0, 1e-12, 0.001, 0.2, 0.5, 0.9, 1.0]
    changed = [site_confidence(value, CALIBRATED) for value in values]
    assert changed == sorted(changed)
    assert (changed[0], changed[-1]) == (0, 1)


def test_the_rate_of_false_positives_lists_the_same_foci_on_both_scales():
    default = listing_confidence(FociSettings())
    assert listing_confidence(CALIBRATED) == site_confidence(default, CALIBRATED)
    given = replace(CALIBRATED, minimum_confidence=0.2)
    assert listing_confidence(given) == 0.2
    assert site_confidence(listing_confidence_of_models(given), given) == pytest.approx(0.2)
    assert listing_confidence_of_models(given) < model_confidence(0.2, given)
    assert listing_confidence_of_models(FociSettings()) == default


def test_the_report_begins_with_what_a_calibrated_run_lists():
    low = replace(CALIBRATED, minimum_confidence=0.001)
    assert shown_confidence(low, calibrated=True) == 0.001
    assert shown_confidence(low) == listing_confidence(CALIBRATED)
    every = replace(CALIBRATED, minimum_confidence=0.0)
    assert shown_confidence(every, calibrated=True) == listing_confidence(CALIBRATED)
