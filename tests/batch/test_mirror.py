"""The copy of an output folder at an address."""

import uuid

import pytest

from usmicro.batch.mirror import Mirror
from usmicro.errors import UsageError

pytest.importorskip("fsspec")


@pytest.fixture
def mirror():
    return Mirror(f"memory://{uuid.uuid4()}/out")


def names(mirror):
    return {path.rpartition("/")[2] for path in mirror._remote_files()}


def test_files_are_uploaded_and_deleted_ones_removed(mirror):
    folder = mirror.open()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(name)
    mirror.sync()
    assert names(mirror) == {"a.txt", "b.txt"}
    (folder / "a.txt").unlink()
    mirror.sync()
    assert names(mirror) == {"b.txt"}


def test_a_file_that_a_worker_deletes_during_the_upload_is_left_out(mirror, monkeypatch):
    folder = mirror.open()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(name)
    upload = mirror._remote.put_file

    def delete_first(local, remote, **options):
        if local.endswith("a.txt"):
            (folder / "a.txt").unlink(missing_ok=True)
        return upload(local, remote, **options)

    monkeypatch.setattr(mirror._remote, "put_file", delete_first)
    mirror.sync()
    assert names(mirror) == {"b.txt"}
    mirror.sync()
    assert names(mirror) == {"b.txt"}


def test_a_missing_bucket_is_still_an_error(mirror, monkeypatch):
    folder = mirror.open()
    (folder / "a.txt").write_text("a")

    def fail(*_, **__):
        raise FileNotFoundError("no such bucket")

    monkeypatch.setattr(mirror._remote, "put_file", fail)
    with pytest.raises(UsageError, match="cannot be written"):
        mirror.sync()
