"""Hidden pixels filled from their surroundings."""

from __future__ import annotations

import numpy as np

from usmicro.model.arrays import BoolImage, FloatImage, bounding_box


def inpainted(image: FloatImage, hidden: BoolImage) -> FloatImage:
    """An image whose hidden pixels have the mean grey level around the known pixel nearest to each.

    What stands at the rim of what is hidden goes on into it, so that it has no edge there: a smoother filling, the mean of wider
    surroundings, makes other blobs of the foci beside it.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    hidden : array, shape (rows, columns), bool
        If all is hidden, the image stays as it is.
    """
    from usmicro.kernels.inpainting import fill_hidden_pixels, nearest_visible_pixels

    if not hidden.any() or hidden.all():
        return image
    left, top, right, bottom = bounding_box(hidden)
    # the nearest known pixel may lie one beyond, and its neighbours two
    window = slice(max(top - 2, 0), bottom + 2), slice(max(left - 2, 0), right + 2)
    out, part = image.copy(), np.ascontiguousarray(hidden[window])
    row, column = np.empty((2, *part.shape), np.int32)
    nearest_visible_pixels(part, row, column)
    fill_hidden_pixels(out[window], part, row, column)
    return out
