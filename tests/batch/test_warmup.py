"""Compiled kernels are stored if possible, and a run that compiles them says so."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import usmicro
from tests.helpers.fake_analysis import fake_module
from usmicro.batch import warmup
from usmicro.kernels.cache_folder import cache_folder


@pytest.fixture
def marker_file(tmp_path, monkeypatch) -> Path:
    """Path of the file that marks the kernels as compiled, which they are not yet."""
    file = tmp_path / "compiled"
    monkeypatch.setattr(warmup, "marker_file", lambda: file)
    return file


def test_only_the_first_run_says_that_it_compiles(tmp_path, marker_file, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "usmicro.analysis", fake_module())
    cv2.imwrite(str(tmp_path / "scan.png"), np.full((40, 60), 99, np.uint8))
    options = {"workers": 1, "quiet": False, "overwrite": True}
    for first in (True, False):
        list(usmicro.run(tmp_path / "scan.png", out=tmp_path / "r", **options))
        assert (warmup.COMPILING in capsys.readouterr().err) == first
        assert marker_file.exists()


def test_the_garbage_collector_is_as_before_after_a_run(tmp_path):
    (tmp_path / "scan.png").write_bytes(b"no image")
    frozen = gc.get_freeze_count()
    list(usmicro.run(tmp_path / "scan.png", out=tmp_path / "r", workers=1))
    assert gc.isenabled()
    assert gc.get_freeze_count() <= frozen


def test_a_run_that_fails_does_not_count_as_compiled(tmp_path, marker_file):
    (tmp_path / "scan.png").write_bytes(b"no image")
    list(usmicro.run(tmp_path / "scan.png", out=tmp_path / "r", workers=1))
    assert not marker_file.exists()


def test_kernels_are_stored_in_the_first_folder_that_can_be_written_to(tmp_path, monkeypatch):
    if sys.platform == "win32":
        pytest.skip("sets a variable that Windows does not use")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache" / "usmicro" / "kernels"
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))  # no folder can be made in a file
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = cache_folder()
    assert folder is not None
    assert folder.parent == tmp_path
    monkeypatch.setattr("tempfile.tempdir", str(file))
    assert cache_folder() is None
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    assert cache_folder() == tmp_path / "numba"


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="gives a folder to another user")
def test_kernels_in_a_folder_of_another_user_are_not_run(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (tmp_path / "usmicro" / "kernels").mkdir(parents=True)
    os.chown(tmp_path / "usmicro" / "kernels", 12345, -1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() != tmp_path / "usmicro" / "kernels"


@pytest.mark.slow
def test_after_warmup_nothing_is_left_to_compile(tmp_path):
    samples = Path(__file__).parents[2] / "sample_data"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    usmicro_command = [sys.executable, "-m", "usmicro"]
    subprocess.run([*usmicro_command, "warmup"], env=environment, check=True, cwd=tmp_path)

    def compiled() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "kernels").rglob("*.nbc")}

    before = compiled()
    assert before
    arguments = ["run", str(samples), "--out", str(tmp_path / "r"), "--workers", "1"]
    done = subprocess.run(
        [*usmicro_command, *arguments],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert warmup.COMPILING not in done.stderr
    assert compiled() == before
