"""Compilation of the kernels ahead of time.

Numba compiles the kernels once for each user and version of the program, and stores them in a
folder.
"""

from __future__ import annotations

import gc
import hashlib
import platform
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, get_args

if TYPE_CHECKING:
    from usmicro.model.scan import Scan

COMPILING = (
    "compiling the kernels, once for each version: this takes about half a minute; "
    "`usmicro warmup` does it ahead of time"
)
"""Remark that a run makes while it compiles the kernels."""


def is_compiled() -> bool:
    """Return True if these kernels were compiled on this kind of processor and stored."""
    file = marker_file()
    return file is not None and file.exists()


def note_compiled() -> None:
    """Write the marker file; without write access, the next run repeats its remark."""
    if (file := marker_file()) is not None:
        with suppress(OSError):
            file.touch()


@cache
def marker_file() -> Path | None:
    """Return the file that exists once all kernels are compiled.

    Its name contains a hash of everything that makes numba compile again. The result is None if
    compiled kernels cannot be stored.
    """
    from llvmlite.binding import get_host_cpu_name

    from usmicro.kernels.cache_folder import CACHE_FOLDER

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


def preload() -> None:
    """Import the modules of an analysis, and let numba read its tables, before the first job.

    Python's garbage collector would search these objects several times while they are created, and
    again at exit, which takes up to a third of the time of a short run. They are therefore frozen;
    `gc.unfreeze` undoes this.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        import numpy as np

        import usmicro.analysis  # noqa: F401
        from usmicro.kernels.foci import suppress_non_maxima

        empty = np.empty(0, np.float32)
        suppress_non_maxima(empty, empty, empty, np.empty(0, np.bool_))
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def warm_up() -> Path | None:
    """Compile every kernel by analysing small scans and filtering one of them.

    Returns
    -------
    path or None
        Folder that stores the kernels; None if no folder can be written to, in which case every
        process compiles them again.
    """
    import numpy as np

    from usmicro.analysis import analyze
    from usmicro.batch.compiling import compiling_beside
    from usmicro.kernels.cache_folder import CACHE_FOLDER
    from usmicro.kernels.colour import rgb_of_ybr
    from usmicro.model.scan import Scan
    from usmicro.speckle import despeckle
    from usmicro.speckle.display import Method

    with nullcontext() if is_compiled() else compiling_beside():
        for scan in _scans():
            analyze(scan)
    image = np.random.default_rng(0).integers(20, 200, (64, 64)).astype(np.uint8)
    for method in get_args(Method):
        despeckle(image, method=method)
    analyze(Scan.of_array(np.tile(image, (6, 6))))  # a scan without pixel spacing
    # a colour image that is large enough to take its tint from a part of its rows
    colour = np.tile(image[..., None], (12, 12, 3))
    colour[100:200, 100:200, 0] = 255
    analyze(Scan.of_array(colour))
    rgb_of_ybr(colour, np.empty_like(colour))
    note_compiled()
    return CACHE_FOLDER


def _scans() -> Iterator[Scan]:
    """Yield a grey sector scan and a colour cine, both simulated and small."""
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
