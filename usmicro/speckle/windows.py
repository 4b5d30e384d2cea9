"""Speckle reduction by a weighted mean, or by the median, over a small window."""

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

HIGHEST_GREY = 255.0
"""Highest grey level of an 8-bit image."""
UNSCALED_PEAK = (1e-2, 1e6)
"""Range of the largest amplitude within which the squares of an image need no scaling: they stay
far from the limits of float32, 1e-38 and 1e38."""
LARGEST_FLOAT_MEDIAN = 5
"""Largest window of OpenCV's median of float32 images, pixels."""


def lee(
    image: ArrayLike, *, looks: float | None = None, region: BoolImage | None = None
) -> FloatImage:
    """Reduce speckle with the Lee filter over a window of 7 x 7 pixels.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Envelope amplitude, linear scale, not negative. For a display image see `despeckle`, which
        undoes the log compression.
    looks : float, optional
        Equivalent number of looks: squared mean over variance of the amplitude in homogeneous
        speckle. If not given, it is measured in the most homogeneous tenth of the image.
    region : array of bool, shape (rows, columns), optional
        Where `looks` is measured; everywhere if not given.

    Returns
    -------
    array, shape (rows, columns), float32

    Raises
    ------
    ImageError
        If the image is not two-dimensional, is smaller than 7 x 7, or holds NaN or negative values,
        or if `looks` is not positive.

    References
    ----------
    Lee, IEEE Trans. Pattern Analysis and Machine Intelligence 2 (1980) 165, equations 5 to 7.
    """
    return _filtered(image, kernels.linear_estimate, 1 / _checked_looks(image, looks, region), 1)


def kuan(
    image: ArrayLike, *, looks: float | None = None, region: BoolImage | None = None
) -> FloatImage:
    """Reduce speckle with the Kuan filter over a window of 7 x 7 pixels.

    Parameters, results and errors are those of `lee`.

    References
    ----------
    Kuan, Sawchuk, Strand and Chavel, IEEE Trans. Pattern Analysis and Machine Intelligence 7
    (1985) 165.
    """
    noise = 1 / _checked_looks(image, looks, region)
    return _filtered(
        image, kernels.linear_estimate, noise, float(np.float32(1) + np.float32(noise))
    )


def frost(image: ArrayLike, *, damping: float = 2.0) -> FloatImage:
    """Reduce speckle with the Frost filter over a window of 7 x 7 pixels.

    Weights fall exponentially with the distance in pixels. The rate is `damping` times the squared
    coefficient of variation of the window.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Envelope amplitude, linear scale, not negative. For a display image see `despeckle`, which
        undoes the log compression.
    damping : float
        Larger values keep more detail; 0 gives the plain mean.

    Returns
    -------
    array, shape (rows, columns), float32

    Raises
    ------
    ImageError
        If the image is not two-dimensional, is smaller than 7 x 7, or holds NaN or negative values,
        or if `damping` is negative.

    References
    ----------
    Frost, Stiles, Shanmugan and Holtzman, IEEE Trans. Pattern Analysis and Machine Intelligence 4
    (1982) 157.
    """
    if not damping >= 0:
        raise ImageError(f"expected a damping of 0 or more, found {damping}")
    return _filtered(image, kernels.frost, damping)


def median(image: ArrayLike, *, size: int = 5) -> FloatImage:
    """Reduce speckle by the median over a square window, with OpenCV.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Grey level or amplitude.
    size : int
        Side of the window: an odd number of pixels from 3 on. Above 5 the image must hold whole
        numbers from 0 to 255, a limit of OpenCV.

    Returns
    -------
    array, shape (rows, columns), float32

    Raises
    ------
    ImageError
        If the image is not two-dimensional or holds NaN, or if `size` is even, less than 3, or too
        large for the values of the image.
    """
    image = checked_image(image)
    if size < 3 or size % 2 == 0:
        raise ImageError(f"expected an odd size of 3 or more pixels, found {size}")
    if size <= LARGEST_FLOAT_MEDIAN:
        return np.asarray(cv2.medianBlur(image, size), dtype=np.float32)
    levels = np.clip(image, 0, HIGHEST_GREY).astype(np.uint8)
    if not np.array_equal(levels, image):
        raise ImageError(
            f"expected whole numbers from 0 to 255 for a size of {size}, found other values; "
            "round them, or use a size of 3 or 5"
        )
    return np.asarray(cv2.medianBlur(levels, size), dtype=np.float32)


def _checked_looks(image: ArrayLike, looks: float | None, region: BoolImage | None) -> float:
    """Return `looks` if it is given and positive; estimate it if it is not given."""
    if looks is None:
        return estimate_looks(image, region=region)
    if not looks > 0:
        raise ImageError(f"expected a positive number of looks, found {looks}")
    return looks


def _filtered(image: ArrayLike, kernel: Callable[..., Any], *parameters: float) -> FloatImage:
    """Check and pad an image, scale it where its squares need it, and apply a kernel."""
    image = checked_amplitude(image, least=kernels.WINDOW)
    peak = image.max()
    if peak == 0:
        return image.copy()
    margin = kernels.MARGIN
    padded = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REFLECT_101)
    out = np.empty_like(image)
    scale = np.float32(1 if UNSCALED_PEAK[0] < peak < UNSCALED_PEAK[1] else peak)
    if scale != 1:
        padded /= scale
    kernel(padded, *map(np.float32, parameters), out)
    return out if scale == 1 else out * scale
