"""The table of groups of a run."""

import csv

import pytest

import usmicro
from tests.helpers.run_outputs import table
from usmicro.batch.groups import GROUPS_COLUMNS, GroupCounts
from usmicro.errors import UsageError

pytestmark = pytest.mark.usefixtures("fake_analysis")


@pytest.fixture
def groups(tmp_path):
    def write(text):
        (tmp_path / "groups.csv").write_text(text, encoding="utf-8")
        return tmp_path / "groups.csv"

    return write


IMAGES = "image,group\nb.png,B\nsub/a.png,A\nz.bmp,A\nbroken.png,B\ngone.png,A\n"


def test_counts_are_sums_over_the_tables_of_each_group(bad_scans, tmp_path, groups):
    out = tmp_path / "r"
    run = usmicro.run(bad_scans, out=out, workers=1, group=groups(IMAGES))
    results = {result.image: result for result in run}
    rows = table(out / "groups.csv")
    assert [row["group"] for row in rows] == ["A", "B", ""]
    members = (["sub/a.png", "z.bmp"], ["b.png", "broken.png"])
    others = sorted(set(results) - {*members[0], *members[1]})
    for row, names in zip(rows, (*members, others), strict=True):
        found = [results[name] for name in names]
        done = [result.summary for result in found if result.status == "ok"]
        assert int(row["images"]) == len(found)
        assert int(row["failed"]) == len(found) - len(done)
        for name in ("frames", "foci", "intramass", "extramass", "intraductal", "masses"):
            assert int(row[name]) == sum(getattr(summary, name) for summary in done)
        assert float(row["foci_per_image"]) == pytest.approx(int(row["foci"]) / len(done))
        calcified = sum(summary.calcification != "none" for summary in done)
        assert int(row["calcified"]) == calcified
        assert float(row["calcified_fraction"]) == pytest.approx(calcified / len(done))
    codes = {str(warning.code): warning for warning in run.warnings}
    assert codes["group-without-scan"].examples == ("gone.png",)
    assert codes["group-missing"].count == len(others)


def test_a_group_whose_images_all_failed_has_empty_cells(bad_scans, tmp_path, groups):
    text = "image,group\nbroken.png,bad\na.png,good\n"
    list(usmicro.run(bad_scans, out=tmp_path / "r", workers=1, group=groups(text)))
    bad, good, _ = table(tmp_path / "r" / "groups.csv")
    assert {name: value for name, value in bad.items() if value} == {
        "group": "bad",
        "images": "1",
        "failed": "1",
    }
    assert all(value for value in good.values())


@pytest.mark.parametrize("workers", [1, 2])
def test_the_table_does_not_depend_on_the_number_of_workers(bad_scans, tmp_path, groups, workers):
    path = groups(IMAGES)
    for name, number in (("one", 1), ("other", workers)):
        list(usmicro.run(bad_scans, out=tmp_path / name, workers=number, group=path))
    one, other = ((tmp_path / name / "groups.csv").read_bytes() for name in ("one", "other"))
    assert one == other


def test_groups_may_change_without_computing_again(scans, tmp_path, groups, computed):
    out = tmp_path / "r"
    list(usmicro.run(scans, out=out, workers=1))
    assert not (out / "groups.csv").exists()
    computed.clear()
    list(usmicro.run(scans, out=out, workers=1, resume=True, group=groups("study,group\nsub,S\n")))
    assert computed == []
    assert [(row["group"], row["images"]) for row in table(out / "groups.csv")] == [
        ("S", "2"),
        ("", "3"),
    ]
    list(usmicro.run(scans, out=out, workers=1, resume=True))
    assert not (out / "groups.csv").exists()  # a table of former groups would mislead


def test_groups_are_found_by_real_names_with_pseudonyms(scans, tmp_path, groups):
    out = tmp_path / "r"
    run = usmicro.run(scans, out=out, workers=1, group=groups(IMAGES), pseudonyms=tmp_path / "key")
    assert len(list(run)) == 5
    assert [row["group"] for row in table(out / "groups.csv")] == ["A", "B", ""]
    assert all(not warning.examples for warning in run.warnings if "group" in warning.code)
    for path in out.rglob("*"):
        assert path.is_dir() or b"gone.png" not in path.read_bytes()


def test_overwrite_deletes_the_table(scans, tmp_path, groups):
    out = tmp_path / "r"
    list(usmicro.run(scans, out=out, workers=1, group=groups(IMAGES.replace("broken", "a"))))
    list(usmicro.run(scans, out=out, workers=1, overwrite=True))
    assert not (out / "groups.csv").exists()


def test_wrong_tables_are_refused_before_anything_is_written(scans, tmp_path, groups):
    with pytest.raises(UsageError, match="found none that is in this run"):
        usmicro.run(scans, out=tmp_path / "r", group=groups("image,group\nx.png,A\n"))
    assert not (tmp_path / "r").exists()


def test_the_command_writes_the_table(scans, tmp_path, groups, capsys):
    from usmicro.cli import main

    path = groups(IMAGES)
    command = ["run", str(scans), "--out", str(tmp_path / "r"), "--workers", "1", "--quiet"]
    assert main([*command, "--group", str(path)]) == 0
    with open(tmp_path / "r" / "groups.csv", encoding="utf-8", newline="") as lines:
        assert tuple(csv.DictReader(lines).fieldnames) == GROUPS_COLUMNS


def test_no_row_for_images_without_a_group_if_there_are_none():
    assert [row["group"] for row in GroupCounts(["b", "", "a"]).rows()] == ["a", "b"]
