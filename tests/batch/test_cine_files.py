"""Contact sheet and report frames of a cine in a run, with the real analysis."""

import json

import pytest

import usmicro
from benchmarks.reliability.folders import comparable
from benchmarks.reliability.scans import colour_cine, small
from tests.helpers.made_run import report_data
from tests.helpers.run_outputs import run
from usmicro.phantom import write_dicom, write_png
from usmicro.settings import read_settings
from usmicro.writing.report.page import write_report

SHEET, FRAMES = "contact_sheets/sub/cine.png", "report/frames/sub/cine"


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def of_cines(folder):
    """Return the files that only cines have."""
    return {name for name in files(folder) if name.startswith(("contact", "report/frames"))}


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A cine in a folder, and a still with the name of that folder."""
    folder = tmp_path_factory.mktemp("cine") / "scans"
    (folder / "sub").mkdir(parents=True)
    write_dicom(colour_cine(1), folder / "sub" / "cine.dcm")
    write_png(small(1), folder / "sub.png")
    return folder


@pytest.fixture(scope="module")
def finished(scans, tmp_path_factory):
    """The output of a run over them."""
    out = tmp_path_factory.mktemp("finished") / "r"
    results = run(scans, out)
    assert [result.status for result in results] == ["ok", "ok"]
    return out


def test_only_the_cine_has_a_contact_sheet_and_frames(finished):
    cine = json.loads((finished / FRAMES / "cine.json").read_text())
    pictures = {f"{FRAMES}/{frame['picture']}" for frame in cine["frames"]}
    assert 1 <= len(pictures) <= 3
    assert of_cines(finished) == pictures | {f"{FRAMES}/cine.json", SHEET}
    images = report_data((finished / "report.html").read_text(encoding="utf-8"))["images"]
    assert [image["cine"]["folder"] for image in images if "cine" in image] == [FRAMES]


def test_any_number_of_workers_and_a_rebuilt_report_give_the_same_bytes(scans, finished, tmp_path):
    list(usmicro.run(scans, out=tmp_path / "r", workers=2))
    assert comparable(tmp_path / "r") == comparable(finished)
    page = (tmp_path / "r" / "report.html").read_bytes()
    write_report(tmp_path / "r")  # from the files of the run alone
    assert (tmp_path / "r" / "report.html").read_bytes() == page


@pytest.mark.parametrize("name", [SHEET, f"{FRAMES}/cine.json"])
def test_a_resumed_run_writes_files_that_are_gone_or_changed(scans, finished, tmp_path, name):
    run(scans, tmp_path / "r")
    (tmp_path / "r" / name).write_bytes(b"changed")
    frame = next((tmp_path / "r" / FRAMES).glob("*.jpg"))
    frame.unlink()
    still = (tmp_path / "r" / "overlays" / "sub.png").stat().st_mtime_ns
    run(scans, tmp_path / "r", resume=True)
    assert comparable(tmp_path / "r") == comparable(finished)
    assert (tmp_path / "r" / "overlays" / "sub.png").stat().st_mtime_ns == still


def test_an_overwritten_run_with_fewer_frames_deletes_the_others(scans, tmp_path):
    run(scans, tmp_path / "r")
    settings = read_settings(None, ["report.frames=1"])
    run(scans, tmp_path / "r", overwrite=True, settings=settings)
    run(scans, tmp_path / "one", settings=settings)
    assert comparable(tmp_path / "r") == comparable(tmp_path / "one")


def test_overwrite_deletes_them_and_no_others(scans, tmp_path):
    run(scans, tmp_path / "r")
    (tmp_path / "r" / FRAMES / "mine.jpg").write_bytes(b"mine")
    run(scans / "sub.png", tmp_path / "r", overwrite=True)
    assert of_cines(tmp_path / "r") == {f"{FRAMES}/mine.jpg"}
    assert not (tmp_path / "r" / "contact_sheets").exists()


def test_a_resumed_run_with_fewer_frames_deletes_the_others(scans, tmp_path):
    run(scans, tmp_path / "r")
    one = read_settings(None, ["report.frames=1"])
    run(scans, tmp_path / "r", resume=True, settings=one)
    run(scans, tmp_path / "one", settings=one)
    assert of_cines(tmp_path / "r") == of_cines(tmp_path / "one")
    assert len(of_cines(tmp_path / "r")) == 3
    none = read_settings(None, ["report.frames=0"])
    run(scans, tmp_path / "r", resume=True, settings=none)
    assert of_cines(tmp_path / "r") == {SHEET}


def test_names_are_pseudonyms_there_too(scans, tmp_path):
    out = tmp_path / "r"
    (result, *_) = [
        result
        for result in run(scans, out, pseudonyms=tmp_path / "key")
        if result.summary.frames > 1
    ]
    stem = result.image.removesuffix(".dcm")
    found = of_cines(out)
    assert f"contact_sheets/{stem}.png" in found
    assert all(stem in name for name in found)
    assert not [name for name in found if b"sub/cine" in (out / name).read_bytes()]


def test_the_sheet_of_a_run_is_that_of_the_analysis(scans, finished):
    import cv2

    sheet = usmicro.analyze(usmicro.load(scans / "sub" / "cine.dcm")).contact_sheet()
    stored = cv2.imread(str(finished / SHEET))[..., ::-1]
    assert stored.shape == sheet.shape
    assert abs(stored.astype(int) - sheet).mean() < 2
