"""The decorators of every kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._cache import CACHE_FOLDER

Float2D = NDArray[np.float32]
Float3D = NDArray[np.float32]
Float4D = NDArray[np.float32]
Float5D = NDArray[np.float32]
Float1D = NDArray[np.float32]
Bool1D = NDArray[np.bool_]
Bool2D = NDArray[np.bool_]
Function = TypeVar("Function", bound=Callable[..., Any])


if CACHE_FOLDER is not None:
    numba.config.CACHE_DIR = str(
        CACHE_FOLDER
    )  # the environment variable is read too early to be set here

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
