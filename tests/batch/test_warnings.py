"""Warnings of a run: in images.csv, in run.json, on the console and in the report."""

import csv
import json

import pytest

import usmicro
from usmicro.batch.closing import warning_lines
from usmicro.cli import main
from usmicro.foci.models import read_focus_models
from usmicro.foci.operating_point import listing_confidence
from usmicro.model.warnings import EXPLANATIONS, RunWarning, WarningCode
from usmicro.settings import read_settings


@pytest.fixture
def sample(sample_data):
    return sample_data / "mass_linear.png"


def images(folder):
    with open(folder / "images.csv", encoding="utf-8", newline="") as file:
        return {row["image"]: row for row in csv.DictReader(file)}


def test_a_rejected_spacing_is_in_every_output(sample, tmp_path, capsys):
    out = tmp_path / "r"
    assert main(["run", str(sample), "--out", str(out), "--spacing", "0.007", "--workers=1"]) == 0
    printed = capsys.readouterr().out
    assert "1 x spacing-rejected: The pixel spacing is impossible" in printed
    assert "mass_linear.png: a spacing of 0.007 x 0.007 mm" in printed
    assert "is it in cm?" in printed
    row = images(out)["mass_linear.png"]
    assert (row["status"], row["spacing_source"], row["warnings"]) == (
        "ok",
        "rejected",
        "spacing-rejected",
    )
    assert (row["spacing_x_mm"], row["spacing_y_mm"]) == ("", "")
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    (kind,) = record["warnings"]
    assert (kind["code"], kind["count"]) == ("spacing-rejected", 1)
    assert kind["advice"] == EXPLANATIONS["spacing-rejected"].advice
    assert record["images"]["mass_linear.png"]["warnings"][0]["code"] == "spacing-rejected"
    report = (out / "report.html").read_text(encoding="utf-8")
    assert '<section id="warnings">' in report
    assert report.index('id="warnings"') < report.index('id="summary"')


def test_a_run_without_warnings_says_so(sample, tmp_path, capsys):
    out = tmp_path / "r"
    main(["run", str(sample), "--out", str(out), "--spacing", "0.07", "--workers=1"])
    assert "no warnings" in capsys.readouterr().out
    assert images(out)["mass_linear.png"]["warnings"] == ""
    assert '<section id="warnings">' not in (out / "report.html").read_text(encoding="utf-8")


def test_warnings_are_kept_with_their_results(sample, tmp_path):
    for resume in (False, True):
        run = usmicro.run(
            sample,
            out=tmp_path / "r",
            spacing=0.007,
            workers=1,
            resume=resume,
            overwrite=not resume,
        )
        (result,) = run
        assert [warning.code for warning in result.warnings] == [WarningCode.SPACING_REJECTED]
        assert [(kind.code, kind.count) for kind in run.warnings] == [("spacing-rejected", 1)]


@pytest.mark.usefixtures("fake_analysis")
def test_a_limited_continuation_keeps_the_rows_beyond_the_limit(scans, tmp_path):
    out = tmp_path / "r"
    all_rows = {result.image for result in usmicro.run(scans, out=out, workers=1)}
    results = list(usmicro.run(scans, out=out, workers=1, resume=True, limit=2))
    assert [result.image for result in results] == ["a.png", "b.png"]
    assert set(images(out)) == all_rows
    assert {row["warnings"] for row in images(out).values()} == {""}


@pytest.mark.usefixtures("fake_analysis")
def test_kept_rows_of_other_settings_are_marked(scans, tmp_path):
    out = tmp_path / "r"
    list(usmicro.run(scans, out=out, workers=1))
    settings = read_settings(assignments=["foci.minimum_confidence=0.5"])
    run = usmicro.run(scans, out=out, workers=1, resume=True, limit=2, settings=settings)
    list(run)
    marked = {name for name, row in images(out).items() if row["warnings"] == "former-result"}
    assert marked == set(images(out)) - {"a.png", "b.png"}
    assert [(kind.code, kind.count) for kind in run.warnings] == [("former-result", 3)]
    # once they are computed again, they are no longer marked
    list(usmicro.run(scans, out=out, workers=1, resume=True, settings=settings))
    assert {row["warnings"] for row in images(out).values()} == {""}


@pytest.mark.usefixtures("fake_analysis")
@pytest.mark.parametrize(
    ("assignment", "confidence"),
    [
        ("foci.minimum_confidence=0", 0),
        ("foci.minimum_confidence=0.25", 0.25),
        ("foci.false_positives_per_image=2", None),
    ],
)
def test_the_record_says_from_which_confidence_foci_are_listed(
    scans, tmp_path, assignment, confidence
):
    settings = read_settings(assignments=[assignment])
    list(usmicro.run(scans, out=tmp_path / "r", workers=1, settings=settings))
    record = json.loads((tmp_path / "r" / "run.json").read_text(encoding="utf-8"))
    expected = listing_confidence(settings.foci) if confidence is None else confidence
    assert record["listed_from_confidence"] == expected


@pytest.mark.usefixtures("fake_analysis")
def test_the_record_names_the_folder_of_models_without_its_path(scans, tmp_path):
    models = tmp_path / "a patient" / "own"
    models.mkdir(parents=True)
    for file in read_focus_models().files:
        (models / file.name).write_bytes(file.read_bytes())
    settings = read_settings(assignments=[f"foci.models={str(models)!r}"])
    list(usmicro.run(scans, out=tmp_path / "r", workers=1, settings=settings))
    record = (tmp_path / "r" / "run.json").read_text(encoding="utf-8")
    assert json.loads(record)["settings"]["foci"]["models"] == "own"
    assert "a patient" not in record


def test_control_characters_of_names_do_not_reach_the_terminal():
    lines = warning_lines([RunWarning(WarningCode.DEEP_FIELD, 1, ("a\x1b[2Jb.png: deep",))])
    assert "a?[2Jb.png: deep" in "\n".join(lines)
