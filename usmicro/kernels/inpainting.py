"""Filling of hidden pixels: the nearest visible pixel, and the mean around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool2D, Float2D, jit

Int2D = NDArray[np.int32]
OUT_OF_REACH = 1 << 14
"""Distance in rows and columns of a pixel that is not known yet. Larger than the side of a working
grid, so that every visible pixel is nearer."""


@jit
def nearest_visible_pixels(hidden: Bool2D, row: Int2D, column: Int2D) -> None:
    """Find the visible pixel nearest to each pixel of an image.

    Neighbours pass on their nearest visible pixel in two sweeps, from the top and from the bottom,
    which takes the same time for every pixel. Where several visible pixels are about equally near,
    the result may be a fraction of a pixel farther than the nearest.

    Parameters
    ----------
    hidden : array, shape (rows, columns), bool
        At least one pixel must be False.
    row, column : array, shape (rows, columns), int32
        Receive the row and column of the nearest visible pixel; a visible pixel is its own.

    References
    ----------
    Danielsson, Computer Graphics and Image Processing 14 (1980) 227.
    """
    rows, columns = hidden.shape
    for r in range(rows):
        for c in range(columns):
            if hidden[r, c]:
                row[r, c], column[r, c] = -OUT_OF_REACH, -OUT_OF_REACH
            else:
                row[r, c], column[r, c] = r, c
    for sweep in range(2):
        step = 1 - 2 * sweep
        for i in range(rows):
            r = i if sweep == 0 else rows - 1 - i
            for c in range(columns):
                if hidden[r, c]:
                    for over in range(-1, 2):
                        _take_if_nearer(row, column, r, c, r - step, c + over)
                    _take_if_nearer(row, column, r, c, r, c - 1)
            for c in range(columns - 1, -1, -1):
                if hidden[r, c]:
                    _take_if_nearer(row, column, r, c, r, c + 1)


@jit
def _take_if_nearer(row: Int2D, column: Int2D, r: int, c: int, other_r: int, other_c: int) -> None:
    """Take over the nearest visible pixel of a neighbour if it is nearer than the one known so far.

    Nothing happens if the neighbour (other_r, other_c) of pixel (r, c) is outside the image.
    """
    if other_r < 0 or other_c < 0 or other_r >= row.shape[0] or other_c >= row.shape[1]:
        return
    to_r, to_c = row[other_r, other_c], column[other_r, other_c]
    squared_distance = (r - row[r, c]) ** 2 + (c - column[r, c]) ** 2
    if (r - to_r) ** 2 + (c - to_c) ** 2 < squared_distance:
        row[r, c], column[r, c] = to_r, to_c


@jit
def fill_hidden_pixels(image: Float2D, hidden: Bool2D, row: Int2D, column: Int2D) -> None:
    """Set each hidden pixel to the mean of the visible ones in a window of 3 x 3 pixels.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
        Changed in place.
    hidden : array, shape (rows, columns), bool
    row, column : array, shape (rows, columns), int32
        Centre of the window of each pixel, from `nearest_visible_pixels`.
    """
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
