"""Scale space: a view smoothed to a geometric series of scales."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, FloatImage
from usmicro.model.view import View

FWHM = 2 * np.sqrt(2 * np.log(2))
"""Full width at half maximum of a Gaussian over its standard deviation."""
STEP = np.sqrt(2)
"""Ratio of neighbouring scales."""
FINEST = 1.4
"""Smallest standard deviation in pixels at which second differences still follow the derivatives."""
FILL = 12.0
"""Standard deviation in pixels of the mean that fills what is not tissue."""


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


def scale_space(
    view: View, smallest_mm: float, largest_mm: float, filled: FloatImage | None = None
) -> list[Scale]:
    """Smooth a view to a geometric series of scales, one for every blob diameter from `smallest_mm` to `largest_mm`.

    A Gaussian blob of full width at half maximum d answers most at the standard deviation d / 2.35. Diameters below the
    speckle cell along the beam are skipped, since no echo is narrower than the resolution. What lies outside the tissue does not bleed in:
    `filled` is what `filled_outside` gives, where that is there already.
    """
    smallest = max(view.grid.pixels(smallest_mm), 0.8 * min(view.speckle_size)) / FWHM
    largest = max(view.grid.pixels(largest_mm) / FWHM, FINEST)
    image, factor = filled_outside(view.grey, view.tissue) if filled is None else filled, 1
    sigma = max(smallest, FINEST)
    scales = []
    while sigma <= largest * 1.001:
        while sigma / (2 * factor) >= FINEST:
            factor *= 2
            image = _halved(image)
        # averaging over factor x factor pixels has smoothed already
        own = float(np.sqrt((sigma / factor) ** 2 - (1 - 1 / factor**2) / 12))
        scales.append(
            Scale(
                sigma, factor, cv2.GaussianBlur(image, (0, 0), own, borderType=cv2.BORDER_REFLECT)
            )
        )
        sigma *= STEP
    return scales


def filled_outside(grey: FloatImage, tissue: BoolImage) -> FloatImage:
    """The image with what is not tissue replaced by the mean of the tissue nearby, so that its outline is no edge."""
    if tissue.all() or not tissue.any():
        return grey
    weight = tissue.astype(np.float32)
    size = (max(grey.shape[1] // 4, 1), max(grey.shape[0] // 4, 1))
    parts = [
        cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (grey * weight, weight)
    ]
    total, share = (cv2.GaussianBlur(part, (0, 0), FILL / 4) for part in parts)
    trust = np.float32(1e-3)  # far from any tissue the mean of all of it takes over
    mean = (total + trust * np.float32(grey[tissue].mean())) / (share + trust)
    nearby = cv2.resize(mean, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.where(tissue, grey, nearby), dtype=np.float32)


def _halved(image: FloatImage) -> FloatImage:
    rows, columns = image.shape
    even = (
        cv2.copyMakeBorder(image, 0, rows % 2, 0, columns % 2, cv2.BORDER_REPLICATE)
        if rows % 2 or columns % 2
        else image
    )
    return np.asarray(
        cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA)
    )
