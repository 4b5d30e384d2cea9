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
def found():
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


def test_a_logistic_gives_the_textbook_value_for_numbers_and_arrays():
    model = Logistic(-1.0, {"a": 2.0, "b": -0.5})
    assert model.probability({"a": 1, "b": 4, "unused": 9}) == pytest.approx(1 / (1 + np.exp(1)))
    several = model.probability({"a": np.array([0.0, 1.0]), "b": np.zeros(2)})
    np.testing.assert_allclose(several, [1 / (1 + np.e), np.e / (1 + np.e)])


def test_the_shipped_model_uses_the_features_that_are_measured(found):
    view, candidates = found
    assert set(read_models(MODELS)["focus"].weights) == set(
        focus_features(view, candidates, anatomy(view, 0.5))
    )


def test_a_focus_in_a_likely_mass_is_surer_than_the_same_outside(found):
    view, candidates = found
    outside, inside = (focus_confidence(view, candidates, anatomy(view, p)) for p in (0.02, 0.98))
    assert len(inside) > 5
    assert np.all((outside >= 0) & (outside < inside) & (inside <= 1))


def test_a_line_is_less_sure_than_a_point_of_the_same_strength(found):
    view, candidates = found
    point, line = (
        focus_confidence(
            view, replace(candidates, line=np.full(len(candidates), v)), anatomy(view, 0.5)
        )
        for v in (0, 1)
    )
    assert np.all(line < point)


def test_no_candidates_no_confidence(found):
    view, candidates = found
    none = candidates.take(np.zeros(len(candidates), bool))
    assert focus_confidence(view, none, anatomy(view, 0.5)).shape == (0,)


def test_the_score_of_an_image_grows_with_its_surest_foci():
    scores = [
        calcification_score(v) for v in ([], [0.05], [0.05, 0.3], [0.3, 0.3], [0.9, 0.05], [1.0])
    ]
    assert scores == sorted(scores)
    assert 0 <= scores[0] < 0.3 < 0.5 < scores[-1] <= 1


def test_the_score_counts_the_surest_foci_in_any_order_and_no_others():
    surest = [0.4, 0.1, 0.2]
    assert calcification_score(surest[::-1]) == calcification_score(surest)
    assert calcification_score(surest + [0.1] * 1000) == calcification_score(surest)
