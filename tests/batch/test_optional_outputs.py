"""Optional outputs of a run; tests of DICOM results use the real analysis."""

import csv
import json
from dataclasses import replace
from importlib.util import find_spec

import pydicom
import pytest

import usmicro
from tests.helpers.run_outputs import run
from usmicro.errors import UsageError
from usmicro.phantom.samples import write_samples
from usmicro.settings import CocoSettings, Settings

needs_highdicom = pytest.mark.skipif(
    find_spec("highdicom") is None, reason='needs highdicom: pip install "usmicro[dicom]"'
)


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("fake_analysis")
def test_coco_json_names_the_pictures_that_are_written_with_it(scans, tmp_path):
    run(scans, tmp_path / "r", coco=True)
    coco = json.loads((tmp_path / "r" / "coco.json").read_text())
    names = [image["file_name"] for image in coco["images"]]
    # relative to the folder of the pictures, where annotation tools look for them
    assert names == ["a.png", "b.png", "sub/a.png", "sub/deep/c.png", "z.png"]
    assert set(names) <= files(tmp_path / "r" / "images")
    assert [image["attributes"]["image"] for image in coco["images"]] == [
        "a.png",
        "b.png",
        "sub/a.png",
        "sub/deep/c.png",
        "z.bmp",
    ]
    assert sum("keypoints" in annotation for annotation in coco["annotations"]) == 5


@pytest.mark.usefixtures("fake_analysis")
def test_failed_inputs_are_not_in_the_coco_file(bad_scans, tmp_path):
    results = run(bad_scans, tmp_path / "r", coco=True)
    coco = json.loads((tmp_path / "r" / "coco.json").read_text())
    assert len(coco["images"]) == sum(result.status == "ok" for result in results) < len(results)


@pytest.mark.usefixtures("fake_analysis")
def test_a_resumed_run_writes_new_optional_outputs_and_deleted_files(scans, tmp_path):
    run(scans, tmp_path / "one", coco=True)
    run(scans, tmp_path / "two")
    assert not (tmp_path / "two" / "coco.json").exists()
    run(scans, tmp_path / "two", coco=True, resume=True)
    (tmp_path / "two" / "images" / "a.png").unlink()
    run(scans, tmp_path / "two", coco=True, resume=True)
    for name in ("coco.json", "images/a.png"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    run(scans, tmp_path / "two", resume=True)
    assert not (tmp_path / "two" / "coco.json").exists()  # it would not match the tables


@pytest.mark.usefixtures("fake_analysis")
def test_overwrite_deletes_optional_outputs_too(scans, tmp_path):
    run(scans, tmp_path / "r", coco=True)
    run(scans / "z.bmp", tmp_path / "r", overwrite=True)
    assert not [name for name in files(tmp_path / "r") if name.startswith(("images/", "coco"))]


@pytest.fixture
def cine(tmp_path):
    """The simulated cine of the samples, and a still, in a folder."""
    write_samples(tmp_path / "samples")
    (tmp_path / "scans").mkdir()
    for name in ("colour_cine.dcm", "mass_linear.png"):
        (tmp_path / "samples" / name).rename(tmp_path / "scans" / name)
    return tmp_path / "scans"


@pytest.mark.slow
def test_frames_of_a_cine_are_written_on_request(cine, tmp_path):
    frames = replace(Settings(), coco=CocoSettings(frames=True))
    run(cine, tmp_path / "r", coco=True, settings=frames)
    coco = json.loads((tmp_path / "r" / "coco.json").read_text())
    names = [image["file_name"] for image in coco["images"]]
    assert names == [
        *(f"colour_cine.frames/{frame:06d}.png" for frame in range(16)),
        "mass_linear.png",
    ]
    written = files(tmp_path / "r" / "images")
    assert written == set(names)
    with open(tmp_path / "r" / "tracks.csv") as table:
        points = list(csv.DictReader(table))
    images = {image["id"]: image for image in coco["images"]}
    drawn = [
        (images[one["image_id"]]["attributes"]["frame"], one["attributes"]["track_id"])
        for one in coco["annotations"]
        if "keypoints" in one and "track_id" in one["attributes"]
    ]
    assert sorted(drawn) == sorted((int(row["frame"]), int(row["focus"])) for row in points)

    first = contents(tmp_path / "r")
    # a resumed run writes a picture that is gone again
    (tmp_path / "r" / "images" / names[3]).unlink()
    run(cine, tmp_path / "r", coco=True, settings=frames, resume=True)
    assert contents(tmp_path / "r") == first
    # without the setting there is one picture of each input, also in the same folder
    run(cine, tmp_path / "r", coco=True, overwrite=True)
    assert files(tmp_path / "r" / "images") == {"mass_linear.png", "colour_cine.png"}
    assert not (tmp_path / "r" / "coco").exists()


def contents(out):
    """Contents of coco.json and of the files that it was made with."""
    names = [name for name in files(out) if name.startswith(("coco", "images/"))]
    return {name: (out / name).read_bytes() for name in names}


def test_dicom_results_without_highdicom_are_refused_before_anything_is_read(
    scans, tmp_path, monkeypatch
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"usmicro\[dicom\]"):
        usmicro.run(scans, out=tmp_path / "r", dicom=True)
    assert not (tmp_path / "r").exists()


@needs_highdicom
@pytest.mark.usefixtures("fake_analysis")
def test_scans_in_other_formats_have_a_note_instead_of_a_dicom_result(scans, tmp_path):
    results = run(scans, tmp_path / "r", dicom=True)
    assert all(
        any("no DICOM result is written" in note for note in result.notes) for result in results
    )
    assert not [name for name in files(tmp_path / "r") if name.startswith("dicom/")]
    details = json.loads((tmp_path / "r" / "run.json").read_text())["images"]
    assert len(details) == len(results)
    stamp = (tmp_path / "r" / "overlays" / "a.png").stat().st_mtime_ns
    run(scans, tmp_path / "r", dicom=True, resume=True)
    assert (tmp_path / "r" / "overlays" / "a.png").stat().st_mtime_ns == stamp


@needs_highdicom
@pytest.mark.slow
def test_only_the_dicom_results_name_the_patient(tmp_path):
    write_samples(tmp_path / "samples")
    scans = [tmp_path / "samples" / name for name in ("mass_regions.dcm", "colour_cine.dcm")]
    source = {path.stem: pydicom.dcmread(path, stop_before_pixels=True) for path in scans}
    results = list(usmicro.run(scans, out=tmp_path / "r", dicom=True, workers=2))
    assert {name for name in files(tmp_path / "r") if name.startswith("dicom/")} == {
        f"dicom/{stem}.{kind}.dcm" for stem in source for kind in ("sr", "seg")
    }
    for result in results:
        stem = result.image.removesuffix(".dcm")
        report = pydicom.dcmread(tmp_path / "r" / "dicom" / f"{stem}.sr.dcm")
        assert report.PatientID == source[stem].PatientID
        (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
        (reference,) = evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence
        assert reference.ReferencedSOPInstanceUID == source[stem].SOPInstanceUID
    secrets = [
        str(data[name].value).encode()
        for data in source.values()
        for name in ("PatientName", "PatientID")
    ]
    others = [
        path
        for path in (tmp_path / "r").rglob("*")
        if path.is_file() and path.parent.name != "dicom"
    ]
    assert others
    assert not [path for path in others for secret in secrets if secret in path.read_bytes()]
    run(scans, tmp_path / "s", dicom=True)
    for name in files(tmp_path / "s"):
        if name.startswith("dicom/"):
            assert (tmp_path / "s" / name).read_bytes() == (tmp_path / "r" / name).read_bytes()
