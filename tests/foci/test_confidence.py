from dataclasses import replace

import numpy as np
import pytest

from tests.foci.test_models import write_folder
from usmicro.foci import find_candidates
from usmicro.foci.confidence import (
    calcification_score,
    focus_confidence,
    focus_features,
    image_features,
)
from usmicro.foci.models import read_focus_models
from usmicro.model.anatomy import Anatomy
from usmicro.numerics.logistic import Logistic
from usmicro.phantom import simulate
from usmicro.preparation import prepare


@pytest.fixture(scope="module")
def candidates_of_phantom():
    phantom = simulate(7)
    view = prepare(phantom.frames[0], spacing=phantom.spacing, regions=phantom.regions)[0]
    return view, find_candidates(view)


def anatomy(view, probability, ducts=False):
    nothing = np.zeros(view.shape, np.int32)
    duct = np.full(view.shape, float(ducts), np.float32)
    return Anatomy(
        pixel_mm=view.grid.pixel_mm,
        mass_probability=np.full(view.shape, probability, np.float32),
        masses=nothing,
        mass_confidence=(),
        duct_probability=duct,
        ducts=nothing + ducts,
        duct_confidence=(1.0,) * ducts,
        nonmass=nothing > 0,
    )


def inside_a_mass(view):
    """Anatomy of a view that a single sure mass fills except for its border."""
    masses = np.zeros(view.shape, np.int32)
    masses[1:-1, 1:-1] = 1
    return replace(anatomy(view, 0.98), masses=masses, mass_confidence=(0.95,))


def test_a_logistic_has_the_textbook_value_for_numbers_and_arrays():
    model = Logistic(-1.0, {"a": 2.0, "b": -0.5})
    assert model.probability({"a": 1, "b": 4, "unused": 9}) == pytest.approx(1 / (1 + np.exp(1)))
    several = model.probability({"a": np.array([0.0, 1.0]), "b": np.zeros(2)})
    np.testing.assert_allclose(several, [1 / (1 + np.e), np.e / (1 + np.e)])


def test_the_model_of_the_package_has_a_weight_for_each_feature(candidates_of_phantom):
    view, candidates = candidates_of_phantom
    models = read_focus_models()
    features = focus_features(view, candidates, anatomy(view, 0.5), models)
    assert set(models.focus.weights) == set(features)
    context = {"log_near_3mm", "log_near_8mm", "log_elsewhere", "best_other"}
    assert set(models.alone.weights) == set(features) - context
    assert {values.shape for values in features.values()} == {(len(candidates),)}


def test_confidence_is_higher_in_a_likely_mass_than_outside(candidates_of_phantom):
    view, candidates = candidates_of_phantom
    outside, inside = (
        focus_confidence(view, candidates, a) for a in (anatomy(view, 0.02), inside_a_mass(view))
    )
    assert len(inside) > 5
    assert np.all((outside >= 0) & (outside < inside) & (inside <= 1))


def test_confidence_is_lower_for_a_line_than_for_a_point(candidates_of_phantom):
    view, candidates = candidates_of_phantom
    point, line = (
        focus_confidence(
            view, replace(candidates, line=np.full(len(candidates), value)), anatomy(view, 0.5)
        )
        for value in (0, 1)
    )
    assert np.all(line < point)


def test_confidence_follows_the_order_of_the_candidates(candidates_of_phantom):
    view, candidates = candidates_of_phantom
    order = np.random.default_rng(1).permutation(len(candidates))
    confidence = focus_confidence(view, candidates, anatomy(view, 0.5))
    shuffled = focus_confidence(view, candidates.take(order), anatomy(view, 0.5))
    np.testing.assert_allclose(shuffled, confidence[order], rtol=1e-3)


def test_confidence_of_no_candidates_is_an_empty_array(candidates_of_phantom):
    view, candidates = candidates_of_phantom
    none = candidates.take(np.zeros(len(candidates), bool))
    assert focus_confidence(view, none, anatomy(view, 0.5)).shape == (0,)


def test_confidence_of_a_single_candidate_is_a_probability(candidates_of_phantom):
    view, candidates = candidates_of_phantom
    (confidence,) = focus_confidence(view, candidates.take(np.array([0])), anatomy(view, 0.5))
    assert 0 < confidence < 1


def test_models_of_ones_own_take_the_place_of_those_of_the_package(candidates_of_phantom, tmp_path):
    view, candidates = candidates_of_phantom
    own = Logistic(0.0, {"line": -1.0})
    models = read_focus_models(str(write_folder(tmp_path / "own", focus=own)))
    confidence = focus_confidence(view, candidates, anatomy(view, 0.5), models)
    np.testing.assert_allclose(confidence, own.probability({"line": candidates.line}))


def test_a_confident_neighbour_matters_through_the_context(candidates_of_phantom, tmp_path):
    view, candidates = candidates_of_phantom
    models = read_focus_models(
        str(write_folder(tmp_path / "own", focus=Logistic(0.0, {"log_near_3mm": 1.0})))
    )
    one = candidates.take(np.array([0]))
    beside = replace(one, x=one.x + 10)
    both = candidates.take(np.array([0, 0]))
    both = replace(both, x=np.append(one.x, beside.x))
    (alone,) = focus_confidence(view, one, anatomy(view, 0.5), models)
    assert focus_confidence(view, both, anatomy(view, 0.5), models)[0] > alone


def test_the_score_of_an_image_rises_with_the_highest_confidence():
    scores = [
        calcification_score(v)
        for v in ([], [0.002], [0.05], [0.3, 0.05], [0.05, 0.6], [0.9], [1.0])
    ]
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)
    assert 0 <= scores[0] < 0.3 < 0.5 < scores[-1] <= 1


def test_the_score_depends_only_on_the_highest_confidence():
    confidences = [0.1, 0.4, 0.2]
    score = calcification_score(confidences)
    assert calcification_score(confidences[::-1]) == score
    assert calcification_score([0.4]) == score
    assert calcification_score(iter(confidences + [0.1] * 1000)) == score


def test_the_score_is_that_of_the_given_models(tmp_path):
    image = Logistic(0.5, {"highest_log_odds": 2.0})
    models = read_focus_models(str(write_folder(tmp_path / "own", image=image)))
    assert calcification_score([0.5, 0.2], models) == pytest.approx(1 / (1 + np.exp(-0.5)))


def test_the_input_of_the_score_is_the_log_odds_of_the_highest_confidence():
    assert image_features([0.2, 0.75, 0.5]) == {"highest_log_odds": pytest.approx(np.log(3))}
    assert image_features([]) == image_features([0.0])
    assert set(image_features([0.5])) == set(read_focus_models().image.weights)
