"""Memory of one process over colour cines of up to 10,000 frames."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from usmicro.phantom import PhantomSettings, simulate

FRAMES = (1000, 3000, 10_000)
"""Numbers of frames of the cines."""
SIMULATED_FRAMES = 24
"""Number of frames that are simulated; a cine repeats them back and forth."""
SCENE_FRAMES = 480
"""Number of frames after which the picture is mirrored: other foci appear, and tracks end."""
SPACING_MM = 0.1
"""Pixel spacing of the cines."""
SETTINGS = PhantomSettings(
    width=15.0,
    depth=18.0,
    spacing=SPACING_MM,
    colour=True,
    vessels=1,
    twinkling=0.6,
    coarse=0.3,
    frames=SIMULATED_FRAMES,
)
"""A small colour box with a vessel and a focus that twinkles: 180 x 212 pixels."""


def measure_long_cines(work: Path, frames: Sequence[int] = FRAMES) -> dict[str, int | str]:
    """Analyse a cine of each length; return the peak memory of the process and the rows of tracks.

    Parameters
    ----------
    work : Path
        Folder for the files.
    frames : sequence of int
        Numbers of frames.
    """
    figures: dict[str, int | str] = {}
    for count in frames:
        file = work / f"cine-{count}.avi"
        if not file.exists():
            write_long_cine(file, count)
        out = work / f"results-{count}"
        command = [sys.executable, "-m", "usmicro", "run", str(file), "--out", str(out)]
        command += ["--overwrite", "--workers", "1", "--spacing", str(SPACING_MM)]
        status = subprocess.run(command).returncode
        name = f"cine of {count:,} frames"
        figures[f"memory of the process, MB: {name}"] = json.loads((out / "run.json").read_text())[
            "memory_mb"
        ]
        with open(out / "tracks.csv", "rb") as table:
            figures[f"rows of tracks.csv: {name}"] = sum(1 for _ in table) - 1
        if status:
            figures[f"exit status: {name}"] = status
    return figures


def write_long_cine(file: Path, frames: int) -> None:
    """Write a cine as Motion JPEG that repeats a few simulated frames."""
    simulated = simulate(5, SETTINGS).frames
    there_and_back = [*range(SIMULATED_FRAMES), *reversed(range(SIMULATED_FRAMES))]
    rows, columns = simulated.shape[1:3]
    code = cv2.VideoWriter.fourcc(*"MJPG")
    unfinished = file.with_name(f"unfinished-{file.name}")
    writer = cv2.VideoWriter(str(unfinished), code, 20.0, (columns, rows))
    for number in range(frames):
        frame = simulated[there_and_back[number % len(there_and_back)]]
        mirrored = frame[:, ::-1] if number // SCENE_FRAMES % 2 else frame
        writer.write(np.ascontiguousarray(mirrored[..., ::-1]))
    writer.release()
    unfinished.rename(file)
