"""Hidden pixels: the nearest one that is known, and the mean around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool2D, Float2D, jit

Int2D = NDArray[np.int32]
FAR = 1 << 14
"""Rows and columns that no image has."""


@jit
def nearest_visible_pixels(hidden: Bool2D, row: Int2D, column: Int2D) -> None:
    """Row and column of the known pixel nearest to each hidden one, each known one its own, by passing them on from neighbour to neighbour.

    Where several are about as near it may be one that is a fraction of a pixel farther than the nearest (Danielsson, Computer Graphics
    and Image Processing 14 (1980) 227).
    """
    rows, columns = hidden.shape
    for r in range(rows):
        for c in range(columns):
            row[r, c], column[r, c] = (-FAR, -FAR) if hidden[r, c] else (r, c)
    for turn in range(2):
        step = 1 - 2 * turn
        for i in range(rows):
            r = i if turn == 0 else rows - 1 - i
            for c in range(columns):
                if hidden[r, c]:
                    for over in range(-1, 2):
                        _take_nearer(row, column, r, c, r - step, c + over)
                    _take_nearer(row, column, r, c, r, c - 1)
            for c in range(columns - 1, -1, -1):
                if hidden[r, c]:
                    _take_nearer(row, column, r, c, r, c + 1)


@jit
def _take_nearer(row: Int2D, column: Int2D, r: int, c: int, other_r: int, other_c: int) -> None:
    """What a neighbour, if there is one, is nearest to, if that is nearer than what is known."""
    if other_r < 0 or other_c < 0 or other_r >= row.shape[0] or other_c >= row.shape[1]:
        return
    to_r, to_c = row[other_r, other_c], column[other_r, other_c]
    now = (r - row[r, c]) ** 2 + (c - column[r, c]) ** 2
    if (r - to_r) ** 2 + (c - to_c) ** 2 < now:
        row[r, c], column[r, c] = to_r, to_c


@jit
def fill_hidden_pixels(image: Float2D, hidden: Bool2D, row: Int2D, column: Int2D) -> None:
    """Give each hidden pixel the mean of the known ones among the nine around a known pixel, whose row and column are given for it."""
    rows, columns = hidden.shape
    for r in range(rows):
        for c in range(columns):
            if hidden[r, c]:
                total, count = np.float32(0), 0
                for i in range(max(row[r, c] - 1, 0), min(row[r, c] + 2, rows)):
                    for j in range(max(column[r, c] - 1, 0), min(column[r, c] + 2, columns)):
                        if not hidden[i, j]:
                            total += image[i, j]
                            count += 1
                image[r, c] = total / np.float32(count)
