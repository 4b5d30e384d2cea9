"""Signed distance of pixels to the outlines of regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, LabelImage, bounding_box

MOST_PAIRS = 1_000_000
"""Number of distances that are computed at once, in 8 MB of memory."""


@dataclass(frozen=True, slots=True)
class PixelSet:
    """Some pixels of an image, in which the nearest one to a position is searched for."""

    positions: NDArray[np.int_]
    """Row and column of each pixel, shape (n, 2)."""
    beyond: float
    """Distance that is returned if there are no pixels: longer than any in the image, pixels."""

    @classmethod
    def of(cls, mask: BoolImage, corner: tuple[int, int], shape: tuple[int, int]) -> PixelSet:
        """Return the pixels of a mask, (rows, columns), that covers a part of an image.

        `corner` is the row and column of its first pixel in the image, `shape` that of the image.
        """
        return cls(np.argwhere(mask) + corner, float(sum(shape)))

    def nearest(self, positions: NDArray[np.int_]) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
        """Find the pixel nearest to each of some positions, given as rows and columns, (n, 2).

        The results are the distance, (n,), in pixels, and the row and column of the first of the
        nearest pixels, (n, 2).
        """
        if not len(self.positions) or not len(positions):
            return np.full(len(positions), self.beyond), np.zeros((len(positions), 2), int)
        # SciPy's tree takes longer to import than this search takes in a small image
        parts = -(-len(positions) * len(self.positions) // MOST_PAIRS)
        index = np.concatenate([self._nearest(part) for part in np.array_split(positions, parts)])
        nearest = self.positions[index]
        return np.sqrt(((positions - nearest) ** 2).sum(axis=1)), nearest

    def _nearest(self, positions: NDArray[np.int_]) -> NDArray[np.intp]:
        """Return the index of the first of the pixels nearest to each position."""
        squared = np.zeros((len(positions), len(self.positions)), np.int32)
        for own, other in zip(self.positions.T, positions.T, strict=True):
            step = np.subtract.outer(other.astype(np.int32), own.astype(np.int32))
            squared += np.square(step, out=step)
        return np.asarray(squared.argmin(axis=1))


@dataclass(frozen=True, slots=True)
class OutlineDistance:
    """Outlines of the regions of a label image, and distances to them.

    Distances are searched for among the pixels of the outlines, since the last digits of OpenCV's
    distance transform differ from call to call.
    """

    regions: LabelImage
    """Number of the region of each pixel, 0 outside, shape (rows, columns)."""
    inner: PixelSet | None
    """Pixels of regions that have a neighbour outside; None if there is no region."""
    outer: PixelSet | None
    """Pixels outside that have a neighbour in a region; None if there is no region."""

    @classmethod
    def of(cls, regions: LabelImage) -> OutlineDistance:
        """Return the outlines of a label image, (rows, columns), int32."""
        import cv2

        within = regions > 0
        if not within.any():
            return cls(regions, None, None)
        left, top, right, bottom = bounding_box(within)
        left, top = max(left - 1, 0), max(top - 1, 0)
        cropped = within[top : bottom + 1, left : right + 1].astype(np.uint8)
        cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
        eroded = cv2.erode(cropped, cross, borderType=cv2.BORDER_REPLICATE)
        inner = (cropped > 0) & (eroded == 0)
        outer = (cropped == 0) & (cv2.dilate(cropped, cross) > 0)
        corner = top, left
        return cls(
            regions,
            PixelSet.of(inner, corner, within.shape),
            PixelSet.of(outer, corner, within.shape),
        )

    def signed_distance(
        self, row: NDArray[np.int_], column: NDArray[np.int_]
    ) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
        """Compute the signed distance of pixels to the outline of the nearest region.

        Parameters
        ----------
        row, column : array, shape (n,), int
            Pixels inside the image.

        Returns
        -------
        distance : array, shape (n,), float64
            Distance in pixels, positive inside a region; -inf if there is no region. The outline
            lies halfway between a pixel inside and its neighbour outside.
        number : array, shape (n,), int
            Number of the region; 0 if there is none.
        """
        if self.inner is None or self.outer is None:
            return np.full(len(row), -np.inf), np.zeros(len(row), int)
        number: NDArray[np.int_] = self.regions[row, column].astype(int)
        positions, inside = np.column_stack([row, column]), number > 0
        to_region, nearest = self.inner.nearest(positions[~inside])
        to_outside, _ = self.outer.nearest(positions[inside])
        distance = np.empty(len(row))
        distance[inside], distance[~inside] = to_outside - 0.5, 0.5 - to_region
        number[~inside] = self.regions[nearest[:, 0], nearest[:, 1]]
        return distance, number
