import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.accuracy.__main__ import documented_command, main
from benchmarks.accuracy.cases import Case, Truth, select_cases
from benchmarks.accuracy.peers import PEERS, score_peers
from benchmarks.accuracy.reliability import Bin
from benchmarks.accuracy.report import BEGIN, END, Section, as_json, measures_table, update_document
from benchmarks.accuracy.runs import MassOverlap, Outcome, compare_masses
from benchmarks.accuracy.scores import score
from benchmarks.accuracy.sheets import TRUTH_COLOUR, arrange_tiles, draw_truth, make_tile
from usmicro.errors import UsageError
from usmicro.evaluation import metrics
from usmicro.evaluation.measures import main_descriptor
from usmicro.evaluation.metrics import Estimate
from usmicro.evaluation.rows import Row
from usmicro.evaluation.targets import Target


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Draw few bootstrap samples, since these tests do not check intervals."""
    monkeypatch.setitem(metrics.bootstrap.__kwdefaults__, "rounds", 5)


def focus(x, y, confidence, **more):
    facts = {
        "frame": 0,
        "label": "intramass",
        "shadow": "no",
        "twinkling": "not assessable",
        "twinkling_score": None,
    }
    facts |= {"diameter_px": 5.0, "diameter_mm": 1.0}
    return SimpleNamespace(x_px=x, y_px=y, confidence=confidence, **{**facts, **more})


def target(x, y, **more):
    return Target(x=(x,), y=(y,), diameter=4, **more)


def values(outcomes):
    return {(row.dataset, row.measure): row.estimate.value for row in score(outcomes, listed=0.5)}


def test_calcification_is_measured_on_assessed_images():
    facts = [
        ("none", "none", 0.1),
        ("none", "outside a mass", 0.6),
        ("in a mass", "in a mass+outside a mass", 0.8),
        ("intraductal", "none", 0.3),
    ]
    outcomes = [
        Outcome(
            case=Case(dataset="d", name=str(i), calcification=true),
            calcification=said,
            score=value,
            seconds=1,
        )
        for i, (true, said, value) in enumerate(facts)
    ]
    outcomes.append(Outcome(case=Case(dataset="d", name="not assessed"), score=1, seconds=1))
    measured = values(outcomes)
    assert measured["d", "calcification score, AUC"] == 0.75
    assert measured["d", "calcification present, kappa"] == 0
    assert measured["d", "calcification, false-positive rate"] == 0.5
    assert measured["d", "calcification, sensitivity"] == 0.5
    assert main_descriptor("outside a mass+in a mass") == "in a mass"


def test_the_posterior_feature_of_a_missed_mass_has_score_0_and_is_wrong():
    facts = [
        ("shadowing", "shadowing", -0.8),
        ("none", "none", 0.1),
        ("enhancement", "enhancement", 0.7),
        ("combined", None, None),
    ]
    outcomes = [
        Outcome(
            case=Case(dataset="d", name=str(i), posterior=true),
            largest_mass=None
            if said is None
            else SimpleNamespace(posterior=said, posterior_score=value),
            seconds=1,
        )
        for i, (true, said, value) in enumerate(facts)
    ]
    measured = values(outcomes)
    assert measured["d", "posterior shadowing against the rest, AUC"] == 1
    assert measured["d", "posterior enhancement against none and shadowing, AUC"] == 1
    assert measured["d", "posterior feature (four classes), kappa"] == pytest.approx(
        (0.75 - 3 / 16) / (1 - 3 / 16)
    )


def test_foci_labels_and_shadows():
    case = Case(dataset="d", name="one", ignored=(target(70, 70),))
    outcome = Outcome(
        case=case,
        foci=(
            focus(10, 10, 0.9),
            focus(70, 70, 0.8),
            focus(40, 40, 0.7, label="extramass", shadow="yes"),
            focus(90, 10, 0.6),
            focus(20, 80, 0.4),
        ),
        targets=(
            target(11, 10, label="intramass", shadow=False),
            target(40, 41, label="intramass", shadow=True),
            target(20, 80, label="intraductal", shadow=False),
            target(99, 99, label="extramass", shadow=False),
        ),
        seconds=2,
    )
    measured = values([outcome])
    assert measured["d", "foci, sensitivity at 1 false positive per image"] == 0.75
    assert measured["d", "listed foci, sensitivity"] == 0.5
    assert measured["d", "listed foci, false positives per image"] == 1
    assert measured["d", "listed foci, F1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))
    assert measured["d", "measured / true diameter of foci of at least 0.6 mm, median"] == 1.25
    assert measured["d", "labels of foci, accuracy"] == 0.5
    assert measured["d", "shadows of foci, sensitivity where assessable"] == 1
    assert measured["d", "shadows of foci, false-positive rate where assessable"] == 0
    assert measured["d", "analysis, median seconds per scan"] == 2


def test_measures_in_true_outlines_use_only_the_foci_and_targets_there():
    outcome = Outcome(
        case=Case(dataset="d", name="one"),
        foci=(focus(90, 90, 0.9), focus(10, 10, 0.8)),
        foci_in_outline=(False, True),
        targets=(target(10, 10), target(50, 50)),
        targets_in_outline=(True, False),
        masses=MassOverlap(0.9, (0.9,), 0),
        seconds=1,
    )
    measured = values([outcome, Outcome(case=outcome.case, error="unreadable")])
    assert measured["d", "foci in true outlines, sensitivity at 1 false positive per image"] == 1
    assert measured["d", "foci, sensitivity at 1 false positive per image"] == 0.5
    assert measured["d", "failed images"] == 1


def test_twinkling_is_measured_over_all_clips_and_with_moving_targets():
    moved = Target(x=(10.0, 30.0), y=(10.0, 10.0), diameter=4, twinkling=True)
    still = Target(x=(80.0,), y=(80.0,), diameter=4, twinkling=False)
    one = Outcome(
        case=Case(dataset="phantom twinkling", name="one"),
        foci=(focus(30, 10, 0.9, frame=1, twinkling="yes", twinkling_score=0.9),),
        targets=(moved,),
        seconds=1,
    )
    other = Outcome(
        case=Case(dataset="phantom noise", name="two"),
        foci=(focus(80, 80, 0.2),),
        targets=(still,),
        seconds=1,
    )
    measured = values([one, other])
    assert measured["phantom colour clips", "twinkling score, AUC"] == 1
    assert measured["phantom colour clips", "twinkling yes, sensitivity"] == 1
    assert measured["phantom colour clips", "twinkling yes, false-positive rate"] == 0


def test_masses_are_matched_one_to_one():
    true, labels = np.zeros((60, 80), np.int32), np.zeros((60, 80), np.uint8)
    true[10:30, 10:30] = 1
    true[10:30, 50:60] = 2
    labels[10:30, 12:32] = 1
    labels[40:50, 40:50] = 1
    masses = [
        SimpleNamespace(x_px=45, y_px=45, confidence=0.4),
        SimpleNamespace(x_px=22, y_px=20, confidence=0.9),
    ]
    overlap, mass = compare_masses(SimpleNamespace(labels=labels, masses=masses), true)
    assert overlap.dice_of_true == (0.9, None)
    assert overlap.false_positives == 1
    assert mass is masses[1]
    assert_allclose(overlap.total_dice, 2 * 360 / (600 + 500))
    empty, no_mass = compare_masses(SimpleNamespace(labels=0 * labels, masses=[]), 0 * true)
    assert (empty.total_dice, empty.dice_of_true, empty.false_positives, no_mass) == (
        1,
        (),
        0,
        None,
    )


@pytest.mark.parametrize("name", PEERS)
def test_every_detector_finds_a_bright_spot(name):
    random = np.random.default_rng(0)
    image = cv2.GaussianBlur(random.normal(60, 30, (120, 140)).astype(np.float32), (0, 0), 2)
    column, row = np.meshgrid(np.arange(140), np.arange(120))
    image += 150 * np.exp(-((column - 90) ** 2 + (row - 40) ** 2) / 18)
    points, strength = PEERS[name](image.astype(np.float32))
    assert len(points) == len(strength)
    assert_allclose(points[np.argmax(strength)], [90, 40], atol=2)


def test_detectors_are_measured_beside_usmicro_on_all_marked_images(tmp_path):
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 99, (60, 70), np.uint8))
    marked = Case(
        dataset="echogenic-foci-marks",
        name="x",
        path=path,
        targets=(Target(x=(30,), y=(30,), diameter=5),),
    )
    other = Case(dataset="visual-readings busi", name="y", path=path, targets=marked.targets)
    unmarked = Case(dataset="busi", name="z", path=path)
    cases = [marked, other, unmarked]
    outcomes = [Outcome(case=case, targets=case.targets) for case in cases]
    found = score_peers(cases, outcomes, processes=1)
    assert {row.images for row in found} == {2}
    assert found[0].dataset == "usmicro"
    assert {row.dataset for row in found} == {"usmicro", *PEERS}
    assert score_peers([unmarked], outcomes[2:], processes=1) == []


def rows():
    found = [
        Row("d", "AUC", Estimate(0.8, 0.7, 0.9), 12),
        Row("d", "failed", Estimate(0, np.nan, np.nan), 12),
    ]
    return {
        "Whole images": Section(
            found, [Bin("d", "confidence", 0.2, 0.4, 7, 0.31, Estimate(0.25, 0.1, 0.4))]
        )
    }


def test_results_are_written_as_table_json_and_document(tmp_path):
    text = measures_table(rows()["Whole images"].rows)
    assert "| 0.800 | 0.700 to 0.900 | 12" in text
    content = json.loads(as_json(rows(), "python -m benchmarks.accuracy DATA"))
    assert content["results"][0]["value"] == 0.8
    assert content["results"][1]["low"] is None
    assert content["reliability"][0]["number"] == 7
    document = tmp_path / "accuracy.md"
    with pytest.raises(UsageError, match="expected the lines"):
        update_document(document, rows(), "command")
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    update_document(document, rows(), "command")
    once = document.read_text()
    update_document(document, rows(), "command")
    assert document.read_text() == once
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert "old" not in once
    assert (
        "| d    | confidence  | 0.20 | 0.40 | 7      | 0.310 | 0.250      | 0.100 to 0.400 |"
        in once
    )


def test_selected_cases_are_spread_evenly_and_the_documented_command_has_no_paths(tmp_path):
    cases = [Case(dataset=name, name=str(i)) for name in ("phantom mixed", "b") for i in range(10)]
    assert [case.name for case in select_cases(cases, 5, None)] == ["0", "2", "4", "6", "8"] * 2
    assert {case.dataset for case in select_cases(cases, None, ["phantom"])} == {"phantom mixed"}
    assert (
        documented_command([str(tmp_path), "--limit", "5", "--out", "x.json"])
        == "python -m benchmarks.accuracy DATA --limit 5"
    )


def test_wrong_usage_has_exit_status_2(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "expected a folder with one or more of" in capsys.readouterr().err
    with pytest.raises(SystemExit) as leaving:
        main([])
    assert leaving.value.code == 2


def test_every_tile_of_a_sheet_shows_the_truth():
    masses = np.zeros((60, 90), np.int32)
    masses[20:40, 30:60] = 1
    truth = Truth(masses=masses, targets=(target(45, 30),))
    drawn = draw_truth(np.zeros((60, 90, 3), np.uint8), truth, 0)
    assert (drawn[20, 30:60] == TRUTH_COLOUR).all()
    assert (drawn[30, 33:40] == TRUTH_COLOUR).all()
    tiles = [make_tile(drawn, 90, "one") for _ in range(3)]
    assert arrange_tiles(tiles, 2).shape == (2 * 110, 2 * 90, 3)
