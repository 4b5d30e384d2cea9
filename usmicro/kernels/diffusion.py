"""Speckle-reducing anisotropic diffusion (SRAD) and its detail-preserving form (DPAD).

Images are padded by MARGIN pixels that repeat the border. Each step needs the speckle scale of the
whole image, so steps cannot be joined. A step works through the image in bands of rows: diffusion
coefficients are held for four rows only, and the variation of the blocks, from which the speckle
scale of the next step follows, is measured while the band is still in cache.
"""

from __future__ import annotations

import numba
import numpy as np

from usmicro.kernels._jit import Bool2D, Float1D, Float2D, contracted_jit, jit, parallel_jit

TINY = np.float32(1e-30)
"""Added to divisors that may be 0. Far below the square of any amplitude of an image; chosen
without a measurement."""
BLOCK = 16
"""Width and height of the blocks in which the speckle scale is measured, pixels. Larger blocks have
less random variation; smaller ones are more often homogeneous. Chosen by eye on the sample scans;
no measurement is recorded."""
MARGIN = 2
"""Padding of images on all sides, pixels: half of WINDOW."""
BAND = 4 * BLOCK
"""Rows of a band, a multiple of BLOCK. A band must stay in cache, but its coefficients are computed
twice at its ends. No measurement is recorded."""
WINDOW = 5
"""Width and height of the window in which DPAD measures the coefficient of variation, pixels. A
larger window blurs more details. No measurement is recorded."""
LEAST_VARIATION = np.float32(1e-8)
"""Smallest squared coefficient of variation of a block with speckle. Blocks that vary less are
borders or clipped. Of the order of the rounding errors of float32; no measurement is recorded."""


@jit
def srad(
    image: Float2D, spare: Float2D, iterations: int, rate: np.float32, inside: Bool2D, share: float
) -> Float2D:
    """Compute speckle-reducing anisotropic diffusion.

    Stops early if no block that is `inside` has speckle.

    Parameters
    ----------
    image : array, shape (rows + 4, columns + 4), float32
        Amplitude; overwritten.
    spare : array, shape (rows + 4, columns + 4), float32
        Room for intermediate results.
    iterations : int
    rate : float32
        A quarter of the time step.
    inside : array, shape (rows // 16, columns // 16), bool
        Blocks in which the speckle scale is measured.
    share : float
        The squared speckle scale of a step is this quantile, 0 to 1, of the squared coefficient of
        variation of the blocks.

    Returns
    -------
    array, shape (rows + 4, columns + 4), float32
        `image` or `spare`, whichever holds the result.

    References
    ----------
    Yu and Acton, IEEE Trans. Image Processing 11 (2002) 1260.
    """
    variation = np.empty(inside.shape, np.float32)
    block_variations(image, variation)
    bands = _bands(image)
    for _ in range(iterations):
        scale = variation_quantile(variation, inside, share)
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
    """Compute `srad` on all threads, which share the bands of a step; the result is the same."""
    variation = np.empty(inside.shape, np.float32)
    block_variations(image, variation)
    bands = _bands(image)
    for _ in range(iterations):
        scale = variation_quantile(variation, inside, share)
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
    """Compute detail-preserving anisotropic diffusion; arguments and result as in `srad`.

    References
    ----------
    Aja-Fernandez and Alberola-Lopez, IEEE Trans. Image Processing 15 (2006) 2694.
    """
    variation = np.empty(inside.shape, np.float32)
    block_variations(image, variation)
    bands = _bands(image)
    for _ in range(iterations):
        scale = variation_quantile(variation, inside, share)
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
    """Compute `dpad` on all threads, which share the bands of a step; the result is the same."""
    variation = np.empty(inside.shape, np.float32)
    block_variations(image, variation)
    bands = _bands(image)
    for _ in range(iterations):
        scale = variation_quantile(variation, inside, share)
        if scale == 0:
            break
        for band in numba.prange(bands):
            _step_band(image, band, scale, rate, True, spare, variation)
        _replicate_ends(spare)
        image, spare = spare, image
    return image


@jit
def block_variations(image: Float2D, variation: Float2D) -> None:
    """Compute the squared coefficient of variation of all whole blocks of 16 x 16 pixels.

    Parameters
    ----------
    image : array, shape (rows + 4, columns + 4), float32
    variation : array, shape (rows // 16, columns // 16), float32
        Receives variance / mean^2 of each block.
    """
    for row in range(variation.shape[0]):
        _block_row_variations(image, row, variation[row])


@jit
def _block_row_variations(image: Float2D, row: int, out: Float1D) -> None:
    """Compute the squared coefficients of variation of one row of blocks into `out`, (blocks,).

    The first pixel of each block is subtracted from the others, since float32 would lose a variance
    far below the squared mean.
    """
    width = out.size * BLOCK
    first = MARGIN + row * BLOCK
    shift = np.empty(width, np.float32)
    for j in range(out.size):
        shift[j * BLOCK : (j + 1) * BLOCK] = image[first, j * BLOCK + MARGIN]
    sums = np.zeros(width, np.float32)
    squares = np.zeros(width, np.float32)
    for i in range(0, BLOCK, 4):  # four rows at a time: fewer loads and stores of the sums
        for c in range(width):
            u = image[first + i, c + MARGIN] - shift[c]
            v = image[first + i + 1, c + MARGIN] - shift[c]
            x = image[first + i + 2, c + MARGIN] - shift[c]
            y = image[first + i + 3, c + MARGIN] - shift[c]
            sums[c] += (u + v) + (x + y)
            squares[c] += (u * u + v * v) + (x * x + y * y)
    # The columns of a block are added in pairs, which LLVM vectorises; in one chain, each addition
    # would wait for the previous one.
    half = BLOCK // 2
    while half:
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
def variation_quantile(variation: Float2D, inside: Bool2D, share: float) -> np.float32:
    """Return a quantile of the variation of the blocks that are `inside` and have speckle.

    Parameters
    ----------
    variation : array, shape (block rows, block columns), float32
        Squared coefficients of variation.
    inside : array, shape (block rows, block columns), bool
    share : float
        Quantile to compute, 0 to 1, interpolated linearly between order statistics.

    Returns
    -------
    float32
        0 if there are no such blocks.
    """
    values = np.empty(variation.size, np.float32)
    count = 0
    for i in range(variation.shape[0]):
        for j in range(variation.shape[1]):
            if inside[i, j] and variation[i, j] > LEAST_VARIATION:
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
def _bands(image: Float2D) -> int:
    """Return the number of bands of a padded image, at least 1."""
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
    """Diffuse one band of rows into `out`, and measure the variation of its blocks.

    The last band takes the rows that are left over. Diffusion coefficients of four rows are held in
    a ring: row r is in row r % 4.

    Parameters
    ----------
    image, out : array, shape (rows + 4, columns + 4), float32
    band : int
        Number of the band.
    scale_squared : float32
        Squared speckle scale.
    rate : float32
        A quarter of the time step.
    detail : bool
        True for DPAD, False for SRAD.
    variation : array, shape (block rows, block columns), float32
        Receives the variation of the blocks of the band.
    """
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
        _block_row_variations(out, row, variation[row])


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
    """Compute the diffusion coefficients of row r into `out`, and repeat them at the border.

    `sums`, `squares` and `out` have shape (columns + 4,); the first two are room for intermediate
    results. The other arguments are those of `_step_band`.
    """
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
    """Compute the coefficients of SRAD for row r: 1 / (1 + (q^2 - q0^2) / (q0^2 (1 + q0^2))).

    q is the instantaneous coefficient of variation of Yu and Acton (2002), q0 the speckle scale.
    The fraction is expanded so that one division is left instead of three.
    """
    one, four, eight = np.float32(1), np.float32(4), np.float32(8)
    inverse = one / (scale_squared * (one + scale_squared))
    share = scale_squared / (one + scale_squared)
    for k in range(image.shape[1] - 2 * MARGIN):
        c = k + MARGIN  # k is counted from 0: no index is negative, so LLVM vectorises the loop
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
    """Compute the coefficients of DPAD for row r: (1 + 1/q^2) / (1 + 1/q0^2), at most 1.

    q is the coefficient of variation in a window of 5 x 5 pixels, q0 the speckle scale
    (Aja-Fernandez and Alberola-Lopez 2006).
    """
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
    """Diffuse row r of `image` into `out`, and repeat its border.

    The flux between two pixels has the mean of their coefficients, whose factor 1/2 is part of
    `rate`, an eighth of the time step. `coefficient`, (4, columns + 4), holds row r in row r % 4.
    """
    before, at, after = (r - 1) % 4, r % 4, (r + 1) % 4
    columns = image.shape[1]
    for k in range(columns - 2 * MARGIN):
        c = k + MARGIN
        here, own = image[r, c], coefficient[at, c]
        up, down = own + coefficient[before, c], own + coefficient[after, c]
        left, right = own + coefficient[at, c - 1], own + coefficient[at, c + 1]
        flux = up * (image[r - 1, c] - here) + down * (image[r + 1, c] - here)
        flux += left * (image[r, c - 1] - here) + right * (image[r, c + 1] - here)
        out[r, c] = here + rate * flux
    for c in range(MARGIN):
        out[r, c] = out[r, MARGIN]
        out[r, columns - 1 - c] = out[r, columns - 1 - MARGIN]


@jit
def _replicate_ends(image: Float2D) -> None:
    """Repeat the first and the last row of a padded image in its margin."""
    rows = image.shape[0]
    for i in range(MARGIN):
        image[i, :] = image[MARGIN, :]
        image[rows - 1 - i, :] = image[rows - 1 - MARGIN, :]
