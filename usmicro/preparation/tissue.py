"""The scan area: which part of a screen shows echoes, and its slanted sides if it has any."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.arrays import BoolImage, ByteImage, FloatImage

WORKING_SIZE = 400
"""Longest side of the reduced image on which the outline is sought."""
WINDOW = 11
"""Window for the share of textured pixels, in reduced pixels: wider than the spaces in text, narrower than a header line is long."""
LEAST_SLOPE = 0.08
"""Columns a row from which a side counts as slanted: 4.6 degrees."""


@dataclass(frozen=True, slots=True)
class Side:
    """A straight side of the scan area: column = offset + slope * row, in input pixels."""

    offset: float
    slope: float

    def at(self, row: FloatImage) -> FloatImage:
        """Columns of the side at rows."""
        return np.asarray(self.offset + self.slope * row, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class ScanArea:
    """One scan area of the screen, in input pixels."""

    mask: BoolImage
    """Of the whole frame, True where the transducer could have shown an echo, dark or not."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom of the mask; right and bottom are one past the last."""
    sides: tuple[Side, Side] | None = None
    """Left and right side where they are slanted apart: a sector or trapezoid."""


def textured(grey: ByteImage) -> BoolImage:
    """Pixels whose 3 x 3 neighbourhood is not flat: speckle never is, a background is."""
    kernel = np.ones((3, 3), np.uint8)
    spread = cv2.subtract(cv2.dilate(grey, kernel), cv2.erode(grey, kernel))
    return np.asarray(spread > 1)


def find_scan_areas(grey: ByteImage, *, single: bool = False) -> list[ScanArea]:
    """Find the scan areas of a screen, from left to right.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8
    single : bool
        The screen is known to hold one area only.

    Returns
    -------
    list of ScanArea
        Two where a dark gap from top to bottom splits the screen (dual view); empty if nothing looks like tissue.
    """
    rows, columns = grey.shape
    if min(rows, columns) < 3:
        return []
    scale = min(1.0, WORKING_SIZE / max(rows, columns))
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    share = cv2.resize(textured(grey).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    window = max(3, min(WINDOW, min(size) // 4 * 2 + 1))
    dense = cv2.blur(share, (window, window), borderType=cv2.BORDER_REFLECT_101) > 0.55
    dense = cv2.morphologyEx(dense.astype(np.uint8), cv2.MORPH_OPEN, np.ones((window, window), np.uint8), borderType=cv2.BORDER_REPLICATE)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(dense, connectivity=4)
    if count < 2:
        return []
    areas = statistics[1:, cv2.CC_STAT_AREA]
    main = 1 + int(np.argmax(areas))
    return [_area_of(labels == main, (rows, columns))]


def _area_of(component: BoolImage, shape: tuple[int, int]) -> ScanArea:
    """The scan area whose outline, on the reduced image, is a component's."""
    rows, columns = shape
    points = cv2.findNonZero(component.astype(np.uint8))
    hull = cv2.convexHull(points)
    filled = cv2.fillConvexPoly(np.zeros(component.shape, np.uint8), hull, 1)
    mask = cv2.resize(filled, (columns, rows), interpolation=cv2.INTER_NEAREST).astype(bool)
    return ScanArea(mask, bounding_box(mask), None)


def bounding_box(mask: BoolImage) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the True pixels, right and bottom one past the last."""
    across: NDArray[np.intp] = np.flatnonzero(mask.any(axis=0))
    down: NDArray[np.intp] = np.flatnonzero(mask.any(axis=1))
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1
