"""Gaussian means of an image around some of its pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Float2D, jit


@jit
def gaussian_means(
    image: Float2D,
    weights: NDArray[np.float64],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """Compute the weighted mean of an image around each of some pixels.

    The image is mirrored about its edge pixels, as by `cv2.BORDER_REFLECT_101`.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    weights : array, shape (2 reach + 1,), float64
        Weights along each axis; their sum is 1.
    row, column : array, shape (n,), int64
        Pixels of the image.
    out : array, shape (n,), float64
        Receives the means.
    """
    rows, columns = image.shape
    reach = weights.size // 2
    for i in range(row.size):
        total = 0.0
        for j in range(weights.size):
            r = _mirrored(row[i] + j - reach, rows)
            along = 0.0
            for k in range(weights.size):
                along += weights[k] * image[r, _mirrored(column[i] + k - reach, columns)]
            total += weights[j] * along
        out[i] = total


@jit
def _mirrored(index: int, size: int) -> int:
    """Return the index, 0 to size - 1, of the pixel that a pixel outside the image repeats."""
    while index < 0 or index >= size:
        if size == 1:
            return 0
        index = -index if index < 0 else 2 * (size - 1) - index
    return index
