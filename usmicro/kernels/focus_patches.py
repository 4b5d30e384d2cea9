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
    # a repeated last row and column save the tests whether a pixel has neighbours
    bordered = np.empty((rows + 1, columns + 1), np.float32)
    for r in range(rows + 1):
        row = min(r, rows - 1)
        for c in range(columns):
            bordered[r, c] = image[row, c]
        bordered[r, columns] = image[row, columns - 1]
    values, pitch, one = bordered.ravel(), np.uint64(columns + 1), np.uint64(1)
    last_row, last_column = np.float32(rows - 1), np.float32(columns - 1)
    distance = np.float32(step)
    half = np.float32(0.5 * (size - 1))
    # the places of all samples are computed first, in a loop that LLVM vectorises
    corners, across, down = (
        np.empty((size, size), np.uint32),
        np.empty(out[0].shape),
        np.empty(out[0].shape),
    )
    for i in range(x.size):
        down_x, down_y = beam_x[i] * distance, beam_y[i] * distance
        for r in range(size):
            along = np.float32(r) - half
            start_x = x[i] + along * down_x - half * down_y
            start_y = y[i] + along * down_y + half * down_x
            for c in range(size):
                at_x = min(max(start_x + np.int32(c) * down_y, np.float32(0)), last_column)
                at_y = min(max(start_y - np.int32(c) * down_x, np.float32(0)), last_row)
                left, above = np.int32(at_x), np.int32(at_y)
                corners[r, c] = above * (columns + 1) + left
                across[r, c], down[r, c] = at_x - left, at_y - above
        flat_corners, flat_across, flat_down = corners.ravel(), across.ravel(), down.ravel()
        patch = out[i].ravel()
        for k in range(patch.size):
            corner = np.uint64(flat_corners[k])
            upper_left, lower_left = values[corner], values[corner + pitch]
            upper_right, lower_right = values[corner + one], values[corner + pitch + one]
            upper = upper_left + flat_across[k] * (upper_right - upper_left)
            lower = lower_left + flat_across[k] * (lower_right - lower_left)
            patch[k] = upper + flat_down[k] * (lower - upper)


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
