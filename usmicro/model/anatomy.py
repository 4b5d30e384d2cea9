"""Anatomy: the masses, ducts and nonmass areas of a view, and the pixel values of label images."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, FloatImage, LabelImage, pixels_of
from usmicro.numerics.outline_distance import OutlineDistance

Pixels = NDArray[np.int_]
"""Rows or columns of pixels, shape (n,)."""

MEAN_PROBABILITY_MM = 0.3
"""Standard deviation, in mm, of the Gaussian that averages a probability around a position. It is
about the diameter of a focus. Chosen by eye on the development scans; no measurement is
recorded."""
PART_OF_MASS = 0.5
"""A duct is part of a mass if more than this fraction of its pixels lies inside masses: if most of
it does."""


class AreaLabel(IntEnum):
    """Pixel values of the label images in `masks/` and of `Analysis.labels`."""

    TISSUE = 0
    MASS = 1
    DUCT = 2
    NONMASS = 3
    NOT_TISSUE = 255


LABEL_IMAGE_TEXT = b"usmicro label image: 0 tissue, 1 mass, 2 duct, 3 nonmass, 255 not tissue"
"""Text in the PNG files of label images. Without it, a label image that shows no finding could not
be told from a binary mask."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Anatomy:
    """Masses, ducts and nonmass areas of one view; all arrays have the shape of its grid.

    The arrays must not be changed: the cached properties are derived from them once.
    """

    pixel_mm: float
    """Edge of a grid pixel in mm; an estimate where the pixel spacing is unknown."""
    mass_probability: FloatImage
    """Probability, 0 to 1, that a pixel lies inside a mass."""
    masses: LabelImage
    """0 outside, 1 to n inside the masses."""
    mass_confidence: tuple[float, ...]
    """Confidence of each mass, 0 to 1."""
    duct_probability: FloatImage
    """Probability, 0 to 1, that a pixel lies inside a duct."""
    ducts: LabelImage
    """0 outside, 1 to n inside the ducts, lumen and wall."""
    duct_confidence: tuple[float, ...]
    """Confidence of each duct, 0 to 1."""
    nonmass: BoolImage
    """True in discrete areas of altered echotexture that do not form a mass."""
    given: tuple[str, ...] = ()
    """Which of `masses`, `ducts` and `nonmass` come from the user's masks."""

    def mean_mass_probability(self, row: Pixels, column: Pixels) -> NDArray[np.float64]:
        """Mean mass probability around pixels.

        Parameters
        ----------
        row, column : array, shape (n,), int
            Pixels of the grid.

        Returns
        -------
        array, shape (n,), float64
            Mean of the probability, weighted with a Gaussian of MEAN_PROBABILITY_MM.
        """
        return self._mean(self.mass_probability, row, column)

    def mean_duct_probability(self, row: Pixels, column: Pixels) -> NDArray[np.float64]:
        """Mean duct probability around pixels, as for masses."""
        return self._mean(self.duct_probability, row, column)

    def mean_separate_duct_probability(self, row: Pixels, column: Pixels) -> NDArray[np.float64]:
        """Like `mean_duct_probability`, with 0 inside ducts that are part of a mass."""
        return self._mean(self._separate_duct_probability, row, column)

    @cached_property
    def _separate_duct_probability(self) -> FloatImage:
        """Duct probability, with 0 inside ducts that are part of a mass."""
        if not self.ducts_in_masses.any():
            return self.duct_probability
        return np.where(self.ducts_in_masses, np.float32(0), self.duct_probability)

    @cached_property
    def ducts_in_masses(self) -> BoolImage:
        """True in ducts that lie mostly inside masses and so are part of them."""
        inside = self.ducts > 0
        if not inside.any():
            return inside
        numbers, in_mass = self.ducts[inside], self.masses[inside] > 0
        part_of_mass = np.bincount(numbers, in_mass) > PART_OF_MASS * np.bincount(numbers)
        return np.asarray(part_of_mass[self.ducts])

    @cached_property
    def mass_distance(self) -> OutlineDistance:
        """Signed distance of positions to the outline of the nearest mass."""
        return OutlineDistance.of(self.masses)

    @cached_property
    def separate_duct_distance(self) -> OutlineDistance:
        """Signed distance to the nearest duct that is not part of a mass."""
        if not self.ducts_in_masses.any():
            return OutlineDistance.of(self.ducts)
        return OutlineDistance.of(np.where(self.ducts_in_masses, 0, self.ducts).astype(np.int32))

    @cached_property
    def mass_centroids(self) -> dict[int, tuple[float, float]]:
        """Column and row of the centroid of each mass that has pixels, by number.

        A mass that the user outlined on one view of the image has no pixels on the other views.
        """
        numbers = range(1, len(self.mass_confidence) + 1)
        pixels = {number: pixels_of(self.masses == number) for number in numbers}
        return {
            number: (float(columns.mean()), float(rows.mean()))
            for number, (rows, columns) in pixels.items()
            if len(rows)
        }

    def _mean(self, probability: FloatImage, row: Pixels, column: Pixels) -> NDArray[np.float64]:
        """Return the Gaussian mean of a probability around pixels.

        It is computed around these pixels only, which is much faster than smoothing the image.
        """
        from usmicro.numerics.gaussian_means import gaussian_means_at

        sigma = MEAN_PROBABILITY_MM / self.pixel_mm
        return gaussian_means_at(probability, sigma, row, column)
