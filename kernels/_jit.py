"""The one decorator of every kernel, and a compile cache that survives read-only installs and unwritable homes."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

Float2D = NDArray[np.float32]
Float3D = NDArray[np.float32]
Float4D = NDArray[np.float32]
Float5D = NDArray[np.float32]
Float1D = NDArray[np.float32]
Bool1D = NDArray[np.bool_]
Bool2D = NDArray[np.bool_]
Function = TypeVar("Function", bound=Callable[..., Any])


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
if CACHE_FOLDER is not None:
    numba.config.CACHE_DIR = str(CACHE_FOLDER)  # the environment variable is read too early to be set here

_options = {"error_model": "numpy", "nogil": True, "cache": CACHE_FOLDER is not None}


def jit(function: Function) -> Function:
    """Compile a serial kernel: division by zero gives inf or nan as in NumPy, which lets LLVM vectorise."""
    return numba.njit(**_options)(function)  # type: ignore[no-any-return]


def contracted_jit(function: Function) -> Function:
    """Compile a serial kernel in which a product and a sum may round once, as one instruction: for loops bound by arithmetic."""
    return numba.njit(fastmath={"contract"}, **_options)(function)  # type: ignore[no-any-return]


def parallel_jit(function: Function) -> Function:
    """Compile a kernel that uses `numba.prange`; give it its own definition, since variants of one function share a cache entry."""
    return numba.njit(parallel=True, **_options)(function)  # type: ignore[no-any-return]
