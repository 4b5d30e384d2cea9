"""Hidden pixels filled from their surroundings, smoothly: what is filled in shows no echo and has no edge."""

from __future__ import annotations

import cv2
import numpy as np

from usmicro.arrays import BoolImage, FloatImage, bounding_box

MARGIN = 16
"""Pixels around what is hidden that it is filled from at least."""


def filled(image: FloatImage, hidden: BoolImage) -> FloatImage:
    """An image with its hidden pixels replaced by the mean of what is known around them, of as wide a surrounding as it takes.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    hidden : array, shape (rows, columns), bool
        If nothing else is known, the image stays as it is.

    References
    ----------
    Gortler, Grzeszczuk, Szeliski and Cohen, The Lumigraph, SIGGRAPH 1996, section 3.4.2 (pull-push).
    """
    if not hidden.any() or hidden.all():
        return image
    left, top, right, bottom = bounding_box(hidden)
    window = slice(max(top - MARGIN, 0), bottom + MARGIN), slice(max(left - MARGIN, 0), right + MARGIN)
    out = image.copy()
    out[window] = _completed(image[window], ~hidden[window])
    return out


def _completed(values: FloatImage, known: BoolImage) -> FloatImage:
    """The values where they are known, else those of the image at half its size, which is completed likewise."""
    if known.all():
        return values
    rows, columns = values.shape
    half = ((columns + 1) // 2, (rows + 1) // 2)
    share = known.astype(np.float32)
    share, total = (cv2.resize(part, half, interpolation=cv2.INTER_AREA) for part in (share, values * share))
    coarse = _completed(total / np.maximum(share, np.float32(1e-6)), share > 0)
    return np.asarray(np.where(known, values, cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)), dtype=np.float32)
