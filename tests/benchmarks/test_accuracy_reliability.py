from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.reliability import binned, brier, reliability
from benchmarks.accuracy.runs import Outcome
from benchmarks.accuracy.scores import foci_by_group
from usmicro.evaluation import metrics
from usmicro.evaluation.metrics import Estimate, free_response, match
from usmicro.evaluation.rows import Row
from usmicro.evaluation.targets import Target


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Intervals are not what these tests look at."""
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
    assert brier(np.array([[1, 1], [0, 0]])) == 0
    assert brier(np.array([[0.5, 1], [0.5, 0]])) == 0.25
    assert_allclose(brier(np.array([[0.8, 1], [0.4, 1], [0.3, 0]])), (0.04 + 0.36 + 0.09) / 3)
    assert np.isnan(brier(np.empty((0, 2))))


def test_bins_hold_every_statement_once():
    random = np.random.default_rng(0)
    stated = np.append(random.random(200), [0, 0.2, 1])
    images = np.array_split(np.column_stack([stated, random.random(203) < stated]), 4)
    bins = binned(images, "d", "p", 0.0)
    assert_allclose([(b.low, b.high) for b in bins], [(i / 5, (i + 1) / 5) for i in range(5)])
    assert sum(b.number for b in bins) == 203
    assert all(b.low <= b.stated <= b.high for b in bins)
    assert_allclose(sum(b.number * b.stated for b in bins), stated.sum())
    # drawn to be true as often as stated
    assert_allclose([b.right.value for b in bins], [b.stated for b in bins], atol=0.2)


def test_ranges_without_statements_are_left_out():
    (only,) = binned([np.array([[0.95, 1], [0.9, 0]]), np.empty((0, 2))], "d", "p", 1 / 3)
    assert (only.number, only.stated, only.right.value) == (2, pytest.approx(0.925), 0.5)
    assert only.low == pytest.approx(1 - 2 / 15)


def test_labels_are_examined_on_hits_and_foci_on_all_but_ignored_marks():
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
    rows, bins = reliability(
        [outcome, failed, Outcome(case=Case(dataset="bus-bra", name="two"))], listed=0.2
    )
    assert [(row.measure, row.images) for row in rows] == [
        ("label_confidence, Brier score", 1),
        ("confidence, Brier score", 1),
    ]
    assert_allclose(rows[0].estimate.value, (0.2**2 + 0.6**2) / 2)
    assert_allclose(rows[1].estimate.value, (0.1**2 + 0.4**2 + 0.1**2 + 0.95**2) / 4)
    assert [(b.statement, b.number, b.right.value) for b in bins] == [
        ("label_confidence", 1, 0),
        ("label_confidence", 1, 1),
        ("confidence", 2, 0.5),
        ("confidence", 1, 1),
        ("confidence", 1, 1),
    ]


def test_the_threshold_at_a_rate_is_the_lowest_that_keeps_to_it():
    curve = free_response(
        [
            match(
                [[10, 10], [90, 90], [20, 20], [80, 80]],
                [0.9, 0.8, 0.7, 0.6],
                [[10, 10, 4], [20, 20, 4]],
            )
        ]
    )
    assert [curve.threshold_at(rate) for rate in (0, 1, 2)] == [0.9, 0.7, 0.6]
    assert free_response([match([[1, 1]], [0.5], [])]).threshold_at(0.5) == np.inf


def test_what_is_missed_is_told_by_contrast_and_place():
    targets = (
        target(10, 10, "intramass", contrast_db=18.0),
        target(30, 30, "intramass", contrast_db=12.0),
        target(50, 10, "intraductal", contrast_db=14.0),
        target(70, 70, "extramass", contrast_db=17.0),
    )
    # the second false focus is the surest that is too many, so that what comes after it is lost
    foci = [(10, 10, 0.9), (90, 10, 0.8), (50, 10, 0.7), (90, 30, 0.6), (30, 30, 0.5)]
    outcome = Outcome(
        case=Case(dataset="d", name="one"),
        foci=tuple(focus(*facts) for facts in foci),
        targets=targets,
    )
    found = {
        name.partition(",")[0]: estimate.value
        for name, estimate, _ in foci_by_group([outcome], 0.5)
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
        foci_by_group([clip], 0.5)
        == foci_by_group([Outcome(case=outcome.case, targets=(target(1, 1),))], 0.5)
        == []
    )


def test_more_rows_stand_with_those_of_their_data_set():
    from benchmarks.accuracy.__main__ import joined

    def row(dataset, measure):
        return Row(dataset, measure, Estimate(0, 0, 0), 1)

    rows, more = [row("a", "1"), row("b", "1")], [row("a", "2"), row("c", "1")]
    assert [(r.dataset, r.measure) for r in joined(rows, more)] == [
        ("a", "1"),
        ("a", "2"),
        ("b", "1"),
        ("c", "1"),
    ]
