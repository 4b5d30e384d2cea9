"""Measures of groups of images."""

import csv
import json

import pytest

from tests.helpers.evaluated_run import make_run
from usmicro.cli import main
from usmicro.errors import UsageError
from usmicro.evaluation import evaluate, metrics

MARKS = (
    "image,x_px,y_px,patient",
    *("a.png,30,30,p1", "a.png,60,40,p1"),
    *("c.png,30,30,p1", "c.png,5,5,p1"),
    *("d.png,5,5,p2", "b.png,30,30,p3"),
)


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Draw few bootstrap samples, since these tests check no width of an interval."""
    monkeypatch.setitem(metrics.bootstrap.__kwdefaults__, "rounds", 20)


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run")


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_measures_of_a_group_are_those_of_its_images_alone(run, tmp_path):
    truth = write(tmp_path / "truth.csv", *MARKS)
    groups = write(tmp_path / "g.csv", "image,group", "a.png,A", "c.png,A", "d.png,B")
    evaluation = evaluate(run, truth, group=groups)
    alone = evaluate(run, write(tmp_path / "alone.csv", *MARKS[:5]))
    assert [item.row for item in evaluation.groups if item.group == "A"] == alone.rows
    assert {item.row.images for item in evaluation.groups if item.group == "B"} == {1}
    assert evaluation.rows == evaluate(run, truth).rows
    assert evaluation.remarks[-1] == "1 labelled images are in no group, such as sub/b.png"


def test_patients_of_the_labels_are_groups_and_stay_together(run, tmp_path):
    truth = write(tmp_path / "truth.csv", *MARKS)
    groups = write(tmp_path / "g.csv", "patient,group", "p1,cases", "p2,cases", "p3,controls")
    evaluation = evaluate(run, truth, group=groups)
    images = {item.group: item.row.images for item in evaluation.groups}
    assert images == {"cases": 3, "controls": 1}
    one_patient = write(tmp_path / "h.csv", "patient,group", "p1,one", "p9,none")
    evaluation = evaluate(run, truth, group=one_patient)
    sensitivity = next(
        item.row.estimate
        for item in evaluation.groups
        if item.row.measure == "listed foci, sensitivity"
    )
    # both images are of one patient, so every sample of patients is the same
    assert sensitivity.low == sensitivity.value == sensitivity.high
    assert "1 rows of the table of groups match no image, such as p9" in evaluation.remarks


def test_group_without_labels_is_a_remark(run, tmp_path):
    truth = write(tmp_path / "truth.csv", *MARKS[:3])
    groups = write(tmp_path / "g.csv", "image,group", "a.png,A", "d.png,B")
    evaluation = evaluate(run, truth, group=groups)
    assert {item.group for item in evaluation.groups} == {"A"}
    assert "the group B has no labelled image" in evaluation.remarks


def test_groups_are_written_and_shown_as_text(run, tmp_path, capsys):
    truth = write(tmp_path / "truth.csv", *MARKS)
    groups = write(tmp_path / "g.csv", "image,group", "a.png,<b>A</b>", "c.png,B")
    out = tmp_path / "out"
    command = ["evaluate", str(run), str(truth), "--out", str(out), "--group", str(groups)]
    assert main(command) == 0
    assert "measures of each group in" in capsys.readouterr().out
    with open(out / "groups.csv", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["group"] for row in rows] == sorted(row["group"] for row in rows)
    assert {row["group"] for row in rows} == {"<b>A</b>", "B"}
    assert len(json.loads((out / "evaluation.json").read_text())["groups"]) == len(rows)
    page = (out / "evaluation.html").read_text(encoding="utf-8")
    section = page[page.index("<h2>Groups</h2>") :].split("</table>")[0]
    assert "<th>&lt;b&gt;A&lt;/b&gt;</th><th>B</th>" in section
    for row in rows:
        assert f"<td>{row['measure']}</td>" in section


def test_page_without_groups_has_no_such_section(run, tmp_path):
    out = tmp_path / "out"
    evaluate(run, write(tmp_path / "truth.csv", *MARKS), out=out)
    assert "Groups" not in (out / "evaluation.html").read_text(encoding="utf-8")
    assert not (out / "groups.csv").exists()


def test_table_without_an_image_of_the_run_is_refused(run, tmp_path):
    truth = write(tmp_path / "truth.csv", *MARKS)
    with pytest.raises(UsageError, match="found none that is in this run"):
        evaluate(run, truth, group=write(tmp_path / "g.csv", "image,group", "x.png,A"))
