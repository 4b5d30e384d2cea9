"""Burned-in graphics: templates, pixels between two edges, masks and images on the grid."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool2D, Float2D, jit

Int2D = NDArray[np.int32]
CENTRES = 32
"""Number of neighbouring places of a template that are tried at once."""
MARGIN = 64
"""Number of columns beside an image that are read while a template of up to 32 columns is tried at
so many places."""
BLOCK = 64
"""Number of columns that are tested at once."""


@jit
def match_template(
    image: Float2D,
    possible: Bool2D,
    template: Float2D,
    correlation: float,
    strength: float,
    out: Int2D,
) -> int:
    """Find where a template matches an image.

    The sums of products of neighbouring places are computed first and reject most of them; the
    variance of the image, which the normalised correlation needs, is computed for the rest only.
    Places are computed side by side, and four columns of the template at once, so that LLVM
    vectorises the sums and seldom has to store them.

    Parameters
    ----------
    image : array, shape (rows, columns + MARGIN), float32
        The values in the margin on the right do not matter, but must be finite.
    possible : array, shape (rows, columns), bool
        Pixels on which the centre of the template may lie.
    template : array, shape (height, width), float32
        Its mean is 0.
    correlation : float
        Smallest normalised cross-correlation of a match.
    strength : float
        Smallest sum of products of a match, squared unit of the image.
    out : array, shape (n, 2), int32
        Receives the row and column of the top left corner of the first n matches.

    Returns
    -------
    int
        Number of matches written to `out`.
    """
    height, width = template.shape
    padded = np.zeros((height, -(-width // 4) * 4), np.float32)
    energy = np.float32(0)
    for i in range(height):
        for j in range(width):
            padded[i, j] = template[i, j]
            energy += template[i, j] * template[i, j]
    columns = possible.shape[1] - width + 1
    products = np.empty(CENTRES, np.float32)
    count = 0
    for r in range(image.shape[0] - height + 1):
        tried = possible[r + height // 2, width // 2 :]
        for begin in range(0, columns, CENTRES):
            places = min(CENTRES, columns - begin)
            none = True
            for k in range(places):  # without an early exit, so that LLVM vectorises the loop
                none &= not tried[begin + k]
            if none:
                continue
            for k in range(CENTRES):
                products[k] = 0
            for i in range(height):
                for j in range(0, padded.shape[1], 4):
                    a, b, c, d = padded[i, j], padded[i, j + 1], padded[i, j + 2], padded[i, j + 3]
                    row = image[r + i, begin + j : begin + j + CENTRES + 3]
                    for k in range(CENTRES):
                        products[k] += (row[k] * a + row[k + 1] * b) + (
                            row[k + 2] * c + row[k + 3] * d
                        )
            for k in range(places):
                product = products[k]
                if product < strength or not tried[begin + k]:
                    continue
                total = np.float32(0)
                total_squared = np.float32(0)
                for i in range(height):
                    for j in range(width):
                        value = image[r + i, begin + k + j]
                        total += value
                        total_squared += value * value
                power = total_squared - total * total / np.float32(height * width)
                matches = product * product >= correlation * correlation * power * energy
                if matches and count < out.shape[0]:
                    out[count, 0] = r
                    out[count, 1] = begin + k
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
    """Mark the pixels from a rising edge to the next falling edge to its right.

    Parameters
    ----------
    rise, fall : array, shape (rows, columns), uint8
        Strength of rising and falling edges, grey levels.
    level : float
        Smallest strength of an edge, grey levels.
    widest : int
        Largest number of columns between the two edges.
    out : array, shape (rows, columns), uint8
        Receives 1 in marked pixels, else 0.
    """
    rows, columns = rise.shape
    for r in range(rows):
        steepest = np.uint8(0)  # most rows have no strong edge and are finished here
        for c in range(columns):
            steepest = max(steepest, fall[r, c])
        if steepest < level:
            out[r] = 0
            continue
        last_rise = -4 * widest  # too far away to count: no rising edge so far
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
    """Mark the pixels of another grid that overlap any pixel of a mask.

    Parameters
    ----------
    mask : array, shape (rows, columns), bool
    rows : array, shape (2, rows), int32
        First row of the other grid that each row of the mask overlaps, and the row after the last.
    columns : array, shape (2, columns), int32
        The same for columns.
    out : array, shape (other rows, other columns), bool
        Marked pixels become True; the others stay as they are.
    """
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
    """Copy the pixels at the given rows and columns: `out = image[rows][:, columns]`.

    Parameters
    ----------
    image : array, shape (rows, columns, channels), uint8
    rows : array, shape (n,), int
    columns : array, shape (m,), int
    out : array, shape (n, m, channels), uint8
    """
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


@jit
def sharp_steps(
    grey: NDArray[np.uint8],
    inside: NDArray[np.uint8],
    least: int,
    fraction: float,
    height: float,
    reach: int,
    out: Int2D,
) -> int:
    """List the steps between lateral neighbours that make up most of the contrast around them.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8
    inside : array, shape (rows, columns), uint8
        Not 0 where steps are searched for.
    least : int
        Smallest step, grey levels.
    fraction : float
        Smallest step as a fraction of the range of the grey levels in the window around it.
    height : float
        Smallest height of the brighter pixel above the darkest one in the window, as a fraction of
        the same range: the sides of a dark spot are not high.
    reach : int
        The window has this number of rows and columns on each side of the left neighbour.
    out : array, shape (n, 4), int32
        Receives row, column of the left neighbour, step (negative where the grey level falls to the
        right) and range of the first n steps, in the order of the rows.

    Returns
    -------
    int
        Number of steps written to `out`.
    """
    rows, columns = grey.shape
    count = 0
    for r in range(rows):
        for begin in range(0, columns - 1, BLOCK):
            end = min(begin + BLOCK, columns - 1)
            steepest = np.uint8(0)  # most blocks of a scan have no such step and are finished here
            for c in range(begin, end):
                left, right = grey[r, c], grey[r, c + 1]
                steepest = max(steepest, max(left, right) - min(left, right))
            if steepest < least:
                continue
            for c in range(begin, end):
                left, right = np.int32(grey[r, c]), np.int32(grey[r, c + 1])
                if abs(right - left) < least or inside[r, c] == 0 or count == out.shape[0]:
                    continue
                # an echo has a larger range already in this row or the next, so that few are left
                largest = np.int32(math.floor(abs(right - left) / fraction))
                contrast = abs(right - left)
                lowest, highest = min(left, right), max(left, right)
                first, last = max(c - reach, 0), min(c + reach + 1, columns)
                for away in range(reach + 1):
                    for i in (r - away, r + away):
                        if i < 0 or i >= rows:
                            continue
                        for j in range(first, last):
                            value = np.int32(grey[i, j])
                            lowest = min(lowest, value)
                            highest = max(highest, value)
                    contrast = highest - lowest
                    if contrast > largest:
                        break
                if contrast <= largest and max(left, right) - lowest >= height * contrast:
                    out[count, 0] = r
                    out[count, 1] = c
                    out[count, 2] = right - left
                    out[count, 3] = contrast
                    count += 1
    return count


@jit
def group_points(points: Int2D, rows: int, columns: int, out: NDArray[np.int32]) -> int:
    """Group points that are connected by short distances.

    Parameters
    ----------
    points : array, shape (n, at least 2), int32
        Row and column of each point, in the order of the rows.
    rows, columns : int
        Largest distance of two points that are connected, along each axis.
    out : array, shape (n,), int32
        Receives the number of the group of each point, from 0, in the order of their first points.

    Returns
    -------
    int
        Number of groups.
    """
    for n in range(points.shape[0]):
        out[n] = n
        other = n - 1
        while other >= 0 and points[n, 0] - points[other, 0] <= rows:
            if abs(points[n, 1] - points[other, 1]) <= columns:
                first, second = n, other
                while out[first] != first:
                    first = out[first]
                while out[second] != second:
                    second = out[second]
                out[max(first, second)] = min(first, second)
            other -= 1
    count = 0
    for n in range(points.shape[0]):
        if out[n] == n:
            out[n] = count
            count += 1
        else:
            out[n] = out[out[n]]
    return count


@jit
def raise_boxes(
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    values: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """Raise an image to at least a value in each box.

    Parameters
    ----------
    first, last : array, shape (n, 2), int
        First and last row and column of each box, which may reach beyond the image.
    values : array, shape (n,), uint8
    out : array, shape (rows, columns), uint8
        Changed in place.
    """
    rows, columns = out.shape
    for n in range(first.shape[0]):
        for r in range(max(first[n, 0], 0), min(last[n, 0] + 1, rows)):
            for c in range(max(first[n, 1], 0), min(last[n, 1] + 1, columns)):
                out[r, c] = max(out[r, c], values[n])
