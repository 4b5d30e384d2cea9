"""Import other libraries if they are installed."""

from __future__ import annotations

import importlib.util
from importlib import import_module
from pathlib import Path
from typing import Any

NAMES = (
    "skimage",
    "cv2",
    "SimpleITK",
    "diplib",
    "medpy",
    "findpeaks",
    "srad",
    "trackpy",
    "sep",
    "photutils",
)
"""Packages that are compared with."""


def import_if_installed(name: str) -> Any:
    """Return the module; None if its package is not installed."""
    return import_module(name) if importlib.util.find_spec(name.partition(".")[0]) else None


def missing_peers() -> list[str]:
    """Return the packages that are not installed; their rows are left out."""
    return [name for name in NAMES if importlib.util.find_spec(name) is None]


def findpeaks_filter(name: str) -> Any:
    """Return a filter of findpeaks; None if findpeaks is not installed.

    The filter is loaded from its own file, because the package imports many other packages that the
    filters do not use.
    """
    package = importlib.util.find_spec("findpeaks")
    if package is None or not package.submodule_search_locations:
        return None
    path = Path(next(iter(package.submodule_search_locations))) / "filters" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"findpeaks_{name}", path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, f"{name}_filter")


def use_one_thread() -> None:
    """Limit every library to one thread.

    Kernels of usmicro use several threads only in their parallel variant, which is measured by the
    wall clock, so numba keeps all threads.
    """
    import cv2
    import numba

    cv2.setNumThreads(1)
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    if sitk := import_if_installed("SimpleITK"):
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    if diplib := import_if_installed("diplib"):
        diplib.SetNumberOfThreads(1)
