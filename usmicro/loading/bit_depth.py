"""Conversion of stored pixel values to the 8 or 16 bits of a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from usmicro.errors import ScanError
from usmicro.model.arrays import Frame


def rescale(image: Frame, black: float, white: float) -> Frame:
    """Map values linearly so that `black` becomes 0 and `white` the largest value of the type.

    Values outside the range are clipped.

    Parameters
    ----------
    image : array, shape (rows, columns) or (rows, columns, 3), any number type
    black, white : float
        Stored values at the ends of the range; `white` is above `black`.

    Returns
    -------
    array, shape of `image`
        uint8 if the range is at most 255, otherwise uint16.
    """
    dtype = np.uint8 if white - black <= 255 else np.uint16
    top = np.iinfo(dtype).max
    if black == 0 and white == top:
        values = image if image.dtype.kind == "u" else np.clip(image, 0, top)
        return values.astype(dtype)
    scaled = (image.astype(np.float64) - black) * (top / (white - black))
    return np.clip(np.rint(scaled), 0, top).astype(dtype)


def used_value_range(frames: Iterable[Frame]) -> tuple[int, int]:
    """Return the values that become black and white if the bit depth is not known.

    Black is 0, or the lowest value if that is negative. White is the largest value of as many bits
    as the highest value needs, but at least 8. One range serves all frames of a file, so that
    their brightness stays comparable.
    """
    lowest, highest = 0, 0
    for frame in frames:
        lowest, highest = min(lowest, int(frame.min())), max(highest, int(frame.max()))
    return lowest, 2 ** max(8, highest.bit_length()) - 1


def display_frames(path: Path, read: Callable[[], Iterator[Frame]]) -> Iterator[Frame]:
    """Yield frames of any number type as uint8 or uint16, with one range for all.

    uint8 pixels stay as they are. Others are rescaled so that the highest bit that the file uses
    becomes the top bit.

    Parameters
    ----------
    path : Path
        File, for error messages.
    read : function
        Returns the frames from the first; it is called twice.

    Raises
    ------
    ScanError
        If a value is not a whole number from 0 to 65535.
    """
    first = next(read())
    if first.dtype == np.uint8:
        yield from read()
        return
    black, white = used_value_range(_whole_numbers(path, frame) for frame in read())
    if black < 0 or white > 65535:
        raise ScanError(
            f"{path}: the pixel values range from {black} to {white}, "
            "expected 0 to 65535; convert them to 8 or 16 bits"
        )
    for frame in read():
        yield rescale(frame, black, white)


def _whole_numbers(path: Path, frame: Frame) -> Frame:
    """Return a frame that has whole numbers only."""
    if frame.dtype.kind not in "uif":
        raise ScanError(f"{path}: expected pixels that are numbers, found the type {frame.dtype}")
    if frame.dtype.kind == "f" and not (
        np.isfinite(frame).all() and np.array_equal(frame, np.rint(frame))
    ):
        raise ScanError(
            f"{path}: expected pixels that are whole numbers from 0 to 65535, found fractions or "
            "values that are not finite, which have no display brightness; scale them to 0 to 255 "
            "and convert them to uint8"
        )
    return frame


def rescaling_notes(dtype: np.dtype[Any]) -> list[str]:
    """Return the note on pixels that `display_frames` rescales."""
    if dtype == np.uint8:
        return []
    return [
        f"pixels of the type {dtype} are rescaled so that the highest bit used in the file is the "
        "top bit"
    ]
