"""Compilation of the kernels in several processes at once.

The first scan of an installation compiles the kernels that it needs, one stage after the other. In
the meantime, other processes compile kernels of its later stages, which it then loads. They have no
other task: whatever they have not compiled in time is compiled by the scan itself.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import numpy as np

from usmicro.batch.processes import SEARCH_PATH, available_cores, start_python

if TYPE_CHECKING:
    from usmicro.model.anatomy import Anatomy
    from usmicro.model.view import View

PROGRAM = (
    SEARCH_PATH + "from usmicro.batch.compiling import compile_stages; compile_stages(sys.argv[2])"
)
"""Python program of a process."""
PIXEL_MM = 0.1
"""Pixel size in mm of the view on which a process runs the stages."""
SHAPE = (320, 280)
"""Rows and columns of that view."""
FOCI = np.array([[60.0, 200.0], [100.0, 150.0]])
"""Columns and rows of two of its foci."""


@contextmanager
def compiling_beside() -> Iterator[None]:
    """Compile kernels in other processes until the end of the `with` block, which kills them.

    There is one process for each core but one, which is left to the caller.
    """
    from usmicro.kernels.cache_folder import CACHE_FOLDER

    number = min(available_cores() - 1, len(STAGES)) if CACHE_FOLDER is not None else 0
    nothing = subprocess.DEVNULL
    with ExitStack() as cleanup:
        for first in range(number):
            share = f"{first}:{number}"
            try:
                process = start_python(
                    PROGRAM, share, stdin=nothing, stdout=nothing, stderr=nothing
                )
            except OSError:  # too many processes, or none may be started
                break
            cleanup.callback(process.wait)
            cleanup.callback(process.kill)
        yield


def compile_stages(share: str) -> None:
    """Compile the kernels of every so many of the STAGES by running them on a small view.

    `share` is FIRST:STEP: the index of the first stage and the step to the next.
    """
    first, step = map(int, share.split(":"))
    view, anatomy = _view_and_anatomy()
    for run_stage in STAGES[first::step]:
        run_stage(view, anatomy)


def _find_clumps(view: View, anatomy: Anatomy) -> None:
    from usmicro.foci.clumps import find_clumps
    from usmicro.foci.scale_space import filled_outside
    from usmicro.settings import FociSettings

    find_clumps(view, filled_outside(view.grey, view.tissue), FociSettings())


def _measure_foci(view: View, anatomy: Anatomy) -> None:
    from usmicro.foci.blobs import Blobs
    from usmicro.foci.features import measure_blobs
    from usmicro.foci.patches import focus_patches
    from usmicro.foci.scale_space import filled_outside, scale_space
    from usmicro.settings import FociSettings

    settings = FociSettings()
    images = {1: filled_outside(view.grey, view.tissue)}
    scales = scale_space(view, settings.smallest, settings.largest, images)
    x, y = FOCI
    blobs = Blobs(x, y, np.array([0, len(scales) - 1]), np.ones(2), scales, images)
    focus_patches(view, measure_blobs(view, settings, blobs, np.ones(2)), anatomy)


def _assess_shadows(view: View, anatomy: Anatomy) -> None:
    from usmicro.posterior.focus_shadow import focus_shadows
    from usmicro.posterior.mass_features import posterior_feature

    x, y = FOCI
    focus_shadows(view, x, y, np.ones(2), masses=anatomy.masses)
    posterior_feature(view, anatomy.masses > 0)


def _detect_foci(view: View, anatomy: Anatomy) -> None:
    from usmicro.foci.detection import find_candidates

    find_candidates(view)


STAGES = (_find_clumps, _measure_foci, _assess_shadows, _detect_foci)
"""Stages whose kernels other processes compile. The scan itself detects foci before it measures
them, so that the detection comes last."""


def _view_and_anatomy() -> tuple[View, Anatomy]:
    """Return speckle with a dark mass and bright spots of several sizes, and the mass."""
    import cv2

    from usmicro.model.anatomy import Anatomy
    from usmicro.model.view import Grid, ScanLines, View

    random = np.random.default_rng(0)
    speckle = np.log(random.rayleigh(1.0, SHAPE) + 0.1).astype(np.float32)
    grey = 90 + 60 * cv2.GaussianBlur(speckle, (0, 0), 1.5)
    mass = cv2.circle(np.zeros(SHAPE, np.uint8), (140, 120), 50, 1, cv2.FILLED)
    grey[mass > 0] *= 0.5
    foci = [(round(x), round(y)) for x, y in FOCI.T.tolist()]
    for centre, radius in zip([*foci, (140, 120), (80, 200)], (3, 5, 12, 15), strict=True):
        cv2.circle(grey, centre, radius, 230.0, cv2.FILLED)
    grey = np.clip(cv2.GaussianBlur(grey, (0, 0), 1.0), 0, 255)
    nothing, tissue = np.zeros(SHAPE, np.bool_), np.ones(SHAPE, np.bool_)
    grid, scan_lines = Grid(0, 0, 1, 1, PIXEL_MM), ScanLines("linear", 0.0, middle_x=SHAPE[1] / 2)
    anatomy = Anatomy(
        pixel_mm=PIXEL_MM,
        mass_probability=mass.astype(np.float32),
        masses=mass.astype(np.int32),
        mass_confidence=(1.0,),
        duct_probability=np.zeros(SHAPE, np.float32),
        ducts=np.zeros(SHAPE, np.int32),
        duct_confidence=(),
        nonmass=nothing,
    )
    return View(grey, tissue, nothing, grid, scan_lines, (3.5, 3.5)), anatomy
