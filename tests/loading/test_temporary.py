"""Temporary folders for copies of inputs."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from usmicro.loading import temporary

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are found in /proc")


@pytest.fixture(autouse=True)
def folder_of_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def ended_process():
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_folders_of_ended_processes_are_removed_and_no_others(tmp_path):
    abandoned = tmp_path / f"usmicro-input-{ended_process()}-a"
    in_use = tmp_path / f"usmicro-input-{os.getpid()}-b"
    others = [tmp_path / "usmicro-input-name", tmp_path / "mine"]
    for folder in (abandoned, in_use, *others):
        folder.mkdir()
    with temporary.temporary_folder() as folder:
        assert folder.is_dir()
    assert not abandoned.exists()
    assert all(kept.is_dir() for kept in (in_use, *others))
    assert not folder.exists()


def test_a_folder_that_another_process_removes_at_the_same_time_does_no_harm(tmp_path, monkeypatch):
    gone = tmp_path / f"usmicro-input-{ended_process()}-a"
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([gone]))
    with temporary.temporary_folder() as folder:
        assert folder.is_dir()
