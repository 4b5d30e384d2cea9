"""Non-local means: every pixel becomes the mean of those around it, weighted by how alike the patches around both are.

A pair of pixels has one distance, so each offset is gone through once for both. The image is worked on in bands of rows and tiles of
columns whose patches, sums and weights stay in the second-level cache.
"""

from __future__ import annotations

import numba
import numpy as np

from usmicro.kernels._jit import Float1D, Float2D, Float3D, contracted_jit, jit, parallel_jit
from usmicro.kernels.exponential import power_of_half

PATCH = 7
REACH = 3
SEARCH = 10
"""Radius of the search window of 21 x 21 pixels."""
MARGIN = 2 * SEARCH + REACH
"""Padding of the image on all sides; on the right `padded_columns` adds to it."""
BAND = 64
TILE = 352
GROUP = 7
"""Neighbouring offsets that are gone through together, so that pixels and sums are loaded and stored once for all of them."""
STRIDE = np.uint64(TILE + 32)
"""Of the sums of one offset to those of the next: a constant, from which LLVM sees that they do not overlap and vectorises."""
LANES = 32
"""Tiles are a multiple of this wide, so that no columns are left over for a slow loop."""

Index = np.uint64
"""Unsigned indices need no check for negative ones, which keeps LLVM from vectorising."""


@jit
def tile_width(columns: int) -> int:
    """Width of the tiles that an image of so many columns is worked on in; they reach beyond it by the search radius and rounding."""
    tiles = (columns + 2 * SEARCH + TILE - 1) // TILE
    return (columns + 2 * SEARCH + LANES * tiles - 1) // (LANES * tiles) * LANES


@jit
def padded_columns(columns: int) -> int:
    """Number of columns of the padded image."""
    width = tile_width(columns)
    return (columns + 2 * SEARCH + width - 1) // width * width + 2 * (SEARCH + REACH) + GROUP


@jit
def nonlocal_means(image: Float2D, decay: np.float32, out: Float2D) -> None:
    """Weights 2 to the power of -decay d, d the mean squared difference of two patches of 7 x 7 pixels.

    `image` is padded by MARGIN above, below and on the left, and on the right to `padded_columns`; `out` is not.
    """
    bands = _bands(out.shape[0])
    sums = np.zeros((2 * bands, BAND + SEARCH, image.shape[1]), np.float32)
    for band in range(bands):
        _band(image, band, out.shape, decay, sums[2 * band], sums[2 * band + 1])
    for r in range(out.shape[0]):
        _mean_row(image, r, sums, out)


@parallel_jit
def nonlocal_means_parallel(image: Float2D, decay: np.float32, out: Float2D) -> None:
    """Do as `nonlocal_means`, with the bands on all threads."""
    bands = _bands(out.shape[0])
    sums = np.zeros((2 * bands, BAND + SEARCH, image.shape[1]), np.float32)
    for band in numba.prange(bands):
        _band(image, band, out.shape, decay, sums[2 * band], sums[2 * band + 1])
    for r in numba.prange(out.shape[0]):
        _mean_row(image, r, sums, out)


@jit
def _bands(rows: int) -> int:
    return (rows + SEARCH + BAND - 1) // BAND


@jit
def _band(
    image: Float2D,
    band: int,
    shape: tuple[int, int],
    decay: np.float32,
    total: Float2D,
    weight: Float2D,
) -> None:
    """Sum up both ways the pairs whose upper pixel lies in one band; the first starts a search radius above the image."""
    rows, columns = shape
    first = band * BAND - SEARCH
    last = min(first + BAND, rows)
    width = tile_width(columns)
    sums = np.empty(GROUP * (TILE + 32), np.float32)
    weights = np.zeros((GROUP, width + 16), np.float32)  # from column 8 on, with zeros around
    for left in range(0, columns + 2 * SEARCH, width):
        for dy in range(SEARCH + 1):
            for dx in range(-SEARCH if dy else 1, SEARCH + 1, GROUP):
                offsets = min(GROUP, SEARCH + 1 - dx)
                weights[offsets:, :] = 0
                start = max(first, -dy)  # above that, both pixels of a pair lie outside
                for r in range(start, last):
                    _sum_squares(
                        image, r + MARGIN, left + SEARCH, dy, dx, r == start, width + 8, sums
                    )
                    for k in range(offsets):
                        _weigh(sums, k, decay, weights)
                    _share_down(
                        image,
                        r + MARGIN,
                        left + SEARCH + REACH,
                        weights,
                        total,
                        weight,
                        r - first + dy,
                        dx,
                    )
                    _share_up(
                        image,
                        r + MARGIN + dy,
                        left + SEARCH + REACH,
                        dx,
                        weights,
                        total,
                        weight,
                        r - first,
                    )


@contracted_jit
def _sum_squares(
    image: Float2D, r: int, column: int, dy: int, dx: int, anew: bool, width: int, sums: Float1D
) -> None:
    """Squared differences of the pixels of a row of pairs, summed down the patch; they go on from the row above if not `anew`."""
    start, other = Index(column), Index(column + dx)
    if anew:
        sums[:] = 0
        for i in range(-REACH, REACH + 1):
            upper, lower = Index(r + i), Index(r + i + dy)
            for c in range(Index(width)):
                value = image[upper, start + c]
                for k in range(Index(GROUP)):
                    difference = value - image[lower, other + c + k]
                    sums[k * STRIDE + c] += difference * difference
    else:
        upper, lower, upper_gone, lower_gone = (
            Index(r + REACH),
            Index(r + REACH + dy),
            Index(r - REACH - 1),
            Index(r - REACH - 1 + dy),
        )
        for c in range(Index(width)):
            value, value_gone = image[upper, start + c], image[upper_gone, start + c]
            for k in range(Index(GROUP)):
                difference, gone = (
                    value - image[lower, other + c + k],
                    value_gone - image[lower_gone, other + c + k],
                )
                sums[k * STRIDE + c] = (
                    sums[k * STRIDE + c] + difference * difference
                ) - gone * gone


@contracted_jit
def _weigh(sums: Float1D, k: int, decay: np.float32, weights: Float2D) -> None:
    """Sum across the patch, and the weight of each distance."""
    row, scale = Index(k), decay * np.float32(1 / PATCH**2)
    first = row * STRIDE
    for c in range(Index(weights.shape[1] - 16)):
        at = first + c
        three = (sums[at] + sums[at + Index(1)]) + sums[at + Index(2)]
        four = (sums[at + Index(3)] + sums[at + Index(4)]) + (
            sums[at + Index(5)] + sums[at + Index(6)]
        )
        weights[row, c + Index(8)] = power_of_half((three + four) * scale)


@contracted_jit
def _share_up(
    image: Float2D,
    r: int,
    column: int,
    dx: int,
    weights: Float2D,
    total: Float2D,
    weight: Float2D,
    at: int,
) -> None:
    """Give the upper pixels of the pairs the values of the lower ones, a group of offsets at once."""
    row, to, start, other = Index(r), Index(at), Index(column), Index(column + dx)
    for c in range(Index(weights.shape[1] - 16)):
        value = np.float32(0)
        share = np.float32(0)
        for k in range(Index(GROUP)):
            value += weights[k, c + Index(8)] * image[row, other + c + k]
            share += weights[k, c + Index(8)]
        total[to, start + c] += value
        weight[to, start + c] += share


@contracted_jit
def _share_down(
    image: Float2D,
    r: int,
    column: int,
    weights: Float2D,
    total: Float2D,
    weight: Float2D,
    at: int,
    dx: int,
) -> None:
    """Give the lower pixels of the pairs the values of the upper ones, a group of offsets at once."""
    row, to, start, other = Index(r), Index(at), Index(column), Index(column + dx)
    for c in range(Index(weights.shape[1] - 8)):
        value = np.float32(0)
        share = np.float32(0)
        for k in range(Index(GROUP)):
            value += weights[k, c + Index(8) - k] * image[row, start + c - k]
            share += weights[k, c + Index(8) - k]
        total[to, other + c] += value
        weight[to, other + c] += share


@jit
def _mean_row(image: Float2D, r: int, sums: Float3D, out: Float2D) -> None:
    """Mean of one row, from its own band and from what the band above reached into this; the pixel itself has the weight 1."""
    band, at = (r + SEARCH) // BAND, (r + SEARCH) % BAND
    for c in range(out.shape[1]):
        total = image[r + MARGIN, c + MARGIN] + sums[2 * band, at, c + MARGIN]
        weight = np.float32(1) + sums[2 * band + 1, at, c + MARGIN]
        if band > 0 and at < SEARCH:
            total += sums[2 * band - 2, at + BAND, c + MARGIN]
            weight += sums[2 * band - 1, at + BAND, c + MARGIN]
        out[r, c] = total / weight
