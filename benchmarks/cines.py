"""Long colour cines: `python -m benchmarks.cines` measures frames a second on one core and peak memory by length, decoding included."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from usmicro.phantom import PhantomSettings, simulate
from usmicro.phantom.files import write_dicom

SETTINGS = PhantomSettings(
    width=46.0,
    depth=36.0,
    spacing=0.0515,
    screen=True,
    header=True,
    body_mark=True,
    text=True,
    colour=True,
    vessels=2,
    twinkling=0.6,
    coarse=0.5,
)
SIMULATED = 40
"""Frames that are simulated; longer cines repeat them back and forth."""
ONE = """\
import json, sys, time
import cv2
cv2.setNumThreads(1)
import usmicro
from usmicro.batch.memory import memory_used
usmicro.analyze(usmicro.load(sys.argv[2]))
start, wall = time.process_time(), time.perf_counter()
analysis = usmicro.analyze(usmicro.load(sys.argv[1]))
spent, took = time.process_time() - start, time.perf_counter() - wall
print(json.dumps({"spent": spent, "took": took, "peak": memory_used(), "frames": analysis.summary.frames, "seconds": analysis.seconds}))
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cines", description=__doc__)
    parser.add_argument(
        "--frames",
        type=int,
        nargs="+",
        default=[50, 200, 1000],
        metavar="N",
        help="lengths of the cines",
    )
    parser.add_argument(
        "--compression", nargs="+", default=["none", "jpeg"], choices=["none", "jpeg"]
    )
    options = parser.parse_args(arguments)
    phantom = simulate(5, replace(SETTINGS, frames=SIMULATED))
    rows, columns = phantom.frames.shape[1:3]
    print(f"colour cines of {rows} x {columns} pixels, one thread")
    lines = [
        "| DICOM | frames | frames a second of CPU time | by the clock | peak memory, MB |",
        "|---|---|---|---|---|",
    ]
    stages: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        warm = write_dicom(replace(phantom, frames=phantom.frames[:3]), Path(folder) / "warm.dcm")
        for compression in options.compression:
            for count in options.frames:
                order = np.abs(
                    (np.arange(count) + SIMULATED - 1) % (2 * SIMULATED - 2) - (SIMULATED - 1)
                )
                file = write_dicom(
                    replace(phantom, frames=phantom.frames[order]),
                    Path(folder) / "cine.dcm",
                    compression=compression,
                )
                answer = subprocess.run(
                    [sys.executable, "-c", ONE, str(file), str(warm)],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
                found = json.loads(answer)
                speeds = " | ".join(
                    f"{found['frames'] / found[name]:.1f}" for name in ("spent", "took")
                )
                lines.append(
                    f"| {compression} | {found['frames']} | {speeds} | {found['peak']:.0f} |"
                )
                stages = {
                    name: 1000 * seconds / found["frames"]
                    for name, seconds in found["seconds"].items()
                }
    print("\n".join(lines))
    print(
        "last cine, ms a frame by the clock: "
        + ", ".join(f"{name} {value:.1f}" for name, value in stages.items())
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
