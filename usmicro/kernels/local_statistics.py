"""Speckle filters of Lee, Kuan and Frost, from mean and variance in a window of 7 x 7 pixels.

Input images are padded by MARGIN pixels on all sides. Sums down the columns of a window are
computed for two rows of the result at once, which share six of their seven rows, and then combined
across the columns. There are no running sums, whose rounding errors would add up.
"""

from __future__ import annotations

import numpy as np

from usmicro.kernels._jit import Float2D, Float3D, contracted_jit, jit
from usmicro.kernels.exponential import LOG2_E, power_of_half

TINY = np.float32(1e-30)
"""Added to divisors that may be 0, squared unit of the image. Below the square of any amplitude
that float32 distinguishes from 0 beside others; chosen without a measurement."""
WINDOW = 7
"""Width and height of the window, pixels. The loops below are
written for this size."""
MARGIN = 3
"""Padding of input images on all sides, pixels: half of the window."""
SHARE = np.float32(1 / WINDOW**2)
"""Weight of a pixel in the mean of the window."""


@jit
def linear_estimate(image: Float2D, noise: np.float32, divisor: np.float32, out: Float2D) -> None:
    """Compute the linear estimate of Lee or Kuan of the noise-free image.

    With mean and variance of the window, the result is
    mean + (variance - noise * mean^2) / (divisor * variance) * (pixel - mean), and the mean if the
    numerator is negative.

    Parameters
    ----------
    image : array, shape (rows + 6, columns + 6), float32
        Amplitude.
    noise : float32
        Squared coefficient of variation of the speckle.
    divisor : float32
        1 for Lee (1980); 1 + noise for Kuan et al. (1985), the exact linear estimate for
        multiplicative noise.
    out : array, shape (rows, columns), float32
        Receives the result.
    """
    sums = np.empty((2, 2, image.shape[1]), np.float32)
    pairs = np.empty((2, image.shape[1]), np.float32)
    for r in range(0, out.shape[0], 2):
        _column_sums(image, r, sums)
        for row in range(r, min(r + 2, out.shape[0])):
            _pair_sums(sums[row - r], pairs)
            _linear_row(image, row, sums[row - r], pairs, noise, divisor, out)


@jit
def frost(image: Float2D, damping: np.float32, out: Float2D) -> None:
    """Compute the filter of Frost et al. (1982).

    The result is a mean with the weights exp(-damping * variance / mean^2 * distance), with mean
    and variance of the window, and the distance from its centre in pixels.

    Parameters
    ----------
    image : array, shape (rows + 6, columns + 6), float32
        Amplitude.
    damping : float32
        Dimensionless.
    out : array, shape (rows, columns), float32
        Receives the result.
    """
    columns = image.shape[1]
    sums, pairs = np.empty((2, 2, columns), np.float32), np.empty((2, columns), np.float32)
    folded = np.empty((4, columns), np.float32)
    for r in range(0, out.shape[0], 2):
        _column_sums(image, r, sums)
        for row in range(r, min(r + 2, out.shape[0])):
            _pair_sums(sums[row - r], pairs)
            _fold(image, row, folded)
            _frost_row(folded, row, sums[row - r], pairs, damping, out)


@contracted_jit
def _column_sums(image: Float2D, r: int, sums: Float3D) -> None:
    """Sum the seven pixels of each column of the windows of rows r and r + 1 of the result.

    `sums`, (2, 2, padded columns), receives for both rows the sums of the pixels and of their
    squares.
    """
    last = min(r + WINDOW, image.shape[0] - 1)
    for c in range(image.shape[1]):
        first = image[r, c]
        total = np.float32(0)
        total_squared = np.float32(0)
        for i in range(1, WINDOW):  # a fixed number of iterations lets LLVM unroll the loop
            value = image[r + i, c]
            total += value
            total_squared += value * value
        after = image[last, c]
        sums[0, 0, c] = total + first
        sums[0, 1, c] = total_squared + first * first
        sums[1, 0, c] = total + after
        sums[1, 1, c] = total_squared + after * after


@jit
def _pair_sums(sums: Float2D, pairs: Float2D) -> None:
    """Sum each column and the next; arrays have shape (2, padded columns), as in `_column_sums`.

    A window takes three pairs and one column, which needs fewer additions than seven columns.
    """
    for c in range(sums.shape[1] - 1):
        pairs[0, c] = sums[0, c] + sums[0, c + 1]
        pairs[1, c] = sums[1, c] + sums[1, c + 1]


@contracted_jit
def _linear_row(
    image: Float2D,
    r: int,
    sums: Float2D,
    pairs: Float2D,
    noise: np.float32,
    divisor: np.float32,
    out: Float2D,
) -> None:
    """Write row r of the linear estimate into `out`; arguments as in the functions above."""
    for c in range(out.shape[1]):
        mean = ((pairs[0, c] + pairs[0, c + 2]) + (pairs[0, c + 4] + sums[0, c + 6])) * SHARE
        squared = mean * mean
        total_squared = (pairs[1, c] + pairs[1, c + 2]) + (pairs[1, c + 4] + sums[1, c + 6])
        variance = max(total_squared * SHARE - squared, np.float32(0))
        gain = max(variance - noise * squared, np.float32(0)) / (variance * divisor + TINY)
        out[r, c] = mean + gain * (image[r + MARGIN, c + MARGIN] - mean)


@jit
def _fold(image: Float2D, r: int, folded: Float2D) -> None:
    """Sum the rows at equal distance above and below the centre of the windows of row r.

    `folded`, (4, padded columns), receives the centre row and the sums at distances 1 to 3. Pixels
    at equal distance have equal weights, so each sum is weighted once.
    """
    for c in range(image.shape[1]):
        folded[0, c] = image[r + MARGIN, c]
        folded[1, c] = image[r + MARGIN - 1, c] + image[r + MARGIN + 1, c]
        folded[2, c] = image[r + MARGIN - 2, c] + image[r + MARGIN + 2, c]
        folded[3, c] = image[r + MARGIN - 3, c] + image[r + MARGIN + 3, c]


@contracted_jit
def _frost_row(
    folded: Float2D, r: int, sums: Float2D, pairs: Float2D, damping: np.float32, out: Float2D
) -> None:
    """Write row r of the Frost filter into `out`; arguments as in the functions above.

    In names such as w5 and at5, the number is the squared distance from the centre. It is a sum of
    two squares up to 9, so five exponentials give all nine weights: w4 = w1^2, w8 = w2^2,
    w9 = w1^3, w18 = w2^3.
    """
    root2, root5 = np.float32(2**0.5), np.float32(5**0.5)
    root10, root13 = np.float32(10**0.5), np.float32(13**0.5)
    one, four, eight = np.float32(1), np.float32(4), np.float32(8)
    for c in range(out.shape[1]):
        mean = ((pairs[0, c] + pairs[0, c + 2]) + (pairs[0, c + 4] + sums[0, c + 6])) * SHARE
        squared = mean * mean
        total_squared = (pairs[1, c] + pairs[1, c + 2]) + (pairs[1, c + 4] + sums[1, c + 6])
        variance = max(total_squared * SHARE - squared, np.float32(0))
        decay = damping * LOG2_E * variance / (squared + TINY)
        w1, w2 = power_of_half(decay), power_of_half(decay * root2)
        w5, w10 = power_of_half(decay * root5), power_of_half(decay * root10)
        w13 = power_of_half(decay * root13)
        w4, w8 = w1 * w1, w2 * w2
        w9, w18 = w4 * w1, w8 * w2
        at0 = folded[0, c + 3]
        at1 = folded[0, c + 2] + folded[0, c + 4] + folded[1, c + 3]
        at2 = folded[1, c + 2] + folded[1, c + 4]
        at4 = folded[0, c + 1] + folded[0, c + 5] + folded[2, c + 3]
        at5 = (folded[1, c + 1] + folded[1, c + 5]) + (folded[2, c + 2] + folded[2, c + 4])
        at8 = folded[2, c + 1] + folded[2, c + 5]
        at9 = folded[0, c] + folded[0, c + 6] + folded[3, c + 3]
        at10 = (folded[1, c] + folded[1, c + 6]) + (folded[3, c + 2] + folded[3, c + 4])
        at13 = (folded[2, c] + folded[2, c + 6]) + (folded[3, c + 1] + folded[3, c + 5])
        at18 = folded[3, c] + folded[3, c + 6]
        total = at0 + w1 * at1 + w2 * at2 + w4 * at4 + w5 * at5 + w8 * at8
        total = total + w9 * at9 + w10 * at10 + w13 * at13 + w18 * at18
        weight = one + four * (w1 + w2 + w4 + w8 + w9 + w18) + eight * (w5 + w10 + w13)
        out[r, c] = total / weight
