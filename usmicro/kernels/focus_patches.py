"""Patches around positions, turned so that the beam runs down them; steepness around positions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Float1D, Float2D, jit


@jit
def beam_patches(
    image: Float2D,
    x: Float1D,
    y: Float1D,
    beam_x: Float1D,
    beam_y: Float1D,
    step: float,
    out: NDArray[np.float32],
) -> None:
    """Sample a patch around each position by bilinear interpolation.

    Rows of a patch run along the beam, columns across it. Outside, the image has the value of its
    edge.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    x, y : array, shape (n,), float32
        Positions of the centres, pixels.
    beam_x, beam_y : array, shape (n,), float32
        Unit vectors along the beam.
    step : float
        Distance between the samples, pixels.
    out : array, shape (n, size, size), float32
    """
    rows, columns = image.shape
    size = out.shape[1]
    last_row, last_column = np.float32(rows - 1), np.float32(columns - 1)
    distance = np.float32(step)
    half = np.float32(0.5 * (size - 1))
    for i in range(x.size):
        down_x, down_y = beam_x[i] * distance, beam_y[i] * distance
        for r in range(size):
            along = np.float32(r) - half
            start_x = x[i] + along * down_x - half * down_y
            start_y = y[i] + along * down_y + half * down_x
            for c in range(size):
                at_x = min(max(start_x + c * down_y, np.float32(0)), last_column)
                at_y = min(max(start_y - c * down_x, np.float32(0)), last_row)
                left, above = int(at_x), int(at_y)
                right, below = min(left + 1, columns - 1), min(above + 1, rows - 1)
                u, v = at_x - np.float32(left), at_y - np.float32(above)
                upper = image[above, left] + u * (image[above, right] - image[above, left])
                lower = image[below, left] + u * (image[below, right] - image[below, left])
                out[i, r, c] = upper + v * (lower - upper)


@jit
def largest_steps(image: Float2D, x: Float1D, y: Float1D, radius: Float1D, out: Float2D) -> None:
    """Find the largest difference between adjacent pixels around each position.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    x, y : array, shape (n,), float32
        Positions inside the image, pixels.
    radius : array, shape (n,), float32
        Half the width of the square around each position in which pixels are compared, pixels.
    out : array, shape (n, 2), float32
        Receives the largest magnitude between neighbours in a row, and between neighbours in a
        column.
    """
    rows, columns = image.shape
    for i in range(x.size):
        reach = int(radius[i] + np.float32(0.5))
        row, column = int(y[i] + np.float32(0.5)), int(x[i] + np.float32(0.5))
        top, bottom = max(row - reach, 0), min(row + reach, rows - 1)
        left, right = max(column - reach, 0), min(column + reach, columns - 1)
        across, down = np.float32(0), np.float32(0)
        for r in range(top, bottom + 1):
            for c in range(left, right + 1):
                if c < right:
                    across = max(across, abs(image[r, c + 1] - image[r, c]))
                if r < bottom:
                    down = max(down, abs(image[r + 1, c] - image[r, c]))
        out[i, 0], out[i, 1] = across, down
