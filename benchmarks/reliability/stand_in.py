"""A stand-in for the analysis that finds nothing at once.

With it, only the listing and scheduling of inputs is measured.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from usmicro.batch.jobs import Job, OnProgress
from usmicro.batch.results import Result
from usmicro.model.arrays import ByteImage
from usmicro.model.findings import Focus, Mass, Summary
from usmicro.model.scan import Scan
from usmicro.result import Table

PREPARE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
"""Start of the program of a worker process."""
START = (
    f"{PREPARE}from benchmarks.reliability.stand_in import install; install(SECONDS); "
    "from usmicro.batch.serving import serve; serve()"
)
"""Program of a worker process with the stand-in; SECONDS is replaced by its duration."""
START_UNREAD = f"{PREPARE}from benchmarks.reliability.stand_in import serve_unread; serve_unread()"
"""Program of a worker process that does not even read its inputs."""
SLOW_SECONDS = 0.005
"""Duration of the stand-in in runs that are killed, so that some kills hit during an analysis."""


@dataclass
class Nothing:
    """The parts of an `Analysis` that a run needs."""

    image: ByteImage
    labels: ByteImage
    summary: Summary
    foci: Table[Focus] = field(default_factory=Table)
    masses: Table[Mass] = field(default_factory=Table)
    frame: int = 0
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    def overlay(self) -> ByteImage:
        """Return the label image as RGB."""
        return np.repeat(self.labels[..., None], 3, axis=2)


def analyze(scan: Scan, seconds: float = 0.0, **options: Any) -> Nothing:
    """Read the first frame and return no findings."""
    image = next(scan.frames())
    time.sleep(seconds)
    return Nothing(image, np.zeros(image.shape[:2], np.uint8), _summary(scan.rows, scan.columns))


def _summary(rows: int, columns: int) -> Summary:
    return Summary(
        frames=1,
        rows=rows,
        columns=columns,
        spacing_x_mm=None,
        spacing_y_mm=None,
        spacing_source="none",
        geometry="linear",
        colour_flow="no",
        foci=0,
        intramass=0,
        extramass=0,
        intraductal=0,
        masses=0,
        calcification="none",
        calcification_score=0.0,
    )


def install(seconds: float = 0.0) -> None:
    """Replace usmicro.analysis in this process; the stand-in takes `seconds` for each image."""
    module = ModuleType("usmicro.analysis")
    module.analyze = partial(analyze, seconds=seconds)  # type: ignore[attr-defined]
    sys.modules["usmicro.analysis"] = module


def unread(job: Job, on_progress: OnProgress | None = None) -> Result:
    """Return the result of a job without reading or writing anything."""
    return Result(image=job.name, status="ok", summary=_summary(16, 16))


def serve_unread() -> None:
    """Run a worker process that reads nothing."""
    from usmicro.batch import serving

    install()
    serving.run_job = unread  # type: ignore[attr-defined]
    serving.serve()


def main() -> int:
    """Run the command `usmicro` with the stand-in."""
    from usmicro import cli
    from usmicro.batch import workers

    install(SLOW_SECONDS)
    workers.WORKER_PROGRAM = START.replace("SECONDS", str(SLOW_SECONDS))
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
