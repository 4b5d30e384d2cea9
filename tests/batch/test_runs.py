import json
from pathlib import Path

import cv2
import pytest

import usmicro
from tests.helpers.run_outputs import content, run, table
from usmicro.anatomy.ducts import NETWORK as DUCTS
from usmicro.anatomy.masses import NETWORK
from usmicro.errors import SettingsError, UsageError
from usmicro.settings import read_settings
from usmicro.writing.names import file_stems
from usmicro.writing.report.run import read_run

pytestmark = pytest.mark.usefixtures("fake_analysis")


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


def test_a_result_has_the_findings_of_its_analysis(scans, tmp_path):
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


def test_unknown_values_are_empty_cells(scans, tmp_path):
    run(scans, tmp_path / "r")
    focus, image = table(tmp_path / "r" / "foci.csv")[0], table(tmp_path / "r" / "images.csv")[0]
    assert [focus[name] for name in ("x_mm", "depth_mm", "mass", "shadow_p", "track")] == [""] * 5
    assert [image[name] for name in ("error", "spacing_x_mm", "spacing_y_mm")] == [""] * 3
    assert image["masses"] == "0"


def test_a_file_that_fails_has_a_row_and_the_rest_is_complete(bad_scans, tmp_path):
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


def test_no_output_contains_a_path_of_the_machine(bad_scans, tmp_path):
    run(bad_scans, tmp_path / "r", masks=bad_scans.parent)
    record = (tmp_path / "r" / "run.json").read_text()
    assert "fake_analysis.py" in record  # the source file of the error, without folders
    for name in ("run.json", "images.csv", "foci.csv"):
        text = (tmp_path / "r" / name).read_text()
        assert str(tmp_path) not in text
        assert str(Path(__file__).parents[2]) not in text
    assert str(tmp_path).encode() not in (tmp_path / "r" / "run.sqlite").read_bytes()


def test_run_json_records_options_settings_and_losses(bad_scans, tmp_path):
    run(bad_scans, tmp_path / "r", spacing=0.1)
    record = json.loads((tmp_path / "r" / "run.json").read_text())
    assert record["usmicro"] == usmicro.__version__
    assert record["complete"]
    assert record["counts"] == {
        "images": 8, "ok": 5, "failed": 3, "frames": 5, "masses": 0,
        "foci": 5, "intramass": 0, "extramass": 5, "intraductal": 0,
    }  # fmt: skip
    assert record["options"] == {
            "spacing": 0.1, "masks": None, "detector": None, "group": None, "pseudonyms": False,
        "workers": 1,
        }  # fmt: skip
    assert record["settings"]["foci"]["smallest"] == usmicro.Settings().foci.smallest
    assert set(record["seconds"]) == {"hashing", "foci", "writing", "total"}
    assert sum(record["decoders"].values()) == 5
    assert record["versions"]["numpy"]
    assert any(
        "ZeroDivision" in details.get("error", "") and details["where"]
        for details in record["images"].values()
    )
    assert "made for a test" in record["images"]["a.png"]["notes"]


def test_equal_runs_write_equal_bytes(bad_scans, tmp_path):
    run(bad_scans, tmp_path / "one")
    run([bad_scans], tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_a_table_of_spacings_applies_to_the_images_it_names(scans, tmp_path):
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
    (warning,) = json.loads((tmp_path / "r" / "run.json").read_text())["warnings"]
    assert (warning["code"], warning["count"]) == ("spacing-without-scan", 1)
    assert warning["examples"] == ["gone.png"]


def test_masks_reach_the_analysis(scans, tmp_path):
    (tmp_path / "given").mkdir()
    image = cv2.imread(str(scans / "a.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(tmp_path / "given" / "a.png"), (image > 100) * 255)
    run(scans, tmp_path / "r", masks=tmp_path / "given")
    rows = {row["image"]: row["masses"] for row in table(tmp_path / "r" / "images.csv")}
    assert rows["b.png"] == "0"
    assert rows["a.png"] == "1"


def test_clusters_of_stored_results_are_written_too(scans, tmp_path, monkeypatch):
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


def test_limit_selects_the_first_inputs_by_name(scans, tmp_path):
    assert [result.image for result in run(scans, tmp_path / "r", limit=2)] == ["a.png", "b.png"]


def test_results_below_the_input_are_not_read_as_scans(scans):
    run(scans, scans / "results")
    assert len(run(scans, scans / "more")) == 5
    assert len(run(scans, scans / "results", resume=True)) == 5


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
def test_wrong_arguments_are_refused_at_the_call(scans, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        usmicro.run(scans, out=tmp_path / "r", **options)
    assert not (tmp_path / "r").exists()


def test_a_missing_network_is_refused_at_the_call(scans, tmp_path):
    settings = read_settings(assignments=[f"anatomy.mass_network={tmp_path / 'missing.onnx'}"])
    with pytest.raises(SettingsError, match="no such file"):
        run(scans, tmp_path / "r", settings=settings)
    assert not (tmp_path / "r").exists()


def test_a_user_network_is_recorded_by_name_and_is_part_of_the_fingerprint(scans, tmp_path):
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


def test_a_file_of_settings_is_checked(scans, tmp_path):
    (tmp_path / "s.toml").write_text("[foci]\nsmalest = 1\n")
    with pytest.raises(SettingsError, match="smalest"):
        usmicro.run(scans, out=tmp_path / "r", settings=tmp_path / "s.toml")


def test_an_output_folder_that_cannot_be_made_is_refused(scans, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "r"):
        with pytest.raises(UsageError, match=r"file"):
            run(scans, out)


def test_a_run_ends_if_an_output_cannot_be_written(scans, tmp_path):
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


def test_a_scan_that_is_deleted_before_it_is_read_fails(scans, tmp_path):
    results = usmicro.run(scans, out=tmp_path / "r", workers=1)
    (scans / "a.png").unlink()
    assert next(results).error == "cannot be read: No such file or directory"
    results.close()


def test_a_missing_file_of_the_program_is_an_internal_error(scans, tmp_path, monkeypatch):
    import sys

    monkeypatch.setattr(
        sys.modules["usmicro.analysis"],
        "analyze",
        lambda scan, **options: Path("gone.json").read_text(),
    )
    assert run(scans, tmp_path / "r")[0].error.startswith("internal error: FileNotFoundError")


def test_tables_may_begin_with_the_mark_that_excel_needs(scans, tmp_path, computed):
    run(scans, tmp_path / "r")
    plain = {path.name: path.read_bytes() for path in (tmp_path / "r").glob("*.csv")}
    computed.clear()
    settings = read_settings(assignments=["tables.byte_order_mark=true"])
    run(scans, tmp_path / "r", settings=settings, resume=True)
    assert computed == []
    marked = {path.name: path.read_bytes() for path in (tmp_path / "r").glob("*.csv")}
    assert marked == {name: b"\xef\xbb\xbf" + content for name, content in plain.items()}
    assert len(read_run(tmp_path / "r").images) == 5
