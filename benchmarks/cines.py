"""Speed and memory of long colour cines: `python -m benchmarks.cines`.

It measures frames per second on one core and the peak memory for cines of several lengths, decoding
included, and prints a table. It needs no data and takes some minutes.
"""

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
SIMULATED_FRAMES = 40
"""Number of frames that are simulated; longer cines repeat them back and forth."""
PROGRAM = """\
import json, sys, time
import cv2
cv2.setNumThreads(1)
import usmicro
from usmicro.batch.memory import memory_used
usmicro.analyze(usmicro.load(sys.argv[2]))
cpu_start, wall_start = time.process_time(), time.perf_counter()
analysis = usmicro.analyze(usmicro.load(sys.argv[1]))
cpu, wall = time.process_time() - cpu_start, time.perf_counter() - wall_start
found = {"frames": analysis.summary.frames, "seconds": analysis.seconds}
print(json.dumps({"cpu": cpu, "wall": wall, "peak": memory_used(), **found}))
"""
"""Analyses one cine in a process of its own, after a short one that loads everything."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table."""
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
    phantom = simulate(5, replace(SETTINGS, frames=SIMULATED_FRAMES))
    rows, columns = phantom.frames.shape[1:3]
    print(f"colour cines of {rows} x {columns} pixels, one thread")
    lines = [
        "| DICOM | frames | frames per second of CPU time | frames per second of wall time | peak memory, MB |",
        "|---|---|---|---|---|",
    ]
    stages: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        warm = write_dicom(replace(phantom, frames=phantom.frames[:3]), Path(folder) / "warm.dcm")
        for compression in options.compression:
            for count in options.frames:
                last = SIMULATED_FRAMES - 1
                order = np.abs((np.arange(count) + last) % (2 * last) - last)
                file = write_dicom(
                    replace(phantom, frames=phantom.frames[order]),
                    Path(folder) / "cine.dcm",
                    compression=compression,
                )
                answer = subprocess.run(
                    [sys.executable, "-c", PROGRAM, str(file), str(warm)],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
                found = json.loads(answer)
                speeds = " | ".join(
                    f"{found['frames'] / found[name]:.1f}" for name in ("cpu", "wall")
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
        "last cine, ms per frame of wall time: "
        + ", ".join(f"{name} {value:.1f}" for name, value in stages.items())
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
