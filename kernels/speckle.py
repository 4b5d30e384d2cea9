"""Speckle reduction: speckle-reducing anisotropic diffusion and the Lee filter."""

from __future__ import annotations

import numpy as np

from usmicro.kernels._jit import Float2D, jit

TINY = np.float32(1e-30)
BLOCK = 16


@jit
def block_variation(image: Float2D, margin: int, out: Float2D) -> None:
    """Squared coefficient of variation of each 16 x 16 block of `image` within its margin; `out` has one value a whole block."""
    blocks, width = out.shape[0], out.shape[1] * BLOCK
    sums = np.empty(width, np.float64)  # float32 would lose a variance far below the squared mean
    squares = np.empty(width, np.float64)
    for i in range(blocks):
        sums[:] = 0
        squares[:] = 0
        for r in range(margin + i * BLOCK, margin + (i + 1) * BLOCK):
            for c in range(width):
                value = np.float64(image[r, margin + c])
                sums[c] += value
                squares[c] += value * value
        for j in range(out.shape[1]):
            total = 0.0
            total_squared = 0.0
            for c in range(j * BLOCK, (j + 1) * BLOCK):
                total += sums[c]
                total_squared += squares[c]
            mean = total / (BLOCK * BLOCK)
            variance = max(total_squared / (BLOCK * BLOCK) - mean * mean, 0.0)
            out[i, j] = variance / (mean * mean + TINY)


@jit
def srad_step(image: Float2D, coefficient: Float2D, scale_squared: np.float32, rate: np.float32, out: Float2D) -> None:
    """One step of speckle-reducing anisotropic diffusion; all arrays are padded by 1 pixel, `out` gets its padding too.

    `scale_squared` is q0 squared, `rate` a quarter of the time step.
    """
    rows, columns = image.shape
    limit = scale_squared * (np.float32(1) + scale_squared)
    square = scale_squared * scale_squared
    half, quarter, sixteenth = np.float32(0.5), np.float32(0.25), np.float32(0.0625)
    for r in range(1, rows - 1):
        for c in range(1, columns - 1):
            here = image[r, c]
            up, down = image[r - 1, c] - here, image[r + 1, c] - here
            left, right = image[r, c - 1] - here, image[r, c + 1] - here
            laplacian = up + down + left + right
            gradient = up * up + down * down + left * left + right * right
            numerator = half * gradient - sixteenth * laplacian * laplacian
            root = here + quarter * laplacian
            denominator = root * root
            # 1 / (1 + (q^2 - q0^2) / (q0^2 (1 + q0^2))) multiplied out: one division instead of three
            value = limit * denominator / (square * denominator + numerator + TINY)
            coefficient[r, c] = min(value, np.float32(1))
    _replicate_border(coefficient)
    for r in range(1, rows - 1):
        for c in range(1, columns - 1):
            here = image[r, c]
            up, down = image[r - 1, c] - here, image[r + 1, c] - here
            left, right = image[r, c - 1] - here, image[r, c + 1] - here
            flux = coefficient[r, c] * (up + down + left + right)
            flux += coefficient[r - 1, c] * up + coefficient[r + 1, c] * down + coefficient[r, c - 1] * left + coefficient[r, c + 1] * right
            out[r, c] = here + rate * half * flux
    _replicate_border(out)


@jit
def _replicate_border(image: Float2D) -> None:
    rows, columns = image.shape
    for r in range(1, rows - 1):
        image[r, 0] = image[r, 1]
        image[r, columns - 1] = image[r, columns - 2]
    for c in range(columns):
        image[0, c] = image[1, c]
        image[rows - 1, c] = image[rows - 2, c]


@jit
def lee(image: Float2D, noise_variance: np.float32, out: Float2D) -> None:
    """Lee filter over a 7 x 7 window; `image` is padded by 3 pixels, `out` is not. `noise_variance` is relative to the squared mean."""
    rows, columns = out.shape
    share = np.float32(1 / 49)
    sums = np.empty(columns + 6, np.float32)
    squares = np.empty(columns + 6, np.float32)
    for r in range(rows):
        for c in range(columns + 6):
            total = np.float32(0)
            total_squared = np.float32(0)
            for i in range(7):  # a fixed trip count lets LLVM unroll
                value = image[r + i, c]
                total += value
                total_squared += value * value
            sums[c] = total
            squares[c] = total_squared
        for c in range(columns):
            total = np.float32(0)
            total_squared = np.float32(0)
            for j in range(7):
                total += sums[c + j]
                total_squared += squares[c + j]
            mean = total * share
            variance = max(total_squared * share - mean * mean, np.float32(0))
            signal = max(variance - noise_variance * mean * mean, np.float32(0))
            gain = signal / (variance + TINY)
            out[r, c] = mean + gain * (image[r + 3, c + 3] - mean)
