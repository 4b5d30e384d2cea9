"""Scale space: a view smoothed to a geometric series of scales."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.arrays import FloatImage
from usmicro.view import View

FWHM = 2 * np.sqrt(2 * np.log(2))
"""Full width at half maximum of a Gaussian over its standard deviation."""
STEP = np.sqrt(2)
"""Ratio of neighbouring scales."""
FINEST = 1.4
"""Smallest standard deviation in pixels at which second differences still follow the derivatives."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The image smoothed to one scale, on a grid coarsened by a whole factor."""

    sigma: float
    """Standard deviation of the smoothing in pixels of the view's grid."""
    factor: int
    smooth: FloatImage

    def from_view(self, position: NDArray[np.float64]) -> NDArray[np.float32]:
        """Position on this scale's grid, along either axis."""
        return np.asarray((position + 0.5) / self.factor - 0.5, dtype=np.float32)

    def to_view(self, position: NDArray[np.float32]) -> NDArray[np.float64]:
        """Position on the view's grid, along either axis."""
        return np.asarray((position.astype(np.float64) + 0.5) * self.factor - 0.5)


def scale_space(view: View, smallest_mm: float, largest_mm: float) -> list[Scale]:
    """The view smoothed to a geometric series of scales, tissue only: what lies outside does not bleed in.

    A Gaussian blob of full width at half maximum d answers most at the standard deviation d / 2.35. Diameters below the
    speckle cell along the beam are skipped, since no echo is narrower than the resolution.
    """
    smallest = max(view.grid.pixels(smallest_mm), 0.8 * min(view.speckle)) / FWHM
    largest = view.grid.pixels(largest_mm) / FWHM
    sigma = max(smallest, FINEST)
    tissue = view.tissue.astype(np.float32)
    levels = {1: (view.grey * tissue, tissue)}
    scales = []
    while sigma <= max(largest, FINEST) * 1.001:
        factor = 1
        while sigma / (2 * factor) >= FINEST:
            factor *= 2
        if factor not in levels:
            rows, columns = (-(-length // factor) * factor for length in view.shape)
            padded = [
                cv2.copyMakeBorder(part, 0, rows - view.shape[0], 0, columns - view.shape[1], cv2.BORDER_CONSTANT, value=0)
                for part in levels[1]
            ]
            size = (columns // factor, rows // factor)
            grey, weight = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in padded)
            levels[factor] = (grey, weight)
        grey, weight = levels[factor]
        # averaging over factor x factor pixels has smoothed already
        own = float(np.sqrt((sigma / factor) ** 2 - (1 - 1 / factor**2) / 12))
        smooth, share = (cv2.GaussianBlur(part, (0, 0), own, borderType=cv2.BORDER_REFLECT) for part in (grey, weight))
        scales.append(Scale(sigma, factor, smooth / np.maximum(share, np.float32(1e-3))))
        sigma *= STEP
    return scales
