from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.anatomy import anatomy_speed, ducts, masses
from benchmarks.accuracy.cases import Case, open_case
from benchmarks.accuracy.parts import margin_of, parts_without_lesion
from benchmarks.accuracy.pictures import WIDTH, worst
from benchmarks.accuracy.reliability import reliability
from benchmarks.accuracy.runs import (
    DuctOverlap,
    MassOverlap,
    Outcome,
    compare_ducts,
    compare_masses,
    examine,
)
from usmicro.errors import UsageError
from usmicro.evaluation import metrics
from usmicro.model.scan import Spacing
from usmicro.settings import Settings


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Intervals are not what these tests look at."""
    monkeypatch.setitem(metrics.bootstrap.__kwdefaults__, "rounds", 5)


def outcome(**more):
    return Outcome(case=Case(dataset="d", name="one"), **more)


def values(results):
    return {name: (estimate.value, images) for name, estimate, images in results}


def test_masses_where_there_are_some_and_where_there_are_none():
    overlaps = [
        MassOverlap(0.8, (0.8, None), 1),
        MassOverlap(0.6, (0.6,), 0),
        MassOverlap(0.0, (), 3),
        MassOverlap(1.0, (), 0),
    ]
    found = values(masses([outcome(masses=overlap) for overlap in overlaps] + [outcome()], 0.5))
    assert found["masses, mean Dice"] == (pytest.approx(0.7), 2)
    assert found["masses found (Dice above 0.5)"] == (pytest.approx(2 / 3), 2)
    assert found["other masses an image"] == (1, 4)
    assert found["masses on images without one, per image"] == (1.5, 2)
    only = values(masses([outcome(masses=overlaps[2])], 0.5))
    assert only == {"masses on images without one, per image": (3, 1)}
    assert masses([outcome()], 0.5) == []


def test_ducts_are_found_when_covered_and_false_when_they_lie_elsewhere():
    true, labels = np.zeros((60, 100), np.int32), np.zeros((60, 100), np.uint8)
    true[10:14, 10:50] = 1
    true[30:34, 10:50] = 2
    labels[10:14, 10:22] = labels[30:34, 10:21] = 2  # 30 % of the one, less of the other
    labels[45:49, 60:90] = 2
    labels[55:59, 60:90] = 1
    assert compare_ducts(labels, true) == DuctOverlap((True, False), 1)
    # what sticks out of a true duct by more than it covers is false, though the duct is found
    labels[10:14, 10:100] = 2
    labels[14:24, 60:100] = 2
    assert compare_ducts(labels, true) == DuctOverlap((True, False), 2)
    assert compare_ducts(0 * labels, 0 * true) == DuctOverlap((), 0)


def test_ducts_and_the_time_of_the_anatomy_as_rows():
    outcomes = [
        outcome(ducts=DuctOverlap((True, False), 1), anatomy_seconds=0.1),
        outcome(ducts=DuctOverlap((), 0), anatomy_seconds=0.3),
    ]
    found = values(ducts([*outcomes, outcome()], 0.5))
    assert found == {"ducts found (30 % covered)": (0.5, 1), "false ducts an image": (0.5, 2)}
    assert values(anatomy_speed([*outcomes, outcome()])) == {
        "seconds an image of the anatomy stage, median": (pytest.approx(0.2), 2)
    }
    assert ducts([outcome()], 0.5) == anatomy_speed([outcome()]) == []


def test_a_phantom_knows_its_masses_and_ducts():
    case = Case(dataset="phantom mixed", name="x", phantom=("mixed", 10_001))
    _, truth = open_case(case)
    found = examine(case, settings=Settings(), given_outlines=False)
    assert len(found.masses.found) == truth.masses.max()
    assert len(found.ducts.found) == truth.ducts.max()
    assert 0 < found.anatomy_seconds < found.seconds


def test_each_mass_states_its_confidence_and_whether_it_is_one():
    true = np.zeros((60, 80), np.int32)
    true[10:30, 10:40] = 1
    labels = np.zeros((60, 80), np.uint8)
    labels[12:30, 10:40] = labels[45:55, 60:75] = 1
    stated = [
        SimpleNamespace(confidence=0.9, x_px=24.5, y_px=20.5),
        SimpleNamespace(confidence=0.4, x_px=67.0, y_px=49.5),
    ]
    overlap, mass = compare_masses(SimpleNamespace(labels=labels, masses=stated), true)
    assert overlap.stated == ((0.9, True), (0.4, False))
    assert (overlap.extra, mass) == (1, stated[0])
    rows, bins = reliability(
        [Outcome(case=Case(dataset="bus-bra", name="a"), masses=overlap)], listed=0.1
    )
    assert [row.measure for row in rows] == ["confidence of masses, Brier score"]
    assert rows[0].estimate.value == pytest.approx((0.1**2 + 0.4**2) / 2)
    assert [(b.number, b.right.value) for b in bins] == [(1, 0), (1, 1)]


def test_the_worst_scans_come_first():
    overlaps = [
        MassOverlap(0.8, (0.8,), 0),
        MassOverlap(0.0, (), 1),
        MassOverlap(0.3, (None,), 0),
        MassOverlap(0.0, (), 3),
        None,
    ]
    outcomes = [
        Outcome(case=Case(dataset="d", name=str(i)), masses=overlap)
        for i, overlap in enumerate(overlaps)
    ]
    assert [outcome.case.name for outcome in worst(outcomes, 3)] == ["3", "1", "2"]


def test_pictures_of_the_worst_scans_are_written(tmp_path):
    arguments = [
        "--phantoms",
        "1",
        "--clips",
        "0",
        "--only",
        "phantom no masses",
        "--processes",
        "1",
        "--pictures",
        str(tmp_path),
    ]
    assert main(arguments) == 0
    (file,) = tmp_path.iterdir()
    picture = cv2.imread(str(file))
    assert file.name == "phantom-no-masses.jpg"
    assert picture.shape[1] == WIDTH + 6
    assert picture.std() > 10


def test_the_margin_is_in_mm_where_they_are_known():
    assert margin_of(Spacing(0.1, 0.25, "given")) == (20, 8)
    assert margin_of(Spacing()) == (20, 20)


@pytest.fixture
def outlined(tmp_path):
    """An outlined scan with a ramp for an image, so that a part shows where it lies."""
    image, mask = np.tile(np.arange(120, dtype=np.uint8), (90, 1)), np.zeros((90, 120), np.uint8)
    mask[40:50, 20:30] = 255
    for name, content in (("image", image), ("mask", mask), ("right", np.fliplr(mask))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), content)
    spacing = Spacing(1.0, 1.0, "given")
    return Case(
        dataset="bus-bra",
        name="a",
        path=tmp_path / "image.png",
        outlines=(tmp_path / "mask.png",),
        spacing=spacing,
        calcification="none",
    )


def test_a_part_without_lesion_is_a_case_without_masses(outlined):
    (part,) = parts_without_lesion(
        [
            outlined,
            replace(outlined, dataset="echogenic-foci-marks"),
            replace(outlined, outlines=()),
        ]
    )
    assert (part.dataset, part.part) == ("bus-bra away from lesions", (32, 0, 120, 90))
    assert part.calcification is None
    scan, truth = open_case(part)
    frame = next(scan.frames())
    assert frame.shape[:2] == truth.masses.shape == (90, 88)
    assert not truth.masses.any()
    assert scan.spacing == outlined.spacing
    assert frame.reshape(90, 88, -1)[0, 0, 0] == 32


def test_a_part_keeps_away_from_other_findings_and_a_scan_without_part_is_left_out(
    outlined, tmp_path
):
    (part,) = parts_without_lesion([replace(outlined, other_outlines=(tmp_path / "right.png",))])
    assert part.part == (0, 0, 120, 38)
    cv2.imwrite(str(tmp_path / "right.png"), np.full((90, 120), 255, np.uint8))
    assert parts_without_lesion([replace(outlined, other_outlines=(tmp_path / "right.png",))]) == []
    with pytest.raises(UsageError, match="expected a mask"):
        parts_without_lesion([replace(outlined, other_outlines=(tmp_path / "none.png",))])
