"""Where compiled kernels are kept, found without numba: read-only installs and unwritable homes are no reason to compile every time."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
            return False  # what lies there is run: nobody else may have put it there
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def cache_folder() -> Path | None:
    """Where compiled kernels are kept: NUMBA_CACHE_DIR, else a per-user cache folder, else a temporary one, else nowhere."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given) if _writable(Path(given)) else None
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA", "")
    else:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    temporary = Path(tempfile.gettempdir()) / f"usmicro-kernels-{user}"
    for folder in (Path(home) / "usmicro" / "kernels", temporary):
        if folder.is_absolute() and _writable(folder):
            return folder
    return None


CACHE_FOLDER = cache_folder()
