"""Array types, and the check that every stage makes of a bare array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.errors import ImageError

FloatImage = NDArray[np.float32]
BoolImage = NDArray[np.bool_]
LabelImage = NDArray[np.int32]
ByteImage = NDArray[np.uint8]
Frame = NDArray[Any]
"""A frame as the loader gives it: (rows, columns) grey or (rows, columns, 3) RGB, uint8 or uint16."""


def checked_image(image: ArrayLike, *, least: int = 1) -> FloatImage:
    """Give a two-dimensional image as C-contiguous float32.

    Parameters
    ----------
    image : array, shape (rows, columns)
    least : int
        Smallest number of rows and columns accepted.

    Raises
    ------
    ImageError
        If the image is not two-dimensional, is smaller than `least` x `least`, or holds NaN or infinity.
    """
    array = np.asarray(image)
    if array.ndim != 2:
        raise ImageError(
            f"expected a two-dimensional grey image, found an array of shape {array.shape}; give one channel of one frame"
        )
    if min(array.shape) < least:
        raise ImageError(
            f"expected an image of at least {least} x {least} pixels, found {array.shape[0]} x {array.shape[1]}"
        )
    array = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(array).all():
        raise ImageError(
            f"the image holds {np.count_nonzero(~np.isfinite(array))} values that are NaN or infinite; replace them first"
        )
    return array


def bounding_box(mask: BoolImage) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the True pixels, right and bottom one past the last."""
    across = np.flatnonzero(mask.any(axis=0))
    down = np.flatnonzero(mask.any(axis=1))
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1
