"""Array types, and the check of arrays that a caller passes in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.errors import ImageError

# images have the shape (rows, columns) unless another one is given
FloatImage = NDArray[np.float32]
BoolImage = NDArray[np.bool_]
LabelImage = NDArray[np.int32]
ByteImage = NDArray[np.uint8]
Frame = NDArray[Any]
"""A frame: grey, shape (rows, columns), or RGB, shape (rows, columns, 3); uint8 or uint16."""


def area_of(labels: ByteImage, value: int) -> BoolImage:
    """Return where a label image has a value, shape (rows, columns).

    NumPy compares bytes with a number of an enumeration as 64-bit numbers, which takes 18 times as
    long as with a plain one.
    """
    return np.asarray(labels == int(value))


def checked_image(image: ArrayLike, *, least: int = 1) -> FloatImage:
    """Return a two-dimensional image as C-contiguous float32.

    Parameters
    ----------
    image : array, shape (rows, columns)
    least : int
        Smallest number of rows and of columns that is accepted.

    Returns
    -------
    array, shape (rows, columns), float32

    Raises
    ------
    ImageError
        If the image is not two-dimensional, is smaller than `least` x `least`, or holds NaN or
        infinity.
    """
    array = np.asarray(image)
    if array.ndim != 2:
        raise ImageError(
            f"expected a two-dimensional grey image, found an array of shape {array.shape}; "
            "pass one channel of one frame"
        )
    if min(array.shape) < least:
        raise ImageError(
            f"expected an image of at least {least} x {least} pixels, "
            f"found {array.shape[0]} x {array.shape[1]}"
        )
    array = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(array).all():
        raise ImageError(
            f"expected finite values, found {np.count_nonzero(~np.isfinite(array))} that are NaN "
            "or infinite; replace them first"
        )
    return array


def bounding_box(mask: BoolImage) -> tuple[int, int, int, int]:
    """Return the box around the True pixels: left, top, right, bottom.

    Right and bottom are one past the last column and row.
    """
    across = np.flatnonzero(mask.any(axis=0))
    down = np.flatnonzero(mask.any(axis=1))
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1


def pixels_of(mask: BoolImage) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return the rows and the columns of the True pixels, as `np.nonzero` does.

    Only the box around them is searched, which is faster for a part of an image.
    """
    if not mask.any():
        return np.empty(0, np.int_), np.empty(0, np.int_)
    left, top, right, bottom = bounding_box(mask)
    rows, columns = np.nonzero(mask[top:bottom, left:right])
    return rows + top, columns + left
