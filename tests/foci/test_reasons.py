import numpy as np
import pytest

from usmicro.foci.models import read_focus_models
from usmicro.foci.reasons import (
    GROUPS,
    LEAST_CONTRIBUTION,
    NAMED,
    confidence_reasons,
    lowering_measures,
)
from usmicro.numerics.logistic import Logistic

INPUTS = [name for names in GROUPS.values() for name in names]


def reasons(values, *, weights=None, means=None):
    """Texts for candidates whose inputs are 0 except `values`; all weights are 1 by default."""
    count = len(next(iter(values.values()), [0]))
    features = {name: np.zeros(count) for name in INPUTS}
    features |= {name: np.array(value, float) for name, value in values.items()}
    model = Logistic(-3.0, dict.fromkeys(INPUTS, 1.0) if weights is None else weights, means or {})
    return confidence_reasons(model, features)


def test_every_input_of_the_model_belongs_to_exactly_one_measure():
    assert len(INPUTS) == len(set(INPUTS))
    assert set(read_focus_models().focus.weights) == set(INPUTS)


def test_the_measures_are_plain_words():
    assert all(name == name.lower() and "_" not in name for name in GROUPS)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "All measures are average."),
        ({"appearance": [2]}, "Raised by appearance."),
        ({"depth_mm": [-2]}, "Lowered by depth."),
        ({"appearance": [2], "tissue_share": [1]}, "Raised by appearance and distance to the edge "
         "of the image."),
        ({"appearance": [1], "log_scale_mm": [2], "depth_mm": [3]},
         "Raised by depth, size and appearance."),
        ({"appearance": [2], "log_scale_mm": [-1], "line": [3]},
         "Raised by shape and appearance; lowered by size."),
        ({"appearance": [-2], "log_scale_mm": [-1], "line": [-3]},
         "Lowered by shape, appearance and size."),
    ],
)  # fmt: skip
def test_the_text_names_what_raised_and_what_lowered_the_confidence(values, text):
    assert reasons(values) == [text]


def test_only_the_strongest_measures_are_named():
    groups = list(GROUPS)
    values = {GROUPS[group][0]: [i + 1] for i, group in enumerate(groups)}
    (text,) = reasons(values)
    assert [group in text for group in groups[-NAMED:]] == [True] * NAMED
    assert text == "Raised by " + ", ".join(groups[:-NAMED:-1]) + f" and {groups[-NAMED]}."


@pytest.mark.parametrize("sign", [1, -1])
def test_small_contributions_are_not_named(sign):
    below, above = sign * 0.99 * LEAST_CONTRIBUTION, sign * 1.01 * LEAST_CONTRIBUTION
    assert reasons({"appearance": [below]}) == ["All measures are average."]
    assert "appearance" in reasons({"appearance": [above]})[0]


def test_contributions_to_one_measure_are_added():
    both = {"log_steepness_across": [3, 3], "log_steepness_along": [-3, 3]}
    assert reasons(both) == ["All measures are average.", "Raised by sharpness of the edge."]


def test_contributions_are_relative_to_the_mean_and_in_the_sense_of_the_weight():
    (average, above, below) = reasons(
        {"depth_mm": [20, 30, 10]}, weights={"depth_mm": -0.1}, means={"depth_mm": 20}
    )
    assert average == "All measures are average."
    assert above == "Lowered by depth."
    assert below == "Raised by depth."


def test_the_texts_follow_the_order_of_the_candidates():
    random = np.random.default_rng(6)
    values = {name: random.normal(size=30) for name in INPUTS}
    order = random.permutation(30)
    texts = reasons(values)
    assert len(set(texts)) > 10
    assert reasons({name: value[order] for name, value in values.items()}) == [
        texts[i] for i in order
    ]
    assert reasons({name: value[:1] for name, value in values.items()}) == texts[:1]


def test_no_candidates_have_no_texts():
    assert reasons({name: [] for name in INPUTS}) == []


def test_the_measures_that_lowered_the_confidence_are_named_strongest_first():
    values = {"appearance": [-2, 3], "log_scale_mm": [-1, 1], "line": [-3, 0], "depth_mm": [5, 5]}
    features = {name: np.zeros(2) for name in INPUTS}
    features |= {name: np.array(value, float) for name, value in values.items()}
    model = Logistic(-3.0, dict.fromkeys(INPUTS, 1.0))
    assert lowering_measures(model, features) == ["shape, appearance and size", ""]
