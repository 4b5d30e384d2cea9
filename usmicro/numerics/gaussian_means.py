"""Means of an image around some of its pixels, with Gaussian weights."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.kernels.gaussian_means import gaussian_means
from usmicro.model.arrays import FloatImage

REACH_SIGMAS = 4
"""Distance, in standard deviations, beyond which weights are 0, as in `cv2.GaussianBlur`."""


def gaussian_means_at(
    image: FloatImage, sigma: float, row: NDArray[np.int_], column: NDArray[np.int_]
) -> NDArray[np.float64]:
    """Return the mean of an image around each of some pixels.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
        It is mirrored about its edge pixels.
    sigma : float
        Standard deviation of the weights in pixels.
    row, column : array, shape (n,), int
        Pixels of the image.

    Returns
    -------
    array, shape (n,), float64
    """
    out = np.empty(len(row))
    gaussian_means(
        np.ascontiguousarray(image),
        _weights(sigma),
        np.ascontiguousarray(row, dtype=np.int64),
        np.ascontiguousarray(column, dtype=np.int64),
        out,
    )
    return out


@lru_cache(maxsize=8)
def _weights(sigma: float) -> NDArray[np.float64]:
    """Return the weights along each axis."""
    size = round(2 * REACH_SIGMAS * sigma + 1) | 1
    return np.asarray(cv2.getGaussianKernel(size, sigma)).ravel()
