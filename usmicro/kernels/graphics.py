"""Burned-in graphics: small drawings matched where one is possible, solids between two sharp edges, masks on a coarser grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool2D, Float2D, jit

Int2D = NDArray[np.int32]
LANES = 8
"""Columns whose products are summed side by side."""


@jit
def match_template(
    image: Float2D,
    possible: Bool2D,
    template: Float2D,
    correlation: float,
    strength: float,
    out: Int2D,
) -> int:
    """Write to `out`, shape (n, 2), the first n top left corners (row, column) at which a template of zero mean matches; give their number.

    A match has a normalised cross-correlation of at least `correlation` and a sum of products of at least `strength`. Only
    corners whose template centre lies on a pixel of `possible` are tried.
    """
    height, width = template.shape
    lanes = -(-width // LANES) * LANES
    padded = np.zeros((height, lanes), np.float32)
    padded[:, :width] = template
    energy = np.float32(0)
    for i in range(height):
        for j in range(width):
            energy += template[i, j] * template[i, j]
    partial = np.empty(lanes, np.float32)
    count = 0
    for r in range(image.shape[0] - height + 1):
        for c in range(image.shape[1] - width + 1):
            if not possible[r + height // 2, c + width // 2]:
                continue
            product = np.float32(0)
            if c + lanes <= image.shape[1]:
                partial[:] = 0
                for i in range(height):
                    row, weights = image[r + i, c : c + lanes], padded[i]
                    for j in range(
                        lanes
                    ):  # sums side by side, which a single one would have to wait for
                        partial[j] += row[j] * weights[j]
                for j in range(lanes):
                    product += partial[j]
            else:
                for i in range(height):
                    for j in range(width):
                        product += image[r + i, c + j] * template[i, j]
            if product < strength:  # most stop here
                continue
            total = np.float32(0)
            total_squared = np.float32(0)
            for i in range(height):
                for j in range(width):
                    value = image[r + i, c + j]
                    total += value
                    total_squared += value * value
            power = total_squared - total * total / np.float32(height * width)
            if (
                product * product >= correlation * correlation * power * energy
                and count < out.shape[0]
            ):
                out[count, 0] = r
                out[count, 1] = c
                count += 1
    return count


@jit
def fill_between_edges(
    rise: NDArray[np.uint8],
    fall: NDArray[np.uint8],
    level: float,
    widest: int,
    out: NDArray[np.uint8],
) -> None:
    """Write 1 where a pixel lies from a rising edge to the next falling one to its right, at most `widest` columns away; else 0.

    `rise` and `fall` are the strengths of the edges, which count from `level` on.
    """
    rows, columns = rise.shape
    for r in range(rows):
        steepest = np.uint8(0)  # most rows have no such edge
        for c in range(columns):
            steepest = max(steepest, fall[r, c])
        if steepest < level:
            out[r] = 0
            continue
        last_rise = -4 * widest
        begin = 0  # first column behind the last falling edge
        for c in range(columns):
            out[r, c] = 0
            if rise[r, c] >= level:
                last_rise = c
            if fall[r, c] >= level:
                if c - last_rise <= widest:
                    first = max(begin, c - widest)
                    while first < c and rise[r, first] < level:
                        first += 1
                    for inside in range(first, c + 1):
                        out[r, inside] = 1
                begin = c + 1


@jit
def mark_touched_pixels(mask: Bool2D, rows: Int2D, columns: Int2D, out: Bool2D) -> None:
    """Mark the pixels of another grid that the pixels of a mask reach into: from `rows[0]` up to before `rows[1]`, likewise columns."""
    for r in range(mask.shape[0]):
        for c in range(mask.shape[1]):
            if mask[r, c]:
                for down in range(rows[0, r], rows[1, r]):
                    for over in range(columns[0, c], columns[1, c]):
                        out[down, over] = True


@jit
def take_pixels(
    image: NDArray[np.uint8],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    out: NDArray[np.uint8],
) -> None:
    """Copy from (rows, columns, channels) the pixels that lie in some rows and columns; `out` has shape (n, m, channels)."""
    channels = image.shape[2]
    for r in range(rows.size):
        source, target = image[rows[r]], out[r]
        if channels == 3:  # a loop of known length is unrolled
            for c in range(columns.size):
                for k in range(3):
                    target[c, k] = source[columns[c], k]
        else:
            for k in range(channels):
                for c in range(columns.size):
                    target[c, k] = source[columns[c], k]
