"""Edges of regions, and the distance of places to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, LabelImage, bounding_box


@dataclass(frozen=True, slots=True)
class Pixels:
    """Some pixels of an image, for search."""

    places: NDArray[np.int_]
    """Row and column of each."""
    far: float
    """Distance to pixels that are not there: further than any in the image."""

    @classmethod
    def of(cls, mask: BoolImage, corner: tuple[int, int], shape: tuple[int, int]) -> Pixels:
        """The pixels of a mask that lies with its first pixel at a row and column of an image of some shape."""
        return cls(np.argwhere(mask) + corner, float(sum(shape)))

    def nearest(self, places: NDArray[np.int_]) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
        """Distance to the nearest one, and its row and column; of several the first."""
        import cv2

        if not len(self.places) or not len(places):
            return np.full(len(places), self.far), np.zeros((len(places), 2), int)
        # squares of whole numbers below 2^24 are exact; SciPy's tree takes longer to import than this does for a small image
        pixels = self.places.astype(np.float32)
        _, index = cv2.batchDistance(
            places.astype(np.float32), pixels, cv2.CV_32F, normType=cv2.NORM_L2SQR, K=1
        )
        nearest = self.places[index[:, 0]]
        return np.sqrt(((places - nearest) ** 2).sum(axis=1)), nearest


@dataclass(frozen=True, slots=True)
class OutlineDistance:
    """The edges of the regions of a label image.

    Distances are searched for along them: OpenCV's exact distance transform does not always give the same last digits.
    """

    regions: LabelImage
    inner: Pixels | None
    """Pixels of the regions with a neighbour outside; None where there is no region."""
    outer: Pixels | None
    """Pixels outside with a neighbour in a region; None where there is no region."""

    @classmethod
    def of(cls, regions: LabelImage) -> OutlineDistance:
        """The edges of a label image."""
        import cv2

        within = regions > 0
        if not within.any():
            return cls(regions, None, None)
        left, top, right, bottom = bounding_box(within)
        left, top = max(left - 1, 0), max(top - 1, 0)
        near = within[top : bottom + 1, left : right + 1].astype(np.uint8)
        cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
        inner = (near > 0) & (cv2.erode(near, cross, borderType=cv2.BORDER_REPLICATE) == 0)
        outer = (near == 0) & (cv2.dilate(near, cross) > 0)
        return cls(
            regions, *(Pixels.of(edge, (top, left), within.shape) for edge in (inner, outer))
        )

    def signed_distance(
        self, row: NDArray[np.int_], column: NDArray[np.int_]
    ) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
        """Signed distance to the edge of the nearest region (positive inside, -inf where there is none) and its number (0: none)."""
        if self.inner is None or self.outer is None:
            return np.full(len(row), -np.inf), np.zeros(len(row), int)
        places, inside = np.column_stack([row, column]), self.regions[row, column] > 0
        to_region, nearest = self.inner.nearest(places)
        to_rest, _ = self.outer.nearest(places)
        number = np.where(
            inside, self.regions[row, column], self.regions[nearest[:, 0], nearest[:, 1]]
        )
        return np.where(inside, to_rest - 0.5, 0.5 - to_region), number
