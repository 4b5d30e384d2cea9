"""Bright blobs: the result of the detection, of which features are then measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usmicro.foci.scale_space import Scale
from usmicro.model.arrays import FloatImage

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Blobs:
    """Bright blobs of one view, strongest first; all arrays but `images` have shape (n,)."""

    x: Array
    """Grid column."""
    y: Array
    """Grid row."""
    index: NDArray[np.intp]
    """Index in `scales` of the scale of each blob."""
    response: Array
    """Response, see `usmicro.foci.detection.blobs_of_scale`."""
    scales: list[Scale]
    """Scale space of the view, finest first."""
    images: dict[int, FloatImage]
    """Grey image of the view, filled outside the tissue, by the factor of its reduction: see
    `usmicro.foci.scale_space.scale_space`."""

    def strongest(self, count: int) -> Blobs:
        """Return the `count` strongest blobs."""
        return Blobs(
            self.x[:count],
            self.y[:count],
            self.index[:count],
            self.response[:count],
            self.scales,
            self.images,
        )
