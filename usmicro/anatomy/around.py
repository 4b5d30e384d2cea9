"""What the networks say around places of a view."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import FloatImage
from usmicro.model.view import View

AROUND_MM = 0.3
"""A probability is averaged over this distance (standard deviation)."""


def around(
    view: View, probability: FloatImage, row: NDArray[np.int_], column: NDArray[np.int_]
) -> NDArray[np.float64]:
    """A probability on the view's grid, averaged over the surroundings of grid pixels."""
    blurred = cv2.GaussianBlur(probability, (0, 0), view.grid.pixels(AROUND_MM))
    return np.asarray(blurred[row, column], dtype=float)
