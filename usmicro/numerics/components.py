"""Connected components of a mask."""

from __future__ import annotations

import numpy as np

from usmicro.model.arrays import BoolImage, LabelImage


def label_components(mask: BoolImage) -> LabelImage:
    """Number the connected components of a mask, with 8 neighbours for each pixel.

    Parameters
    ----------
    mask : array, shape (rows, columns), bool

    Returns
    -------
    array, shape (rows, columns), int32
        Numbers from 1; 0 outside the mask.
    """
    from scipy import ndimage

    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    return np.asarray(labels, dtype=np.int32)
