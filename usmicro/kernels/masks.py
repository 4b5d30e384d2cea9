"""Masks: on coarser grids, and pixels taken evenly from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool1D, Bool2D, jit


@jit
def majority_covered(mask: Bool2D, out: Bool2D) -> None:
    """Whether more than half of each pixel of a coarser grid that spans the same area, in `out`, is covered by a mask.

    Shares are added up in the order and precision of OpenCV's `INTER_AREA`, whose comparison with a half this gives; most rows of a mask
    are as the one above, which is what makes it faster.
    """
    rows, columns = mask.shape
    row_from, row_count, row_share = _overlaps(rows, out.shape[0])
    column_from, column_count, column_share = _overlaps(columns, out.shape[1])
    covered, total = np.zeros(out.shape[1], np.float32), np.zeros(out.shape[1], np.float32)
    added = -1
    for r in range(out.shape[0]):
        total[:] = 0
        for j in range(row_count[r]):
            source = mask[row_from[r] + j]
            if added < 0 or _differ(source, mask[added]):
                for c in range(out.shape[1]):
                    share = np.float32(0)
                    for k in range(column_count[c]):
                        share += column_share[c, k] * np.float32(source[column_from[c] + k])
                    covered[c] = share
            added = row_from[r] + j
            total += row_share[r, j] * covered
        out[r] = total > np.float32(0.5)


@jit
def _differ(first: Bool1D, second: Bool1D) -> bool:
    differences = 0
    for i in range(first.size):  # to the end, so that LLVM vectorises it
        differences += first[i] != second[i]
    return differences > 0


@jit
def _overlaps(
    fine: int, coarse: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The first and the number of the fine pixels of one axis that lie in each coarse one, and the share of it that each covers."""
    scale = fine / coarse
    start, count = np.empty(coarse, np.int64), np.zeros(coarse, np.int64)
    shares = np.empty((coarse, int(scale) + 3), np.float32)
    for c in range(coarse):
        left = c * scale
        width = min(scale, fine - left)
        first, last = int(np.ceil(left)), min(int(np.floor(left + scale)), fine - 1)
        first = min(first, last)
        start[c] = first
        if (
            first - left > 1e-3
        ):  # as OpenCV, which leaves out overlaps below a thousandth of a pixel
            start[c] = first - 1
            shares[c, 0] = (first - left) / width
            count[c] = 1
        for _ in range(first, last):
            shares[c, count[c]] = 1 / width
            count[c] += 1
        if left + scale - last > 1e-3:
            shares[c, count[c]] = min(min(left + scale - last, 1.0), width) / width
            count[c] += 1
    return start, count, shares


@jit
def every_nth_pixel(mask: Bool2D, step: int, place: NDArray[np.int32]) -> None:
    """Row and column of the first and then every `step`-th pixel inside a mask, row by row, as many as `place` has rows."""
    rows, columns = mask.shape
    count, ahead = 0, 0
    for r in range(rows):
        for c in range(columns):
            if mask[r, c]:
                if ahead == 0:
                    if count == len(place):
                        return
                    place[count, 0], place[count, 1] = r, c
                    count += 1
                    ahead = step
                ahead -= 1
