"""Scale space: a view smoothed to a geometric series of scales."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, FloatImage
from usmicro.model.view import View
from usmicro.numerics.area_means import area_means

FWHM = 2 * np.sqrt(2 * np.log(2))
"""Ratio of the full width at half maximum of a Gaussian to its standard deviation."""
SCALE_RATIO = np.sqrt(2)
"""Ratio of the standard deviations of neighbouring scales.

Finer steps cost time; with coarser ones a blob may lie between two scales. Chosen by eye; no
measurement is recorded.
"""
FINEST_SIGMA = 1.4
"""Smallest standard deviation, pixels, at which second differences approximate derivatives.

Chosen by eye; no measurement is recorded.
"""
LEAST_SPECKLE_SHARE = 0.8
"""Smallest blob diameter, as a fraction of the smaller of the two speckle sizes.

No echo is narrower than the resolution, but the speckle size is an estimate. Chosen by eye; no
measurement is recorded.
"""
ROUNDING = 1.001
"""Factor on the largest scale, so that rounding of the series does not leave it out."""
FILL_SIGMA = 12.0
"""Standard deviation, in grid pixels, of the weighted mean that fills pixels outside the tissue.

Chosen by eye; no measurement is recorded.
"""
FILL_REDUCTION = 4
"""Factor by which the image is reduced before that mean is taken, to save time."""
FILL_DISTANT_WEIGHT = 1e-3
"""Weight of the mean of all tissue in the fill; small, so that it matters only far from tissue."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The image smoothed to one scale, on a grid coarsened by a whole factor."""

    sigma: float
    """Standard deviation of the smoothing, pixels of the view's grid."""
    factor: int
    """Edge of a pixel of this scale, pixels of the view's grid."""
    smooth: FloatImage
    """Grey levels, shape (rows / factor, columns / factor), both rounded up."""

    def from_view(self, position: NDArray[np.float64]) -> NDArray[np.float32]:
        """Convert positions along one axis from the grid of the view to the grid of the scale."""
        return np.asarray((position + 0.5) / self.factor - 0.5, dtype=np.float32)

    def to_view(self, position: NDArray[np.float32]) -> NDArray[np.float64]:
        """Convert positions along one axis from the grid of the scale to the grid of the view."""
        return np.asarray((position.astype(np.float64) + 0.5) * self.factor - 0.5)


def scale_space(
    view: View,
    smallest_mm: float,
    largest_mm: float,
    images: dict[int, FloatImage] | None = None,
) -> list[Scale]:
    """Smooth a view to a geometric series of scales that covers a range of blob diameters.

    A Gaussian blob of full width at half maximum d responds most at the standard deviation
    d / 2.355. Diameters below the resolution are left out, since no echo is narrower.

    Parameters
    ----------
    view : View
    smallest_mm, largest_mm : float
        Range of blob diameters, mm.
    images : dict of int to array, float32, optional
        Result of `filled_outside` with the key 1; computed if not given. It receives the reduced
        images that are smoothed, by their factors, so that another series need not compute them.

    Returns
    -------
    list of Scale, finest first
        At least one, also where all diameters of the range are below the resolution.
    """
    least_diameter = LEAST_SPECKLE_SHARE * min(view.speckle_size)
    smallest = max(view.grid.pixels(smallest_mm), least_diameter) / FWHM
    largest = max(view.grid.pixels(largest_mm) / FWHM, FINEST_SIGMA)
    if images is None:
        images = {1: filled_outside(view.grey, view.tissue)}
    factor = 1
    sigma = max(smallest, FINEST_SIGMA)
    scales: list[Scale] = []
    while sigma <= largest * ROUNDING or not scales:
        while sigma / (2 * factor) >= FINEST_SIGMA:
            factor *= 2
            if factor not in images:
                images[factor] = _halved(images[factor // 2])
        # averaging over factor x factor pixels has already smoothed
        remaining = float(np.sqrt((sigma / factor) ** 2 - (1 - 1 / factor**2) / 12))
        smooth = cv2.GaussianBlur(images[factor], (0, 0), remaining, borderType=cv2.BORDER_REFLECT)
        scales.append(Scale(sigma, factor, smooth))
        sigma *= SCALE_RATIO
    return scales


def filled_outside(grey: FloatImage, tissue: BoolImage) -> FloatImage:
    """Fill pixels outside the tissue with the mean of the nearby tissue.

    Otherwise the outline of the tissue would be an edge in the image.

    Parameters
    ----------
    grey : array, shape (rows, columns), float32
    tissue : array, shape (rows, columns), bool

    Returns
    -------
    array, shape (rows, columns), float32
        `grey` itself where all or nothing is tissue.
    """
    if tissue.all() or not tissue.any():
        return grey
    weight = tissue.astype(np.float32)
    size = (max(grey.shape[1] // FILL_REDUCTION, 1), max(grey.shape[0] // FILL_REDUCTION, 1))
    reduced = [area_means(part, size)[0] for part in (grey * weight, weight)]
    sigma = FILL_SIGMA / FILL_REDUCTION
    total, share = (cv2.GaussianBlur(part, (0, 0), sigma) for part in reduced)
    distant = np.float32(FILL_DISTANT_WEIGHT)
    mean = (total + distant * np.float32(grey[tissue].mean())) / (share + distant)
    nearby = cv2.resize(mean, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.where(tissue, grey, nearby), dtype=np.float32)


def _halved(image: FloatImage) -> FloatImage:
    """Return the mean of each 2 x 2 pixels; an odd last row or column is repeated."""
    rows, columns = image.shape
    if rows % 2 or columns % 2:
        image = cv2.copyMakeBorder(image, 0, rows % 2, 0, columns % 2, cv2.BORDER_REPLICATE)
    size = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
