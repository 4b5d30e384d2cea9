from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.foci.test_models import CURVE, write_folder
from usmicro.foci.models import read_focus_models
from usmicro.foci.operating_point import listing_confidence, shown_confidence
from usmicro.settings import FociSettings


@pytest.fixture
def settings(tmp_path):
    """Settings with the curve CURVE."""
    return FociSettings(models=str(write_folder(tmp_path / "models", network=False)))


def confidence_at(settings, rate):
    return listing_confidence(replace(settings, false_positives_per_image=rate))


def test_the_curve_of_the_package_falls_strictly():
    curve = read_focus_models().curve
    assert len(curve) > 3
    for (rate, confidence), (next_rate, next_confidence) in pairwise(curve):
        assert 0 < rate < next_rate
        assert 1 > confidence > next_confidence > 0


def test_the_curve_of_the_package_has_a_point_at_the_default_rate():
    assert listing_confidence(FociSettings()) == pytest.approx(
        dict(read_focus_models().curve)[0.75]
    )


@pytest.mark.parametrize(("rate", "confidence"), CURVE)
def test_a_point_of_the_curve_gives_its_confidence(settings, rate, confidence):
    assert confidence_at(settings, rate) == pytest.approx(confidence)


def test_between_two_points_the_logarithms_are_interpolated(settings):
    middle = np.sqrt(0.1 * 1.0)
    assert confidence_at(settings, middle) == pytest.approx(np.sqrt(0.8 * 0.2))


@pytest.mark.parametrize(("rate", "confidence"), [(0.05, 0.8), (20.0, 0.05)])
def test_beyond_the_curve_the_confidence_is_that_of_its_end(settings, rate, confidence):
    assert confidence_at(settings, rate) == pytest.approx(confidence)


@pytest.mark.parametrize("own", [True, False], ids=["own", "package"])
def test_more_false_positives_are_allowed_by_a_lower_confidence(settings, own):
    settings = settings if own else FociSettings()
    confidences = [confidence_at(settings, rate) for rate in np.geomspace(0.05, 20, 60)]
    assert all(a >= b for a, b in pairwise(confidences))
    assert len(set(confidences)) > 30
    assert 0 < confidences[-1] < confidences[0] < 1


@pytest.mark.parametrize("confidence", [0.0, 1e-6, 0.3, 1.0])
def test_a_given_minimum_confidence_decides(settings, confidence):
    given = replace(settings, minimum_confidence=confidence)
    for rate in (0.05, 1.0, 20.0):
        assert confidence_at(given, rate) == confidence


def test_a_given_minimum_confidence_needs_no_models(tmp_path):
    given = FociSettings(minimum_confidence=0.2, models=str(tmp_path / "missing"))
    assert listing_confidence(given) == 0.2


@pytest.mark.parametrize("confidence", [-1.0, -0.01])
def test_a_negative_minimum_confidence_leaves_the_choice_to_the_rate(settings, confidence):
    negative = replace(settings, minimum_confidence=confidence)
    assert confidence_at(negative, 1.0) == pytest.approx(0.2)


def test_the_report_begins_with_what_is_listed_or_with_what_the_rate_would_list(settings):
    by_rate = listing_confidence(settings)
    assert shown_confidence(settings) == by_rate
    assert shown_confidence(replace(settings, minimum_confidence=0.0)) == by_rate
    assert shown_confidence(replace(settings, minimum_confidence=0.9)) == 0.9
