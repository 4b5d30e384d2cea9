"""Folder of the compiled kernels, chosen without importing numba.

A read-only install or an unwritable home must not mean that the kernels are compiled every time.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def is_writable(folder: Path) -> bool:
    """Make a folder if need be; return True if this user owns it and can write to it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
            return False  # compiled code from there is run, so nobody else may own the folder
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def cache_folder() -> Path | None:
    """Return the folder of the compiled kernels; None if no folder can be written to.

    It is NUMBA_CACHE_DIR if set, else a cache folder of the user, else a temporary folder.
    """
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given) if is_writable(Path(given)) else None
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA", "")
    else:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    temporary = Path(tempfile.gettempdir()) / f"usmicro-kernels-{user}"
    for folder in (Path(home) / "usmicro" / "kernels", temporary):
        if folder.is_absolute() and is_writable(folder):
            return folder
    return None


CACHE_FOLDER = cache_folder()
