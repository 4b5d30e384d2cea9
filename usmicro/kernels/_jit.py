"""Decorators that compile the kernels."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from usmicro.kernels.cache_folder import CACHE_FOLDER

Float2D = NDArray[np.float32]
Float3D = NDArray[np.float32]
Float4D = NDArray[np.float32]
Float5D = NDArray[np.float32]
Float1D = NDArray[np.float32]
Bool1D = NDArray[np.bool_]
Bool2D = NDArray[np.bool_]
Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = {"error_model": "numpy", "nogil": True, "cache": CACHE_FOLDER is not None}
_CACHE_DIR_LOCK = Lock()


def jit(function: Function) -> Function:
    """Compile a serial kernel.

    Division by zero gives infinity or NaN as in NumPy, which lets LLVM vectorise loops.
    """
    return _compiled(function)


def contracted_jit(function: Function) -> Function:
    """Compile a serial kernel in which a product and a sum may be one rounded instruction.

    This is faster for loops that are limited by arithmetic.
    """
    return _compiled(function, fastmath={"contract"})


def parallel_jit(function: Function) -> Function:
    """Compile a kernel that uses `numba.prange`.

    A parallel kernel needs its own definition: serial and parallel variants of one function would
    share a cache entry.
    """
    return _compiled(function, parallel=True)


def _compiled(function: Function, **options: Any) -> Function:
    """Apply `numba.njit`, with the cache in CACHE_FOLDER.

    numba takes the folder of a function from the global `numba.config.CACHE_DIR` when the function
    is decorated. It is set during the decoration only, so that other users of numba in the process
    keep their own.
    """
    with _CACHE_DIR_LOCK:
        before = numba.config.CACHE_DIR
        if CACHE_FOLDER is not None:
            numba.config.CACHE_DIR = str(CACHE_FOLDER)
        try:
            return numba.njit(**_OPTIONS, **options)(function)  # type: ignore[no-any-return]
        finally:
            numba.config.CACHE_DIR = before
