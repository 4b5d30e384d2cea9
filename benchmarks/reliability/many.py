"""Memory of the main process while it lists and schedules very many small images.

The workers answer at once and neither read nor write, so that the figures are those of the main
process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

FRACTIONS = (0.001, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Fractions of the images after which the memory is read."""


def write_many(folder: Path, count: int) -> None:
    """Write different images of 16 x 16 pixels, 1,000 in each folder."""
    for number in range(count):
        path = folder / f"{number // 1000:04d}" / f"{number:07d}.png"
        if number % 1000 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        image = np.full((16, 16), 90, np.uint8)
        image[0, :4] = np.frombuffer(number.to_bytes(4, "little"), np.uint8)
        path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def run_many(work: Path, count: int) -> dict[str, int | str]:
    """List and schedule images in a process of its own, and return the figures."""
    scans = work / "scans"
    if not scans.exists():
        write_many(scans, count)
    arguments = f"{str(scans)!r}, {str(work / 'results')!r}, {count}"
    program = f"from benchmarks.reliability.many import follow; follow({arguments})"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True
    )
    figures: dict[str, int | str] = json.loads(done.stdout.splitlines()[-1])
    return figures


def follow(scans: str, out: str, count: int) -> None:
    """Analyse the images with the stand-in and print the memory at intervals."""
    import usmicro
    from benchmarks.reliability import stand_in
    from usmicro.batch import workers

    workers.WORKER_PROGRAM = stand_in.START_UNREAD
    figures: dict[str, int | str] = {"images": count, "memory after importing, MB": memory()}
    start = time.monotonic()
    results = usmicro.run(scans, out=out, workers=2, overwrite=True)
    figures["seconds to list them and prepare the jobs"] = f"{time.monotonic() - start:.1f}"
    figures["memory after listing, MB"] = memory()
    reading_points = {max(1, int(count * fraction)): fraction for fraction in FRACTIONS}
    start = time.monotonic()
    for number, _ in enumerate(results, 1):
        if number in reading_points:
            figures[f"memory after {reading_points[number]:.1%} of the images, MB"] = memory()
        if number == count:
            figures["images per second"] = f"{count / (time.monotonic() - start):.0f}"
    figures["memory after the tables and the report, MB"] = memory()
    figures["peak memory, with the report, MB"] = memory("VmHWM")
    with open(Path(out) / "images.csv", encoding="utf-8") as lines:
        figures["rows in images.csv"] = sum(1 for _ in lines) - 1
    print(json.dumps(figures))


def memory(kind: str = "VmRSS") -> int:
    """Return the memory of this process in MB (Linux): VmRSS is that now, VmHWM the peak."""
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(kind))
