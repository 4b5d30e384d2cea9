"""Make the image that is timed: one simulated scan of 768 x 1024 pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from usmicro.model.arrays import ByteImage, FloatImage
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.simulation import simulate

SHAPE = (768, 1024)
"""Rows and columns."""

SEED = 7
"""Seed of the simulated scan."""

WIDTH_MM, DEPTH_MM = 51.2, 38.4
"""Size of the simulated scan."""

SPACING_MM = 0.05
"""Pixel size; WIDTH_MM and DEPTH_MM over SPACING_MM is SHAPE."""

DYNAMIC_RANGE_DB = 60.0
"""Dynamic range of the log compression, which is undone for the amplitude."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """One scan in the forms that filters expect. Each array has shape (rows, columns)."""

    bytes: ByteImage
    """Grey levels, uint8."""
    grey: FloatImage
    """Grey levels, float32, 0 to 255."""
    amplitude: FloatImage
    """Echo amplitude, float32, largest value 1."""


def make_inputs(shape: tuple[int, int] = SHAPE) -> Inputs:
    """Simulate the scan and resize it to `shape` (rows, columns)."""
    settings = PhantomSettings(width=WIDTH_MM, depth=DEPTH_MM, spacing=SPACING_MM)
    frame = simulate(SEED, settings).frames[0]
    grey = frame if frame.ndim == 2 else frame[..., 1]
    levels = np.asarray(
        cv2.resize(grey, shape[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.uint8
    )
    amplitude = np.power(
        10, (levels.astype(np.float32) - 255) * (DYNAMIC_RANGE_DB / 20 / 255), dtype=np.float32
    )
    return Inputs(levels, levels.astype(np.float32), amplitude)
