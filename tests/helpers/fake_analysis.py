"""A fake analysis for tests of batch runs: it is quick, and it fails where a test wants it to.

The grey level of the first pixel of an image selects what the fake analysis does; see `analyze`.
"""

import os
import re
import signal
import time
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from usmicro.errors import ScanError
from usmicro.model.findings import Focus, Mass, Summary
from usmicro.result import Table

# grey levels of the first pixel
(
    RAISES,
    REFUSED,
    CRASHES,
    EXITS,
    PRINTS,
    SLEEPS,
    SPINS,
    FILLS_MEMORY,
    FILLS_MEMORY_IN_C,
    CRASHES_SECOND_TIME,
    FREEZES,
    SLOW_FRAMES,
) = range(13, 25)

allocated: list[np.ndarray] = []
"""Memory that is never released."""
crash_count = 0
"""Number of images with CRASHES_SECOND_TIME that this process has analysed."""


@dataclass
class FakeAnalysis:
    """The parts of an `Analysis` that a run uses."""

    foci: Table[Focus]
    masses: Table[Mass]
    summary: Summary
    labels: np.ndarray
    image: np.ndarray
    frame: int = 0
    tracks: Table[Any] = field(default_factory=Table)
    candidates: Table[Any] = field(default_factory=Table)
    outlines: None = None
    detector: str = ""
    notes: tuple[str, ...] = ("made for a test",)
    warnings: tuple[Any, ...] = ()
    seconds: dict[str, float] = field(default_factory=lambda: {"foci": 0.25})

    def overlay(self):
        return np.repeat(self.labels[..., None], 3, axis=2)


def analyze(scan, *, settings=None, masks=None, detector=None, each_frame=None) -> FakeAnalysis:
    """Return one focus, at the brightest pixel, unless the first pixel selects a fault.

    A detector moves the focus to the first position that it returns.
    """
    image = next(scan.frames())
    image = image if image.ndim == 2 else image[..., 0]
    if image[0, 0] == SLOW_FRAMES:
        for _ in scan.frames():
            time.sleep(0.1)
    elif image[0, 0] == PRINTS:
        os.write(1, b"a library that prints")
    else:
        _fail(image, scan.path)
    row, column = np.unravel_index(image.argmax(), image.shape)
    if detector is not None:
        column, row = (values[0] for values in detector(image, scan.spacing)[:2])
    unknown: dict[str, Any] = dict.fromkeys(Focus.__dataclass_fields__)
    known = {
        "frame": 0,
        "focus": 1,
        "x_px": float(column),
        "y_px": float(row),
        "diameter_px": 3.5,
        "contrast": 1 / 3,
        "false_alarm": 1e-9,
        "kind": "punctate",
        "label": "extramass",
        "label_reason": "far from every mass, so outside",
        "nonmass": "no",
        "shadow": "not assessable",
        "twinkling": "not assessable",
        "confidence": 0.5,
        "label_confidence": 0.5,
    }
    summary = Summary(
        frames=1,
        rows=scan.rows,
        columns=scan.columns,
        spacing_x_mm=scan.spacing.x_mm,
        spacing_y_mm=scan.spacing.y_mm,
        spacing_source=scan.spacing.source,
        geometry="linear",
        colour_flow="no",
        foci=1,
        intramass=0,
        extramass=1,
        intraductal=0,
        masses=0 if masks is None else 1,
        calcification="outside a mass",
        calcification_score=0.5,
    )
    foci = Table([Focus(**{**unknown, **known})])
    return FakeAnalysis(foci, Table(), summary, np.zeros(image.shape, np.uint8), image)


def _fail(image, path) -> None:
    """Fail in the way that the first pixel selects; return if it selects none."""
    fault = image[0, 0]
    if fault == RAISES:
        raise ZeroDivisionError("made for a test")
    if fault == REFUSED:
        raise ScanError(f"{path}: refused for a test;\nsee there")
    if fault == CRASHES:
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault == EXITS:
        os._exit(3)
    if fault == SLEEPS:
        time.sleep(60)
    if fault == SPINS:
        re.match("(a+)+b", "a" * 60)  # exponential time in C code that never releases the GIL
    if fault == FREEZES:
        os.kill(os.getpid(), signal.SIGSTOP)
    if fault == FILLS_MEMORY:
        allocated.extend(np.ones(2**24) for _ in range(100))
    if fault == FILLS_MEMORY_IN_C:
        cv2.resize(image, (60_000, 60_000))
    if fault == CRASHES_SECOND_TIME:
        global crash_count
        crash_count += 1
        if crash_count > 1:
            os.abort()


def fake_module() -> ModuleType:
    """Return a module that can replace usmicro.analysis in sys.modules."""
    module = ModuleType("usmicro.analysis")
    vars(module)["analyze"] = analyze
    return module


WORKER_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from tests.helpers import fake_analysis; "
    "sys.modules['usmicro.analysis'] = fake_analysis.fake_module(); "
    "import usmicro.batch.warmup; usmicro.batch.warmup.is_compiled = lambda: True; "
    "usmicro.batch.warmup.preload = lambda: None; "
    "from usmicro.batch.serving import serve; serve()"
)
"""Program of a worker process that uses the fake analysis."""

SCRIPT_HEAD = """\
import sys
sys.path.insert(0, sys.argv.pop(1))
import usmicro
from tests.helpers.fake_analysis import WORKER_PROGRAM
from usmicro.batch import workers
workers.WORKER_PROGRAM = WORKER_PROGRAM
"""
"""First lines of a script whose workers use the fake analysis; its first argument is the root of
the repository."""
