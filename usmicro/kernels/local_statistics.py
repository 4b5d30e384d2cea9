"""Speckle filters that weigh by the mean and variance of a window of 7 x 7 pixels: Lee, Kuan and Frost.

`image` is padded by MARGIN pixels, `out` is not; `noise` is the squared coefficient of variation of the speckle.
"""

from __future__ import annotations

import numpy as np

from usmicro.kernels._jit import Float2D, contracted_jit, jit
from usmicro.kernels.exponential import LOG2_E, power_of_half

TINY = np.float32(1e-30)
WINDOW = 7
MARGIN = 3
SHARE = np.float32(1 / WINDOW**2)


@jit
def linear_estimate(image: Float2D, noise: np.float32, divisor: np.float32, out: Float2D) -> None:
    """The mean plus (variance - noise mean^2) / (divisor variance) of what the pixel differs from it.

    A divisor of 1 is Lee 1980; 1 + noise is Kuan et al. 1985, the exact linear estimate for multiplicative noise.
    """
    sums, pairs = (
        np.empty((2, 2, image.shape[1]), np.float32),
        np.empty((2, image.shape[1]), np.float32),
    )
    for r in range(0, out.shape[0], 2):
        _column_sums(image, r, sums)
        for row in range(r, min(r + 2, out.shape[0])):
            _pair_sums(sums[row - r], pairs)
            _linear_row(image, row, sums[row - r], pairs, noise, divisor, out)


@jit
def frost(image: Float2D, damping: np.float32, out: Float2D) -> None:
    """Frost et al. 1982: mean with the weights exp(-damping variance / mean^2 distance), the distance in pixels."""
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
def _column_sums(image: Float2D, r: int, sums: Float2D) -> None:
    """Sums and squares down the windows of rows r and r + 1 of the output, which share six of their seven rows."""
    last = min(r + WINDOW, image.shape[0] - 1)
    for c in range(image.shape[1]):
        first = image[r, c]
        total = np.float32(0)
        total_squared = np.float32(0)
        for i in range(1, WINDOW):  # a fixed trip count lets LLVM unroll
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
    """Sums of each column and the next, from which a window takes three and one column: fewer additions, and no running sum that drifts."""
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
    for c in range(out.shape[1]):
        mean = ((pairs[0, c] + pairs[0, c + 2]) + (pairs[0, c + 4] + sums[0, c + 6])) * SHARE
        squared = mean * mean
        variance = max(
            ((pairs[1, c] + pairs[1, c + 2]) + (pairs[1, c + 4] + sums[1, c + 6])) * SHARE
            - squared,
            np.float32(0),
        )
        gain = max(variance - noise * squared, np.float32(0)) / (variance * divisor + TINY)
        out[r, c] = mean + gain * (image[r + MARGIN, c + MARGIN] - mean)


@jit
def _fold(image: Float2D, r: int, folded: Float2D) -> None:
    """Sums of the rows at the same distance above and below: pixels at one distance share a weight, so they are summed first."""
    for c in range(image.shape[1]):
        folded[0, c] = image[r + MARGIN, c]
        folded[1, c] = image[r + MARGIN - 1, c] + image[r + MARGIN + 1, c]
        folded[2, c] = image[r + MARGIN - 2, c] + image[r + MARGIN + 2, c]
        folded[3, c] = image[r + MARGIN - 3, c] + image[r + MARGIN + 3, c]


@contracted_jit
def _frost_row(
    folded: Float2D, r: int, sums: Float2D, pairs: Float2D, damping: np.float32, out: Float2D
) -> None:
    root2, root5, root10, root13 = (
        np.float32(2**0.5),
        np.float32(5**0.5),
        np.float32(10**0.5),
        np.float32(13**0.5),
    )
    one, four, eight = np.float32(1), np.float32(4), np.float32(8)
    for c in range(out.shape[1]):
        mean = ((pairs[0, c] + pairs[0, c + 2]) + (pairs[0, c + 4] + sums[0, c + 6])) * SHARE
        squared = mean * mean
        variance = max(
            ((pairs[1, c] + pairs[1, c + 2]) + (pairs[1, c + 4] + sums[1, c + 6])) * SHARE
            - squared,
            np.float32(0),
        )
        decay = damping * LOG2_E * variance / (squared + TINY)
        # a distance is the root of a sum of two squares up to 9: five exponentials give all nine weights
        w1, w2, w5 = (
            power_of_half(decay),
            power_of_half(decay * root2),
            power_of_half(decay * root5),
        )
        w10, w13 = power_of_half(decay * root10), power_of_half(decay * root13)
        w4, w8 = w1 * w1, w2 * w2
        w9, w18 = w4 * w1, w8 * w2
        at1 = folded[0, c + 2] + folded[0, c + 4] + folded[1, c + 3]
        at2 = folded[1, c + 2] + folded[1, c + 4]
        at4 = folded[0, c + 1] + folded[0, c + 5] + folded[2, c + 3]
        at5 = (folded[1, c + 1] + folded[1, c + 5]) + (folded[2, c + 2] + folded[2, c + 4])
        at8 = folded[2, c + 1] + folded[2, c + 5]
        at9 = folded[0, c] + folded[0, c + 6] + folded[3, c + 3]
        at10 = (folded[1, c] + folded[1, c + 6]) + (folded[3, c + 2] + folded[3, c + 4])
        at13 = (folded[2, c] + folded[2, c + 6]) + (folded[3, c + 1] + folded[3, c + 5])
        at18 = folded[3, c] + folded[3, c + 6]
        total = (
            folded[0, c + 3]
            + w1 * at1
            + w2 * at2
            + w4 * at4
            + w5 * at5
            + w8 * at8
            + w9 * at9
            + w10 * at10
            + w13 * at13
            + w18 * at18
        )
        weight = one + four * (w1 + w2 + w4 + w8 + w9 + w18) + eight * (w5 + w10 + w13)
        out[r, c] = total / weight
