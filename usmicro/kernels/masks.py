"""Masks on coarser grids, and evenly chosen pixels of masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool1D, Bool2D, jit

LEAST_OVERLAP = 1e-3
"""Smaller overlaps of a fine and a coarse pixel are ignored, fine pixels. Value of OpenCV's
`INTER_AREA`, whose results `majority_covered` reproduces."""


@jit
def majority_covered(mask: Bool2D, out: Bool2D) -> None:
    """Mark the pixels of a coarser grid of which a mask covers more than half.

    Covered fractions are summed in the order and precision of OpenCV's `INTER_AREA`, so that the
    result equals a comparison of its output with 0.5. Most rows of a mask are equal to the row
    above; their sums are reused, which makes this faster than OpenCV.

    Parameters
    ----------
    mask : array, shape (rows, columns), bool
    out : array, shape (coarse rows, coarse columns), bool
        Receives the result. Both grids span the same area.
    """
    rows, columns = mask.shape
    row_from, row_count, row_share = _overlaps(rows, out.shape[0])
    column_from, column_count, column_share = _overlaps(columns, out.shape[1])
    covered, total = np.zeros(out.shape[1], np.float32), np.zeros(out.shape[1], np.float32)
    summed_row = -1  # the row of the mask that `covered` was computed from
    for r in range(out.shape[0]):
        total[:] = 0
        for j in range(row_count[r]):
            source = mask[row_from[r] + j]
            if summed_row < 0 or _differ(source, mask[summed_row]):
                for c in range(out.shape[1]):
                    share = np.float32(0)
                    for k in range(column_count[c]):
                        share += column_share[c, k] * np.float32(source[column_from[c] + k])
                    covered[c] = share
            summed_row = row_from[r] + j
            for c in range(out.shape[1]):
                total[c] += row_share[r, j] * covered[c]
        for c in range(out.shape[1]):
            out[r, c] = total[c] > np.float32(0.5)


@jit
def _differ(first: Bool1D, second: Bool1D) -> bool:
    """Return True if two rows of a mask differ."""
    differences = 0
    for i in range(first.size):  # without an early exit, so that LLVM vectorises the loop
        differences += first[i] != second[i]
    return differences > 0


@jit
def _overlaps(
    fine: int, coarse: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the fine pixels that overlap each coarse pixel along an axis.

    `fine` and `coarse` are the numbers of pixels of the axis. The results are the index of the
    first fine pixel and the number of fine pixels, both (coarse,), and the fraction of the coarse
    pixel that each of them covers, (coarse, largest number).
    """
    scale = fine / coarse
    start, count = np.empty(coarse, np.int64), np.zeros(coarse, np.int64)
    shares = np.empty((coarse, int(scale) + 3), np.float32)
    for c in range(coarse):
        left = c * scale
        width = min(scale, fine - left)
        first, last = int(np.ceil(left)), min(int(np.floor(left + scale)), fine - 1)
        first = min(first, last)
        start[c] = first
        if first - left > LEAST_OVERLAP:
            start[c] = first - 1
            shares[c, 0] = (first - left) / width
            count[c] = 1
        for _ in range(first, last):
            shares[c, count[c]] = 1 / width
            count[c] += 1
        if left + scale - last > LEAST_OVERLAP:
            shares[c, count[c]] = min(min(left + scale - last, 1.0), width) / width
            count[c] += 1
    return start, count, shares


@jit
def every_nth_pixel(mask: Bool2D, step: int, position: NDArray[np.int32]) -> None:
    """List the first pixel of a mask and then every `step`-th, row by row.

    Parameters
    ----------
    mask : array, shape (rows, columns), bool
    step : int
        1 lists all pixels.
    position : array, shape (n, 2), int32
        Receives row and column of the first n of these pixels.
    """
    rows, columns = mask.shape
    count, pixels_to_skip = 0, 0
    for r in range(rows):
        for c in range(columns):
            if mask[r, c]:
                if pixels_to_skip == 0:
                    if count == len(position):
                        return
                    position[count, 0], position[count, 1] = r, c
                    count += 1
                    pixels_to_skip = step
                pixels_to_skip -= 1
