"""From stored values to the 8 or 16 bits of a frame."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from usmicro.model.arrays import Frame


def stretch(image: Frame, black: float, white: float) -> Frame:
    """Stretch values linearly so that `black` becomes 0 and `white` the largest value of uint8 or uint16; beyond, they are cut.

    Parameters
    ----------
    image : array, shape (rows, columns) or (rows, columns, 3), any number type
    black, white : float
        `white` is above `black`. A range of at most 255 gives uint8, a wider one uint16.
    """
    kind = np.uint8 if white - black <= 255 else np.uint16
    top = np.iinfo(kind).max
    if black == 0 and white == top:
        return (
            image.astype(kind) if image.dtype.kind == "u" else np.clip(image, 0, top).astype(kind)
        )
    scaled = (image.astype(np.float64) - black) * (top / (white - black))
    return np.clip(np.rint(scaled), 0, top).astype(kind)


def used_range(frames: Iterable[Frame]) -> tuple[int, int]:
    """Black and white where the depth is not known: 0, or the lowest value if that is negative, and the highest bit used.

    One range serves all frames of a file, so that their brightness stays comparable.
    """
    lowest, highest = 0, 0
    for frame in frames:
        lowest, highest = min(lowest, int(frame.min())), max(highest, int(frame.max()))
    return lowest, 2 ** max(8, highest.bit_length()) - 1
