import math
from dataclasses import replace

import numpy as np
import pytest

from tests.foci.test_models import CURVE, write_folder
from tests.helpers.finished_analysis import FOCUS, made_analysis
from usmicro.foci.confidence import calcification_score
from usmicro.foci.operating_point import listing_confidence
from usmicro.numerics.logistic import Logistic
from usmicro.settings import Settings, read_settings
from usmicro.tracking.summary import decisive_foci, listed_foci, summarise


def foci_of(*confidences):
    return [replace(FOCUS, confidence=value) for value in confidences]


def summary_of(foci, settings):
    return summarise(
        made_analysis().scan,
        foci,
        [],
        settings,
        frames=1,
        geometry="linear",
        colour_flow=False,
        spacing_rejected=False,
    )


@pytest.fixture
def models(tmp_path):
    """Assignment of a folder with the curve CURVE and a simple calcification score."""
    image = Logistic(0.0, {"highest_log_odds": 1.0})
    return f"foci.models={str(write_folder(tmp_path / 'own', network=False, image=image))!r}"


def test_focus_is_listed_from_the_minimum_confidence_on_or_if_its_confidence_is_not_a_number():
    settings = read_settings(assignments=["foci.minimum_confidence=0.5"])
    foci = foci_of(0.9, 0.5, 0.49, math.nan)
    assert listed_foci(foci, settings) == [foci[0], foci[1], foci[3]]


def test_every_focus_is_listed_from_a_minimum_confidence_of_zero_on():
    foci = foci_of(0.9, 0.001, 0.0)
    settings = read_settings(assignments=["foci.minimum_confidence=0"])
    assert listed_foci(foci, settings) == foci


def test_a_still_depends_on_the_listed_foci_and_on_the_most_confident_one():
    settings = read_settings(assignments=["foci.minimum_confidence=0.5"]).foci
    for confidence, decisive in (
        ((0.2, 0.9, 0.5, 0.49, math.nan), [1, 2, 4]),
        ((0.2, 0.3, 0.1, 0.3), [1, 3]),
        ((), []),
    ):
        assert decisive_foci(np.array(confidence), settings).tolist() == decisive


def test_the_foci_that_decide_are_chosen_by_the_confidence_at_the_site():
    settings = read_settings(
        assignments=["foci.minimum_confidence=0.5", "foci.confidence_offset=1"]
    ).foci
    assert decisive_foci(np.array([0.6, 0.3, 0.2]), settings).tolist() == [0, 1]


def test_by_default_a_focus_is_listed_from_the_confidence_of_the_operating_point_on():
    least = listing_confidence(Settings().foci)
    foci = foci_of(least, 0.999 * least)
    assert listed_foci(foci, Settings()) == foci[:1]


@pytest.mark.parametrize(("rate", "least"), CURVE)
def test_more_foci_are_listed_if_more_false_positives_are_accepted(models, rate, least):
    foci = foci_of(0.9, 0.79, 0.3, 0.19, 0.06, 0.04)
    settings = read_settings(
        assignments=[models, f"foci.false_positives_per_image={rate}"],
    )
    expected = [focus for focus in foci if focus.confidence >= least]
    assert listed_foci(foci, settings) == expected
    assert summary_of(foci, settings).foci == len(expected)


def test_the_score_is_that_of_all_foci_whether_listed_or_not(models):
    foci = foci_of(0.6, 0.3, 0.02)
    scores = {
        summary_of(
            foci, read_settings(assignments=[models, f"foci.minimum_confidence={least}"])
        ).calcification_score
        for least in (0, 0.5, 1)
    }
    assert len(scores) == 1
    assert scores.pop() == pytest.approx(0.6)
    assert summary_of(foci, Settings()).calcification_score == calcification_score([0.6, 0.3, 0.02])
