"""An analysis that stands for the real one, so that the tests of batch runs are about the run alone."""

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

BREAKS, REFUSED, CRASHES, EXITS, PRINTS, SLEEPS, SPINS, EATS, EATS_IN_C, SECOND, FREEZES, FRAMES = (
    range(13, 25)
)

KEPT: list[np.ndarray] = []
"""Memory that is never given back."""
computed = 0
"""Images of the kind SECOND so far: every one but the first of a process ends it."""


@dataclass
class MadeAnalysis:
    """Has what a run needs of an Analysis."""

    foci: Table[Focus]
    masses: Table[Mass]
    summary: Summary
    labels: np.ndarray
    image: np.ndarray
    frame: int = 0
    notes: tuple[str, ...] = ("made for a test",)
    seconds: dict[str, float] = field(default_factory=lambda: {"foci": 0.25})

    def overlay(self):
        return np.repeat(self.labels[..., None], 3, axis=2)


def analyze(scan, *, settings=None, masks=None, each_frame=None) -> MadeAnalysis:
    """One focus, at the brightest pixel; the first pixel asks for trouble."""
    image = next(scan.frames())
    image = image if image.ndim == 2 else image[..., 0]
    if image[0, 0] == BREAKS:
        raise ZeroDivisionError("made for a test")
    if image[0, 0] == REFUSED:
        raise ScanError(f"{scan.path}: refused for a test;\nsee there")
    if image[0, 0] == CRASHES:
        os.kill(os.getpid(), signal.SIGSEGV)
    if image[0, 0] == EXITS:
        os._exit(3)
    if image[0, 0] == FRAMES:
        for _ in scan.frames():
            time.sleep(0.1)
    if image[0, 0] == SLEEPS:
        time.sleep(60)
    if image[0, 0] == SPINS:
        re.match("(a+)+b", "a" * 60)  # in C, and never lets go of the interpreter
    if image[0, 0] == FREEZES:
        os.kill(os.getpid(), signal.SIGSTOP)
    if image[0, 0] == EATS:
        KEPT.extend(np.ones(2**24) for _ in range(100))
    if image[0, 0] == EATS_IN_C:
        cv2.resize(image, (60_000, 60_000))
    if image[0, 0] == SECOND:
        global computed
        computed += 1
        if computed > 1:
            os.abort()
    if image[0, 0] == PRINTS:
        os.write(1, b"a library that prints")
    row, column = np.unravel_index(image.argmax(), image.shape)
    nothing: dict[str, Any] = dict.fromkeys(Focus.__dataclass_fields__)
    known = {
        "frame": 0,
        "focus": 1,
        "x_px": float(column),
        "y_px": float(row),
        "diameter_px": 3.5,
        "contrast": 1 / 3,
        "false_alarm": 1e-9,
    }
    words = {
        "kind": "punctate",
        "label": "extramass",
        "label_reason": "far from every mass, so outside",
        "nonmass": "no",
    }
    verdicts = {
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
    foci = Table([Focus(**{**nothing, **known, **words, **verdicts})])
    return MadeAnalysis(foci, Table(), summary, np.zeros(image.shape, np.uint8), image)


def stand_in() -> ModuleType:
    """What to put in the place of usmicro.analysis."""
    module = ModuleType("usmicro.analysis")
    module.analyze = analyze
    return module


START_WORKER = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from tests.helpers import made_analysis; "
    "sys.modules['usmicro.analysis'] = made_analysis.stand_in(); import usmicro.batch.warmup; usmicro.batch.warmup.is_compiled = lambda: True; "
    "usmicro.batch.warmup.make_ready = lambda: None; "
    "from usmicro.batch.serving import serve; serve()"
)
