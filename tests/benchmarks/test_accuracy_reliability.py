from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.foci import measure_foci_by_group
from benchmarks.accuracy.reliability import brier_score, measure_reliability, reliability_bins
from benchmarks.accuracy.runs import Outcome
from usmicro.evaluation import metrics
from usmicro.evaluation.metrics import Estimate
from usmicro.evaluation.rows import Row
from usmicro.evaluation.targets import Target


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Draw few bootstrap samples, since these tests do not check intervals."""
    monkeypatch.setitem(metrics.bootstrap.__kwdefaults__, "rounds", 5)


def focus(x, y, confidence, label="extramass", label_confidence=0.9):
    return SimpleNamespace(
        x_px=x,
        y_px=y,
        confidence=confidence,
        frame=0,
        label=label,
        label_confidence=label_confidence,
    )


def target(x, y, label="extramass", **more):
    return Target(x=(x,), y=(y,), diameter=4, label=label, **more)


def test_brier_score_of_known_statements():
    assert brier_score(np.array([[1, 1], [0, 0]])) == 0
    assert brier_score(np.array([[0.5, 1], [0.5, 0]])) == 0.25
    assert_allclose(brier_score(np.array([[0.8, 1], [0.4, 1], [0.3, 0]])), (0.04 + 0.36 + 0.09) / 3)
    assert np.isnan(brier_score(np.empty((0, 2))))


def test_every_statement_is_in_one_bin():
    random = np.random.default_rng(0)
    stated = np.append(random.random(200), [0, 0.2, 1])
    images = np.array_split(np.column_stack([stated, random.random(203) < stated]), 4)
    bins = reliability_bins(images, "d", "p", 0.0)
    assert_allclose([(b.low, b.high) for b in bins], [(i / 5, (i + 1) / 5) for i in range(5)])
    assert sum(b.number for b in bins) == 203
    assert all(b.low <= b.mean_stated <= b.high for b in bins)
    assert_allclose(sum(b.number * b.mean_stated for b in bins), stated.sum())
    # drawn to be true as often as stated
    assert_allclose([b.fraction_right.value for b in bins], [b.mean_stated for b in bins], atol=0.2)


def test_ranges_without_statements_are_left_out():
    (only,) = reliability_bins([np.array([[0.95, 1], [0.9, 0]]), np.empty((0, 2))], "d", "p", 1 / 3)
    assert (only.number, only.mean_stated, only.fraction_right.value) == (
        2,
        pytest.approx(0.925),
        0.5,
    )
    assert only.low == pytest.approx(1 - 2 / 15)


def test_labels_are_tested_on_hits_and_confidences_on_all_foci_but_those_on_ignored_marks():
    outcome = Outcome(
        case=Case(dataset="phantom mixed", name="one", ignored=(target(80, 80),)),
        foci=(
            focus(10, 10, 0.9, label_confidence=0.8),
            focus(30, 30, 0.6, "intramass", 0.6),
            focus(80, 80, 0.5),
            focus(60, 60, 0.1),
            focus(50, 10, 0.05, label_confidence=1.0),  # real, but not listed
        ),
        targets=(target(10, 10), target(30, 30), target(50, 10)),
    )
    failed = Outcome(case=outcome.case, error="unreadable")
    rows, bins = measure_reliability(
        [outcome, failed, Outcome(case=Case(dataset="bus-bra", name="two"))], listed=0.2
    )
    assert [(row.measure, row.images) for row in rows] == [
        ("label_confidence, Brier score", 1),
        ("confidence, Brier score", 1),
    ]
    assert_allclose(rows[0].estimate.value, (0.2**2 + 0.6**2) / 2)
    assert_allclose(rows[1].estimate.value, (0.1**2 + 0.4**2 + 0.1**2 + 0.95**2) / 4)
    assert [(b.statement, b.number, b.fraction_right.value) for b in bins] == [
        ("label_confidence", 1, 0),
        ("label_confidence", 1, 1),
        ("confidence", 2, 0.5),
        ("confidence", 1, 1),
        ("confidence", 1, 1),
    ]


def test_sensitivity_is_measured_by_contrast_and_by_label():
    targets = (
        target(10, 10, "intramass", contrast_db=18.0),
        target(30, 30, "intramass", contrast_db=12.0),
        target(50, 10, "intraductal", contrast_db=14.0),
        target(70, 70, "extramass", contrast_db=17.0),
    )
    # the second false positive exceeds the rate, so the threshold lies above it
    foci = [(10, 10, 0.9), (90, 10, 0.8), (50, 10, 0.7), (90, 30, 0.6), (30, 30, 0.5)]
    outcome = Outcome(
        case=Case(dataset="d", name="one"),
        foci=tuple(focus(*facts) for facts in foci),
        targets=targets,
    )
    found = {
        name.partition(",")[0]: estimate.value
        for name, estimate, _ in measure_foci_by_group([outcome], 0.5)
    }
    assert found == {
        "foci under 14 dB": 0,
        "foci 14 to 17 dB": 1,
        "foci above 17 dB": 0.5,
        "intramass foci": 0.5,
        "extramass foci": 0,
        "intraductal foci": 1,
    }
    clip = Outcome(case=outcome.case, targets=(target(10, 10, contrast_db=15.0, twinkling=True),))
    assert (
        measure_foci_by_group([clip], 0.5)
        == measure_foci_by_group([Outcome(case=outcome.case, targets=(target(1, 1),))], 0.5)
        == []
    )


def test_rows_are_merged_by_data_set():
    from benchmarks.accuracy.__main__ import merge_rows

    def row(dataset, measure):
        return Row(dataset, measure, Estimate(0, 0, 0), 1)

    rows, more = [row("a", "1"), row("b", "1")], [row("a", "2"), row("c", "1")]
    assert [(r.dataset, r.measure) for r in merge_rows(rows, more)] == [
        ("a", "1"),
        ("a", "2"),
        ("b", "1"),
        ("c", "1"),
    ]
