"""Grey levels and texture of an image: Laplacian magnitudes, rounding, histograms, ranks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool1D, Bool2D, Float1D, Float2D, jit


@jit
def laplacian_at(image: Float2D, position: NDArray[np.int32], out: Float1D) -> None:
    """Compute the magnitude of the Laplacian at some pixels.

    The Laplacian is the sum of the second differences along both axes. The image is mirrored about
    its edge pixels.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    position : array, shape (n, 2), int32
        Row and column of each pixel.
    out : array, shape (n,), float32
        Receives the magnitudes, in the unit of the image.
    """
    rows, columns = image.shape
    for i in range(out.size):
        r, c = position[i, 0], position[i, 1]
        above = image[r - 1 if r > 0 else min(1, rows - 1), c]
        below = image[r + 1 if r < rows - 1 else max(rows - 2, 0), c]
        left = image[r, c - 1 if c > 0 else min(1, columns - 1)]
        right = image[r, c + 1 if c < columns - 1 else max(columns - 2, 0)]
        out[i] = _magnitude(above, left, image[r, c], right, below)


@jit
def laplacian_levels(image: Float2D, levels_per_grey: np.float32, out: NDArray[np.uint8]) -> None:
    """Compute the magnitude of the Laplacian at every pixel, rounded to a whole level.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    levels_per_grey : float32
        Levels for a magnitude of one grey level.
    out : array, shape (rows, columns), uint8
        Receives the levels, 0 to 255; larger ones are 255.
    """
    rows, columns = image.shape
    magnitude = np.empty(columns, np.float32)
    first, last = min(1, columns - 1), max(columns - 2, 0)
    for r in range(rows):
        above = image[r - 1 if r > 0 else min(1, rows - 1)]
        below = image[r + 1 if r < rows - 1 else max(rows - 2, 0)]
        row, levels = image[r], out[r]
        # Counted from 0: numba must check an index such as c - 1 for a negative value, which keeps
        # LLVM from vectorising the loop.
        for left in range(columns - 2):
            c = left + 1
            magnitude[c] = _magnitude(above[c], row[left], row[c], row[left + 2], below[c])
        magnitude[0] = _magnitude(above[0], row[first], row[0], row[first], below[0])
        magnitude[columns - 1] = _magnitude(
            above[columns - 1], row[last], row[columns - 1], row[last], below[columns - 1]
        )
        for c in range(columns):
            level = min(magnitude[c] * levels_per_grey + np.float32(0.5), np.float32(255))
            levels[c] = np.int32(level)


@jit
def _magnitude(
    above: np.float32, left: np.float32, here: np.float32, right: np.float32, below: np.float32
) -> np.float32:
    """Return the magnitude of the Laplacian from a pixel and its four neighbours."""
    total: np.float32 = above + left - np.float32(4) * here + right + below
    return -total if total < np.float32(0) else total


@jit
def round_to_levels(
    grey: Float2D, usable: Bool2D, out: NDArray[np.uint8], histogram: NDArray[np.int64]
) -> None:
    """Round grey levels to whole ones, and count them in the usable pixels.

    Rounding and counting are separate loops, so that LLVM vectorises the first.

    Parameters
    ----------
    grey : array, shape (rows, columns), float32
    usable : array, shape (rows, columns), bool
    out : array, shape (rows, columns), uint8
        Receives the levels, 0 to 255; halves are rounded to even.
    histogram : array, shape (256,), int64
        Receives the number of usable pixels of each level.
    """
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
    saturation: int,
    out: NDArray[np.float64],
) -> None:
    """Compute the fraction of saturated pixels in a square window around each position.

    Parameters
    ----------
    levels : array, shape (rows, columns), uint8
        Grey levels.
    row, column : array, shape (n,), int64
        Centres of the windows.
    reach : array, shape (n,), int64
        Half width of each window, pixels: rows and columns up to this far from the centre belong
        to it. The part outside the image is ignored.
    saturation : int
        Smallest grey level that counts as saturated.
    out : array, shape (n,), float64
        Receives the fractions.
    """
    rows, columns = levels.shape
    for i in range(row.size):
        top, bottom = max(row[i] - reach[i], 0), min(row[i] + reach[i] + 1, rows)
        left, right = max(column[i] - reach[i], 0), min(column[i] + reach[i] + 1, columns)
        count = 0
        for r in range(top, bottom):
            for c in range(left, right):
                count += levels[r, c] >= saturation
        out[i] = count / ((bottom - top) * (right - left))


@jit
def count_whole_levels(grey: Float2D, mask: Bool2D, histogram: NDArray[np.int64]) -> None:
    """Count the whole parts of the grey levels under a mask; they are limited to 0 to 255.

    Parameters
    ----------
    grey : array, shape (rows, columns), float32
    mask : array, shape (rows, columns), bool
    histogram : array, shape (256,), int64
        Receives the numbers.
    """
    values, inside = grey.ravel(), mask.ravel()
    histogram[:] = 0
    for i in range(values.size):
        histogram[_whole_level(values[i])] += inside[i]


@jit
def values_of_whole_levels(grey: Float2D, mask: Bool2D, chosen: Bool1D, out: Float1D) -> None:
    """Take the grey levels under a mask with chosen whole parts, which are limited to 0 to 255.

    Parameters
    ----------
    grey : array, shape (rows, columns), float32
    mask : array, shape (rows, columns), bool
    chosen : array, shape (256,), bool
        Whole parts of which values are taken.
    out : array, shape (n,), float32
        Receives the values in the order of the pixels. Their number must be n.
    """
    values, inside = grey.ravel(), mask.ravel()
    count = 0
    for i in range(values.size):
        if inside[i] and chosen[_whole_level(values[i])]:
            out[count] = values[i]
            count += 1


@jit
def _whole_level(value: np.float32) -> np.int32:
    """Return the whole part of a grey level, limited to 0 to 255."""
    return np.int32(min(max(value, np.float32(0)), np.float32(255)))
