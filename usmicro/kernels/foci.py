"""Detection of blobs: local maxima, suppression of non-maxima, quantiles in rings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool1D, Bool2D, Float1D, Float2D, jit

GREY_LEVELS = 256
"""Number of grey levels of an 8-bit image."""
BIN_TOLERANCE = np.float32(1.001)
"""Factor on a suppression radius where bins are chosen, so that rounding leaves out no bin at its
very end. Any factor clearly above the precision of float32 does; the value changes no result."""


@jit
def blob_maxima(
    image: Float2D, usable: Bool2D, least: np.float32, position: Float2D, strength: Float1D
) -> int:
    """Find the local maxima of the bright-blob response of a smoothed image.

    The response is the square root of the determinant of the Hessian where both of its eigenvalues
    are negative, else 0. Only three rows of it are held: maxima are found while the responses are
    in cache.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    usable : array, shape (rows, columns), bool
        Pixels at which maxima count.
    least : float32
        Smallest response of a maximum, in the unit of the image per squared pixel.
    position : array, shape (n, 2), float32
        Receives x and y of the first n maxima, pixels: the peak of a parabola through the response
        along each axis.
    strength : array, shape (n,), float32
        Receives the response at the pixel of each maximum.

    Returns
    -------
    int
        Number of maxima written.
    """
    rows, columns = image.shape
    response = np.zeros((3, columns), np.float32)
    is_maximum = np.zeros(columns, np.bool_)
    count = 0
    for r in range(1, rows):
        above, middle, below = response[(r - 2) % 3], response[(r - 1) % 3], response[r % 3]
        if r < rows - 1:
            _blobness(image[r - 1], image[r], image[r + 1], below)
        else:
            below[:] = 0
        _find_maxima(above, middle, below, usable[r - 1], least, is_maximum)
        for c in range(1, columns - 1):
            if is_maximum[c]:
                if count == strength.size:
                    return count
                position[count, 0] = c + _peak(middle[c - 1], middle[c], middle[c + 1])
                position[count, 1] = r - 1 + _peak(above[c], middle[c], below[c])
                strength[count] = middle[c]
                count += 1
    return count


@jit
def _blobness(upper: Float1D, row: Float1D, lower: Float1D, out: Float1D) -> None:
    """Compute the bright-blob response of a row, from it and its neighbours, (columns,) each.

    The first and the last pixel of `out` stay as they are. There are no branches, and the index is
    counted from 0: numba must check an index such as c - 1 for a negative value. Either would keep
    LLVM from vectorising the loop.
    """
    quarter, two, zero = np.float32(0.25), np.float32(2), np.float32(0)
    for left in range(row.size - 2):
        c, right = left + 1, left + 2
        across = row[left] + row[right] - two * row[c]
        along = upper[c] + lower[c] - two * row[c]
        mixed = quarter * (upper[left] + lower[right] - upper[right] - lower[left])
        root = np.sqrt(max(across * along - mixed * mixed, zero))
        out[c] = root if across + along < zero else zero


@jit
def _find_maxima(
    above: Float1D,
    middle: Float1D,
    below: Float1D,
    usable: Bool1D,
    least: np.float32,
    out: Bool1D,
) -> None:
    """Mark the pixels of the middle row that are maxima of their 3 x 3 neighbourhood.

    All arrays have shape (columns,); the first and the last pixel of `out` stay as they are. A
    plateau has one maximum, its first pixel. Comparisons are joined by `&`, which has no branches.
    """
    for left in range(middle.size - 2):
        c, right = left + 1, left + 2
        value = middle[c]
        exceeds_left = (value > middle[left]) & (value > above[left])
        exceeds_above = (value > above[c]) & (value > above[right])
        reaches_right = (value >= middle[right]) & (value >= below[left])
        reaches_below = (value >= below[c]) & (value >= below[right])
        is_peak = exceeds_left & exceeds_above & reaches_right & reaches_below
        out[c] = is_peak & (value >= least) & usable[c]


@jit
def _peak(before: np.float32, here: np.float32, after: np.float32) -> np.float32:
    """Return the offset of the peak of the parabola through three equally spaced values.

    `here`, the middle value, is the largest. The unit is the distance between the values.
    """
    curvature = before + after - np.float32(2) * here
    if curvature < np.float32(0):
        return np.float32(0.5) * (before - after) / curvature
    return np.float32(0)


@jit
def suppress_non_maxima(x: Float1D, y: Float1D, radius: Float1D, kept: NDArray[np.bool_]) -> None:
    """Keep the positions that are not close to a stronger one that is kept.

    Kept positions are listed in each square bin that their radius reaches into, so that a position
    is compared only with the list of its own bin.

    Parameters
    ----------
    x, y : array, shape (n,), float32
        Positions, strongest first, pixels.
    radius : array, shape (n,), float32
        Distance up to which each position suppresses weaker ones, pixels.
    kept : array, shape (n,), bool
        Receives True for the positions that are kept.
    """
    if x.size == 0:
        return
    least, left, top, right, bottom = radius[0], x[0], y[0], x[0], y[0]
    for i in range(x.size):
        least = min(least, radius[i])
        left, right = min(left, x[i]), max(right, x[i])
        top, bottom = min(top, y[i]), max(bottom, y[i])
    bin_size = max(np.float32(2) * least, np.float32(1))
    columns, rows = int((right - left) / bin_size) + 1, int((bottom - top) / bin_size) + 1
    # linked lists: the first entry of each bin, the position of each entry, and the next entry
    first = np.empty((rows, columns), np.int32)
    first[:] = -1
    following, listed = np.empty(4 * x.size, np.int32), np.empty(4 * x.size, np.int32)
    entries = 0
    for i in range(x.size):
        entry = first[int((y[i] - top) / bin_size), int((x[i] - left) / bin_size)]
        while entry >= 0:
            j = listed[entry]
            across, down = x[i] - x[j], y[i] - y[j]
            if across * across + down * down <= radius[j] * radius[j]:
                break
            entry = following[entry]
        kept[i] = entry < 0
        if not kept[i]:
            continue
        reach = radius[i] * BIN_TOLERANCE
        first_row = max(int((y[i] - reach - top) / bin_size), 0)
        last_row = min(int((y[i] + reach - top) / bin_size), rows - 1)
        first_column = max(int((x[i] - reach - left) / bin_size), 0)
        last_column = min(int((x[i] + reach - left) / bin_size), columns - 1)
        for r in range(first_row, last_row + 1):
            for c in range(first_column, last_column + 1):
                if entries == listed.size:
                    following, listed = _doubled(following), _doubled(listed)
                following[entries], listed[entries] = first[r, c], i
                first[r, c] = entries
                entries += 1


@jit
def _doubled(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return an array of twice the length that starts with the given values, (n,)."""
    longer = np.empty(2 * values.size, np.int32)
    for i in range(values.size):
        longer[i] = values[i]
    return longer


@jit
def ring_quantiles(
    levels: NDArray[np.uint8],
    usable: Bool2D,
    x: Float1D,
    y: Float1D,
    inner: Float1D,
    outer: Float1D,
    step: NDArray[np.int32],
    shares: Float1D,
    out: Float2D,
    counted: Float1D,
) -> None:
    """Compute quantiles of the grey levels in a ring around each position.

    Quantiles come from a histogram in which each level is spread evenly over its bin. The offsets
    of the pixels of a ring are reused while successive rings have the same size. Pixels that are
    not usable have a bin of their own, so that no pixel has to be tested.

    Parameters
    ----------
    levels : array, shape (rows, columns), uint8
        Grey levels.
    usable : array, shape (rows, columns), bool
    x, y : array, shape (n,), float32
        Centres of the rings, pixels. Those outside the image are moved to its edge.
    inner, outer : array, shape (n,), float32
        Radii of each ring, pixels.
    step : array, shape (n,), int32
        Every `step`-th row and column of a ring is sampled.
    shares : array, shape (m,), float32
        Quantiles to compute, 0 to 1, in ascending order.
    out : array, shape (n, m), float32
        Receives the quantiles, grey levels.
    counted : array, shape (n,), float32
        Receives the number of usable pixels of each ring, estimated from the samples.
    """
    if x.size == 0:
        return
    rows, columns = levels.shape
    margin = int(np.ceil(outer.max()))
    binned = _padded_bins(levels, usable, margin).ravel()
    pitch = columns + 2 * margin
    offsets = _ring_offsets(inner[0], outer[0], step[0], margin, pitch)
    # pixels are counted in two histograms alternately: an addition to a bin need not wait for the
    # previous one
    even, odd = np.zeros(GREY_LEVELS + 1, np.int32), np.zeros(GREY_LEVELS + 1, np.int32)
    for i in range(x.size):
        if i > 0 and (
            inner[i] != inner[i - 1] or outer[i] != outer[i - 1] or step[i] != step[i - 1]
        ):
            offsets = _ring_offsets(inner[i], outer[i], step[i], margin, pitch)
        row = min(max(int(np.rint(y[i])), 0), rows - 1)
        column = min(max(int(np.rint(x[i])), 0), columns - 1)
        corner = np.uint64(row * pitch + column)
        even[:], odd[:] = 0, 0
        for k in range(offsets.size // 2):
            even[binned[corner + offsets[2 * k]]] += 1
            odd[binned[corner + offsets[2 * k + 1]]] += 1
        if offsets.size % 2:
            even[binned[corner + offsets[-1]]] += 1
        for level in range(even.size):
            even[level] += odd[level]
        total = offsets.size - even[GREY_LEVELS]
        counted[i] = total * step[i] * step[i]
        below, level = 0, 0
        for k in range(shares.size):
            rank = shares[k] * total
            least = int(np.ceil(rank))  # whole numbers are compared faster
            while level < GREY_LEVELS - 1 and below + even[level] < least:
                below += even[level]
                level += 1
            in_bin = even[level]
            out[i, k] = level - 0.5 + ((rank - below) / in_bin if in_bin > 0 else 0.5)


@jit
def _padded_bins(levels: NDArray[np.uint8], usable: Bool2D, margin: int) -> NDArray[np.uint16]:
    """Return the histogram bin of each pixel, with a margin on all sides.

    The bin is the grey level, or GREY_LEVELS in the margin and where a pixel is not usable. Inputs
    have shape (rows, columns), the result (rows + 2 margin, columns + 2 margin).
    """
    rows, columns = levels.shape
    bins = np.empty((rows + 2 * margin, columns + 2 * margin), np.uint16)
    bins[:] = GREY_LEVELS
    for r in range(rows):
        inside, row, mask = bins[r + margin, margin : margin + columns], levels[r], usable[r]
        for c in range(columns):
            inside[c] = row[c] if mask[c] else GREY_LEVELS
    return bins


@jit
def _ring_offsets(
    inner: np.float32, outer: np.float32, stride: int, margin: int, pitch: int
) -> NDArray[np.uint64]:
    """Return the flat index of each sampled pixel of a ring, (n,), in an image of `pitch` columns.

    Indices are relative to the pixel `margin` rows above and `margin` columns left of the centre,
    so that none is negative. Radii are in pixels.
    """
    reach, least, most = int(np.ceil(outer)), inner * inner, outer * outer
    reach -= reach % stride  # makes the sampled rows and columns symmetric about the centre
    across = 2 * (reach // stride) + 1
    offsets, count = np.empty(across * across, np.uint64), 0
    for dy in range(-reach, reach + 1, stride):
        for dx in range(-reach, reach + 1, stride):
            squared_distance = np.float32(dx * dx + dy * dy)
            if squared_distance > least and squared_distance <= most:
                offsets[count] = (dy + margin) * pitch + dx + margin
                count += 1
    return offsets[:count]
