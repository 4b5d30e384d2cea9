"""Compiled kernels are kept where they can be, and a first run says that it compiles."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import usmicro
from usmicro.batch import warmup
from usmicro.kernels import _cache


@pytest.fixture
def mark(tmp_path, monkeypatch):
    monkeypatch.setattr(warmup, "marker_file", lambda: tmp_path / "compiled")
    return tmp_path / "compiled"


def test_a_first_run_says_that_it_compiles_and_the_next_does_not(
    tmp_path, mark, monkeypatch, capsys
):
    import cv2

    from tests.helpers.fake_analysis import fake_module

    monkeypatch.setitem(sys.modules, "usmicro.analysis", fake_module())
    cv2.imwrite(str(tmp_path / "scan.png"), np.full((40, 60), 99, np.uint8))
    for first in (True, False):
        list(
            usmicro.run(
                tmp_path / "scan.png", out=tmp_path / "r", workers=1, quiet=False, overwrite=True
            )
        )
        assert (warmup.COMPILING in capsys.readouterr().err) == first
        assert mark.exists()


def test_what_is_loaded_before_the_first_job_changes_nothing_for_the_caller(tmp_path):
    (tmp_path / "scan.png").write_bytes(b"no image")
    frozen = gc.get_freeze_count()
    list(usmicro.run(tmp_path / "scan.png", out=tmp_path / "r", workers=1))
    assert gc.isenabled()
    assert gc.get_freeze_count() <= frozen


def test_a_run_that_fails_does_not_count_as_compiled(tmp_path, mark):
    (tmp_path / "scan.png").write_bytes(b"no image")
    list(usmicro.run(tmp_path / "scan.png", out=tmp_path / "r", workers=1))
    assert not mark.exists()


def test_kernels_are_kept_where_it_is_possible(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert _cache.cache_folder() == tmp_path / "cache" / "usmicro" / "kernels"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))  # a home that cannot be written to
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert _cache.cache_folder().parent == tmp_path
    monkeypatch.setattr(_cache, "_writable", lambda folder: False)
    assert _cache.cache_folder() is None


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="gives a folder to another user")
def test_kernels_that_another_user_put_there_are_not_run(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (tmp_path / "usmicro" / "kernels").mkdir(parents=True)
    os.chown(tmp_path / "usmicro" / "kernels", 12345, -1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _cache.cache_folder() != tmp_path / "usmicro" / "kernels"


@pytest.mark.slow
def test_warmup_leaves_nothing_to_compile(tmp_path):
    samples = Path(__file__).parents[2] / "sample_data"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    subprocess.run(
        [sys.executable, "-m", "usmicro", "warmup"], env=environment, check=True, cwd=tmp_path
    )
    compiled = {path: path.stat().st_mtime_ns for path in (tmp_path / "kernels").rglob("*.nbc")}
    assert compiled
    command = [
        sys.executable,
        "-m",
        "usmicro",
        "run",
        str(samples),
        "--out",
        str(tmp_path / "r"),
        "--workers",
        "1",
    ]
    done = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert warmup.COMPILING not in done.stderr
    assert {
        path: path.stat().st_mtime_ns for path in (tmp_path / "kernels").rglob("*.nbc")
    } == compiled
