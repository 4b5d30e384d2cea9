"""Temporary folders for copies of inputs that are not files of their own on this machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "usmicro-input-"
"""Beginning of the names of temporary folders; the process number follows."""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a temporary folder that only its owner can read.

    Folders that a killed process left behind are removed first.
    """
    _remove_abandoned_folders()
    prefix = f"{_PREFIX}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _remove_abandoned_folders() -> None:
    """Remove this user's temporary folders whose process has ended."""
    if os.name != "posix":
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        process = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if not process.isdigit() or os.path.exists(f"/proc/{process}"):
            continue
        with suppress(OSError):  # another process removes it at the same time
            if folder.stat().st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)
