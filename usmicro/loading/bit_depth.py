"""Conversion of stored pixel values to the 8 or 16 bits of a frame."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

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
