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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.phantom import PhantomSettings, simulate
from usmicro.phantom.files import write_dicom

SEED = 5
"""Seed of the simulated cine."""

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
"""Colour Doppler with vessels and a twinkling focus, on a screen with graphics."""

SIMULATED_FRAMES = 40
"""Number of frames that are simulated; longer cines repeat them back and forth."""

FIRST_FRAMES = 3
"""Number of frames of the cine that is analysed before, so that everything is compiled."""

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
result = {"frames": analysis.summary.frames, "seconds": analysis.seconds}
print(json.dumps({"cpu": cpu, "wall": wall, "peak": memory_used(), **result}))
"""
"""Program that analyses one cine, after a short one, and prints what it measured as JSON."""


COLUMNS = (
    "DICOM",
    "frames",
    "frames per second of processor time",
    "frames per second of wall-clock time",
    "peak memory, MB",
)
"""Columns of the table."""


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
    phantom = simulate(SEED, replace(SETTINGS, frames=SIMULATED_FRAMES))
    rows, columns = phantom.frames.shape[1:3]
    print(f"colour cines of {rows} x {columns} pixels, one thread")
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        first = replace(phantom, frames=phantom.frames[:FIRST_FRAMES])
        first_file = write_dicom(first, Path(folder) / "first.dcm")
        for compression in options.compression:
            for count in options.frames:
                cine = replace(phantom, frames=phantom.frames[frame_order(count)])
                file = write_dicom(cine, Path(folder) / "cine.dcm", compression=compression)
                measured = measure_cine(file, first_file)
                cpu, wall = (measured["frames"] / measured[name] for name in ("cpu", "wall"))
                cells = (compression, measured["frames"], f"{cpu:.1f}", f"{wall:.1f}")
                lines.append(f"| {' | '.join(map(str, cells))} | {measured['peak']:.0f} |")
    print("\n".join(lines))
    stages = ", ".join(
        f"{name} {1000 * seconds / measured['frames']:.1f}"
        for name, seconds in measured["seconds"].items()
    )
    print(f"last cine, ms per frame of wall-clock time: {stages}")
    return 0


def frame_order(count: int) -> NDArray[np.intp]:
    """Return the simulated frame that each frame of a cine repeats, back and forth."""
    last = SIMULATED_FRAMES - 1
    return np.asarray(np.abs((np.arange(count) + last) % (2 * last) - last))


def measure_cine(file: Path, first_file: Path) -> dict[str, Any]:
    """Analyse a cine in a process of its own, after a short one, and return what it measured."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(file), str(first_file)],
        capture_output=True,
        text=True,
        check=True,
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


if __name__ == "__main__":
    raise SystemExit(main())
