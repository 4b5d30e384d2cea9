"""Other libraries, each imported only where it is installed."""

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


def installed(name: str) -> Any:
    """The module, or nothing."""
    return import_module(name) if importlib.util.find_spec(name.partition(".")[0]) else None


def missing() -> list[str]:
    """Peers that are not installed and so left out."""
    return [name for name in NAMES if importlib.util.find_spec(name) is None]


def findpeaks_filter(name: str) -> Any:
    """A filter of findpeaks from its own file: the package itself imports many others that its filters do not use."""
    found = importlib.util.find_spec("findpeaks")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(next(iter(found.submodule_search_locations))) / "filters" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"findpeaks_{name}", path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, f"{name}_filter")


def use_one_thread() -> None:
    """Let every library with threads of its own use one."""
    import cv2
    import numba

    cv2.setNumThreads(1)
    numba.set_num_threads(
        numba.config.NUMBA_NUM_THREADS
    )  # ours is serial unless its parallel variant is called
    if sitk := installed("SimpleITK"):
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    if diplib := installed("diplib"):
        diplib.SetNumberOfThreads(1)
