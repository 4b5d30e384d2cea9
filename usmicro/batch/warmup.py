"""Kernels are compiled once for each user and version and kept in a folder; whether that has been done, and doing it ahead of time."""

from __future__ import annotations

import gc
import hashlib
import platform
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, get_args

if TYPE_CHECKING:
    from usmicro.model.scan import Scan

COMPILING = "compiling the kernels, once for each version: this takes some ten seconds; `usmicro warmup` does it ahead of time"


def is_compiled() -> bool:
    """Whether these kernels have been compiled on this kind of processor, and kept."""
    mark = _mark()
    return mark is not None and mark.exists()


def note_compiled() -> None:
    """Remember that they have been; a folder that cannot be written to only costs the remark on the next run."""
    if (mark := _mark()) is not None:
        with suppress(OSError):
            mark.touch()


@cache
def _mark() -> Path | None:
    """The file that says so, named by all that makes numba compile anew; None where compiled kernels are not kept."""
    from llvmlite.binding import get_host_cpu_name

    from usmicro.kernels._cache import CACHE_FOLDER

    if CACHE_FOLDER is None:
        return None
    digest = hashlib.sha256(
        f"{version('numba')} {platform.python_version()} {get_host_cpu_name()}".encode()
    )
    for file in sorted((Path(__file__).parents[1] / "kernels").glob("*.py")):
        status = file.stat()
        digest.update(
            f"{file} {status.st_mtime_ns} {status.st_size}\n".encode("utf-8", "surrogateescape")
        )
    return CACHE_FOLDER / f"compiled-{digest.hexdigest()[:16]}"


def make_ready() -> None:
    """Import what an analysis needs, and let numba read its tables, before the first job.

    Python's garbage collector would look through all of that several times while it grows, and once more at exit: up to a third of
    what a short run takes. Instead it is frozen, which `gc.unfreeze` undoes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        import numpy as np

        import usmicro.analysis  # noqa: F401
        from usmicro.kernels.foci import strongest_apart

        nothing = np.empty(0, np.float32)
        strongest_apart(nothing, nothing, nothing, np.empty(0, np.bool_))
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def warm_up() -> Path | None:
    """Compile every kernel, by analysing small scans and filtering one of them.

    Returns
    -------
    path or None
        The folder that keeps them; None if there is none that can be written to, so that every process compiles anew.
    """
    import numpy as np

    from usmicro.analysis import analyze
    from usmicro.kernels._cache import CACHE_FOLDER
    from usmicro.kernels.colour import rgb_of_ybr
    from usmicro.model.scan import Scan
    from usmicro.speckle import despeckle
    from usmicro.speckle.display import Method

    for scan in _scans():
        analyze(scan)
    image = np.random.default_rng(0).integers(20, 200, (64, 64)).astype(np.uint8)
    for method in get_args(Method):
        despeckle(image, method=method)
    analyze(Scan.of_array(np.tile(image, (6, 6))))  # without a spacing
    colour = np.tile(
        image[..., None], (12, 12, 3)
    )  # so large that its tint is taken from some of its rows
    colour[100:200, 100:200, 0] = 255
    analyze(Scan.of_array(colour))
    rgb_of_ybr(colour, np.empty_like(colour))
    note_compiled()
    return CACHE_FOLDER


def _scans() -> Iterator[Scan]:
    from usmicro.phantom import PhantomSettings, simulate

    yield simulate(
        3, PhantomSettings(geometry="sector", width=30.0, depth=30.0, spacing=0.12)
    ).scan()
    yield simulate(
        41,
        PhantomSettings(
            width=24.0,
            depth=24.0,
            spacing=0.1,
            screen=True,
            header=True,
            ruler=True,
            colour=True,
            frames=3,
            twinkling=1.0,
            vessels=1,
        ),
    ).scan()
