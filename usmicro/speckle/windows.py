"""Speckle reduction by a weighted mean, or the median, of a small window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

from usmicro.errors import ImageError
from usmicro.kernels import local_statistics as kernels
from usmicro.model.arrays import BoolImage, FloatImage, checked_image
from usmicro.speckle.scale import checked_amplitude, estimate_looks

WHITE = 255.0
USUAL = (1e-2, 1e6)
"""Largest amplitude between which squares of an image stay within float32 as they are; others are scaled."""


def lee(
    image: ArrayLike, *, looks: float | None = None, region: BoolImage | None = None
) -> FloatImage:
    """Reduce speckle with the Lee filter over a window of 7 x 7 pixels.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Envelope amplitude, linear scale, not negative. For a display image see `despeckle`, which undoes the log compression.
    looks : float, optional
        Squared mean over variance of the amplitude in homogeneous speckle; from the most homogeneous tenth of the image if not given.
    region : array of bool, shape (rows, columns), optional
        Where `looks` is measured; everywhere if not given.

    Returns
    -------
    array, shape (rows, columns), float32

    Raises
    ------
    ImageError
        If the image is not two-dimensional, is smaller than 7 x 7, holds NaN or negative values, or `looks` is not positive.

    References
    ----------
    Lee, IEEE Trans. Pattern Analysis and Machine Intelligence 2 (1980) 165, equations 5 to 7.
    """
    return _weighed(image, kernels.linear_estimate, 1 / _checked_looks(image, looks, region), 1)


def kuan(
    image: ArrayLike, *, looks: float | None = None, region: BoolImage | None = None
) -> FloatImage:
    """Reduce speckle with the Kuan filter over a window of 7 x 7 pixels.

    Parameters, returns and errors are those of `lee`.

    References
    ----------
    Kuan, Sawchuk, Strand and Chavel, IEEE Trans. Pattern Analysis and Machine Intelligence 7 (1985) 165.
    """
    noise = 1 / _checked_looks(image, looks, region)
    return _weighed(image, kernels.linear_estimate, noise, float(np.float32(1) + np.float32(noise)))


def frost(image: ArrayLike, *, damping: float = 2.0) -> FloatImage:
    """Reduce speckle with the Frost filter over a window of 7 x 7 pixels.

    Weights fall exponentially with the distance in pixels, the faster the more the window varies: by `damping` times its squared
    coefficient of variation.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Envelope amplitude, linear scale, not negative. For a display image see `despeckle`, which undoes the log compression.
    damping : float
        Larger keeps more detail; 0 is the plain mean.

    Returns
    -------
    array, shape (rows, columns), float32

    Raises
    ------
    ImageError
        If the image is not two-dimensional, is smaller than 7 x 7, holds NaN or negative values, or `damping` is negative.

    References
    ----------
    Frost, Stiles, Shanmugan and Holtzman, IEEE Trans. Pattern Analysis and Machine Intelligence 4 (1982) 157.
    """
    if not damping >= 0:
        raise ImageError(f"expected a damping of 0 or more, found {damping}")
    return _weighed(image, kernels.frost, damping)


def median(image: ArrayLike, *, size: int = 5) -> FloatImage:
    """Reduce speckle by the median of a square window, by OpenCV, which is at the machine's limit.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Grey level or amplitude.
    size : int
        3, 5, or a larger odd number of pixels; beyond 5 the image must hold whole numbers 0 to 255, for which OpenCV has it.

    Returns
    -------
    array, shape (rows, columns), float32

    Raises
    ------
    ImageError
        If the image is not two-dimensional or holds NaN, or `size` is even, less than 3, or too large for the image's values.
    """
    image = checked_image(image)
    if size < 3 or size % 2 == 0:
        raise ImageError(f"expected an odd size of 3 or more pixels, found {size}")
    if size <= 5:
        return np.asarray(cv2.medianBlur(image, size), dtype=np.float32)
    levels = np.clip(image, 0, WHITE).astype(np.uint8)
    if not np.array_equal(levels, image):
        raise ImageError(
            f"found a size of {size} and values that are not whole numbers 0 to 255; round them, or take a size of 3 or 5"
        )
    return np.asarray(cv2.medianBlur(levels, size), dtype=np.float32)


def _checked_looks(image: ArrayLike, looks: float | None, region: BoolImage | None) -> float:
    if looks is None:
        return estimate_looks(image, region=region)
    if not looks > 0:
        raise ImageError(f"expected a positive number of looks, found {looks}")
    return looks


def _weighed(image: ArrayLike, kernel: Callable[..., Any], *parameters: float) -> FloatImage:
    image = checked_amplitude(image, least=kernels.WINDOW)
    peak = image.max()
    if peak == 0:
        return image.copy()
    margin = kernels.MARGIN
    padded = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REFLECT_101)
    out = np.empty_like(image)
    scale = np.float32(1 if USUAL[0] < peak < USUAL[1] else peak)
    if scale != 1:
        padded /= scale
    kernel(padded, *map(np.float32, parameters), out)
    return out if scale == 1 else out * scale
