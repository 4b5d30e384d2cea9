from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.accuracy.anatomy import measure_boxes
from benchmarks.accuracy.boxes import bounding_boxes, match_boxes
from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.runs import Outcome, compare_boxes
from usmicro.evaluation import metrics
from usmicro.evaluation.overlaps import connected_parts


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Draw few bootstrap samples, since these tests do not check intervals."""
    monkeypatch.setitem(metrics.bootstrap.__kwdefaults__, "rounds", 5)


LESION = (10, 10, 50, 40)
HALF = (10, 10, 30, 40)
"""The left half of the lesion."""
ELSEWHERE = (70, 70, 90, 90)


def test_bounding_boxes_hold_the_areas_in_the_order_of_their_numbers():
    areas = np.zeros((60, 100), np.int32)
    areas[20:30, 50:70] = 2
    areas[5, 7] = areas[9, 40] = 1
    assert bounding_boxes(areas) == [(7, 5, 41, 10), (50, 20, 70, 30)]
    assert bounding_boxes(np.zeros((5, 5), np.int32)) == []
    assert bounding_boxes(connected_parts(areas > 1)) == [(50, 20, 70, 30)]


def test_equal_boxes_match_completely_in_any_order():
    boxes = [LESION, ELSEWHERE, (60, 0, 80, 20)]
    for detected in (boxes, boxes[::-1]):
        overlap = match_boxes(detected, boxes)
        assert overlap.iou_of_lesions == (1, 1, 1)
        assert [detected[overlap.pairs[i]] for i in range(3)] == boxes
        assert overlap.false_positives == 0


def test_one_mass_finds_one_lesion_only():
    overlap = match_boxes([(0, 0, 20, 10)], [(0, 0, 10, 10), (10, 0, 20, 10)])
    assert sorted(overlap.iou_of_lesions) == [0, 0.5]
    assert overlap.false_positives == 0


def test_two_masses_on_a_lesion_find_it_once_and_neither_is_false():
    overlap = match_boxes([HALF, (30, 10, 50, 40)], [LESION])
    assert overlap.iou_of_lesions == (0.5,)
    assert len(overlap.pairs) == 1
    assert overlap.false_positives == 0


def test_a_mass_that_only_touches_a_lesion_is_false_and_the_lesion_is_missed():
    overlap = match_boxes([(10, 10, 20, 40), ELSEWHERE], [LESION])
    assert overlap.iou_of_lesions == (0,)
    assert overlap.pairs == {}
    assert overlap.false_positives == 2


def test_a_mass_on_a_box_of_one_reader_is_neither_a_hit_nor_false():
    overlap = match_boxes([ELSEWHERE], [LESION], [ELSEWHERE])
    assert (overlap.iou_of_lesions, overlap.false_positives) == ((0,), 0)
    overlap = match_boxes([ELSEWHERE], [], [LESION])
    assert (overlap.iou_of_lesions, overlap.false_positives) == ((), 1)


def test_images_without_masses_or_without_boxes():
    missed = match_boxes([], [LESION, ELSEWHERE])
    assert (missed.iou_of_lesions, missed.false_positives) == ((0, 0), 0)
    false = match_boxes([LESION], [])
    assert (false.iou_of_lesions, false.false_positives) == ((), 1)
    assert match_boxes([], []).false_positives == 0


def test_the_mass_that_finds_the_largest_lesion_is_returned():
    labels = np.zeros((100, 100), np.uint8)
    labels[10:40, 10:50] = labels[70:90, 70:90] = 1
    labels[50:60, 10:20] = 2  # a duct
    masses = [SimpleNamespace(x_px=79.5, y_px=79.5), SimpleNamespace(x_px=29.5, y_px=24.5)]
    analysis = SimpleNamespace(labels=labels, masses=masses)
    overlap, mass = compare_boxes(analysis, [ELSEWHERE, LESION], [])
    assert overlap.iou_of_lesions == (1, 1)
    assert mass is masses[1]
    _, mass = compare_boxes(analysis, [ELSEWHERE, (0, 0, 100, 100)], [])
    assert mass is None
    overlap, mass = compare_boxes(analysis, [], [LESION])
    assert (overlap.false_positives, mass) == (1, None)


def test_rows_of_lesion_boxes():
    overlaps = [
        match_boxes([HALF, ELSEWHERE], [LESION]),  # IoU 0.5, one false
        match_boxes([(10, 10, 50, 22)], [LESION, ELSEWHERE]),  # IoU 0.4, one missed
        match_boxes([LESION, ELSEWHERE], []),  # two false
    ]
    outcomes = [Outcome(case=Case(dataset="d", name="x"), boxes=overlap) for overlap in overlaps]
    without_boxes = Outcome(case=Case(dataset="d", name="x"))
    measured = {
        name: (estimate.value, images)
        for name, estimate, images in measure_boxes([*outcomes, without_boxes], 0.5)
    }
    assert measured == {
        "lesion boxes, sensitivity (IoU of boxes at least 0.3)": (pytest.approx(2 / 3), 2),
        "lesion boxes, sensitivity (IoU of boxes at least 0.5)": (pytest.approx(1 / 3), 2),
        "masses outside every lesion box, per image": (1, 3),
    }
    assert measure_boxes([without_boxes], 0.5) == []
