"""Geometry of the scan lines: linear, or a sector whose apex is where the slanted sides meet."""

from __future__ import annotations

import numpy as np

from usmicro.model.arrays import BoolImage
from usmicro.model.view import Grid, ScanLines
from usmicro.preparation.scan_outline import Side

FACE_PERCENTILE = 2
"""Percentile of the distance of the upper edge from the apex that gives the transducer face: nearly
the smallest, but robust against single pixels. Chosen by eye; no measurement is recorded."""


def fit_scan_lines(tissue: BoolImage, sides: tuple[Side, Side] | None, grid: Grid) -> ScanLines:
    """Fit the scan lines to a tissue mask.

    Parameters
    ----------
    tissue : array, shape (rows, columns), bool
        Tissue on the grid; not empty.
    sides : pair of Side or None
        Slanted sides of the scan area in input pixels; None for a linear scan.
    grid : Grid
    """
    across = np.flatnonzero(tissue.any(axis=0))
    top = np.flatnonzero(tissue.any(axis=1))[0]
    if sides is None:
        return ScanLines(
            "linear", face=float(top) - 0.5, middle_x=float(across[0] + across[-1]) / 2
        )
    left, right = sides
    row = (right.offset - left.offset) / (left.slope - right.slope)
    apex_x, apex_y = grid.from_image(left.offset + left.slope * row, row)
    first = tissue.argmax(axis=0)[across]
    radius = np.hypot(across - apex_x, first - apex_y)
    face = float(np.percentile(radius, FACE_PERCENTILE)) - 0.5
    return ScanLines(
        "sector", face=face, apex_x=float(apex_x), apex_y=float(apex_y), middle_x=float(apex_x)
    )
