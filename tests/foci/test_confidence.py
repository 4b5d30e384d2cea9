from dataclasses import replace

import numpy as np
import pytest

from usmicro.foci import find_candidates
from usmicro.foci.confidence import MODELS, calcification_score, focus_confidence, focus_features
from usmicro.model.anatomy import Anatomy
from usmicro.numerics.logistic import Logistic, read_models
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


def test_a_logistic_has_the_textbook_value_for_numbers_and_arrays():
    model = Logistic(-1.0, {"a": 2.0, "b": -0.5})
    assert model.probability({"a": 1, "b": 4, "unused": 9}) == pytest.approx(1 / (1 + np.exp(1)))
    several = model.probability({"a": np.array([0.0, 1.0]), "b": np.zeros(2)})
    np.testing.assert_allclose(several, [1 / (1 + np.e), np.e / (1 + np.e)])


def test_the_model_of_the_package_has_a_weight_for_each_feature(candidates_of_phantom):
    view, candidates = candidates_of_phantom
    assert set(read_models(MODELS)["focus"].weights) == set(
        focus_features(view, candidates, anatomy(view, 0.5))
    )


def test_confidence_is_higher_in_a_likely_mass_than_outside(candidates_of_phantom):
    view, candidates = candidates_of_phantom
    outside, inside = (focus_confidence(view, candidates, anatomy(view, p)) for p in (0.02, 0.98))
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


def test_confidence_of_no_candidates_is_an_empty_array(candidates_of_phantom):
    view, candidates = candidates_of_phantom
    none = candidates.take(np.zeros(len(candidates), bool))
    assert focus_confidence(view, none, anatomy(view, 0.5)).shape == (0,)


def test_the_score_of_an_image_rises_with_the_highest_confidences():
    scores = [
        calcification_score(v) for v in ([], [0.05], [0.05, 0.3], [0.3, 0.3], [0.9, 0.05], [1.0])
    ]
    assert scores == sorted(scores)
    assert 0 <= scores[0] < 0.3 < 0.5 < scores[-1] <= 1


def test_the_score_depends_only_on_the_highest_confidences():
    highest = [0.4, 0.1, 0.2]
    assert calcification_score(highest[::-1]) == calcification_score(highest)
    assert calcification_score(highest + [0.1] * 1000) == calcification_score(highest)
