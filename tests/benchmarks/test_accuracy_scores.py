import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.accuracy.__main__ import limited, main, written
from benchmarks.accuracy.cases import Case, Truth
from benchmarks.accuracy.peers import PEERS
from benchmarks.accuracy.reliability import Bin
from benchmarks.accuracy.report import BEGIN, END, Section, as_json, refresh, table
from benchmarks.accuracy.runs import MassOverlap, Outcome, compare_masses
from benchmarks.accuracy.scores import score
from benchmarks.accuracy.sheets import TRUE, fitted, sheet, with_truth
from usmicro.errors import UsageError
from usmicro.evaluation import metrics
from usmicro.evaluation.measures import one_descriptor
from usmicro.evaluation.metrics import Estimate
from usmicro.evaluation.rows import Row
from usmicro.evaluation.targets import Target


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Intervals are not what these tests look at."""
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


def test_calcification_is_scored_over_the_images_that_are_assessed():
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
    found = values(outcomes)
    assert found["d", "calcification score, AUC"] == 0.75
    assert found["d", "calcification present, kappa"] == 0
    assert found["d", "other images called calcified"] == 0.5
    assert found["d", "calcified images called calcified"] == 0.5
    assert one_descriptor("outside a mass+in a mass") == "in a mass"


def test_posterior_features_of_missed_masses_count_as_nothing_seen():
    facts = [
        ("shadowing", "shadowing", -0.8),
        ("none", "none", 0.1),
        ("enhancement", "enhancement", 0.7),
        ("combined", None, None),
    ]
    outcomes = [
        Outcome(
            case=Case(dataset="d", name=str(i), posterior=true),
            mass=None if said is None else SimpleNamespace(posterior=said, posterior_score=value),
            seconds=1,
        )
        for i, (true, said, value) in enumerate(facts)
    ]
    found = values(outcomes)
    assert found["d", "posterior shadowing against the rest, AUC"] == 1
    assert found["d", "posterior enhancement against none and shadowing, AUC"] == 1
    assert found["d", "posterior feature of four, kappa"] == pytest.approx(
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
    found = values([outcome])
    assert found["d", "foci, sensitivity at 1 false an image"] == 0.75
    assert found["d", "foci listed, sensitivity"] == 0.5
    assert found["d", "foci listed, false an image"] == 1
    assert found["d", "foci listed, F1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))
    assert found["d", "diameter over the true one, foci of 0.6 mm and more, median"] == 1.25
    assert found["d", "labels right"] == 0.5
    assert found["d", "shadows found"] == 1
    assert found["d", "foci without shadow given one"] == 0
    assert found["d", "seconds a scan, median"] == 2


def test_only_foci_and_targets_within_the_outline_count_there():
    outcome = Outcome(
        case=Case(dataset="d", name="one"),
        foci=(focus(90, 90, 0.9), focus(10, 10, 0.8)),
        in_outline=(False, True),
        targets=(target(10, 10), target(50, 50)),
        targets_in_outline=(True, False),
        masses=MassOverlap(0.9, (0.9,), 0),
        seconds=1,
    )
    found = values([outcome, Outcome(case=outcome.case, error="unreadable")])
    assert found["d", "foci in true outlines, sensitivity at 1 false an image"] == 1
    assert found["d", "foci, sensitivity at 1 false an image"] == 0.5
    assert found["d", "images that failed"] == 1


def test_twinkling_is_pooled_over_clips_and_follows_the_motion():
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
    found = values([one, other])
    assert found["phantom colour clips", "twinkling score, AUC"] == 1
    assert found["phantom colour clips", "twinkling foci called yes"] == 1
    assert found["phantom colour clips", "other foci called yes"] == 0


def test_masses_are_matched_one_to_one():
    true, labels = np.zeros((60, 80), np.int32), np.zeros((60, 80), np.uint8)
    true[10:30, 10:30] = 1
    true[10:30, 50:60] = 2
    labels[10:30, 12:32] = 1
    labels[40:50, 40:50] = 1
    said = [
        SimpleNamespace(x_px=45, y_px=45, confidence=0.4),
        SimpleNamespace(x_px=22, y_px=20, confidence=0.9),
    ]
    overlap, mass = compare_masses(SimpleNamespace(labels=labels, masses=said), true)
    assert overlap.found == (0.9, None)
    assert overlap.extra == 1
    assert mass is said[1]
    assert_allclose(overlap.union, 2 * 360 / (600 + 500))
    nothing, none = compare_masses(SimpleNamespace(labels=0 * labels, masses=[]), 0 * true)
    assert (nothing.union, nothing.found, nothing.extra, none) == (1, (), 0, None)


@pytest.mark.parametrize("name", PEERS)
def test_peers_find_a_bright_point(name):
    random = np.random.default_rng(0)
    image = cv2.GaussianBlur(random.normal(60, 30, (120, 140)).astype(np.float32), (0, 0), 2)
    column, row = np.meshgrid(np.arange(140), np.arange(120))
    image += 150 * np.exp(-((column - 90) ** 2 + (row - 40) ** 2) / 18)
    points, strength = PEERS[name](image.astype(np.float32))
    assert len(points) == len(strength)
    assert_allclose(points[np.argmax(strength)], [90, 40], atol=2)


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


def test_results_as_table_json_and_document(tmp_path):
    text = table(rows()["Whole images"].rows)
    assert "| 0.800 | 0.700 to 0.900 | 12" in text
    found = json.loads(as_json(rows(), "python -m benchmarks.accuracy DATA"))
    assert found["results"][0]["value"] == 0.8
    assert found["results"][1]["low"] is None
    assert found["reliability"][0]["number"] == 7
    document = tmp_path / "accuracy.md"
    with pytest.raises(UsageError, match="expected the lines"):
        refresh(document, rows(), "command")
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    refresh(document, rows(), "command")
    once = document.read_text()
    refresh(document, rows(), "command")
    assert document.read_text() == once
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert "old" not in once
    assert (
        "| d    | confidence  | 0.20 | 0.40 | 7      | 0.310 | 0.250      | 0.100 to 0.400 |"
        in once
    )


def test_the_limit_spreads_over_each_data_set_and_the_command_hides_paths(tmp_path):
    cases = [Case(dataset=name, name=str(i)) for name in ("phantom mixed", "b") for i in range(10)]
    assert [case.name for case in limited(cases, 5, None)] == ["0", "2", "4", "6", "8"] * 2
    assert {case.dataset for case in limited(cases, None, ["phantom"])} == {"phantom mixed"}
    assert (
        written([str(tmp_path), "--limit", "5", "--out", "x.json"])
        == "python -m benchmarks.accuracy DATA --limit 5"
    )


def test_wrong_usage_has_exit_status_2(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "expected a folder with one of" in capsys.readouterr().err
    with pytest.raises(SystemExit) as leaving:
        main([])
    assert leaving.value.code == 2


def test_a_sheet_shows_the_truth_on_every_tile():
    masses = np.zeros((60, 90), np.int32)
    masses[20:40, 30:60] = 1
    truth = Truth(masses=masses, targets=(target(45, 30),))
    drawn = with_truth(np.zeros((60, 90, 3), np.uint8), truth, 0)
    assert (drawn[20, 30:60] == TRUE).all()
    assert (drawn[30, 33:40] == TRUE).all()
    tiles = [fitted(drawn, 90, "one") for _ in range(3)]
    assert sheet(tiles, 2).shape == (2 * 110, 2 * 90, 3)
