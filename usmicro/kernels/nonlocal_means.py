"""Non-local means: each pixel becomes a mean of those around it, weighted by similarity of patches.

The distance of a pair of pixels is the same both ways, so each offset is handled once for both
pixels. The image is divided into bands of rows and tiles of columns, whose patches, sums and
weights stay in the second-level cache. Offsets that are neighbours along a row are handled
together in groups, so that pixels and sums are loaded and stored once for the whole group.
"""

from __future__ import annotations

import numba
import numpy as np

from usmicro.kernels._jit import Float1D, Float2D, Float3D, contracted_jit, jit, parallel_jit
from usmicro.kernels.exponential import power_of_half

PATCH = 7
"""Width and height of a patch, pixels. The sums across a patch are written for this size."""
PATCH_RADIUS = 3
"""Radius of a patch, pixels."""
SEARCH = 10
"""Radius of the search window of 21 x 21 pixels, the size in Buades, Coll and Morel (2005)."""
MARGIN = 2 * SEARCH + PATCH_RADIUS
"""Padding of the image above, below and on the left, pixels. `padded_columns` gives the width."""
BAND = 64
"""Rows of a band. No measurement of other sizes is recorded."""
TILE = 352
"""Largest width of a tile, pixels. No measurement of other sizes is recorded."""
GROUP = 7
"""Number of neighbouring offsets that are handled together, a third of the 21 in a row of the
search window. Sharing their pixels made the filter a seventh faster when it was introduced."""
LANES = 32
"""Tiles are a multiple of this wide, so that no columns are left over for a slow scalar loop: four
vector registers of 256 bits."""
STRIDE = np.uint64(TILE + LANES)
"""Distance of the sums of one offset from those of the next. As it is a constant, LLVM sees that
they do not overlap, and vectorises."""
WEIGHT_MARGIN = 8
"""Columns of zeros on either side of a row of weights: at least GROUP."""
PATCH_MARGIN = 8
"""Columns of sums beyond a tile: at least the PATCH - 1 that the last patch of a row needs."""

Index = np.uint64
"""Type of indices in inner loops. Signed indices would be checked for negative values, which keeps
LLVM from vectorising."""


@jit
def _tile_width(columns: int) -> int:
    """Return the width of the tiles, pixels, for an image of this many columns.

    Tiles cover the image and the search radius on both sides.
    """
    tiles = (columns + 2 * SEARCH + TILE - 1) // TILE
    return (columns + 2 * SEARCH + LANES * tiles - 1) // (LANES * tiles) * LANES


@jit
def padded_columns(columns: int) -> int:
    """Return the number of columns of the padded image, for an image of this many columns."""
    width = _tile_width(columns)
    whole_tiles = (columns + 2 * SEARCH + width - 1) // width * width
    return whole_tiles + 2 * (SEARCH + PATCH_RADIUS) + GROUP


@jit
def nonlocal_means(image: Float2D, decay: np.float32, out: Float2D) -> None:
    """Compute non-local means with patches of 7 x 7 pixels and a search window of 21 x 21 pixels.

    Parameters
    ----------
    image : array, shape (rows + 2 MARGIN, padded_columns(columns)), float32
        The image, padded by MARGIN above, below and on the left.
    decay : float32
        The weight of a pixel is 2^(-decay * d), with d the mean squared difference of the patches
        around the two pixels. Inverse squared unit of the image.
    out : array, shape (rows, columns), float32
        Receives the weighted means. The weight of the pixel itself is 1.
    """
    bands = _bands(out.shape[0])
    sums = np.zeros((2 * bands, BAND + SEARCH, image.shape[1]), np.float32)
    for band in range(bands):
        _add_band(image, band, out.shape, decay, sums[2 * band], sums[2 * band + 1])
    for r in range(out.shape[0]):
        _mean_row(image, r, sums, out)


@parallel_jit
def nonlocal_means_parallel(image: Float2D, decay: np.float32, out: Float2D) -> None:
    """Compute `nonlocal_means` on all threads, which share the bands; the result is the same."""
    bands = _bands(out.shape[0])
    sums = np.zeros((2 * bands, BAND + SEARCH, image.shape[1]), np.float32)
    for band in numba.prange(bands):
        _add_band(image, band, out.shape, decay, sums[2 * band], sums[2 * band + 1])
    for r in numba.prange(out.shape[0]):
        _mean_row(image, r, sums, out)


@jit
def _bands(rows: int) -> int:
    """Return the number of bands; the first starts SEARCH rows above the image."""
    return (rows + SEARCH + BAND - 1) // BAND


@jit
def _add_band(
    image: Float2D,
    band: int,
    shape: tuple[int, int],
    decay: np.float32,
    total: Float2D,
    weight: Float2D,
) -> None:
    """Add both ways the pairs of pixels whose upper pixel lies in one band.

    `image` and `decay` are those of `nonlocal_means`; `shape` is (rows, columns) of the result.
    `total` and `weight`, (BAND + SEARCH, padded columns), receive the sums of weighted values and
    of weights; the band and the rows below that its pairs reach.
    """
    rows, columns = shape
    first = band * BAND - SEARCH
    last = min(first + BAND, rows)
    width = _tile_width(columns)
    sums = np.empty(GROUP * (TILE + LANES), np.float32)
    weights = np.zeros((GROUP, width + 2 * WEIGHT_MARGIN), np.float32)
    patch_columns = width + PATCH_MARGIN
    for left in range(0, columns + 2 * SEARCH, width):
        patch_column, column = left + SEARCH, left + SEARCH + PATCH_RADIUS
        for dy in range(SEARCH + 1):
            start = max(first, -dy)  # above it, both pixels of a pair lie outside the image
            for dx in range(-SEARCH if dy else 1, SEARCH + 1, GROUP):
                offsets = min(GROUP, SEARCH + 1 - dx)
                weights[offsets:, :] = 0
                for r in range(start, last):
                    row, at = r + MARGIN, r - first
                    from_start = r == start
                    _sum_squares(image, row, patch_column, dy, dx, from_start, patch_columns, sums)
                    for k in range(offsets):
                        _weigh(sums, k, decay, weights)
                    _add_upper_to_lower(image, row, column, weights, total, weight, at + dy, dx)
                    _add_lower_to_upper(image, row + dy, column, dx, weights, total, weight, at)


@contracted_jit
def _sum_squares(
    image: Float2D,
    r: int,
    column: int,
    dy: int,
    dx: int,
    from_start: bool,
    width: int,
    sums: Float1D,
) -> None:
    """Sum the squared differences of pairs of pixels down the seven rows of a patch.

    The pairs are those of `width` pixels of row r, from `column` on, with the pixels (dy, dx + k)
    away, for each k of the group. `sums`, (GROUP * STRIDE,), receives the sums of offset k from
    k * STRIDE on. With `from_start` they are computed from all rows; otherwise the sums of the row
    above are updated by the row that enters and the row that leaves.
    """
    start, other = Index(column), Index(column + dx)
    if from_start:
        sums[:] = 0
        for i in range(-PATCH_RADIUS, PATCH_RADIUS + 1):
            upper, lower = Index(r + i), Index(r + i + dy)
            for c in range(Index(width)):
                value = image[upper, start + c]
                for k in range(Index(GROUP)):
                    difference = value - image[lower, other + c + k]
                    sums[k * STRIDE + c] += difference * difference
    else:
        upper, upper_leaving = Index(r + PATCH_RADIUS), Index(r - PATCH_RADIUS - 1)
        lower, lower_leaving = Index(r + PATCH_RADIUS + dy), Index(r - PATCH_RADIUS - 1 + dy)
        for c in range(Index(width)):
            value, value_leaving = image[upper, start + c], image[upper_leaving, start + c]
            for k in range(Index(GROUP)):
                entering = value - image[lower, other + c + k]
                leaving = value_leaving - image[lower_leaving, other + c + k]
                grown = sums[k * STRIDE + c] + entering * entering
                sums[k * STRIDE + c] = grown - leaving * leaving


@contracted_jit
def _weigh(sums: Float1D, k: int, decay: np.float32, weights: Float2D) -> None:
    """Sum across the seven columns of a patch, and compute the weights of offset k of the group.

    `sums` is that of `_sum_squares`. `weights`, (GROUP, tile width + 2 WEIGHT_MARGIN), receives
    row k, from column WEIGHT_MARGIN on.
    """
    row, scale = Index(k), decay * np.float32(1 / PATCH**2)
    first = row * STRIDE
    for c in range(Index(weights.shape[1] - 2 * WEIGHT_MARGIN)):
        at = first + c
        three = (sums[at] + sums[at + Index(1)]) + sums[at + Index(2)]
        pair = sums[at + Index(3)] + sums[at + Index(4)]
        four = pair + (sums[at + Index(5)] + sums[at + Index(6)])
        weights[row, c + Index(WEIGHT_MARGIN)] = power_of_half((three + four) * scale)


@contracted_jit
def _add_lower_to_upper(
    image: Float2D,
    r: int,
    column: int,
    dx: int,
    weights: Float2D,
    total: Float2D,
    weight: Float2D,
    at: int,
) -> None:
    """Add the lower pixels of the pairs, in row r of `image`, to row `at` of the sums.

    `column` is the column of the first upper pixel; the other arguments are those above.
    """
    row, to, start, other = Index(r), Index(at), Index(column), Index(column + dx)
    for c in range(Index(weights.shape[1] - 2 * WEIGHT_MARGIN)):
        value = np.float32(0)
        share = np.float32(0)
        for k in range(Index(GROUP)):
            value += weights[k, c + Index(WEIGHT_MARGIN)] * image[row, other + c + k]
            share += weights[k, c + Index(WEIGHT_MARGIN)]
        total[to, start + c] += value
        weight[to, start + c] += share


@contracted_jit
def _add_upper_to_lower(
    image: Float2D,
    r: int,
    column: int,
    weights: Float2D,
    total: Float2D,
    weight: Float2D,
    at: int,
    dx: int,
) -> None:
    """Add the upper pixels of the pairs, in row r of `image`, to row `at` of the sums.

    `column` is the column of the first upper pixel; the other arguments are those above. A lower
    pixel takes a different upper one for each offset, so weights beside the tile are read too:
    they are the zeros of WEIGHT_MARGIN.
    """
    row, to, start, other = Index(r), Index(at), Index(column), Index(column + dx)
    for c in range(Index(weights.shape[1] - WEIGHT_MARGIN)):
        value = np.float32(0)
        share = np.float32(0)
        for k in range(Index(GROUP)):
            value += weights[k, c + Index(WEIGHT_MARGIN) - k] * image[row, start + c - k]
            share += weights[k, c + Index(WEIGHT_MARGIN) - k]
        total[to, other + c] += value
        weight[to, other + c] += share


@jit
def _mean_row(image: Float2D, r: int, sums: Float3D, out: Float2D) -> None:
    """Divide the sums of row r and write the means into `out`, (rows, columns).

    `sums`, (2 bands, BAND + SEARCH, padded columns), holds values and weights of each band in turn.
    The first rows of a band also receive sums from the band above.
    """
    band, at = (r + SEARCH) // BAND, (r + SEARCH) % BAND
    for c in range(out.shape[1]):
        total = image[r + MARGIN, c + MARGIN] + sums[2 * band, at, c + MARGIN]
        weight = np.float32(1) + sums[2 * band + 1, at, c + MARGIN]
        if band > 0 and at < SEARCH:
            total += sums[2 * band - 2, at + BAND, c + MARGIN]
            weight += sums[2 * band - 1, at + BAND, c + MARGIN]
        out[r, c] = total / weight
