from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.anatomy import (
    measure_anatomy_time,
    measure_ducts,
    measure_images_without_mass,
    measure_masses,
)
from benchmarks.accuracy.cases import Case, open_case
from benchmarks.accuracy.parts import lesion_margin, parts_without_lesion
from benchmarks.accuracy.pictures import GAP, WIDTH, worst_outcomes
from benchmarks.accuracy.reliability import measure_reliability
from benchmarks.accuracy.runs import (
    DuctOverlap,
    MassOverlap,
    Outcome,
    compare_ducts,
    compare_masses,
    run_case,
)
from usmicro.analysis import analyze
from usmicro.errors import UsageError
from usmicro.evaluation import metrics
from usmicro.model.anatomy import AreaLabel
from usmicro.model.scan import Spacing
from usmicro.settings import Settings


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Draw few bootstrap samples, since these tests do not check intervals."""
    monkeypatch.setitem(metrics.bootstrap.__kwdefaults__, "rounds", 5)


def outcome(**more):
    return Outcome(case=Case(dataset="d", name="one"), **more)


def values(results):
    return {name: (estimate.value, images) for name, estimate, images in results}


def test_masses_are_measured_on_images_with_and_without_a_mass():
    overlaps = [
        MassOverlap(0.8, (0.8, None), 1),
        MassOverlap(0.6, (0.6,), 0),
        MassOverlap(0.0, (), 3),
        MassOverlap(1.0, (), 0),
    ]
    measured = values(
        measure_masses([outcome(masses=overlap) for overlap in overlaps] + [outcome()], 0.5)
    )
    assert measured["masses, mean Dice"] == (pytest.approx(0.7), 2)
    assert measured["masses, sensitivity (Dice above 0.5)"] == (pytest.approx(2 / 3), 2)
    assert measured["false-positive masses per image"] == (1, 4)
    assert measured["false-positive masses per image without a mass"] == (1.5, 2)
    assert measured["share of images without a mass on which one is found"] == (0.5, 2)
    only = values(measure_masses([outcome(masses=overlaps[2])], 0.5))
    assert only == {
        "false-positive masses per image without a mass": (3, 1),
        "share of images without a mass on which one is found": (1, 1),
    }
    assert measure_masses([outcome()], 0.5) == []


def test_a_duct_is_found_if_covered_and_false_positive_if_it_lies_elsewhere():
    true, labels = np.zeros((60, 100), np.int32), np.zeros((60, 100), np.uint8)
    true[10:14, 10:50] = 1
    true[30:34, 10:50] = 2
    labels[10:14, 10:22] = labels[30:34, 10:21] = 2  # 30 % of the first, less of the second
    labels[45:49, 60:90] = 2
    labels[55:59, 60:90] = 1
    assert compare_ducts(labels, true) == DuctOverlap((True, False), 1)
    # a detected duct may find the true duct and be false positive, if it lies mostly outside
    labels[10:14, 10:100] = 2
    labels[14:24, 60:100] = 2
    assert compare_ducts(labels, true) == DuctOverlap((True, False), 2)
    assert compare_ducts(0 * labels, 0 * true) == DuctOverlap((), 0)


def test_rows_of_ducts_and_of_the_anatomy_time():
    outcomes = [
        outcome(ducts=DuctOverlap((True, False), 1), anatomy_seconds=0.1),
        outcome(ducts=DuctOverlap((), 0), anatomy_seconds=0.3),
    ]
    measured = values(measure_ducts([*outcomes, outcome()], 0.5))
    assert measured == {
        "ducts, sensitivity (30 % covered)": (0.5, 1),
        "false-positive ducts per image": (0.5, 2),
    }
    assert values(measure_anatomy_time([*outcomes, outcome()])) == {
        "anatomy stage, median seconds per image": (pytest.approx(0.2), 2)
    }
    assert measure_ducts([outcome()], 0.5) == measure_anatomy_time([outcome()]) == []


def test_ducts_and_nonmass_areas_are_measured_on_whole_images_without_a_finding():
    normal = Case(dataset="d", name="one", outlines=())
    left_out = [
        replace(normal, outlines=None),
        replace(normal, outlines=(Path("mask.png"),)),
        replace(normal, other_outlines=(Path("other.png"),)),
        replace(normal, part=(0, 0, 9, 9)),
    ]
    outcomes = [
        Outcome(case=normal, found_ducts=2, calcification="none"),
        Outcome(case=normal, found_ducts=1, found_nonmass=1, calcification="in a mass"),
        *(Outcome(case=case, found_ducts=9, found_nonmass=9) for case in left_out),
    ]
    assert values(measure_images_without_mass(outcomes, 0.5)) == {
        "listed foci per image without a mass": (0.0, 2),
        "images without a mass that are called calcified": (0.5, 2),
        "nonmass areas per image without a mass": (0.5, 2),
        "false-positive ducts per image without a mass": (1.5, 2),
    }
    assert measure_images_without_mass(outcomes[2:], 0.5) == []


def test_the_separate_areas_of_the_label_image_are_counted(monkeypatch):
    def analyze_with_areas(*arguments, **more):
        analysis = analyze(*arguments, **more)
        labels = np.zeros_like(analysis.labels)
        labels[10:20, 10:20] = labels[10:20, 30:40] = AreaLabel.DUCT
        labels[40:45, 10:20] = labels[50:55, 10:20] = labels[60:65, 10:20] = AreaLabel.NONMASS
        labels[62:64, 20:30] = AreaLabel.NONMASS  # joins the third
        return replace(analysis, labels=labels)

    monkeypatch.setattr("benchmarks.accuracy.runs.analyze", analyze_with_areas)
    case = Case(dataset="phantom mixed", name="x", phantom=("mixed", 10_001))
    outcome = run_case(case, settings=Settings(), given_outlines=False)
    assert (outcome.found_ducts, outcome.found_nonmass) == (2, 3)


def test_masses_and_ducts_of_a_simulated_scan_are_compared_with_its_truth():
    case = Case(dataset="phantom mixed", name="x", phantom=("mixed", 10_001))
    _, truth = open_case(case)
    outcome = run_case(case, settings=Settings(), given_outlines=False)
    assert len(outcome.masses.dice_of_true) == truth.masses.max()
    assert len(outcome.ducts.is_found) == truth.ducts.max()
    assert 0 < outcome.anatomy_seconds < outcome.seconds


def test_the_confidence_of_each_mass_is_tested_against_the_outlines():
    true = np.zeros((60, 80), np.int32)
    true[10:30, 10:40] = 1
    labels = np.zeros((60, 80), np.uint8)
    labels[12:30, 10:40] = labels[45:55, 60:75] = 1
    masses = [
        SimpleNamespace(confidence=0.9, x_px=24.5, y_px=20.5),
        SimpleNamespace(confidence=0.4, x_px=67.0, y_px=49.5),
    ]
    overlap, mass = compare_masses(SimpleNamespace(labels=labels, masses=masses), true)
    assert overlap.confidences == ((0.9, True), (0.4, False))
    assert (overlap.false_positives, mass) == (1, masses[0])
    rows, bins = measure_reliability(
        [Outcome(case=Case(dataset="bus-bra", name="a"), masses=overlap)], listed=0.1
    )
    assert [row.measure for row in rows] == ["confidence of masses, Brier score"]
    assert rows[0].estimate.value == pytest.approx((0.1**2 + 0.4**2) / 2)
    assert [(b.number, b.fraction_right.value) for b in bins] == [(1, 0), (1, 1)]


def test_outcomes_with_the_lowest_dice_come_first():
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
    assert [outcome.case.name for outcome in worst_outcomes(outcomes, 3)] == ["3", "1", "2"]


def test_pictures_of_the_worst_scans_are_written(tmp_path):
    selection = ["--phantoms", "1", "--clips", "0", "--only", "phantom no masses"]
    assert main([*selection, "--processes", "1", "--pictures", str(tmp_path)]) == 0
    (file,) = tmp_path.iterdir()
    picture = cv2.imread(str(file))
    assert file.name == "phantom-no-masses.jpg"
    assert picture.shape[1] == WIDTH + GAP
    assert picture.std() > 10


def test_the_margin_is_in_mm_if_the_pixel_size_is_known():
    assert lesion_margin(Spacing(0.1, 0.25, "given")) == (20, 8)
    assert lesion_margin(Spacing()) == (20, 20)


@pytest.fixture
def outlined(tmp_path):
    """An outlined scan whose grey values are its column numbers, which show where a part lies."""
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


def test_a_part_avoids_other_findings_and_a_scan_without_part_is_left_out(outlined, tmp_path):
    (part,) = parts_without_lesion([replace(outlined, other_outlines=(tmp_path / "right.png",))])
    assert part.part == (0, 0, 120, 38)
    cv2.imwrite(str(tmp_path / "right.png"), np.full((90, 120), 255, np.uint8))
    assert parts_without_lesion([replace(outlined, other_outlines=(tmp_path / "right.png",))]) == []
    with pytest.raises(UsageError, match="expected a mask"):
        parts_without_lesion([replace(outlined, other_outlines=(tmp_path / "none.png",))])
