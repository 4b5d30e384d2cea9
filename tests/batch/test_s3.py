"""Inputs and outputs on a local S3 server."""

import os
from pathlib import Path

import pytest

pytest.importorskip("s3fs")
pytest.importorskip("moto.server")

import usmicro
from benchmarks.reliability.folders import comparable
from benchmarks.reliability.scans import write_small
from tests.helpers.pictures import mask, write_png
from tests.loading.test_discover import dicom_object
from usmicro.errors import UsageError
from usmicro.loading.discover import search_scans


@pytest.fixture(scope="module")
def bucket():
    """Give a file system with an empty bucket; workers find its server by the environment."""
    from moto.server import ThreadedMotoServer

    patch = pytest.MonkeyPatch()
    server = ThreadedMotoServer(port=0)
    server.start()
    _, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }.items():
        patch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    files.mkdir("bucket")
    yield files
    server.stop()
    patch.undo()


@pytest.fixture(scope="module")
def scans(bucket, tmp_path_factory) -> Path:
    """Give a folder of scans and other files; the bucket holds the same."""
    folder = tmp_path_factory.mktemp("s3") / "scans"
    write_small(folder, 4)
    (folder / "notes.txt").write_text("no scan")
    write_png(folder / "case0" / "scan0_mask.png", mask())
    write_png(folder / "masks" / "scan0.png", mask())
    (folder / "case0" / "scan0_tumor_1.png").write_bytes(
        (folder / "case0" / "scan0.png").read_bytes()
    )
    (folder / "case1" / "picture").write_bytes((folder / "case0" / "scan0.png").read_bytes())
    (folder / "case1" / "volume.mat.gz").write_bytes(b"\x1f\x8b\x08")
    (folder / "case1" / ".hidden.png").write_bytes((folder / "case0" / "scan0.png").read_bytes())
    dicom_object(folder / "case1" / "report.dcm", "1.2.840.10008.5.1.4.1.1.88.33")
    dicom_object(folder / "case1" / "IM0002", "1.2.840.10008.5.1.4.1.1.11.1")
    (folder / "case2" / "IM0001").write_bytes((folder / "case0" / "scan3.dcm").read_bytes())
    bucket.put(str(folder), "bucket/scans", recursive=True)
    return folder


def downloaded(bucket, address: str, folder: Path) -> dict[str, bytes]:
    bucket.invalidate_cache()
    bucket.get(address, str(folder), recursive=True)
    return comparable(folder)


def test_search_in_a_bucket_and_on_the_disk_finds_the_same(bucket, scans):
    here, there = search_scans([scans]), search_scans(["s3://bucket/scans"])
    assert [scan.name for scan in there.scans] == [scan.name for scan in here.scans]
    assert "case0/scan0_tumor_1.png" in [scan.name for scan in there.scans]
    assert "case1/picture" in [scan.name for scan in there.scans]
    assert there.masks == 2
    assert there.passed_over == here.passed_over
    assert there.remarks() == here.remarks()
    assert there.warnings() == here.warnings()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_scans_in_a_bucket_and_on_the_disk_give_the_same_results(bucket, scans, tmp_path, workers):
    here = list(usmicro.run(scans, out=tmp_path / "here", workers=1))
    there = list(usmicro.run("s3://bucket/scans", out=tmp_path / "there", workers=workers))
    assert [result.image for result in there] == [result.image for result in here]
    assert comparable(tmp_path / "there") == comparable(tmp_path / "here")
    assert b"s3://" not in (tmp_path / "there" / "run.sqlite").read_bytes()


def test_results_are_written_to_a_bucket_resumed_and_overwritten(bucket, scans, tmp_path):
    list(usmicro.run(scans, out=tmp_path / "here", workers=1))
    out = f"s3://bucket/results {os.getpid()}"
    list(usmicro.run("s3://bucket/scans", out=out, workers=1, limit=2))
    first = list(usmicro.run("s3://bucket/scans", out=out, workers=1, resume=True))
    assert downloaded(bucket, out, tmp_path / "there") == comparable(tmp_path / "here")
    again = list(usmicro.run("s3://bucket/scans", out=out, workers=1, resume=True))
    kept = [
        (one.seconds, other.seconds)
        for one, other in zip(first, again, strict=True)
        if one.status == "ok"
    ]
    assert kept
    assert all(one == other for one, other in kept)
    with pytest.raises(UsageError, match="holds results already"):
        usmicro.run("s3://bucket/scans", out=out, workers=1)
    list(usmicro.run("s3://bucket/scans/case0", out=out, workers=1, overwrite=True))
    found = downloaded(bucket, out, tmp_path / "over")
    assert sorted(name for name in found if name.startswith("overlays")) == [
        "overlays/cine.png",
        "overlays/scan0.png",
        "overlays/scan0_tumor_1.png",
        "overlays/scan3.png",
    ]
    assert not any(
        "results" in scan.image
        for scan in usmicro.run("s3://bucket", out=tmp_path / "all", workers=1, limit=20)
    )


def test_missing_addresses_are_refused(bucket, tmp_path):
    with pytest.raises(UsageError, match=r"no file found there|cannot be read"):
        usmicro.run("s3://bucket/gone", out=tmp_path / "r", workers=1)
    with pytest.raises(UsageError, match="nosuch://x: "):
        usmicro.run("nosuch://x", out=tmp_path / "r", workers=1)


def test_a_changed_object_is_computed_again(bucket, scans, tmp_path):
    bucket.put_file(str(scans / "case0" / "scan0.png"), "bucket/two/a.png")
    bucket.put_file(str(scans / "case1" / "scan1.png"), "bucket/two/b.png")
    first = list(usmicro.run("s3://bucket/two", out=tmp_path / "r", workers=1))
    bucket.put_file(str(scans / "case2" / "scan2.png"), "bucket/two/b.png")
    again = list(usmicro.run("s3://bucket/two", out=tmp_path / "r", workers=1, resume=True))
    assert [
        one.fingerprint == other.fingerprint for one, other in zip(first, again, strict=True)
    ] == [True, False]
