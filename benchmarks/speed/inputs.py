"""The images that are timed: one simulated scan of 768 x 1024 pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from usmicro.model.arrays import ByteImage, FloatImage
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.simulation import simulate

SHAPE = (768, 1024)
SEED = 7
SPACING = 0.05
DYNAMIC_RANGE_DB = 60.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """One scan in the forms that filters want."""

    bytes: ByteImage
    """Grey levels."""
    grey: FloatImage
    amplitude: FloatImage
    """Log compression undone, largest 1."""


def make_inputs(shape: tuple[int, int] = SHAPE) -> Inputs:
    """Simulate the scan and bring it to a size."""
    frame = simulate(SEED, PhantomSettings(width=51.2, depth=38.4, spacing=SPACING)).frames[0]
    grey = frame if frame.ndim == 2 else frame[..., 1]
    levels = np.asarray(
        cv2.resize(grey, shape[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.uint8
    )
    amplitude = np.power(
        10, (levels.astype(np.float32) - 255) * (DYNAMIC_RANGE_DB / 20 / 255), dtype=np.float32
    )
    return Inputs(levels, levels.astype(np.float32), amplitude)
