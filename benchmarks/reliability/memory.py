"""Memory of worker processes for several kinds of scans, up to large images and long cines."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from usmicro.phantom import PhantomSettings, simulate, write_dicom, write_samples

CINE_FRAMES = 150
"""Number of frames of the long cine."""
SIMULATED_FRAMES = 6
"""Number of frames that are simulated; the long cine repeats them."""
LARGE = ((1536, 2048), (3000, 4000), (5000, 6000))
"""Rows and columns of the large stills."""
LARGE_COLOUR = LARGE[1:]
"""Rows and columns of the large colour stills."""


def measure_memory(work: Path) -> dict[str, int | str]:
    """Analyse the samples, large stills and a long colour cine of 768 x 1024 pixels.

    Return the memory of the largest process for each kind of scan.
    """
    groups = {"samples": work / "samples", "long colour cine": work / "cine"}
    if not groups["samples"].exists():
        write_samples(groups["samples"])
    if not groups["long colour cine"].exists():
        _write_cine(groups["long colour cine"])
    for rows, columns in LARGE:
        name = f"still of {rows * columns / 1e6:.0f} megapixels"
        groups[name] = work / name.replace(" ", "-")
        _write_still(groups[name], rows, columns)
    for rows, columns in LARGE_COLOUR:
        name = f"colour still of {rows * columns / 1e6:.0f} megapixels"
        groups[name] = work / name.replace(" ", "-")
        _write_colour_still(groups[name], rows, columns)
    figures: dict[str, int | str] = {}
    for name, folder in groups.items():
        out = work / "results"
        command = [sys.executable, "-m", "usmicro", "run", str(folder), "--out", str(out)]
        command += ["--overwrite", "--quiet", "--workers", "2"]
        status = subprocess.run(command).returncode
        record = json.loads((out / "run.json").read_text())
        figures[f"largest process, MB: {name}"] = record["memory_mb"]
        if status:
            figures[f"exit status: {name}"] = status
    return figures


def _write_still(folder: Path, rows: int, columns: int) -> None:
    """Write an enlarged simulated image as PNG and JPEG."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = simulate(2, PhantomSettings()).frames[0]
    large = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_CUBIC)
    for suffix in ("png", "jpg"):
        cv2.imwrite(str(folder / f"still.{suffix}"), large)


def _write_colour_still(folder: Path, rows: int, columns: int) -> None:
    """Write an enlarged simulated colour frame as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = PhantomSettings(colour=True, screen=True, frames=1, twinkling=0.5)
    picture = simulate(5, settings).frames[0]
    large = cv2.resize(picture[..., ::-1], (columns, rows), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / "still.png"), large)


def _write_cine(folder: Path) -> None:
    """Write a cine that repeats a few simulated frames."""
    folder.mkdir(parents=True, exist_ok=True)
    phantom = simulate(
        5,
        PhantomSettings(
            width=70.0,
            depth=60.0,
            spacing=0.085,
            colour=True,
            screen=True,
            header=True,
            frames=SIMULATED_FRAMES,
            twinkling=0.5,
        ),
    )
    long = replace(
        phantom, frames=np.concatenate([phantom.frames] * (CINE_FRAMES // SIMULATED_FRAMES))
    )
    write_dicom(long, folder / "cine.dcm", compression="jpeg")
