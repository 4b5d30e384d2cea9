from dataclasses import replace

import numpy as np
import pytest

from tests.foci.test_confidence import anatomy
from usmicro.foci.assessment import CLUMP_REASON, assess_foci
from usmicro.foci.confidence import focus_confidence
from usmicro.foci.detection import find_candidates
from usmicro.phantom import simulate
from usmicro.preparation import prepare
from usmicro.settings import FociSettings, ShadowSettings


@pytest.fixture(scope="module")
def view():
    phantom = simulate(7)
    return prepare(phantom.frames[0], spacing=phantom.spacing, regions=phantom.regions)[0]


@pytest.fixture(scope="module")
def foci(view):
    return assess_foci(view, anatomy(view, 0.5), FociSettings(), ShadowSettings())


def test_round_foci_have_the_confidence_of_their_candidates(view, foci):
    candidates = find_candidates(view)
    expected = focus_confidence(view, candidates, anatomy(view, 0.5))
    is_round = foci.candidates.features["clump"] == 0
    assert is_round.any()
    np.testing.assert_array_equal(foci.confidence[is_round], expected[foci.source[is_round]])


def test_there_is_a_reason_for_each_chosen_focus(foci):
    texts = foci.reasons()
    assert len(texts) == len(foci.candidates)
    assert all(text.endswith(".") and text[0].isupper() for text in texts)
    chosen = np.array([4, 0, 2])
    assert foci.take(chosen).reasons() == [texts[i] for i in chosen]
    assert foci.take(chosen[:0]).reasons() == []


def test_a_clump_has_the_reason_of_its_rule_unless_a_part_is_as_confident(foci):
    features = foci.candidates.features | {"clump": np.ones(len(foci.candidates))}
    clumps = replace(foci, candidates=replace(foci.candidates, features=features))
    assert clumps.reasons() == foci.reasons()
    more_confident = replace(clumps, confidence=clumps.confidence + 1e-6)
    assert set(more_confident.reasons()) == {CLUMP_REASON}


def test_the_parts_of_clumps_and_the_other_candidates_are_all_candidates(view, foci):
    candidates = find_candidates(view)
    is_round = foci.candidates.features["clump"] == 0
    kept = foci.source[is_round].tolist()
    assert sorted([*kept, *foci.parts_source.tolist()]) == list(range(len(candidates)))
    np.testing.assert_array_equal(foci.parts.x, candidates.x[foci.parts_source])
    expected = focus_confidence(view, candidates, anatomy(view, 0.5))
    np.testing.assert_array_equal(foci.parts_confidence, expected[foci.parts_source])


def test_what_lowered_the_confidence_agrees_with_the_reasons(foci):
    for reason, lowered in zip(foci.reasons(), foci.lowered_by(), strict=True):
        assert ("owered by" in reason) <= bool(lowered)
