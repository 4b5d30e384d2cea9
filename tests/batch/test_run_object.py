"""`usmicro.run` returns an iterator that starts its run when the first result is requested."""

import gc
import re

import pytest

import usmicro
from usmicro.errors import UsageError

pytestmark = pytest.mark.usefixtures("fake_analysis")


def test_a_run_that_is_not_iterated_writes_and_locks_nothing(scans, tmp_path):
    before = sorted(path for path in tmp_path.rglob("*"))
    waiting = usmicro.run(scans, out=tmp_path / "r", workers=1, pseudonyms=tmp_path / "key")
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert len(list(usmicro.run(scans, out=tmp_path / "r", workers=1))) == 5
    del waiting


def test_a_run_with_overwrite_deletes_nothing_before_it_is_iterated(scans, tmp_path):
    list(usmicro.run(scans, out=tmp_path / "r", workers=1))
    results = usmicro.run(scans / "sub", out=tmp_path / "r", workers=1, overwrite=True)
    assert (tmp_path / "r" / "overlays" / "z.png").exists()
    next(results)
    assert not (tmp_path / "r" / "overlays" / "z.png").exists()
    results.close()


def test_the_output_folder_is_checked_at_the_call_and_again_at_the_start(scans, tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "r"):
        with pytest.raises(UsageError, match="file"):
            usmicro.run(scans, out=out)
    second = usmicro.run(scans, out=tmp_path / "r", workers=1)
    list(usmicro.run(scans, out=tmp_path / "r", workers=1))
    with pytest.raises(UsageError, match="holds results already"):
        usmicro.run(scans, out=tmp_path / "r", workers=1)
    with pytest.raises(UsageError, match="holds results already"):
        next(second)


def test_the_repr_says_how_to_go_on(scans, tmp_path):
    results = usmicro.run(scans, out=tmp_path / "r", workers=1)
    assert re.fullmatch(
        r"<usmicro run of 5 inputs to .*r, not started: iterate over it, .*usmicro\.run.*>",
        repr(results),
    )
    next(results)
    assert repr(results).endswith("has returned 1 result>")
    results.close()
    assert repr(results).endswith("ended after 1 result>")
    assert list(results) == []


def test_a_run_is_an_iterator(scans, tmp_path):
    results = usmicro.run(scans, out=tmp_path / "r", workers=1)
    assert iter(results) is results
    assert next(results).image == "a.png"
    assert [result.image for result in results] == ["b.png", "sub/a.png", "sub/deep/c.png", "z.bmp"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_is_garbage_collected_releases_the_folder(scans, tmp_path, workers):
    results = usmicro.run(scans, out=tmp_path / "r", workers=workers)
    next(results)
    with pytest.raises(UsageError, match="another run is writing"):
        list(usmicro.run(scans, out=tmp_path / "r", workers=1, resume=True))
    del results
    gc.collect()
    assert len((tmp_path / "r" / "images.csv").read_text().splitlines()) >= 2
    assert len(list(usmicro.run(scans, out=tmp_path / "r", workers=1, resume=True))) == 5


def test_a_run_that_cannot_start_releases_the_folder(scans, tmp_path, monkeypatch):
    def fail(out):
        raise UsageError("report.html: cannot be deleted")

    list(usmicro.run(scans, out=tmp_path / "r", workers=1))
    with monkeypatch.context() as patch:
        patch.setattr("usmicro.batch.store.remove_report", fail)
        failed = usmicro.run(scans, out=tmp_path / "r", workers=1, overwrite=True)
        with pytest.raises(UsageError, match="cannot be deleted") as error:
            next(failed)
    assert len(list(usmicro.run(scans, out=tmp_path / "r", workers=1, resume=True))) == 5
    del error
