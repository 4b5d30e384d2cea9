"""Runs of zip archives."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

import usmicro
from benchmarks.reliability.folders import comparable
from tests.helpers.pictures import write_png
from tests.helpers.run_outputs import table
from usmicro.errors import ScanError


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder).as_posix())
    return archive


@pytest.fixture
def archive(bad_scans, tmp_path) -> Path:
    return zipped(bad_scans, tmp_path / "Doe^Jane.zip")


@pytest.mark.usefixtures("fake_analysis")
@pytest.mark.parametrize("workers", [1, 2])
def test_an_archive_and_its_folder_give_the_same_results(bad_scans, archive, tmp_path, workers):
    here = list(usmicro.run(bad_scans, out=tmp_path / "here", workers=1))
    there = list(usmicro.run(archive, out=tmp_path / "there", workers=workers))
    assert [result.image for result in there] == [result.image for result in here]
    assert [result.fingerprint for result in there] == [result.fingerprint for result in here]
    assert comparable(tmp_path / "there") == comparable(tmp_path / "here")
    assert sum(result.status == "failed" for result in there) == 3


@pytest.mark.usefixtures("fake_analysis")
def test_results_are_kept_until_a_file_of_the_archive_changes(
    bad_scans, archive, tmp_path, write_scan, computed
):
    list(usmicro.run(archive, out=tmp_path / "r", workers=1, limit=2))
    computed.clear()
    list(usmicro.run(archive, out=tmp_path / "r", workers=1, resume=True))
    assert "a.png" not in computed
    write_scan(bad_scans / "a.png", 9)
    zipped(bad_scans, archive)
    computed.clear()
    list(usmicro.run(archive, out=tmp_path / "r", workers=1, resume=True))
    assert "a.png" in computed
    assert "b.png" not in computed
    computed.clear()
    list(usmicro.run(bad_scans, out=tmp_path / "r", workers=1, resume=True))
    assert not {"a.png", "b.png", "z.bmp"} & set(computed)


@pytest.mark.usefixtures("fake_analysis")
def test_masks_of_files_in_an_archive_are_found_by_name(archive, tmp_path):
    masks = tmp_path / "masks"
    outline = np.zeros((40, 60), np.uint8)
    outline[10:20, 10:20] = 255
    write_png(masks / "sub" / "a.png", outline)
    write_png(masks / "b_mask.png", outline)
    run = usmicro.run(archive, out=tmp_path / "r", workers=1, masks=masks)
    assert {result.image: result.status for result in run}["sub/a.png"] == "ok"
    assert run.warnings[0].code == "mask-missing"
    assert run.warnings[0].count == 6


@pytest.mark.usefixtures("fake_analysis")
def test_real_names_are_nowhere_with_pseudonyms(archive, tmp_path):
    out, key = tmp_path / "r", tmp_path / "key"
    results = list(usmicro.run(archive, out=out, workers=2, pseudonyms=key))
    assert [result.status for result in results].count("failed") == 3
    for path in out.rglob("*"):
        for name in ("Doe", "Jane", "broken.png", "refused.png"):
            assert name not in path.name
            assert path.is_dir() or name.encode() not in path.read_bytes()


def with_encrypted_file(archive: Path) -> Path:
    data = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    archive.write_bytes(data)
    return archive


@pytest.mark.usefixtures("fake_analysis")
def test_files_that_cannot_be_unpacked_are_rows_with_a_reason(scans, tmp_path, capsys):
    with_encrypted_file(zipped(scans, tmp_path / "a.zip"))
    (tmp_path / "cut.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:-30])
    list(usmicro.run([tmp_path / "a.zip", tmp_path / "cut.zip"], out=tmp_path / "r", workers=1))
    rows = {row["image"]: row for row in table(tmp_path / "r" / "images.csv")}
    assert [row["status"] for row in rows.values()].count("ok") == 4
    assert rows["a.png"]["error"] == (
        "is encrypted; unpack the zip archive with its password first"
    )
    assert rows["cut.zip"]["error"].startswith("the zip archive cannot be read: ")
    assert str(tmp_path) not in (tmp_path / "r" / "images.csv").read_text()


@pytest.mark.usefixtures("fake_analysis")
def test_files_above_the_limit_are_rows_with_a_reason(tmp_path, write_scan):
    write_scan(tmp_path / "s" / "a.png", 1)
    (tmp_path / "s" / "b.dcm").write_bytes(bytes(range(256)) * 2**13)
    settings = usmicro.Settings(loading=usmicro.settings.LoadingSettings(largest_inflated=1))
    archive = zipped(tmp_path / "s", tmp_path / "a.zip")
    good, large = usmicro.run(archive, out=tmp_path / "r", workers=1, settings=settings)
    assert (good.status, large.status) == ("ok", "failed")
    assert large.error.startswith("unpacks to 2 MB, above the limit of 1 MB")


def test_load_refuses_an_archive(scans, tmp_path):
    with pytest.raises(ScanError, match="found a zip archive; give it to `usmicro run`"):
        usmicro.load(zipped(scans, tmp_path / "a.zip"))


def test_segmentations_of_files_in_an_archive_are_found_by_uid(tmp_path):
    import pydicom

    from benchmarks.reliability.scans import write_small
    from tests.loading.dicom.test_segmentation import IMAGE_UID, segmentation

    write_small(tmp_path / "all", 4)
    scan = next((tmp_path / "all").rglob("*.dcm"))
    dataset = pydicom.dcmread(scan)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = IMAGE_UID
    (tmp_path / "scans").mkdir()
    dataset.save_as(tmp_path / "scans" / "IM0001")
    outlines = segmentation([(np.ones((39, 61), bool), 1, None)])
    outlines.Rows, outlines.Columns = dataset.Rows, dataset.Columns
    area = np.zeros((dataset.Rows, dataset.Columns), bool)
    area[10:30, 10:30] = True
    outlines.PixelData = pydicom.pixels.pack_bits(area)
    (tmp_path / "masks").mkdir()
    outlines.save_as(tmp_path / "masks" / "1.2.99", enforce_file_format=True)
    archive = zipped(tmp_path / "scans", tmp_path / "a.zip")
    run = usmicro.run(archive, out=tmp_path / "r", workers=1, masks=tmp_path / "masks")
    (result,) = run
    assert [mass.source for mass in result.masses] == ["given"]
    assert not {str(warning.code) for warning in run.warnings} & {
        "mask-missing", "mask-without-scan", "mask-not-used"
    }  # fmt: skip
    again = usmicro.run(
        tmp_path / "scans", out=tmp_path / "here", workers=1, masks=tmp_path / "masks"
    )
    assert next(again).fingerprint == result.fingerprint
