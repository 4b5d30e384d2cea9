"""The shape of pixels that a file gives without their size in mm."""

from __future__ import annotations

import math

from usmicro.model.scan import LARGEST_ASPECT
from usmicro.model.warnings import Remark

_SQUARE_WITHIN = 0.01
"""Pixels count as square if their sides differ by at most this fraction: rounding of a stored
resolution gives such differences. Chosen by judgement."""


def checked_aspect(aspect: float | None, source: str) -> tuple[float | None, list[Remark]]:
    """Return the shape of a pixel, and a note if it is not square.

    Parameters
    ----------
    aspect : float or None
        Height of a pixel over its width.
    source : str
        Where it comes from, for the note.

    Returns
    -------
    aspect : float or None
        None for square pixels, and for a value that is not believed.
    remarks : list of Remark
    """
    if aspect is None or not math.isfinite(aspect) or aspect <= 0:
        return None, []
    if abs(aspect - 1) <= _SQUARE_WITHIN:
        return None, []
    if not 1 / LARGEST_ASPECT <= aspect <= LARGEST_ASPECT:
        return None, [
            f"{source} says that a pixel is {aspect:.4g} times as high as wide, which is not "
            "believed; square pixels are assumed"
        ]
    return aspect, [f"{source} says that a pixel is {aspect:.4g} times as high as wide"]
