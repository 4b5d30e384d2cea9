"""An analysis that finds nothing, at once: for measuring how runs list and schedule inputs, and nothing else."""

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

START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from benchmarks.reliability.stand_in import install; install(SECONDS); "
    "from usmicro.batch.serving import serve; serve()"
)
"""Starts a worker process that computes with it, once SECONDS is replaced."""
START_UNREAD = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from benchmarks.reliability.stand_in import serve_unread; serve_unread()"
"""Starts one that does not even read."""

SLOW = 0.005
"""Seconds that it takes where it is to be caught in the middle."""


@dataclass
class Nothing:
    """Has what a run needs of an Analysis."""

    image: ByteImage
    labels: ByteImage
    summary: Summary
    foci: Table[Focus] = field(default_factory=Table)
    masses: Table[Mass] = field(default_factory=Table)
    frame: int = 0
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    def overlay(self) -> ByteImage:
        """The image, as RGB."""
        return np.repeat(self.labels[..., None], 3, axis=2)


def analyze(scan: Scan, seconds: float = 0.0, **options: Any) -> Nothing:
    """Read the first frame and find nothing."""
    image = next(scan.frames())
    time.sleep(seconds)
    return Nothing(image, np.zeros(image.shape[:2], np.uint8), _summary(scan.rows, scan.columns))


def _summary(rows: int, columns: int) -> Summary:
    unknown = {
        "spacing_x_mm": None,
        "spacing_y_mm": None,
        "spacing_source": "none",
        "geometry": "linear",
        "colour_flow": "no",
    }
    none: dict[str, Any] = dict.fromkeys(
        ("foci", "intramass", "extramass", "intraductal", "masses"), 0
    )
    return Summary(
        frames=1,
        rows=rows,
        columns=columns,
        calcification="none",
        calcification_score=0.0,
        **unknown,
        **none,
    )  # type: ignore[arg-type]


def install(seconds: float = 0.0) -> None:
    """Put it in the place of usmicro.analysis in this process; it takes so long for an image."""
    module = ModuleType("usmicro.analysis")
    module.analyze = partial(analyze, seconds=seconds)  # type: ignore[attr-defined]
    sys.modules["usmicro.analysis"] = module


def unread(job: Job, on_progress: OnProgress | None = None) -> Result:
    """A result of a job without reading or writing anything."""
    return Result(image=job.name, status="ok", summary=_summary(16, 16))


def serve_unread() -> None:
    """What a worker process runs that reads nothing."""
    from usmicro.batch import serving

    install()
    serving.run_job = unread  # type: ignore[attr-defined]
    serving.serve()


def main() -> int:
    """`usmicro` with this analysis."""
    from usmicro import cli
    from usmicro.batch import workers

    install(SLOW)
    workers.WORKER_PROGRAM = START.replace("SECONDS", str(SLOW))
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
