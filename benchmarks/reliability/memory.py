"""Memory of worker processes for several kinds of scans, up to large images and long cines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from usmicro.phantom import PhantomSettings, simulate, write_dicom, write_samples

CINE_FRAMES = 150
"""Number of frames of the long cine."""
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
    found: dict[str, int | str] = {}
    for name, folder in groups.items():
        out = work / "results"
        command = [
            sys.executable,
            "-m",
            "usmicro",
            "run",
            str(folder),
            "--out",
            str(out),
            "--overwrite",
            "--quiet",
            "--workers",
            "2",
        ]
        status = subprocess.run(command).returncode
        found[f"largest process, MB: {name}"] = json.loads((out / "run.json").read_text())[
            "memory_mb"
        ]
        if status:
            found[f"exit status: {name}"] = status
    return found


def _write_still(folder: Path, rows: int, columns: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    picture = simulate(2, PhantomSettings()).frames[0]
    for ending in ("png", "jpg"):
        cv2.imwrite(
            str(folder / f"still.{ending}"),
            cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_CUBIC),
        )


def _write_colour_still(folder: Path, rows: int, columns: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    picture = simulate(
        5, PhantomSettings(colour=True, screen=True, frames=1, twinkling=0.5)
    ).frames[0]
    cv2.imwrite(
        str(folder / "still.png"),
        cv2.resize(picture[..., ::-1], (columns, rows), interpolation=cv2.INTER_CUBIC),
    )


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
            frames=6,
            twinkling=0.5,
        ),
    )
    from dataclasses import replace

    long = replace(phantom, frames=np.concatenate([phantom.frames] * (CINE_FRAMES // 6)))
    write_dicom(long, folder / "cine.dcm", compression="jpeg")
