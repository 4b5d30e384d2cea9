import csv
import json
import re

import cv2
import numpy as np
import pytest

from tests.helpers.evaluated_run import NAMES, make_run
from usmicro.cli import main
from usmicro.errors import UsageError
from usmicro.evaluation import evaluate, metrics
from usmicro.foci.operating_point import listing_confidence
from usmicro.settings import Settings


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Draw few bootstrap samples, since these tests do not check intervals."""
    monkeypatch.setitem(metrics.bootstrap.__kwdefaults__, "rounds", 20)


@pytest.fixture
def run(tmp_path):
    """A run of four images and one more that failed; see `evaluated_run`."""
    return listing_from(DEFAULT, make_run(tmp_path / "run"))


DEFAULT = listing_confidence(Settings().foci)
"""Confidence from which foci are listed by default."""


def listing_from(confidence, run):
    """Change the confidence from which a run lists foci; return its folder."""
    record = json.loads((run / "run.json").read_text())
    record["listed_from_confidence"] = confidence
    (run / "run.json").write_text(json.dumps(record))
    return run


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def values(evaluation):
    return {row.measure: row.estimate.value for row in evaluation.rows}


def test_names_match_in_composed_and_decomposed_unicode(run, tmp_path):
    table = run / "images.csv"
    names = {"composed": "\u00e9.png", "decomposed": "e\u0301.png"}
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("a.png", names["decomposed"]), encoding="utf-8")
    truth = write(tmp_path / "labels.csv", "image,calcification", f"{names['composed']},none")
    (image,) = evaluate(run, truth, out=None).comparison.images
    assert image.name == names["decomposed"]


def test_marks_of_foci_give_the_free_response_curve(run, tmp_path):
    # each image has a focus of confidence 0.9 at (30, 30) and one of 0.5 at (60, 40)
    truth = write(
        tmp_path / "foci.csv",
        "image,x_px,y_px,diameter_px,label",
        "a.png,31,29,5,intramass",
        "a.png,60,40,5,extramass",
        "sub/b.png,31,31,5,extramass",
        "sub/b.png,10,60,5,",
        "c.png,,,,",
    )
    evaluation = evaluate(run, truth)
    measured = values(evaluation)
    # a: two hits; b: one hit, one false, one missed; c: no marks, two false
    assert measured["listed foci, sensitivity"] == pytest.approx(3 / 4)
    assert measured["listed foci, false positives per image"] == pytest.approx(3 / 3)
    assert measured["listed foci, F1"] == pytest.approx(2 * 3 / (4 + 3 + 3))
    assert measured["foci, sensitivity at 0.5 false positives per image"] == pytest.approx(2 / 4)
    assert measured["labels of foci, accuracy"] == pytest.approx(2 / 3)
    # the curve ends before 4 false positives per image
    assert "foci, sensitivity at 4 false positives per image" not in measured
    assert any("minimum_confidence" in remark for remark in evaluation.remarks)
    assert evaluation.resampled == "images"


def test_ignored_marks_and_the_foci_on_them_do_not_count(run, tmp_path):
    marks = ["image,x_px,y_px,ignore", "a.png,30,30,no", "a.png,60,40,yes"]
    measured = values(evaluate(run, write(tmp_path / "foci.csv", *marks)))
    assert measured["listed foci, false positives per image"] == 0
    assert measured["listed foci, sensitivity"] == 1


def test_the_least_distance_decides_which_foci_hit_a_mark(run, tmp_path):
    truth = write(tmp_path / "foci.csv", "image,x_px,y_px", "a.png,30,39")
    assert values(evaluate(run, truth))["listed foci, sensitivity"] == 0
    assert values(evaluate(run, truth, least_distance=9.5))["listed foci, sensitivity"] == 1
    with pytest.raises(UsageError, match="--distance 0"):
        evaluate(run, truth, least_distance=0)


def test_labels_of_images_give_auc_and_kappa(run, tmp_path):
    # the run reports: a 0.9 in a mass, sub/b 0.2 none, c 0.6 outside a mass, d 0.1 none
    truth = write(
        tmp_path / "t.csv",
        "image,calcification",
        "a.png,in a mass",
        "b.png,none",
        "c.png,none",
        "d.png,in a mass",
    )
    measured = values(evaluate(run, truth))
    assert measured["calcification score, AUC"] == pytest.approx(2 / 4)
    assert measured["calcification, sensitivity"] == 0.5
    assert measured["calcification, false-positive rate"] == 0.5
    assert measured["calcification present, kappa"] == pytest.approx(0)
    assert "calcification descriptor, kappa" in measured
    without_place = write(
        tmp_path / "p.csv", "image,calcification", "a.png,yes", "b.png,no", "c.png,no", "d.png,yes"
    )
    assert "calcification descriptor, kappa" not in values(evaluate(run, without_place))


def test_masks_give_dice(run, tmp_path):
    mask = np.zeros((80, 100), np.uint8)
    mask[20:40, 20:40] = 255  # the mass of the run
    half, none = mask.copy(), np.zeros_like(mask)
    half[20:40, 30:40] = 0
    (tmp_path / "truth" / "masks").mkdir(parents=True)
    for name, pixels in (("a.png", mask), ("b.png", half), ("c.png", none)):
        cv2.imwrite(str(tmp_path / "truth" / "masks" / name), pixels)
    measured = values(evaluate(run, tmp_path / "truth"))
    assert measured["masses, mean Dice"] == pytest.approx((1 + 2 / 3) / 2)
    assert measured["masses, sensitivity (Dice above 0.5)"] == 1
    assert measured["masses, false-positive rate on images without"] == 1
    assert measured["false-positive masses per image"] == pytest.approx(1 / 3)


def test_intervals_are_over_patients_if_the_labels_name_any(run, tmp_path):
    lines = [
        "image,calcification,patient",
        "a.png,yes,1",
        "b.png,no,1",
        "c.png,no,2",
        "d.png,yes,2",
    ]
    evaluation = evaluate(run, write(tmp_path / "t.csv", *lines))
    assert evaluation.resampled == "patients"
    groups = evaluation.comparison.patient_groups(evaluation.comparison.images)
    assert [len(group) for group in groups] == [2, 2]


def test_remarks_name_failed_and_unknown_images_which_no_measure_includes(run, tmp_path):
    truth = write(
        tmp_path / "t.csv",
        "image,calcification,note",
        "a.png,yes,x",
        "failed.png,yes,x",
        "elsewhere.png,no,x",
    )
    evaluation = evaluate(run, truth)
    assert evaluation.comparison.failed == ["failed.png"]
    remarks = " ".join(evaluation.remarks)
    assert "1 labelled images failed" in remarks
    assert "elsewhere.png" in remarks
    assert "not used: note" in remarks
    assert {row.images for row in evaluation.rows} == {1}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["image,x,y", "a.png,1,2"], "expected the columns image, x_px, y_px"),
        (["image;calcification", "a.png;no"], "separate them by commas, not by semicolons"),
        (
            ["image,x_px,y_px", "a.png,one,2"],
            "line 2: expected a number of pixels in column x_px, found one",
        ),
        (
            ["image,x_px,y_px", "a.png,1,"],
            "line 2: expected a number of pixels in column y_px, found nothing",
        ),
        (["image,x_px,y_px,label", "a.png,1,2,inside"], "expected the label intramass"),
        (
            ["image,x_px,y_px,shadow", "a.png,1,2,perhaps"],
            "expected yes, no or nothing in column shadow",
        ),
        (["image,calcification", "a.png,malignant"], "expected the calcification none, present"),
        (["image,calcification", ",yes"], "names no image"),
        (["image,calcification", "x.png,yes"], "no image of this run is labelled"),
        (["image,calcification", "b.png,yes", "sub/b.png,yes"], "sub/b.png is labelled twice"),
        (["image,calcification", "a.png,"], "contains no label"),
    ],
)
def test_the_error_for_an_unusable_table_says_what_is_expected(run, tmp_path, lines, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        evaluate(run, write(tmp_path / "truth.csv", *lines))


def test_an_image_may_be_named_by_its_file_name_with_or_without_suffix(run, tmp_path):
    truth = write(
        tmp_path / "t.csv",
        "image,calcification",
        "a,in a mass",
        "b,none",
        "c.png,none",
        "sub/d,none",
    )
    evaluation = evaluate(run, truth)
    assert [image.name for image in evaluation.comparison.images] == ["a.png", "c.png", "sub/b.png"]
    assert any("sub/d" in remark for remark in evaluation.remarks)


def test_descriptors_of_a_run_of_every_candidate_are_made_from_the_foci_listed_by_default(
    run, tmp_path
):
    # a: the extramass focus falls below the default confidence
    # c: both foci do, so the more confident one, which is intramass, is described
    foci = (run / "foci.csv").read_text().replace(",0.5,", f",{0.7 * DEFAULT:.5f},")
    (run / "foci.csv").write_text(
        "\n".join(
            line.replace(",0.9,", f",{0.9 * DEFAULT:.5f},") if line.startswith("c.png") else line
            for line in foci.split("\n")
        )
    )
    truth = write(
        tmp_path / "t.csv",
        "image,calcification",
        "a.png,in a mass",
        "b.png,none",
        "c.png,outside a mass",
        "d.png,none",
    )
    descriptors = [image.calcification for image in evaluate(run, truth).comparison.images]
    assert descriptors == ["in a mass", "outside a mass", "none", "none"]  # as in images.csv
    listing_from(0.0, run)
    descriptors = [image.calcification for image in evaluate(run, truth).comparison.images]
    assert descriptors == ["in a mass", "in a mass", "none", "none"]


@pytest.mark.parametrize(
    ("confidence", "listed", "complete"),
    [(0.0, DEFAULT, True), (0.5 * DEFAULT, 0.5 * DEFAULT, False), (0.7, 0.7, False)],
)
def test_the_record_says_from_which_confidence_the_run_listed_foci(
    run, tmp_path, confidence, listed, complete
):
    truth = write(tmp_path / "foci.csv", "image,x_px,y_px", "a.png,30,30")
    evaluation = evaluate(listing_from(confidence, run), truth)
    assert (evaluation.listed, evaluation.complete) == (listed, complete)
    remarks = " ".join(evaluation.remarks)
    assert (f"(confidence {confidence:.3g})" in remarks) == (not complete)


def test_the_record_of_version_0_1_0_has_the_confidence_as_a_setting(run, tmp_path):
    record = json.loads((run / "run.json").read_text())
    del record["listed_from_confidence"]
    record["settings"]["foci"] = {"minimum_confidence": 0.4}
    (run / "run.json").write_text(json.dumps(record))
    truth = write(tmp_path / "foci.csv", "image,x_px,y_px", "a.png,30,30")
    assert evaluate(run, truth).listed == 0.4


def test_images_without_errors_are_not_among_the_worst(run, tmp_path):
    truth = write(
        tmp_path / "t.csv", "image,calcification", "a.png,in a mass", "b.png,none", "c.png,none"
    )
    evaluate(run, truth, out=tmp_path / "out")
    worst = (tmp_path / "out" / "evaluation.html").read_text().partition("Worst images")[2]
    assert "c.png" in worst
    assert "a.png" not in worst
    assert "b.png" not in worst


def test_an_error_is_raised_without_labels_or_results(run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty: contains no labels for this run"):
        evaluate(run, tmp_path / "empty")
    with pytest.raises(UsageError, match="no such file"):
        evaluate(run, tmp_path / "nothing.csv")
    with pytest.raises(UsageError, match="contains no run"):
        evaluate(tmp_path, write(tmp_path / "t.csv", "image,calcification", "a.png,yes"))


def test_the_command_writes_page_and_tables_and_prints_the_measures(run, tmp_path, capsys):
    truth = tmp_path / "truth"
    write(truth / "marks.csv", "image,x_px,y_px", "a.png,30,30", "a.png,5,5", "c.png,,")
    write(
        truth / "labels.csv",
        "image,calcification",
        *(f"{name},{'yes' if name == 'a.png' else 'no'}" for name in NAMES),
    )
    assert main(["evaluate", str(run), str(truth)]) == 0
    printed = capsys.readouterr().out
    out = run / "evaluation"
    written = json.loads((out / "evaluation.json").read_text())
    for row in written["measures"]:
        assert row["measure"] in printed
    with open(out / "foci.csv", newline="") as lines:
        outcomes = sorted((row["image"], row["outcome"]) for row in csv.DictReader(lines))
    assert outcomes == [
        ("a.png", "false"),
        ("a.png", "found"),
        ("a.png", "missed"),
        ("c.png", "false"),
        ("c.png", "false"),
    ]
    with open(out / "images.csv", newline="") as lines:
        rows = {row["image"]: row for row in csv.DictReader(lines)}
    assert rows["a.png"]["foci_missed"] == "1"
    assert rows["sub/b.png"]["foci_marked"] == ""  # the foci of b.png are not marked
    page = (out / "evaluation.html").read_text()
    assert page.count("<svg") == 2
    assert "not for diagnosis" in page
    assert "http" not in page
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert main(["evaluate", str(run), str(truth)]) == 0
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


def test_the_page_escapes_names_of_images(tmp_path):
    name = "<img src=x onerror=alert(1)>.png"
    run = make_run(tmp_path / "run", names=(name,))
    evaluate(
        run, write(tmp_path / "t.csv", "image,calcification", f"{name},no"), out=tmp_path / "out"
    )
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert "<img" not in page
    assert "&lt;img" in page


def test_the_truth_of_sample_scans_is_read(tmp_path, sample_data):
    truth = {
        entry["image"]: entry for entry in json.loads((sample_data / "truth.json").read_text())
    }
    shape = truth["mass_linear.png"]["mass_labels"]["shape"]
    run = make_run(tmp_path / "run", names=("mass_linear.png",), shape=tuple(shape))
    evaluation = evaluate(run, sample_data)
    (image,) = evaluation.comparison.images
    assert len(image.targets) == len(truth["mass_linear.png"]["foci"])
    assert image.truth.calcification == "in a mass+outside a mass"
    assert 0 <= image.dice["masses"] < 0.5
    assert any("spacing.csv" in remark for remark in evaluation.remarks)


def test_the_columns_of_the_foci_do_not_depend_on_the_first_row(run, tmp_path):
    header = []
    for marks in (["c.png,,"], ["a.png,5,5"]):
        truth = write(tmp_path / "marks.csv", "image,x_px,y_px", *marks)
        evaluate(run, truth, out=tmp_path / "out")
        header.append((tmp_path / "out" / "foci.csv").read_text().partition("\n")[0])
    (run / "foci.csv").write_text((run / "foci.csv").read_text().partition("\n")[0] + "\n")
    evaluate(run, truth, out=tmp_path / "out")  # without foci, the first row is a missed mark
    header.append((tmp_path / "out" / "foci.csv").read_text().partition("\n")[0])
    assert header[0] == header[1] == header[2]
