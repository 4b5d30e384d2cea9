"""Inputs that two revisions of the project are timed on. They are written once, for both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.cines import SEED, SETTINGS
from benchmarks.speed.inputs import SPACING_MM, make_inputs
from usmicro.phantom import simulate
from usmicro.phantom.files import write_dicom

FOLDER_IMAGES = 6
"""Number of images of the folder, 768 x 1024 pixels."""
CINE_FRAMES = 12
"""Number of frames of the colour cine, 785 x 1019 pixels."""
SWEEP_FRAMES, SWEEP_SIDE, SWEEP_SPACING_MM = 30, 320, 0.1
"""Number, height and width, and pixel size of the frames of the sweep."""
SHIFT = 3
"""Shift between two images of the folder, and between two frames of the sweep, pixels."""
SMALL_SIZE = (320, 240)
"""Columns and rows of the small image of a short run."""

UNITS = {
    "image of a folder": FOLDER_IMAGES,
    "frame of a colour cine": CINE_FRAMES,
    "frame of a sweep": SWEEP_FRAMES,
}
"""Number of images or frames by which a time is divided, by measurement; 1 for the others."""


def write_inputs(folder: Path) -> None:
    """Write the inputs of all measurements into a new folder."""
    inputs = make_inputs()
    images, small = folder / "folder", folder / "small"
    images.mkdir(parents=True)
    small.mkdir()
    for i in range(FOLDER_IMAGES):
        cv2.imwrite(str(images / f"{i:02}.png"), np.roll(inputs.bytes, SHIFT * i, axis=1))
    cv2.imwrite(
        str(small / "scan.png"),
        cv2.resize(inputs.bytes, SMALL_SIZE, interpolation=cv2.INTER_AREA),
    )
    np.save(folder / "amplitude.npy", inputs.amplitude)
    coarse = cv2.resize(
        inputs.bytes, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA
    )  # 0.1 mm, as SWEEP_SPACING_MM
    starts = [SHIFT * i for i in range(SWEEP_FRAMES)]
    sweep = [coarse[:SWEEP_SIDE, start : start + SWEEP_SIDE] for start in starts]
    np.save(folder / "sweep.npy", np.stack(sweep))
    cine = simulate(SEED, replace(SETTINGS, frames=CINE_FRAMES))
    write_dicom(cine, folder / "cine.dcm")
    spacing = {"folder": SPACING_MM, "sweep": SWEEP_SPACING_MM}
    (folder / "spacing.json").write_text(json.dumps(spacing))
