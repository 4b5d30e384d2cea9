"""Optimised Bayesian non-local means for speckle (OBNLM).

Blocks of 7 x 7 pixels around every second pixel are restored as a whole; a pixel becomes the mean
of the blocks that contain it. Distances of blocks are Pearson's.

Images come split into even and odd rows and columns, so that a step of two pixels in the image is
a step of one in memory: `planes[i, j, r, c]` is pixel (2 r + i, 2 c + j) of the padded image. Row r
and column c are called a row and a column of blocks.

The weights of a block are divided by their sum before they count. All weights of one tile of
blocks are therefore held.
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
"""Type of indices in inner loops. Signed indices would be checked for negative values, which keeps
LLVM from vectorising."""
PATCH = 7
"""Width and height of a block, pixels. The sums over a block are written for this size."""
ROWS = 16
"""Rows of blocks of a tile. No measurement of other sizes is recorded."""
COLUMNS = 256
"""Columns of blocks of a tile. No measurement of other sizes is recorded."""
WEIGHT_MARGIN = 8
"""Columns of zeros to the left of the weights of a tile, for pixels there that lie in blocks of the
tile."""
LANES = 32
"""Columns by which loops go on beyond a tile: four vector registers of 256 bits. With only the few
columns that are needed, these would be left over for a slow scalar loop."""
STRIDE = np.uint64(COLUMNS + LANES)
"""Distance between the parts of the arrays that hold sums of a row. As it is a constant, LLVM sees
that the parts do not overlap, and vectorises."""
WEIGHT_STRIDE = np.uint64(COLUMNS + 2 * LANES)
"""The same for sums of weights."""


@jit
def left_padding(search: int) -> int:
    """Return the padding above and to the left of the image, an even number of pixels.

    `search` is the radius of the search window, pixels.
    """
    return (search + 2 * WEIGHT_MARGIN + 1) // 2 * 2


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
    """Compute the optimised Bayesian non-local means filter.

    Block a and candidate b have the weight 2^(-decay * d), with d the mean of (a - b)^2 / b over
    the block.

    Parameters
    ----------
    planes : array, shape (2, 2, padded rows / 2, padded columns / 2), float32
        Padded image. Above and on the left it is padded by `left_padding(search)`; below, by as
        much beyond the last whole tile; on the right, by 2 LANES more.
    squares : array, shape of `planes`, float32
        Square of the image, whose values must be bounded away from 0.
    inverse : array, shape of `planes`, float32
        Reciprocal of the bounded image.
    means : array, shape of `planes`, float32
        Mean of the bounded image in the block around each pixel.
    search : int
        Radius of the search window, pixels.
    decay : float32
        Inverse unit of the image.
    out : array, shape (rows, columns), float32
        Receives the result.
    """
    bands = _tiles(out.shape[0], ROWS)
    sums = np.zeros((bands, 2, 2, ROWS + 4, planes.shape[3]), np.float32)
    for band in range(bands):
        _restore_band(planes, squares, inverse, means, band, out.shape, search, decay, sums[band])
    for r in range(out.shape[0]):
        _mean_row(r, sums, out)


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
    """Compute `obnlm` on all threads, which share the bands; the result is the same."""
    bands = _tiles(out.shape[0], ROWS)
    sums = np.zeros((bands, 2, 2, ROWS + 4, planes.shape[3]), np.float32)
    for band in numba.prange(bands):
        _restore_band(planes, squares, inverse, means, band, out.shape, search, decay, sums[band])
    for r in numba.prange(out.shape[0]):
        _mean_row(r, sums, out)


@jit
def _tiles(pixels: int, blocks: int) -> int:
    """Return the number of tiles of `blocks` blocks along an axis of this many pixels."""
    return ((pixels + 1) // 2 + blocks - 1) // blocks


@jit
def _restore_band(
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
    """Restore the blocks of one row of tiles.

    `shape` is (rows, columns) of the result; the other inputs are those of `obnlm`. `total`,
    (2, 2, ROWS + 4, padded columns / 2), receives the sums of the estimates of all blocks, split
    as `planes`; its rows begin two above the tile.
    """
    rows, columns = (shape[0] + 1) // 2, (shape[1] + 1) // 2
    start = left_padding(search) // 2
    width = 2 * search + 1
    weights = np.empty((width * width, ROWS, COLUMNS), np.float32)
    sums = np.empty(2 * (COLUMNS + LANES), np.float32)
    quotients = np.empty((4, 4 * (COLUMNS + LANES)), np.float32)
    share = np.empty((ROWS, COLUMNS), np.float32)  # sum of the weights of a block, then its inverse
    scaled = np.zeros((2, ROWS + 5, COLUMNS + 2 * LANES), np.float32)
    down = np.empty((2, 2 * (COLUMNS + 2 * LANES)), np.float32)
    top = start + band * ROWS
    for left in range(0, columns, COLUMNS):
        column = start + left
        share[:] = 0
        for k in range(width * width):
            dy, dx = k // width - search, k % width - search
            for r in range(top - 2, top + 1):
                _quotients(squares, inverse, r, column, dy, dx, quotients[r % 4])
            for r in range(ROWS):
                row, below = top + r, top + r + 1
                _quotients(squares, inverse, below, column, dy, dx, quotients[below % 4])
                _sum_down_blocks(quotients, row, sums)
                _weigh(sums, means, 2 * row, column, dy, dx, decay, weights[k, r], share[r])
        for r in range(ROWS):
            for c in range(COLUMNS):
                if band * ROWS + r < rows and left + c < columns:
                    share[r, c] = np.float32(1) / share[r, c]
                else:  # a block outside the image does not count
                    share[r, c] = np.float32(0)
        for k in range(width * width):
            # shifts by dx and dx + 1 share half of their pixels and are added together
            dy, dx = k // width - search, k % width - search
            if (dx + search) % 2:
                continue
            _scale(weights[k], share, scaled[0])
            if dx < search:
                _scale(weights[k + 1], share, scaled[1])
            else:
                scaled[1] = 0
            for r in range(ROWS + 3):
                for n in range(2):
                    _sum_weights_down(scaled[n], r, down, n)
                for i in range(2):
                    row = 2 * (top + r - 2) + i + dy
                    _add_row(planes, row, column, dx, down[i], total[i], r, left)


@contracted_jit
def _quotients(
    squares: Float4D, inverse: Float4D, row: int, column: int, dy: int, dx: int, quotients: Float1D
) -> None:
    """Compute a^2 / b of a row of blocks, from its two rows of pixels and their candidates.

    `squares` and `inverse` are those of `obnlm`; `column` is the first column of blocks, and
    (dy, dx) the shift to the candidates in pixels. `quotients`, (4 * STRIDE,), receives from each
    multiple of STRIDE on: the second row of pixels, odd columns; the second row, sum of each even
    and odd column; then the same two for the sum of both rows.
    """
    own = Index(column - 2)
    other, other_odd = Index(column - 2 + dx // 2), Index(column - 2 + (1 + dx) // 2)
    even, odd, i, k = Index(dx % 2), Index((dx + 1) % 2), Index(dy % 2), Index((dy + 1) % 2)
    zero, one, r = Index(0), Index(1), Index(row)
    s, t = Index(row + dy // 2), Index(row + (dy + 1) // 2)
    for c in range(STRIDE):
        second = squares[one, one, r, own + c] * inverse[k, odd, t, other_odd + c]
        both = squares[one, zero, r, own + c] * inverse[k, even, t, other + c] + second
        above = squares[zero, one, r, own + c] * inverse[i, odd, s, other_odd + c]
        quotients[c] = second
        quotients[c + STRIDE] = both
        quotients[c + Index(2) * STRIDE] = above + second
        upper = squares[zero, zero, r, own + c] * inverse[i, even, s, other + c] + above
        quotients[c + Index(3) * STRIDE] = upper + both


@jit
def _sum_down_blocks(quotients: Float2D, row: int, sums: Float1D) -> None:
    """Sum the quotients down the seven rows of pixels of the blocks of a row.

    The sum takes one row of pixels and three pairs of rows, which blocks above and below share.
    `quotients`, (4, 4 * STRIDE), holds row r of blocks in row r % 4. `sums`, (2 * STRIDE,),
    receives odd columns, then sums of each even and odd column.
    """
    before, above = quotients[(row - 2) % 4], quotients[(row - 1) % 4]
    at, below = quotients[row % 4], quotients[(row + 1) % 4]
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
    """Compute the weights of the candidates (dy, dx) pixels away from a row of blocks.

    The distance is the mean of (a - b)^2 / b = a^2 / b - 2 a + b over each block. `sums` is that
    of `_sum_down_blocks`; `row` is the row of pixels of the centres. `weights`, (COLUMNS,),
    receives the weights; they are added to `share`, (COLUMNS,).
    """
    part = np.float32(1 / PATCH**2)
    r, own, i, j = Index(row // 2), Index(column), Index((row + dy) % 2), Index(dx % 2)
    s, other = Index((row + dy) // 2), Index(column + dx // 2)
    for c in range(Index(COLUMNS)):
        both = c + STRIDE
        total = (sums[c] + sums[both + Index(1)]) + (sums[both + Index(2)] + sums[both + Index(3)])
        rest = means[i, j, s, other + c] - np.float32(2) * means[0, 0, r, own + c]
        distance = total * part + rest
        weight = power_of_half(distance * decay)
        weights[c] = weight
        share[c] += weight


@jit
def _scale(weights: Float2D, share: Float2D, scaled: Float2D) -> None:
    """Multiply the weights of a tile, (ROWS, COLUMNS), by `share`, and pad them by zeros.

    `scaled`, (ROWS + 5, COLUMNS + 2 LANES), keeps three rows above and WEIGHT_MARGIN columns on the
    left as they are.
    """
    for r in range(ROWS):
        for c in range(COLUMNS):
            scaled[r + 3, c + WEIGHT_MARGIN] = weights[r, c] * share[r, c]


@jit
def _sum_weights_down(scaled: Float2D, r: int, down: Float2D, n: int) -> None:
    """Sum the weights of the blocks that contain a pixel, down the rows of blocks.

    An even row of pixels is in three rows of blocks; the odd one below is in four. `scaled` is that
    of `_scale`. `down`, (2, 2 * WEIGHT_STRIDE), receives even and odd rows, each from
    n * WEIGHT_STRIDE on.
    """
    start, zero, one = Index(n) * WEIGHT_STRIDE, Index(0), Index(1)
    for c in range(WEIGHT_STRIDE):
        three = (scaled[r, c] + scaled[r + 1, c]) + scaled[r + 2, c]
        down[zero, start + c] = three
        down[one, start + c] = three + (scaled[r + 3, c] if r < ROWS + 1 else np.float32(0))


@contracted_jit
def _add_row(
    planes: Float4D,
    row: int,
    column: int,
    dx: int,
    down: Float1D,
    total: Float3D,
    r: int,
    left: int,
) -> None:
    """Add a row of pixels, shifted by dx and by dx + 1, with their weights.

    The weights are summed across the columns of blocks that contain each pixel: three for an even
    column, four for an odd one. `row` and `column` are the first pixel row and column of blocks of
    `planes`, `down` is a row of `_sum_weights_down`. `total`, (2, ROWS + 4, padded columns / 2),
    receives even and odd columns in row r, from column `left` on.
    """
    i, s, at, to, one = Index(row % 2), Index(row // 2), Index(r), Index(left), Index(1)
    even, odd = Index(dx % 2), Index((dx + 1) % 2)
    start, middle = Index(column - 4 + dx // 2), Index(column - 4 + (dx + 1) // 2)
    for c in range(Index(COLUMNS + LANES)):
        d = c + WEIGHT_STRIDE
        three = (down[c + Index(3)] + down[c + Index(4)]) + down[c + Index(5)]
        next_three = (down[d + Index(3)] + down[d + Index(4)]) + down[d + Index(5)]
        four, next_four = three + down[c + Index(6)], next_three + down[d + Index(6)]
        here = planes[i, odd, s, middle + c]
        total[Index(0), at, to + c] += three * planes[i, even, s, start + c] + next_three * here
        total[one, at, to + c] += four * here + next_four * planes[i, even, s, start + c + one]


@jit
def _mean_row(y: int, sums: Float5D, out: Float2D) -> None:
    """Write row y of the result: the mean of the estimates of the blocks that contain each pixel.

    `sums`, (bands, 2, 2, ROWS + 4, padded columns / 2), holds the sums of all bands. Rows near the
    end of a band also have sums in the next one. `out` has shape (rows, columns).
    """
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
