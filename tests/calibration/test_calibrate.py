import csv
import json
import tomllib

import pytest

import usmicro
from tests.helpers.evaluated_run import make_run
from usmicro.cli import main
from usmicro.errors import UsageError
from usmicro.evaluation import evaluate, metrics
from usmicro.foci.site import site_confidence
from usmicro.settings import Settings, read_settings

NAMES = tuple(f"{number:03}.png" for number in range(60))


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Draw few bootstrap samples, since these tests do not check intervals."""
    monkeypatch.setitem(metrics.bootstrap.__kwdefaults__, "rounds", 20)


def listing(confidence, run):
    record = json.loads((run / "run.json").read_text())
    record["listed_from_confidence"] = confidence
    record["settings"]["foci"]["minimum_confidence"] = confidence
    (run / "run.json").write_text(json.dumps(record))
    return run


@pytest.fixture
def run(tmp_path):
    """Each image has a focus of confidence 0.9 at (30, 30) and one of 0.5 at (60, 40).

    The confidences are spread here, so that thresholds can separate them.
    """
    folder = listing(0, make_run(tmp_path / "run", NAMES))
    table = folder / "foci.csv"
    rows = list(csv.DictReader(table.open()))
    for index, row in enumerate(rows):
        row["confidence"] = f"{float(row['confidence']) - 0.006 * (index // 2):.4f}"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture
def truth(tmp_path):
    """The first focus of each image is true, the second is not."""
    return marks(tmp_path / "marks.csv", NAMES)


def marks(file, names):
    lines = [
        "image,x_px,y_px,patient",
        *(f"{name},30,30,p{i // 2}" for i, name in enumerate(names)),
    ]
    file.write_text("\n".join(lines) + "\n")
    return file


def test_the_rate_that_was_asked_for_is_reached(run, truth):
    for asked in (0.2, 0.5):
        calibration = usmicro.calibrate(run, truth, false_foci=asked)
        foci = calibration.choices[0]
        assert (foci.images, foci.groups, foci.true) == (60, 30, 60)
        assert foci.rate_before.value == 1  # every false focus is above the default
        assert foci.rate_after.value == pytest.approx(asked, rel=0.4)
        assert foci.rate_after.low < asked < foci.rate_after.high
        assert foci.found_after.value == 1
        assert calibration.by_patient


def test_the_settings_say_what_was_fitted(run, truth, tmp_path):
    out = tmp_path / "calibration.toml"
    calibration = usmicro.calibrate(run, truth, out=out)
    settings = read_settings(out)
    assert settings == calibration.settings
    assert settings.foci.minimum_confidence == calibration.choices[0].new
    assert settings.calibration.source.startswith(
        f"run {calibration.run}: 60 images of 30 patients"
    )
    assert tomllib.loads(out.read_text()) == calibration.changed
    # the threshold is on the calibrated scale
    rows = list(csv.DictReader((run / "foci.csv").open()))
    listed = [
        site_confidence(float(row["confidence"]), settings.foci) >= settings.foci.minimum_confidence
        for row in rows
        if row["x_px"] == "60"
    ]
    assert sum(listed) / 60 == pytest.approx(0.5, abs=0.1)
    page = out.with_suffix(".html").read_text()
    assert "before calibration" in page
    assert "after calibration" in page
    assert "http" not in page
    assert str(tmp_path) not in page + out.read_text()


def test_equal_input_gives_equal_bytes(run, truth, tmp_path):
    files = [tmp_path / name / "c.toml" for name in ("one", "two")]
    for file in files:
        usmicro.calibrate(run, truth, out=file)
    for suffix in (".toml", ".html"):
        one, two = (file.with_suffix(suffix).read_bytes() for file in files)
        assert one == two


def test_a_run_that_did_not_keep_every_candidate_is_refused(run, truth):
    with pytest.raises(UsageError, match=r"from a confidence of 0\.08 on.*minimum_confidence=0"):
        usmicro.calibrate(listing(0.08, run), truth)


def test_too_few_images_are_refused_with_the_number_that_is_needed(run, tmp_path):
    few = marks(tmp_path / "few.csv", NAMES[:8])
    with pytest.raises(
        UsageError, match=r"have marked foci: 8; .* needs at least 10.*label 2 more"
    ):
        usmicro.calibrate(run, few)
    assert usmicro.calibrate(run, few, false_foci=1.0).choices[0].images == 8


def test_what_the_labels_do_not_tell_stays_and_is_said(run, truth):
    calibration = usmicro.calibrate(run, truth)
    assert [choice.setting for choice in calibration.choices] == ["foci.minimum_confidence"]
    assert calibration.settings.anatomy == Settings().anatomy
    text = " ".join(calibration.remarks)
    for setting in ("anatomy.mass_threshold", "labels.calcification", "posterior_shadowing"):
        assert setting in text
    with pytest.raises(UsageError, match="--false-masses"):
        usmicro.calibrate(run, truth, false_masses=0.1)


def test_the_threshold_of_the_score_is_chosen_for_images_without_calcifications(run, tmp_path):
    table = run / "images.csv"
    rows = list(csv.DictReader(table.open()))
    for index, row in enumerate(rows):
        if row["status"] == "ok":
            row["calcification_score"] = f"{(index + 1) / 62:.4f}"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    truth = tmp_path / "labels.csv"
    lines = [f"{name},{i % 2 * 30 + 25},20,none" for i, name in enumerate(NAMES)]
    truth.write_text("\n".join(["image,x_px,y_px,calcification", *lines]) + "\n")
    _, score = usmicro.calibrate(run, truth, false_calcified=0.2).choices
    assert (score.setting, score.images, score.true) == ("labels.calcification", 60, 0)
    assert score.new == pytest.approx(0.8, abs=0.08)
    assert score.rate_after.value == pytest.approx(0.2, abs=0.07)
    assert score.found_after is None


def test_an_earlier_calibration_is_replaced_not_applied_twice(run, truth):
    plain = usmicro.calibrate(run, truth)
    scale = Settings().foci
    record = json.loads((run / "run.json").read_text())
    record["settings"]["foci"] |= {"confidence_offset": -1.0, "confidence_slope": 1.5}
    (run / "run.json").write_text(json.dumps(record))
    settings = read_settings(
        assignments=["foci.confidence_offset=-1.0", "foci.confidence_slope=1.5"]
    ).foci
    table = run / "foci.csv"
    rows = list(csv.DictReader(table.open()))
    for row in rows:
        row["confidence"] = repr(site_confidence(float(row["confidence"]), settings))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    again = usmicro.calibrate(run, truth)
    assert (scale.confidence_offset, scale.confidence_slope) == (0, 1)
    assert again.settings.foci.confidence_offset == plain.settings.foci.confidence_offset
    assert again.settings.foci.confidence_slope == plain.settings.foci.confidence_slope
    assert again.choices[0].new == plain.choices[0].new


def test_evaluation_uses_the_scale_of_the_run(run, truth):
    assert evaluate(run, truth).listed < 0.2
    record = json.loads((run / "run.json").read_text())
    record["settings"]["foci"] |= {"confidence_offset": 3.0}
    (run / "run.json").write_text(json.dumps(record))
    assert evaluate(run, truth).listed > 0.5


@pytest.mark.parametrize("rate", [0, -1, 100, float("nan")])
def test_a_rate_that_cannot_be_is_refused(run, truth, rate):
    with pytest.raises(UsageError, match="--false-foci"):
        usmicro.calibrate(run, truth, false_foci=rate)


def test_the_file_must_be_one_of_settings(run, truth, tmp_path):
    with pytest.raises(UsageError, match=r"\.toml"):
        usmicro.calibrate(run, truth, out=tmp_path / "calibration.txt")


@pytest.mark.parametrize("page", ["report.html", "evaluation.html", "comparison.html"])
def test_a_page_of_another_command_is_not_replaced(run, truth, tmp_path, page):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / page).write_text("the page")
    with pytest.raises(UsageError, match=f"would replace {page}"):
        usmicro.calibrate(run, truth, out=(folder / page).with_suffix(".toml"))
    assert [file.name for file in folder.iterdir()] == [page]
    assert (folder / page).read_text() == "the page"


def test_the_command_prints_before_and_after(run, truth, tmp_path, capsys):
    out = tmp_path / "calibration.toml"
    assert main(["calibrate", str(run), str(truth), "--out", str(out), "--false-foci", "0.3"]) == 0
    printed = capsys.readouterr().out
    assert "foci.minimum_confidence" in printed
    assert "0.3 asked for" in printed
    assert str(out) in printed
    assert main(["calibrate", str(run), str(truth), "--out", str(out), "--false-foci", "0"]) == 2


def test_a_review_of_the_report_is_read_as_it_is(run, truth, tmp_path):
    lines = ["image,frame,focus,x_px,y_px,decision,mass,calcification,reader,reviewed"]
    for name in NAMES:
        lines += [
            f"{name},,,,,,,,AB,yes",
            f"{name},0,1,30,30,accepted,,,AB,",
            f"{name},0,2,60,40,rejected,,,AB,",
        ]
    review = tmp_path / "review.csv"
    review.write_text("\n".join(lines) + "\n")
    of_review, of_marks = (usmicro.calibrate(run, labels) for labels in (review, truth))
    assert not of_review.by_patient
    assert of_review.choices[0].true == 60
    assert of_review.choices[0].new == of_marks.choices[0].new


def test_images_of_a_group_stay_together(run, tmp_path):
    file = tmp_path / "marks.csv"
    file.write_text("image,x_px,y_px\n" + "".join(f"{name},30,30\n" for name in NAMES))
    table = tmp_path / "groups.csv"
    table.write_text(
        "image,group\n" + "".join(f"{name},s{i // 10}\n" for i, name in enumerate(NAMES[:-1]))
    )
    grouped, alone = (usmicro.calibrate(run, file, group=group) for group in (table, None))
    assert (grouped.choices[0].groups, alone.choices[0].groups) == (7, 60)
    assert grouped.by_patient
    assert not alone.by_patient
    assert any("1 labelled images are in no group" in remark for remark in grouped.remarks)
