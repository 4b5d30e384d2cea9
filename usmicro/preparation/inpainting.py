"""Inpainting of hidden pixels from their surroundings."""

from __future__ import annotations

import numpy as np

from usmicro.model.arrays import BoolImage, FloatImage, bounding_box


def inpainted(image: FloatImage, hidden: BoolImage) -> FloatImage:
    """Fill each hidden pixel with the mean grey level around the nearest visible pixel.

    Structures at the rim of the hidden area continue into it, so that there is no edge. A smoother
    filling, such as the mean of wider surroundings, would change the shape of foci at the rim.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    hidden : array, shape (rows, columns), bool
        If all pixels are hidden, the image is returned unchanged.

    Returns
    -------
    array, shape (rows, columns), float32
    """
    from usmicro.kernels.inpainting import fill_hidden_pixels, nearest_visible_pixels

    if not hidden.any() or hidden.all():
        return image
    left, top, right, bottom = bounding_box(hidden)
    # the nearest visible pixel lies up to one pixel outside the box, its neighbours up to two
    window = slice(max(top - 2, 0), bottom + 2), slice(max(left - 2, 0), right + 2)
    out, part = image.copy(), np.ascontiguousarray(hidden[window])
    row, column = np.empty((2, *part.shape), np.int32)
    nearest_visible_pixels(part, row, column)
    fill_hidden_pixels(out[window], part, row, column)
    return out
