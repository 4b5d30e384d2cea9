"""Optimised Bayesian non-local means for speckle (OBNLM): blocks are restored as a whole, at every second pixel, with Pearson's distance.

The image comes split into its even and odd rows and columns, so that a step of two pixels is one of one: `planes[i, j, r, c]` is pixel
(2 r + i, 2 c + j) of the padded image. The weights of one tile of blocks are held, since each block's must add up to 1 before they count.
"""

from __future__ import annotations

import numba
import numpy as np

from usmicro.kernels._jit import (
    Float1D,
    Float2D,
    Float3D,
    Float4D,
    Float5D,
    contracted_jit,
    jit,
    parallel_jit,
)
from usmicro.kernels.exponential import power_of_half

Index = np.uint64
"""Unsigned indices need no check for negative ones, which keeps LLVM from vectorising."""
REACH = 3
"""Radius of the blocks of 7 x 7 pixels."""
PATCH = 7
ROWS = 16
"""Blocks down a tile."""
COLUMNS = 256
"""Blocks across a tile."""
EDGE = 8
"""Columns of zeros to the left of a tile."""
LANES = 32
"""Columns that loops go on beyond a tile: the few that are needed would be left over for a slow loop."""
STRIDE = np.uint64(COLUMNS + LANES)
"""Between the parts of the sums that are held for rows: a constant, from which LLVM sees that they do not overlap and vectorises."""
WIDE = np.uint64(COLUMNS + 2 * LANES)
"""The same for sums of weights."""


@jit
def margin(search: int) -> int:
    """Padding above and to the left of the image, an even number of pixels."""
    return (search + 2 * EDGE + 1) // 2 * 2


@jit
def obnlm(
    planes: Float4D,
    squares: Float4D,
    inverse: Float4D,
    means: Float4D,
    search: int,
    decay: np.float32,
    out: Float2D,
) -> None:
    """Weights 2 to the power of -decay d, d the mean of (a - b)^2 / b over two blocks; `squares`, `inverse` and `means` hold
    b^2, 1 / b and the mean of b over the block around each pixel, with b bounded away from 0.

    `search` is the radius of the search window. On the right it reaches 2 LANES more than that beyond the last whole tile of blocks.
    """
    bands = _tiles(out.shape[0], ROWS)
    sums = np.zeros((bands, 2, 2, (ROWS + 4) * planes.shape[3]), np.float32)
    for band in range(bands):
        _band(
            planes,
            squares,
            inverse,
            means,
            band,
            out.shape,
            search,
            decay,
            sums[band].reshape((2, 2, ROWS + 4, planes.shape[3])),
        )
    for r in range(out.shape[0]):
        _mean_row(r, sums.reshape((bands, 2, 2, ROWS + 4, planes.shape[3])), out)


@parallel_jit
def obnlm_parallel(
    planes: Float4D,
    squares: Float4D,
    inverse: Float4D,
    means: Float4D,
    search: int,
    decay: np.float32,
    out: Float2D,
) -> None:
    """Do as `obnlm`, with the bands on all threads."""
    bands = _tiles(out.shape[0], ROWS)
    sums = np.zeros((bands, 2, 2, (ROWS + 4) * planes.shape[3]), np.float32)
    for band in numba.prange(bands):
        _band(
            planes,
            squares,
            inverse,
            means,
            band,
            out.shape,
            search,
            decay,
            sums[band].reshape((2, 2, ROWS + 4, planes.shape[3])),
        )
    for r in numba.prange(out.shape[0]):
        _mean_row(r, sums.reshape((bands, 2, 2, ROWS + 4, planes.shape[3])), out)


@jit
def _tiles(pixels: int, blocks: int) -> int:
    return ((pixels + 1) // 2 + blocks - 1) // blocks


@jit
def _band(
    planes: Float4D,
    squares: Float4D,
    inverse: Float4D,
    means: Float4D,
    band: int,
    shape: tuple[int, int],
    search: int,
    decay: np.float32,
    total: Float4D,
) -> None:
    """Restore the blocks of one row of tiles into `total`, whose rows begin two above the tile."""
    rows, columns = (shape[0] + 1) // 2, (shape[1] + 1) // 2
    start = margin(search) // 2
    width = 2 * search + 1
    weights = np.empty((width * width, ROWS, COLUMNS), np.float32)
    sums = np.empty(2 * (COLUMNS + LANES), np.float32)
    held = np.empty((4, 4 * (COLUMNS + LANES)), np.float32)
    share = np.empty((ROWS, COLUMNS), np.float32)
    padded = np.zeros((2, ROWS + 5, COLUMNS + 2 * LANES), np.float32)
    down = np.empty((2, 2 * (COLUMNS + 2 * LANES)), np.float32)
    top = start + band * ROWS
    for left in range(0, columns, COLUMNS):
        share[:] = 0
        for k in range(width * width):
            dy, dx = k // width - search, k % width - search
            for r in range(top - 2, top + 1):
                _quotients(squares, inverse, r, start + left, dy, dx, held[r % 4])
            for r in range(ROWS):
                _quotients(
                    squares, inverse, top + r + 1, start + left, dy, dx, held[(top + r + 1) % 4]
                )
                _sum_down_blocks(held, top + r, sums)
                _weigh(
                    sums, means, 2 * (top + r), start + left, dy, dx, decay, weights[k, r], share[r]
                )
        for r in range(ROWS):
            for c in range(COLUMNS):  # blocks outside of the image count nothing
                share[r, c] = (
                    np.float32(1) / share[r, c]
                    if band * ROWS + r < rows and left + c < columns
                    else np.float32(0)
                )
        for k in range(width * width):
            dy, dx = k // width - search, k % width - search
            if (dx + search) % 2:
                continue
            _scale(weights[k], share, padded[0])
            if dx < search:
                _scale(weights[k + 1], share, padded[1])
            else:
                padded[1] = 0
            for r in range(ROWS + 3):
                for n in range(2):
                    _sum_down(padded[n], r, down, n)
                for i in range(2):
                    _add(
                        planes,
                        2 * (top + r - 2) + i + dy,
                        start + left,
                        dx,
                        down[i],
                        total[i],
                        r,
                        left,
                    )


@contracted_jit
def _quotients(
    squares: Float4D, inverse: Float4D, row: int, column: int, dy: int, dx: int, held: Float1D
) -> None:
    """a^2 / b of two rows of pixels and their candidates: in the second row of each odd column, and of it with the even one before;
    then the same, summed over both rows.
    """
    own, other, other_odd = (
        Index(column - 2),
        Index(column - 2 + dx // 2),
        Index(column - 2 + (1 + dx) // 2),
    )
    even, odd, i, k = Index(dx % 2), Index((dx + 1) % 2), Index(dy % 2), Index((dy + 1) % 2)
    zero, one, r, s, t = (
        Index(0),
        Index(1),
        Index(row),
        Index(row + dy // 2),
        Index(row + (dy + 1) // 2),
    )
    for c in range(STRIDE):
        second = squares[one, one, r, own + c] * inverse[k, odd, t, other_odd + c]
        both = squares[one, zero, r, own + c] * inverse[k, even, t, other + c] + second
        above = squares[zero, one, r, own + c] * inverse[i, odd, s, other_odd + c]
        held[c] = second
        held[c + STRIDE] = both
        held[c + Index(2) * STRIDE] = above + second
        held[c + Index(3) * STRIDE] = (
            squares[zero, zero, r, own + c] * inverse[i, even, s, other + c] + above
        ) + both


@jit
def _sum_down_blocks(held: Float2D, row: int, sums: Float1D) -> None:
    """Sums down the seven rows of a block: one row, and three pairs that blocks above and below it share."""
    before, above, at, below = (
        held[(row - 2) % 4],
        held[(row - 1) % 4],
        held[row % 4],
        held[(row + 1) % 4],
    )
    for c in range(Index(2) * STRIDE):
        pairs = c + Index(2) * STRIDE
        sums[c] = (before[c] + above[pairs]) + (at[pairs] + below[pairs])


@contracted_jit
def _weigh(
    sums: Float1D,
    means: Float4D,
    row: int,
    column: int,
    dy: int,
    dx: int,
    decay: np.float32,
    weights: Float1D,
    share: Float1D,
) -> None:
    """Weights of a row of blocks and their candidates, from the mean of (a - b)^2 / b = a^2 / b - 2 a + b over each block."""
    part = np.float32(1 / PATCH**2)
    r, own, i, j = Index(row // 2), Index(column), Index((row + dy) % 2), Index(dx % 2)
    s, other = Index((row + dy) // 2), Index(column + dx // 2)
    for c in range(Index(COLUMNS)):
        both = c + STRIDE
        total = (sums[c] + sums[both + Index(1)]) + (sums[both + Index(2)] + sums[both + Index(3)])
        distance = total * part + (
            means[i, j, s, other + c] - np.float32(2) * means[0, 0, r, own + c]
        )
        weight = power_of_half(distance * decay)
        weights[c] = weight
        share[c] += weight


@jit
def _scale(weights: Float2D, share: Float2D, padded: Float2D) -> None:
    for r in range(ROWS):
        for c in range(COLUMNS):
            padded[r + 3, c + EDGE] = weights[r, c] * share[r, c]


@jit
def _sum_down(padded: Float2D, r: int, down: Float2D, n: int) -> None:
    """Weights of the blocks that reach into an even row of pixels, of three rows of blocks, and into the odd one below, of four."""
    start, zero, one = Index(n) * WIDE, Index(0), Index(1)
    for c in range(WIDE):
        three = (padded[r, c] + padded[r + 1, c]) + padded[r + 2, c]
        down[zero, start + c] = three
        down[one, start + c] = three + (padded[r + 3, c] if r < ROWS + 1 else np.float32(0))


@contracted_jit
def _add(
    planes: Float4D,
    row: int,
    column: int,
    dx: int,
    down: Float1D,
    total: Float3D,
    r: int,
    left: int,
) -> None:
    """Add a row of pixels, shifted by `dx` and by one more, with the weights of the blocks that reach into each: of three columns of
    blocks, or four. Both shifts share half of their pixels.
    """
    i, s, at, to, one = Index(row % 2), Index(row // 2), Index(r), Index(left), Index(1)
    even, odd = Index(dx % 2), Index((dx + 1) % 2)
    start, middle = Index(column - 4 + dx // 2), Index(column - 4 + (dx + 1) // 2)
    for c in range(Index(COLUMNS + LANES)):
        d = c + WIDE
        three = (down[c + Index(3)] + down[c + Index(4)]) + down[c + Index(5)]
        next_three = (down[d + Index(3)] + down[d + Index(4)]) + down[d + Index(5)]
        here = planes[i, odd, s, middle + c]
        total[Index(0), at, to + c] += three * planes[i, even, s, start + c] + next_three * here
        total[one, at, to + c] += (three + down[c + Index(6)]) * here + (
            next_three + down[d + Index(6)]
        ) * planes[i, even, s, start + c + one]


@jit
def _mean_row(y: int, sums: Float5D, out: Float2D) -> None:
    """Mean of the blocks' estimates of one row of pixels, from its own tiles and from those above and below that reach into them."""
    band, at, i = y // 2 // ROWS, y // 2 % ROWS, y % 2
    rows, columns = (out.shape[0] + 1) // 2, (out.shape[1] + 1) // 2
    down = min(y // 2 + 1 + i, rows - 1) - max(y // 2 - 1, 0) + 1
    for x in range(out.shape[1]):
        c, j = x // 2, x % 2
        value = sums[band, i, j, at + 2, c + 4]
        if band > 0 and at == 0:
            value += sums[band - 1, i, j, ROWS + 2, c + 4]
        if band + 1 < sums.shape[0] and at >= ROWS - 2:
            value += sums[band + 1, i, j, at + 2 - ROWS, c + 4]
        across = min(c + 1 + j, columns - 1) - max(c - 1, 0) + 1
        out[y, x] = value / np.float32(down * across)
