import csv
import json
import os
import re
from importlib.util import find_spec
from pathlib import Path

import cv2
import pytest

import usmicro
from usmicro.anatomy.ducts import NETWORK as DUCTS
from usmicro.anatomy.masses import NETWORK
from usmicro.writing.names import file_stems
from usmicro.errors import SettingsError, UsageError
from usmicro.settings import read_settings

pytestmark = pytest.mark.usefixtures("fake_analysis")


MEASURED = re.compile(rb'(<(dd|td)[^>]*class="measured"[^>]*>).*?</\2>')


def run(inputs, out, **options):
    return list(usmicro.run(inputs, out=out, workers=1, **options))


def table(file):
    with open(file, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def content(folder: Path) -> dict[str, bytes]:
    """The files of a folder that must not differ between equal runs."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    files["images.csv"] = b"\n".join(
        line.rpartition(b",")[0] for line in files["images.csv"].splitlines()
    )
    files["report.html"] = MEASURED.sub(rb"\1", files["report.html"])
    return {name: data for name, data in files.items() if not name.startswith("run.")}


def test_every_input_has_a_row_an_overlay_and_a_mask(scans, tmp_path):
    results = run(scans, tmp_path / "r")
    names = ["a.png", "b.png", "sub/a.png", "sub/deep/c.png", "z.bmp"]
    assert [result.image for result in results] == names
    assert [row["image"] for row in table(tmp_path / "r" / "images.csv")] == names
    assert [row["image"] for row in table(tmp_path / "r" / "foci.csv")] == names
    assert table(tmp_path / "r" / "masses.csv") == []
    for kind in ("overlays", "masks"):
        files = sorted(
            path.relative_to(tmp_path / "r" / kind).as_posix()
            for path in (tmp_path / "r" / kind).rglob("*.png")
        )
        assert files == ["a.png", "b.png", "sub/a.png", "sub/deep/c.png", "z.png"]


def test_results_are_like_analyses(scans, tmp_path):
    result = run(scans, tmp_path / "r")[0]
    assert (result.status, result.error, result.foci[0].label, result.summary.foci) == (
        "ok",
        "",
        "extramass",
        1,
    )
    assert result.labels.shape == (40, 60)
    assert result.overlay().shape == (40, 60, 3)
    assert result.notes[-1] == "made for a test"


def test_what_is_not_known_is_an_empty_cell(scans, tmp_path):
    run(scans, tmp_path / "r")
    focus, image = table(tmp_path / "r" / "foci.csv")[0], table(tmp_path / "r" / "images.csv")[0]
    assert [focus[name] for name in ("x_mm", "depth_mm", "mass", "shadow_p", "track")] == [""] * 5
    assert [image[name] for name in ("error", "spacing_x_mm", "spacing_y_mm")] == [""] * 3
    assert image["masses"] == "0"


def test_a_failing_file_costs_one_row(bad_scans, tmp_path):
    results = {result.image: result for result in run(bad_scans, tmp_path / "r")}
    rows = {row["image"]: row for row in table(tmp_path / "r" / "images.csv")}
    assert [name for name, row in rows.items() if row["status"] == "failed"] == [
        "broken.png",
        "refused.png",
        "text.dcm",
    ]
    assert rows["broken.png"]["error"] == "internal error: ZeroDivisionError: made for a test"
    assert rows["refused.png"]["error"] == "refused for a test; see there"
    assert "text.dcm" not in rows["text.dcm"]["error"]
    assert all(
        rows["broken.png"][name] == "" for name in ("frames", "rows", "foci", "calcification_score")
    )
    assert len(table(tmp_path / "r" / "foci.csv")) == 5
    with pytest.raises(usmicro.errors.ScanError, match=r"broken\.png: has no picture"):
        results["broken.png"].overlay()


def test_no_output_tells_a_path_of_the_machine(bad_scans, tmp_path):
    run(bad_scans, tmp_path / "r", masks=bad_scans.parent)
    record = (tmp_path / "r" / "run.json").read_text()
    assert "fake_analysis.py" in record  # where the error arose is told, without folders above
    for name in ("run.json", "images.csv", "foci.csv"):
        text = (tmp_path / "r" / name).read_text()
        assert str(tmp_path) not in text
        assert str(Path(__file__).parents[2]) not in text
    assert str(tmp_path).encode() not in (tmp_path / "r" / "run.sqlite").read_bytes()


def test_the_record_tells_how_the_run_was_made(bad_scans, tmp_path):
    run(bad_scans, tmp_path / "r", spacing=0.1)
    record = json.loads((tmp_path / "r" / "run.json").read_text())
    assert record["usmicro"] == usmicro.__version__
    assert record["complete"]
    assert record["counts"] == {
        "images": 8, "ok": 5, "failed": 3, "frames": 5, "foci": 5, "intramass": 0, "extramass": 5, "intraductal": 0, "masses": 0,
    }  # fmt: skip
    assert record["options"] == {"spacing": 0.1, "masks": None, "pseudonyms": False, "workers": 1}
    assert record["settings"]["foci"]["smallest"] == usmicro.Settings().foci.smallest
    assert set(record["seconds"]) == {"hashing", "foci", "writing", "total"}
    assert sum(record["decoders"].values()) == 5
    assert record["versions"]["numpy"]
    assert any(
        "ZeroDivision" in told.get("error", "") and told["where"]
        for told in record["images"].values()
    )
    assert "made for a test" in record["images"]["a.png"]["notes"]


def test_equal_runs_write_equal_bytes(bad_scans, tmp_path):
    run(bad_scans, tmp_path / "one")
    run([bad_scans], tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_spacing_serves_scans_without_one_and_rows_win(scans, tmp_path):
    spacing = tmp_path / "spacing.csv"
    spacing.write_text("image,spacing_mm\nb.png,0.2\nsub/a.png,0.3\ngone.png,1\n", encoding="utf-8")
    run(scans, tmp_path / "r", spacing=spacing)
    found = {
        row["image"]: (row["spacing_x_mm"], row["spacing_source"])
        for row in table(tmp_path / "r" / "images.csv")
    }
    nothing = ("", "none")
    assert found == {
        "a.png": nothing,
        "b.png": ("0.2", "given"),
        "sub/a.png": ("0.3", "given"),
        "sub/deep/c.png": nothing,
        "z.bmp": nothing,
    }
    assert "gone.png" in json.loads((tmp_path / "r" / "run.json").read_text())["remarks"][0]


def test_masks_reach_the_analysis(scans, tmp_path):
    (tmp_path / "given").mkdir()
    image = cv2.imread(str(scans / "a.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(tmp_path / "given" / "a.png"), (image > 100) * 255)
    run(scans, tmp_path / "r", masks=tmp_path / "given")
    rows = {row["image"]: row["masses"] for row in table(tmp_path / "r" / "images.csv")}
    assert rows["b.png"] == "0"
    assert rows["a.png"] == "1"


def test_clusters_are_written_also_when_a_run_is_resumed(scans, tmp_path, monkeypatch):
    import sys
    from dataclasses import replace

    def clustered(scan, *, analyze=sys.modules["usmicro.analysis"].analyze, **options):
        made = analyze(scan, **options)
        rows = [
            replace(made.foci[0], focus=i + 1, x_px=float(10 * i), y_px=4.0, cluster=1)
            for i in range(3)
        ]
        return replace(made, foci=usmicro.result.Table(rows))

    monkeypatch.setattr(sys.modules["usmicro.analysis"], "analyze", clustered)
    run(scans, tmp_path / "r", limit=2)
    (tmp_path / "r" / "clusters.csv").unlink()
    results = run(scans, tmp_path / "r", resume=True, limit=3)
    rows = table(tmp_path / "r" / "clusters.csv")
    assert [row["image"] for row in rows] == ["a.png", "b.png", "sub/a.png"]
    assert [
        (row["cluster"], row["foci"], row["x_px"], row["y_px"], row["width_mm"], row["label"])
        for row in rows
    ] == [("1", "3", "10", "4", "", "extramass")] * 3
    assert results[0].clusters[0].foci == 3


def test_limit_takes_the_first_by_name(scans, tmp_path):
    assert [result.image for result in run(scans, tmp_path / "r", limit=2)] == ["a.png", "b.png"]


def test_results_below_the_input_are_not_taken_for_scans(scans):
    run(scans, scans / "results")
    assert len(run(scans, scans / "more")) == 5
    assert len(run(scans, scans / "results", resume=True)) == 5


# ---- resuming and replacing ----


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
    ]  # failures are tried again
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
    run(
        bad_scans,
        tmp_path / "r",
        resume=True,
        settings=usmicro.settings.read_settings(None, ["foci.smallest=0.3"]),
    )
    assert len(computed) == 7


def test_a_resumed_run_equals_one_in_a_go(bad_scans, tmp_path):
    run(bad_scans, tmp_path / "r", limit=4)
    run(bad_scans, tmp_path / "r", resume=True)
    run(bad_scans, tmp_path / "whole")
    assert content(tmp_path / "r") == content(tmp_path / "whole")


def test_a_run_that_is_left_keeps_what_is_finished(scans, tmp_path):
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


def test_former_results_need_a_word(scans, tmp_path):
    run(scans, tmp_path / "r")
    with pytest.raises(UsageError, match="--resume"):
        run(scans, tmp_path / "r")


def test_overwrite_deletes_only_what_runs_wrote(scans, tmp_path):
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
    }
    ours |= {
        f"{name}.parquet"
        for name in ("clusters", "foci", "images", "masses")
        if find_spec("pyarrow")
    }
    ours |= {"report/images/a.jpg", "report/images/deep/c.jpg"}
    theirs = {"notes.txt", "overlays/mine.png"}
    assert kept == ours | theirs | {
        f"{kind}/{name}.png" for kind in ("overlays", "masks") for name in ("a", "deep/c")
    }


@pytest.mark.parametrize("option", ["resume", "overwrite", None])
def test_a_folder_that_is_not_ours_is_refused_untouched(scans, tmp_path, option):
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


def test_resume_of_nothing_begins(scans, tmp_path):
    assert len(run(scans, tmp_path / "r", resume=True)) == 5


# ---- wrong use ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resume": True, "overwrite": True}, "one of the two"),
        ({"limit": 0}, "--limit"),
        ({"spacing": 0}, "above 0"),
        ({"spacing": "gone.csv"}, r"gone\.csv"),
        ({"masks": "gone"}, "--masks"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_written(scans, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        usmicro.run(scans, out=tmp_path / "r", **options)
    assert not (tmp_path / "r").exists()


def test_a_network_that_cannot_be_read_is_told_before_anything_is_written(scans, tmp_path):
    settings = read_settings(assignments=[f"anatomy.mass_network={tmp_path / 'missing.onnx'}"])
    with pytest.raises(SettingsError, match="no such file"):
        run(scans, tmp_path / "r", settings=settings)
    assert not (tmp_path / "r").exists()


def test_a_network_of_ones_own_is_recorded_by_name_and_counts_on_resume(scans, tmp_path):
    network = tmp_path / "own.onnx"
    network.write_bytes(NETWORK.read_bytes())
    settings = read_settings(assignments=[f"anatomy.mass_network={network}"])
    run(scans, tmp_path / "r", settings=settings)
    record = json.loads((tmp_path / "r" / "run.json").read_text())
    assert record["settings"]["anatomy"]["mass_network"] == "own.onnx"
    before = [job.fingerprint for job in run(scans, tmp_path / "r", settings=settings, resume=True)]
    network.write_bytes(DUCTS.read_bytes())
    after = [job.fingerprint for job in run(scans, tmp_path / "r", settings=settings, resume=True)]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_settings_may_be_a_file(scans, tmp_path):
    (tmp_path / "s.toml").write_text("[foci]\nsmalest = 1\n")
    with pytest.raises(SettingsError, match="smalest"):
        usmicro.run(scans, out=tmp_path / "r", settings=tmp_path / "s.toml")


def test_an_output_that_cannot_be_made_is_told(scans, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "r"):
        with pytest.raises(UsageError, match=r"file"):
            run(scans, out)


def test_an_output_that_fails_on_the_way_ends_the_run(scans, tmp_path):
    results = usmicro.run(scans, out=tmp_path / "r", workers=1)
    next(results)
    (tmp_path / "r" / "overlays" / "sub").write_text("in the way")
    with pytest.raises(UsageError, match="cannot be written"):
        list(results)
    assert [row["image"] for row in table(tmp_path / "r" / "images.csv")] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("names", "stems"),
    [
        (["a.png", "b/a.png"], ["a", "b/a"]),
        (["a.dcm", "a.png", "b.png"], ["a.dcm", "a.png", "b"]),
        (["1.2.840.113", "1.2.840.114"], ["1.2.840.113", "1.2.840.114"]),
        (["a.PNG", "A.dcm"], ["a.PNG", "A.dcm"]),
        (["IM0001", "case 1.v2.tiff"], ["IM0001", "case 1.v2"]),
    ],
)
def test_file_stems(names, stems):
    assert file_stems(names) == stems


def test_a_scan_that_vanished_is_told(scans, tmp_path):
    results = usmicro.run(scans, out=tmp_path / "r", workers=1)
    (scans / "a.png").unlink()
    assert next(results).error == "cannot be read: No such file or directory"
    results.close()


def test_a_file_that_the_program_lacks_is_a_fault_of_the_program(scans, tmp_path, monkeypatch):
    import sys

    monkeypatch.setattr(
        sys.modules["usmicro.analysis"],
        "analyze",
        lambda scan, **options: Path("gone.json").read_text(),
    )
    assert run(scans, tmp_path / "r")[0].error.startswith("internal error: FileNotFoundError")
