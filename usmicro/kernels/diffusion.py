"""Speckle-reducing diffusion (SRAD) and its detail-preserving form (DPAD): many steps, each with the speckle scale of its image.

Images are padded by MARGIN pixels that repeat the border. A step goes through the image in bands of rows: diffusion coefficients are
held for four rows only, and the block variation that gives the next step's speckle scale is taken while the band is still in cache.
"""

from __future__ import annotations

import numba
import numpy as np

from usmicro.kernels._jit import Bool2D, Float1D, Float2D, contracted_jit, jit, parallel_jit

TINY = np.float32(1e-30)
BLOCK = 16
MARGIN = 2
BAND = 4 * BLOCK
WINDOW = 5
CONSTANT = np.float32(1e-8)
"""Blocks that vary less, in squared coefficient of variation, are borders or clipped, not speckle."""


@jit
def srad(
    image: Float2D, spare: Float2D, iterations: int, rate: np.float32, inside: Bool2D, share: float
) -> Float2D:
    """Speckle-reducing anisotropic diffusion; gives whichever of `image` and `spare` holds the result.

    `rate` is a quarter of the time step; the squared speckle scale of each step is the quantile `share` of the squared coefficient of
    variation over the blocks that are `inside` and not constant. Stops when there are none.
    """
    variation = np.empty(inside.shape, np.float32)
    all_block_variation(image, variation)
    bands = _bands(image)
    for _ in range(iterations):
        scale = lower_quantile(variation, inside, share)
        if scale == 0:
            break
        for band in range(bands):
            _step_band(image, band, scale, rate, False, spare, variation)
        _replicate_ends(spare)
        image, spare = spare, image
    return image


@parallel_jit
def srad_parallel(
    image: Float2D, spare: Float2D, iterations: int, rate: np.float32, inside: Bool2D, share: float
) -> Float2D:
    """Do as `srad`, with the bands of a step on all threads."""
    variation = np.empty(inside.shape, np.float32)
    all_block_variation(image, variation)
    bands = _bands(image)
    for _ in range(iterations):
        scale = lower_quantile(variation, inside, share)
        if scale == 0:
            break
        for band in numba.prange(bands):
            _step_band(image, band, scale, rate, False, spare, variation)
        _replicate_ends(spare)
        image, spare = spare, image
    return image


@jit
def dpad(
    image: Float2D, spare: Float2D, iterations: int, rate: np.float32, inside: Bool2D, share: float
) -> Float2D:
    """Detail-preserving anisotropic diffusion; arguments as in `srad`."""
    variation = np.empty(inside.shape, np.float32)
    all_block_variation(image, variation)
    bands = _bands(image)
    for _ in range(iterations):
        scale = lower_quantile(variation, inside, share)
        if scale == 0:
            break
        for band in range(bands):
            _step_band(image, band, scale, rate, True, spare, variation)
        _replicate_ends(spare)
        image, spare = spare, image
    return image


@parallel_jit
def dpad_parallel(
    image: Float2D, spare: Float2D, iterations: int, rate: np.float32, inside: Bool2D, share: float
) -> Float2D:
    """Do as `dpad`, with the bands of a step on all threads."""
    variation = np.empty(inside.shape, np.float32)
    all_block_variation(image, variation)
    bands = _bands(image)
    for _ in range(iterations):
        scale = lower_quantile(variation, inside, share)
        if scale == 0:
            break
        for band in numba.prange(bands):
            _step_band(image, band, scale, rate, True, spare, variation)
        _replicate_ends(spare)
        image, spare = spare, image
    return image


@jit
def block_variation(image: Float2D, row: int, out: Float1D) -> None:
    """Squared coefficient of variation of the 16 x 16 blocks of one row of blocks of a padded image; `out` has one value a block."""
    width = out.size * BLOCK
    first = MARGIN + row * BLOCK
    shift = np.empty(
        width, np.float32
    )  # of each block: float32 would lose a variance far below the squared mean
    for j in range(out.size):
        shift[j * BLOCK : (j + 1) * BLOCK] = image[first, j * BLOCK + MARGIN]
    sums = np.zeros(width, np.float32)
    squares = np.zeros(width, np.float32)
    for i in range(0, BLOCK, 4):  # four rows at a time: fewer loads and stores of the sums
        for c in range(width):
            u, v = (
                image[first + i, c + MARGIN] - shift[c],
                image[first + i + 1, c + MARGIN] - shift[c],
            )
            x, y = (
                image[first + i + 2, c + MARGIN] - shift[c],
                image[first + i + 3, c + MARGIN] - shift[c],
            )
            sums[c] += (u + v) + (x + y)
            squares[c] += (u * u + v * v) + (x * x + y * y)
    half = BLOCK // 2
    while half:  # the columns of a block by pairs: one chain of additions would wait for each
        for c in range(width - half):
            sums[c] += sums[c + half]
            squares[c] += squares[c + half]
        half //= 2
    for j in range(out.size):
        offset = np.float64(sums[j * BLOCK]) / (BLOCK * BLOCK)
        mean = offset + shift[j * BLOCK]
        variance = max(squares[j * BLOCK] / (BLOCK * BLOCK) - offset * offset, 0.0)
        out[j] = variance / (mean * mean + TINY)


@jit
def lower_quantile(variation: Float2D, inside: Bool2D, share: float) -> np.float32:
    """Quantile of the variation of the blocks that are `inside` and not constant, between order statistics; 0 where there are none."""
    values = np.empty(variation.size, np.float32)
    count = 0
    for i in range(variation.shape[0]):
        for j in range(variation.shape[1]):
            if inside[i, j] and variation[i, j] > CONSTANT:
                values[count] = variation[i, j]
                count += 1
    if count == 0:
        return np.float32(0)
    position = share * (count - 1)
    k = int(position)
    ordered = np.partition(values[:count], k)
    above = ordered[k + 1 :].min() if k + 1 < count else ordered[k]
    return np.float32(ordered[k] + (position - k) * (above - ordered[k]))


@jit
def all_block_variation(image: Float2D, variation: Float2D) -> None:
    """As `block_variation`, for all whole blocks."""
    for row in range(variation.shape[0]):
        block_variation(image, row, variation[row])


@jit
def _bands(image: Float2D) -> int:
    bands: int = (image.shape[0] - 2 * MARGIN) // BAND
    return max(bands, 1)


@jit
def _step_band(
    image: Float2D,
    band: int,
    scale_squared: np.float32,
    rate: np.float32,
    detail: bool,
    out: Float2D,
    variation: Float2D,
) -> None:
    """Diffuse one band of rows into `out` and take its blocks' variation; the last band has what is left over."""
    rows, columns = image.shape
    top, bottom = MARGIN, rows - MARGIN
    first = top + band * BAND
    last = bottom if band == _bands(image) - 1 else first + BAND
    coefficient = np.empty((4, columns), np.float32)
    sums, squares = np.empty(columns, np.float32), np.empty(columns, np.float32)
    for r in range(max(first - 1, top), first + 1):
        _coefficients(image, r, scale_squared, detail, sums, squares, coefficient[r % 4])
    if first == top:
        coefficient[(first - 1) % 4, :] = coefficient[first % 4, :]
    for r in range(first, last):
        if r + 1 < bottom:
            _coefficients(
                image, r + 1, scale_squared, detail, sums, squares, coefficient[(r + 1) % 4]
            )
        else:
            coefficient[(r + 1) % 4, :] = coefficient[r % 4, :]
        _diffuse(image, r, coefficient, np.float32(0.5) * rate, out)
    for row in range(band * (BAND // BLOCK), min((last - top) // BLOCK, variation.shape[0])):
        block_variation(out, row, variation[row])


@jit
def _coefficients(
    image: Float2D,
    r: int,
    scale_squared: np.float32,
    detail: bool,
    sums: Float1D,
    squares: Float1D,
    out: Float1D,
) -> None:
    """Diffusion coefficients of one row, with the border repeated."""
    if detail:
        _detail_coefficients(image, r, scale_squared, sums, squares, out)
    else:
        _instantaneous_coefficients(image, r, scale_squared, out)
    columns = image.shape[1]
    out[MARGIN - 1] = out[MARGIN]
    out[columns - MARGIN] = out[columns - MARGIN - 1]


@contracted_jit
def _instantaneous_coefficients(
    image: Float2D, r: int, scale_squared: np.float32, out: Float1D
) -> None:
    """Yu and Acton 2002: 1 / (1 + (q^2 - q0^2) / (q0^2 (1 + q0^2))), multiplied out to one division instead of three."""
    one, four, eight = np.float32(1), np.float32(4), np.float32(8)
    inverse = one / (scale_squared * (one + scale_squared))
    share = scale_squared / (one + scale_squared)
    for k in range(image.shape[1] - 2 * MARGIN):
        c = k + MARGIN  # counted from 0, LLVM sees that no index is negative and vectorises
        here = image[r, c]
        up, down = image[r - 1, c] - here, image[r + 1, c] - here
        left, right = image[r, c - 1] - here, image[r, c + 1] - here
        laplacian = (up + down) + (left + right)
        gradient = (up * up + down * down) + (left * left + right * right)
        around = four * here + laplacian
        squared = around * around
        value = squared / (
            share * squared + ((eight * gradient - laplacian * laplacian) * inverse + TINY)
        )
        out[c] = min(value, one)


@contracted_jit
def _detail_coefficients(
    image: Float2D, r: int, scale_squared: np.float32, sums: Float1D, squares: Float1D, out: Float1D
) -> None:
    """Aja-Fernandez and Alberola-Lopez 2006: (1 + 1/q^2) / (1 + 1/q0^2), q the coefficient of variation in a window of 5 x 5 pixels."""
    columns = image.shape[1]
    one, share = np.float32(1), np.float32(1 / WINDOW**2)
    weight = scale_squared / (one + scale_squared)
    for c in range(columns):
        total = np.float32(0)
        total_squared = np.float32(0)
        for i in range(WINDOW):
            value = image[r - MARGIN + i, c]
            total += value
            total_squared += value * value
        sums[c] = total
        squares[c] = total_squared
    for k in range(columns - 2 * MARGIN):
        c = k + MARGIN
        total = np.float32(0)
        total_squared = np.float32(0)
        for i in range(WINDOW):
            total += sums[c - MARGIN + i]
            total_squared += squares[c - MARGIN + i]
        mean = total * share
        squared = mean * mean
        variance = max(total_squared * share - squared, np.float32(0))
        out[c] = min(weight * (variance + squared) / (variance + TINY), one)


@contracted_jit
def _diffuse(image: Float2D, r: int, coefficient: Float2D, rate: np.float32, out: Float2D) -> None:
    """One row of `out`, with its border repeated: what flows in from each side with the mean of both pixels' coefficients."""
    before, at, after = (r - 1) % 4, r % 4, (r + 1) % 4
    columns = image.shape[1]
    for k in range(columns - 2 * MARGIN):
        c = k + MARGIN
        here, own = image[r, c], coefficient[at, c]
        flux = (own + coefficient[before, c]) * (image[r - 1, c] - here) + (
            own + coefficient[after, c]
        ) * (image[r + 1, c] - here)
        flux += (own + coefficient[at, c - 1]) * (image[r, c - 1] - here) + (
            own + coefficient[at, c + 1]
        ) * (image[r, c + 1] - here)
        out[r, c] = here + rate * flux
    for c in range(MARGIN):
        out[r, c] = out[r, MARGIN]
        out[r, columns - 1 - c] = out[r, columns - 1 - MARGIN]


@jit
def _replicate_ends(image: Float2D) -> None:
    rows = image.shape[0]
    for i in range(MARGIN):
        image[i, :] = image[MARGIN, :]
        image[rows - 1 - i, :] = image[rows - 1 - MARGIN, :]
