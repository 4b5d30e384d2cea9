"""Connected components of a mask."""

from __future__ import annotations

import numpy as np

from usmicro.model.arrays import BoolImage, LabelImage


def label_components(area: BoolImage) -> LabelImage:
    """Number the connected parts of an area; diagonal neighbours belong together."""
    from scipy import ndimage

    labels, _ = ndimage.label(area, structure=np.ones((3, 3)))
    return np.asarray(labels, dtype=np.int32)
