"""Masks on coarser grids, evenly chosen pixels of masks, and connected parts of masks."""

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


@jit
def connect_runs(runs: NDArray[np.int32], reach: int, measures: NDArray[np.int32]) -> int:
    """Find which runs of pixels along the rows of a mask are connected, and measure their parts.

    Parameters
    ----------
    runs : array, shape (n, 5), int32
        Row, first column, column after the last and number of marked pixels of each run, row by row
        and from left to right. The last column receives the number of the part of each run.
    reach : int
        1 if pixels are connected that touch at a corner, else 0.
    measures : array, shape (n, 6), int32
        Receives the number of pixels of each part, the number of marked ones, and left, top, right
        and bottom of the box around it (right and bottom are one past the last). The parts are
        numbered from 0 in the order of their first pixels.

    Returns
    -------
    int
        Number of parts written to `measures`.
    """
    above = 0  # first run that the current one may touch
    for run in range(runs.shape[0]):
        row, first, end = runs[run, 0], runs[run, 1], runs[run, 2]
        runs[run, 4] = run
        while runs[above, 0] < row - 1 or (
            runs[above, 0] == row - 1 and runs[above, 2] + reach <= first
        ):
            above += 1
        other = above
        while runs[other, 0] < row and runs[other, 1] < end + reach:
            one, two = other, run
            while runs[one, 4] != one:
                runs[one, 4] = runs[runs[one, 4], 4]  # shortens the way of later runs
                one = runs[one, 4]
            while runs[two, 4] != two:
                runs[two, 4] = runs[runs[two, 4], 4]  # shortens the way of later runs
                two = runs[two, 4]
            runs[max(one, two), 4] = min(one, two)
            other += 1
    parts = 0
    for run in range(runs.shape[0]):
        row, first, end, root = runs[run, 0], runs[run, 1], runs[run, 2], runs[run, 4]
        part = parts
        if root == run:
            parts += 1
            measures[part, 0] = measures[part, 1] = 0
            measures[part, 2], measures[part, 3], measures[part, 4] = first, row, end
        else:
            part = runs[root, 4]  # the first run of a part knows its number by now
        runs[run, 4] = part
        measures[part, 0] += end - first
        measures[part, 1] += runs[run, 3]
        measures[part, 2] = min(measures[part, 2], first)
        measures[part, 4] = max(measures[part, 4], end)
        measures[part, 5] = row + 1
    return parts


@jit
def draw_runs(runs: NDArray[np.int32], chosen: Bool1D, out: Bool2D) -> None:
    """Draw the runs of the chosen parts of a mask.

    Parameters
    ----------
    runs : array, shape (n, 5), int32
        Runs of `connect_runs`.
    chosen : array, shape (parts,), bool
    out : array, shape (rows, columns), bool
        Becomes True in these parts; the rest stays as it is.
    """
    for run in range(runs.shape[0]):
        if chosen[runs[run, 4]]:
            for c in range(runs[run, 1], runs[run, 2]):
                out[runs[run, 0], c] = True
