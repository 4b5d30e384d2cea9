"""Program that times one revision of the project; `benchmarks.speed.revisions` starts it.

It uses only what revisions from 0.1.0 on have in common: the public functions. Each line of
standard input names a measurement; the answer is one line of JSON on standard output. The folder of
the inputs is the argument.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

LEAST_SECONDS = 0.1
"""Least processor time of an answer; a faster function is called several times."""

DIFFUSION_STEPS = 50
"""Number of steps of the diffusion filters, as in the rows beside other libraries."""

Stages = dict[str, float]
"""Seconds by stage."""
Measurement = Callable[[], Stages]
"""Function that is timed; it returns the seconds of its stages, which may be none."""


def measurements(inputs: Path) -> dict[str, Measurement]:
    """Return the functions that are timed, by the names of `benchmarks.speed.revisions`."""
    import cv2
    import numpy as np

    import usmicro
    from usmicro import speckle

    spacing = json.loads((inputs / "spacing.json").read_text())
    first = min((inputs / "folder").iterdir())
    levels = np.asarray(cv2.imread(str(first), cv2.IMREAD_GRAYSCALE))
    grey = levels.astype(np.float32)
    amplitude = np.load(inputs / "amplitude.npy")
    sweep = np.load(inputs / "sweep.npy")

    def image() -> Stages:
        scan = usmicro.Scan.of_array(levels, spacing=spacing["folder"])
        return usmicro.analyze(scan).seconds

    def folder() -> Stages:
        stages: Stages = {}
        with tempfile.TemporaryDirectory() as out:
            run = usmicro.run(
                inputs / "folder", out=f"{out}/results", spacing=spacing["folder"], workers=1
            )
            for result in run:
                if result.status != "ok":
                    raise RuntimeError(f"{result.image}: {result.error}")
                for stage, seconds in result.seconds.items():
                    stages[stage] = stages.get(stage, 0.0) + seconds
        return stages

    def cine() -> Stages:
        return usmicro.analyze(usmicro.load(inputs / "cine.dcm")).seconds

    def moving() -> Stages:
        scan = usmicro.Scan.of_array(sweep, spacing=spacing["sweep"])
        return usmicro.analyze(scan).seconds

    def without_stages(function: Callable[..., Any], *values: Any, **options: Any) -> Stages:
        function(*values, **options)
        return {}

    return {
        "image of a folder": folder,
        "one image, analysis": image,
        "frame of a colour cine": cine,
        "frame of a sweep": moving,
        "find_foci": partial(without_stages, usmicro.find_foci, levels, spacing=spacing["folder"]),
        "SRAD": partial(without_stages, speckle.srad, amplitude, iterations=DIFFUSION_STEPS),
        "DPAD": partial(without_stages, speckle.dpad, amplitude, iterations=DIFFUSION_STEPS),
        "Lee": partial(without_stages, speckle.lee, amplitude, looks=3.6),
        "Kuan": partial(without_stages, speckle.kuan, amplitude, looks=3.6),
        "Frost": partial(without_stages, speckle.frost, amplitude),
        "NLM": partial(without_stages, speckle.nonlocal_means, grey, strength=20.0),
        "OBNLM": partial(without_stages, speckle.obnlm, grey, strength=1.5),
        "median": partial(without_stages, speckle.median, grey),
    }


def timed(run: Measurement) -> dict[str, Any]:
    """Return processor time, wall-clock time and stages of one call, s."""
    calls, stages = 0, {}
    start, wall_start = time.process_time(), time.perf_counter()
    while not calls or time.process_time() - start < LEAST_SECONDS:
        stages = run()
        calls += 1
    seconds, wall = time.process_time() - start, time.perf_counter() - wall_start
    return {"seconds": seconds / calls, "wall": wall / calls, "stages": stages}


def main() -> None:
    """Answer until standard input ends."""
    import cv2

    import usmicro

    cv2.setNumThreads(1)
    answers, sys.stdout = sys.stdout, sys.stderr  # nothing else may be written among the answers
    functions = measurements(Path(sys.argv[1]))
    print(json.dumps(usmicro.__file__), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(timed(functions[line.strip()])), file=answers, flush=True)


if __name__ == "__main__":
    main()
