"""Measure time and memory of `usmicro report` by the number of images of the run."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

import usmicro
from benchmarks.speed.inputs import SPACING_MM, make_inputs

REPORT_COUNTS = (300, 3000)
"""Numbers of images of the runs whose reports are built: the larger one has several pages."""
ANALYSED = 10
"""Number of images that are analysed; their results are repeated."""
PART = np.s_[100:612, 200:840]
"""Part of the simulated scan that an image shows: 512 x 640 pixels."""
SHIFT = 37
"""Shift between two images, pixels, so that each has other findings."""
TABLES = ("images", "masses", "foci", "clusters", "tracks")
"""Tables whose rows are repeated."""

PROGRAM = """\
import sys, time
from pathlib import Path
from usmicro.batch.memory import memory_used
from usmicro.writing.report.page import write_report
start = time.process_time()
write_report(Path(sys.argv[1]))
print(time.process_time() - start, memory_used() or 0.0)
"""
"""Program that builds one report, and prints its processor time, s, and its peak memory, MB."""


def measure_reports() -> dict[int, tuple[float, float]]:
    """Measure the report of runs of REPORT_COUNTS images.

    Returns
    -------
    dict of int to (float, float)
        Processor time for each image, s, and peak memory of the process, MB.
    """
    measured = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _analyse(folder / "scans", folder / "results")
        for count in REPORT_COUNTS:
            repeated = folder / str(count)
            _repeat(folder / "results", repeated, count)
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, str(repeated)],
                capture_output=True,
                text=True,
                check=True,
            )
            seconds, memory = map(float, done.stdout.split())
            measured[count] = seconds / count, memory
            shutil.rmtree(repeated)
    return measured


def _analyse(scans: Path, out: Path) -> None:
    """Write ANALYSED images into a folder, and analyse it."""
    scans.mkdir()
    levels = make_inputs().bytes
    for i in range(ANALYSED):
        cv2.imwrite(str(scans / f"{i}.png"), np.roll(levels, SHIFT * i, axis=1)[PART])
    for result in usmicro.run(scans, out=out, spacing=SPACING_MM, workers=1):
        assert result.status == "ok", result.error


def _repeat(results: Path, out: Path, count: int) -> None:
    """Write the results of `count` images that repeat those of a run; files are linked."""
    out.mkdir()
    shutil.copy(results / "run.json", out)
    for table in TABLES:
        with (results / f"{table}.csv").open(newline="") as source:
            rows = list(csv.reader(source))
        with (out / f"{table}.csv").open("w", newline="") as target:
            csv.writer(target).writerows(_repeated(rows, count))
    for file in results.rglob("*"):
        if file.is_file() and file.parent != results:
            stem, _, ending = file.name.partition(".")
            folder = out / file.parent.relative_to(results)
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(int(stem), count, ANALYSED):
                os.link(file, folder / f"{number}.{ending}")


def _repeated(rows: list[list[str]], count: int) -> Iterator[list[str]]:
    """Yield the head of a table, and its rows under the names of all images."""
    head, *rest = rows
    yield head
    at = head.index("image")
    for number in range(count):
        for row in rest:
            if row[at] == f"{number % ANALYSED}.png":
                yield [*row[:at], f"{number}.png", *row[at + 1 :]]
