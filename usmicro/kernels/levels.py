"""Grey levels and texture of an image: magnitudes, whole levels, histograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool2D, Float1D, Float2D, jit


@jit
def laplacian_at(image: Float2D, place: NDArray[np.int32], out: Float1D) -> None:
    """Magnitude of the sum of the second differences along both axes at (row, column); the image is mirrored about its edge pixels."""
    rows, columns = image.shape
    for i in range(out.size):
        r, c = place[i, 0], place[i, 1]
        above, below = (
            image[r - 1 if r > 0 else min(1, rows - 1), c],
            image[r + 1 if r < rows - 1 else max(rows - 2, 0), c],
        )
        left, right = (
            image[r, c - 1 if c > 0 else min(1, columns - 1)],
            image[r, c + 1 if c < columns - 1 else max(columns - 2, 0)],
        )
        out[i] = _magnitude(above, left, image[r, c], right, below)


@jit
def laplacian_levels(image: Float2D, levels_per_grey: np.float32, out: NDArray[np.uint8]) -> None:
    """The same at every pixel as a whole level, 0 to 255; `levels_per_grey` is how many levels a magnitude of one grey level is."""
    rows, columns = image.shape
    magnitude = np.empty(columns, np.float32)
    first, last = min(1, columns - 1), max(columns - 2, 0)
    for r in range(rows):
        above = image[r - 1 if r > 0 else min(1, rows - 1)]
        below = image[r + 1 if r < rows - 1 else max(rows - 2, 0)]
        row, levels = image[r], out[r]
        for left in range(
            columns - 2
        ):  # no negative index: numba would have it count from the end, which is no vector
            c = left + 1
            magnitude[c] = _magnitude(above[c], row[left], row[c], row[left + 2], below[c])
        magnitude[0] = _magnitude(above[0], row[first], row[0], row[first], below[0])
        magnitude[columns - 1] = _magnitude(
            above[columns - 1], row[last], row[columns - 1], row[last], below[columns - 1]
        )
        for c in range(columns):
            levels[c] = np.int32(
                min(magnitude[c] * levels_per_grey + np.float32(0.5), np.float32(255))
            )


@jit
def _magnitude(
    above: np.float32, left: np.float32, here: np.float32, right: np.float32, below: np.float32
) -> np.float32:
    total: np.float32 = above + left - np.float32(4) * here + right + below
    return -total if total < np.float32(0) else total


@jit
def round_to_levels(
    grey: Float2D, usable: Bool2D, out: NDArray[np.uint8], histogram: NDArray[np.int64]
) -> None:
    """Grey levels rounded to whole ones, 0 to 255, halves to the even one; `histogram` (256,) gets how many usable pixels have each."""
    source, mask, target = grey.ravel(), usable.ravel(), out.ravel()
    for i in range(source.size):
        target[i] = np.int32(min(max(np.rint(source[i]), np.float32(0)), np.float32(255)))
    histogram[:] = 0
    for i in range(source.size):
        histogram[target[i]] += mask[i]


@jit
def saturated_fractions(
    levels: NDArray[np.uint8],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    reach: NDArray[np.int64],
    white: int,
    out: NDArray[np.float64],
) -> None:
    """Share of the pixels of level `white` or more in the part of the image up to `reach` rows and columns from each position."""
    rows, columns = levels.shape
    for i in range(row.size):
        top, bottom = max(row[i] - reach[i], 0), min(row[i] + reach[i] + 1, rows)
        left, right = max(column[i] - reach[i], 0), min(column[i] + reach[i] + 1, columns)
        count = 0
        for r in range(top, bottom):
            for c in range(left, right):
                count += levels[r, c] >= white
        out[i] = count / ((bottom - top) * (right - left))


@jit
def values_around_ranks(grey: Float2D, mask: Bool2D, lower: int, upper: int) -> tuple[Float1D, int]:
    """Those values inside a mask, in no order, whose whole part is that of the values of ascending ranks `lower` to `upper`, and how
    many are smaller than all of these. Whole parts below 0 and above 255 count as these.
    """
    values, inside = grey.ravel(), mask.ravel()
    histogram = np.zeros(256, np.int64)
    for i in range(values.size):
        histogram[np.int32(min(max(values[i], np.float32(0)), np.float32(255)))] += inside[i]
    below, first = 0, 0
    while first < 255 and below + histogram[first] <= lower:
        below += histogram[first]
        first += 1
    last, many = first, histogram[first]
    while last < 255 and below + many <= upper:
        last += 1
        many += histogram[last]
    out, count = np.empty(many, np.float32), 0
    for i in range(values.size):
        level = np.int32(min(max(values[i], np.float32(0)), np.float32(255)))
        if inside[i] and level >= first and level <= last:
            out[count] = values[i]
            count += 1
    return out, below
