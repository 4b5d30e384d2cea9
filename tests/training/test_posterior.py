from types import SimpleNamespace

import numpy as np
import pytest

from training.lesions import RADIOLOGIST, READERS, _found, _outline_in
from training.posterior import (
    MISSED,
    NOT_ASSESSABLE,
    agreement,
    by_class,
    cross_validated,
    fit,
    named,
)
from usmicro.numerics.logistic import read_models
from usmicro.posterior.mass_features import MODELS

NONE = {"near": 0.5, "deep": 0.5, "spread": 0.1, "bright": 0.1, "dark": 0.1, "black": 0.05}
EXTREME = {
    "none": NONE,
    "enhancement": NONE | {"near": 0.9, "deep": 0.95, "bright": 0.8, "dark": 0.0, "black": 0.0},
    "shadowing": NONE | {"near": 0.1, "deep": 0.05, "bright": 0.0, "dark": 0.8, "black": 0.8},
}


def lesion(posterior, reference=READERS, hospital="one", fold=1):
    return SimpleNamespace(posterior=posterior, reference=reference, hospital=hospital, fold=fold)


@pytest.fixture
def examples():
    """Sixty lesions of three classes, two references and five folds, with noisy measures."""
    random = np.random.default_rng(0)
    lesions, features = [], []
    for i in range(60):
        word = ("none", "enhancement", "shadowing")[i % 3]
        lesions.append(lesion(word, (READERS, RADIOLOGIST)[i % 2], f"h{i % 4}", i % 5))
        features.append(
            {name: value + random.normal(0, 0.02) for name, value in EXTREME[word].items()}
        )
    return lesions, features


@pytest.mark.parametrize("word", EXTREME)
def test_the_shipped_models_name_clear_cases(word):
    assert named(read_models(MODELS), EXTREME[word]) == word


def test_separable_classes_are_named_in_groups_that_were_left_out(examples):
    lesions, features = examples
    folds = [x.fold for x in lesions]
    names = cross_validated(lesions, folds, features, features)
    assert names == [x.posterior for x in lesions]


def test_a_group_has_no_part_in_the_models_that_name_it(examples):
    lesions, features = examples
    hospitals = [x.hospital for x in lesions]
    before = cross_validated(lesions, hospitals, features, features)
    swapped = {"none": "shadowing", "shadowing": "none", "enhancement": "enhancement"}
    changed = [
        lesion(swapped[x.posterior], x.reference, x.hospital) if x.hospital == "h0" else x
        for x in lesions
    ]
    after = cross_validated(changed, hospitals, features, features)
    own = [i for i, name in enumerate(hospitals) if name == "h0"]
    assert [after[i] for i in own] == [before[i] for i in own]


def test_lesions_without_measures_do_not_enter_the_fit(examples):
    lesions, features = examples
    more = fit([*lesions, lesion("shadowing")], [*features, None])
    assert more == fit(lesions, features)


def test_a_missed_lesion_counts_as_disagreement_but_not_among_those_found():
    lesions = [lesion("none"), lesion("shadowing"), lesion("shadowing", RADIOLOGIST)]
    rows = agreement(lesions, ["none", MISSED, "shadowing"])
    assert rows[READERS]["lesions"] == 2
    assert rows[READERS]["not missed"] == 1
    assert rows[READERS]["kappa"] < 1
    counts = by_class(lesions, ["none", MISSED, "shadowing"], READERS)
    assert counts["shadowing"][MISSED] == 1
    assert counts["none"]["none"] == 1
    assert sum(sum(row.values()) for row in counts.values()) == 2


def test_no_measures_are_not_assessable():
    assert named({}, None) == NOT_ASSESSABLE


def test_the_outline_in_the_box_is_taken_otherwise_an_ellipse():
    outlines = np.zeros((60, 80), np.int32)
    outlines[10:30, 10:40] = 1
    outlines[40:50, 60:70] = 2
    assert (_outline_in((9, 11, 41, 30), outlines) == (outlines == 1)).all()
    free = _outline_in((45, 5, 65, 25), outlines)
    rows, columns = np.nonzero(free)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (45, 64, 5, 24)
    assert abs(free.sum() - np.pi * 100) < 12


def test_a_mass_that_agrees_too_little_does_not_find_the_lesion():
    masses = np.zeros((60, 80), np.int32)
    masses[10:30, 10:30] = 1
    masses[40:50, 40:60] = 2
    shifted = np.zeros((60, 80), bool)
    shifted[12:32, 12:32] = True
    assert (_found(masses, shifted, by_box=True) == (masses == 1)).all()
    assert (_found(masses, shifted, by_box=False) == (masses == 1)).all()
    apart = np.zeros((60, 80), bool)
    apart[25:45, 25:45] = True
    assert _found(masses, apart, by_box=False) is None
