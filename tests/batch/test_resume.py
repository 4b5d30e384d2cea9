"""Runs that continue or replace former results."""

import json
import os
from importlib.util import find_spec

import pytest

import usmicro
from tests.helpers.run_outputs import content, run, table
from usmicro.errors import UsageError
from usmicro.settings import read_settings

pytestmark = pytest.mark.usefixtures("fake_analysis")


def test_resume_computes_only_what_changed(bad_scans, tmp_path, computed):
    run(bad_scans, tmp_path / "r", limit=3)
    before = (tmp_path / "r" / "images.csv").read_bytes()
    computed.clear()
    results = run(bad_scans, tmp_path / "r", resume=True)
    assert computed == [
        "broken.png",
        "refused.png",
        "sub/a.png",
        "sub/deep/c.png",
        "text.dcm",
        "z.bmp",
    ]  # failed inputs are computed again
    assert [result.image for result in results] == sorted(result.image for result in results)
    after = (tmp_path / "r" / "images.csv").read_bytes()
    assert after.splitlines()[1:3] == before.splitlines()[1:3]

    computed.clear()
    os.replace(bad_scans / "b.png", bad_scans / "a.png")
    (tmp_path / "r" / "overlays" / "z.png").unlink()
    run(bad_scans, tmp_path / "r", resume=True)
    assert computed == ["a.png", "broken.png", "refused.png", "text.dcm", "z.bmp"]
    assert [row["image"] for row in table(tmp_path / "r" / "images.csv")].count("b.png") == 0

    computed.clear()
    (tmp_path / "r" / "report" / "details" / "z.js").write_text("damaged")
    run(bad_scans, tmp_path / "r", resume=True)
    assert computed == ["broken.png", "refused.png", "text.dcm", "z.bmp"]

    computed.clear()
    run(
        bad_scans,
        tmp_path / "r",
        resume=True,
        settings=read_settings(None, ["foci.smallest=0.3"]),
    )
    assert len(computed) == 7


def test_a_resumed_run_writes_what_an_uninterrupted_run_writes(bad_scans, tmp_path):
    run(bad_scans, tmp_path / "r", limit=4)
    run(bad_scans, tmp_path / "r", resume=True)
    run(bad_scans, tmp_path / "whole")
    assert content(tmp_path / "r") == content(tmp_path / "whole")


def test_leaving_the_loop_keeps_the_results_so_far(scans, tmp_path):
    for result in usmicro.run(scans, out=tmp_path / "r", workers=1):
        if result.image == "b.png":
            break
    assert [row["image"] for row in table(tmp_path / "r" / "images.csv")] == ["a.png", "b.png"]
    assert not json.loads((tmp_path / "r" / "run.json").read_text())["complete"]
    assert len(run(scans, tmp_path / "r", resume=True)) == 5
    assert json.loads((tmp_path / "r" / "run.json").read_text())["complete"]


def test_an_output_folder_in_use_is_refused(scans, tmp_path):
    results = usmicro.run(scans, out=tmp_path / "r", workers=1)
    next(results)
    with pytest.raises(UsageError, match="another run is writing"):
        run(scans, tmp_path / "r", resume=True)
    results.close()
    assert len(run(scans, tmp_path / "r", resume=True)) == 5


def test_former_results_are_refused_without_resume_or_overwrite(scans, tmp_path):
    run(scans, tmp_path / "r")
    with pytest.raises(UsageError, match="--resume"):
        run(scans, tmp_path / "r")


def test_overwrite_deletes_only_files_of_runs(scans, tmp_path):
    run(scans, tmp_path / "r")
    (tmp_path / "r" / "notes.txt").write_text("mine")
    (tmp_path / "r" / "overlays" / "mine.png").write_text("mine")
    run(scans / "sub", tmp_path / "r", overwrite=True)
    kept = {
        path.relative_to(tmp_path / "r").as_posix()
        for path in (tmp_path / "r").rglob("*")
        if path.is_file()
    }
    ours = {
        "clusters.csv",
        "foci.csv",
        "images.csv",
        "masses.csv",
        "report.html",
        "run.json",
        "run.sqlite",
        "tracks.csv",
    }
    ours |= {
        f"{name}.parquet"
        for name in ("clusters", "foci", "images", "masses", "tracks")
        if find_spec("pyarrow")
    }
    ours |= {"report/images/a.jpg", "report/images/deep/c.jpg"}
    ours |= {"report/details/a.js", "report/details/deep/c.js"}
    ours |= {"report/thumbnails/a.json", "report/thumbnails/deep/c.json"}
    theirs = {"notes.txt", "overlays/mine.png"}
    assert kept == ours | theirs | {
        f"{kind}/{name}.png" for kind in ("overlays", "masks") for name in ("a", "deep/c")
    }


@pytest.mark.parametrize("option", ["resume", "overwrite", None])
def test_a_folder_with_other_files_is_refused_and_left_unchanged(scans, tmp_path, option):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "images.csv").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        run(scans, tmp_path / "r", **({option: True} if option else {}))
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["images.csv"]


def test_a_database_of_another_program_is_refused(scans, tmp_path):
    import sqlite3

    (tmp_path / "r").mkdir()
    with sqlite3.connect(tmp_path / "r" / "run.sqlite") as database:
        database.execute("CREATE TABLE mine (a)")
    database.close()
    with pytest.raises(UsageError, match=r"not empty|not written by"):
        run(scans, tmp_path / "r", overwrite=True)


def test_resume_without_results_starts_a_run(scans, tmp_path):
    assert len(run(scans, tmp_path / "r", resume=True)) == 5
