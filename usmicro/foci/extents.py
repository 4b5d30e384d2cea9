"""Extents of bright blobs: centre, widths, diameter, and length of the ridge through each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.foci.blobs import Array, Blobs
from usmicro.foci.scale_space import FWHM, Scale
from usmicro.kernels import extents as kernels
from usmicro.model.arrays import FloatImage
from usmicro.model.view import View

RADIUS_DIRECTIONS = 32
"""Number of directions in which the radius of a blob is measured.

It is even, so that the radii of opposite directions add up to a width. More directions cost time.
Chosen by eye; no measurement is recorded.
"""
LONGEST_RIDGE_MM = 6.0
"""Length in mm over which a bright ridge is followed to either side.

Longer ridges are lines in any case. Chosen by eye; no measurement is recorded.
"""
CORE_HEIGHT = 0.6
"""Height above which pixels belong to the core of a blob, as a fraction of the height of its peak.

The centroid of the core is the position of the blob. Speckle on the flanks moves the maximum; the
centroid halves that error. Chosen by eye; how the halving was measured is not recorded.
"""
CORE_RADIUS = 0.75
"""Radius within which pixels belong to the core, as a fraction of the median width of the blob.

Chosen by eye; no measurement is recorded.
"""
LARGEST_RADIUS_RATIO = 2.0
"""Largest radius that is used for the diameter of a blob, as a multiple of the median radius.

Larger radii are cut to it: a ligament through the focus must not count as part of the focus.
Chosen by eye; no measurement is recorded.
"""
RADIUS_LIMIT = 3
"""Largest radius of a blob that is measured, in full widths at half maximum of its scale.

Chosen by eye; no measurement is recorded.
"""
FINEST_SMOOTHING = 1.0
"""Standard deviation, in grid pixels, of the smoothing before the smallest foci are measured.

Chosen by eye; no measurement is recorded.
"""
HALF_SCALE, QUARTER_SCALE = -2, -4
"""Steps in the scale space, with a ratio of sqrt(2), from a scale to half and a quarter of it."""
LEAST_HEIGHT = 1.0
"""Smallest height of a blob over its surroundings, grey levels: one step of the display."""
EDGE_SHIFT, EDGE_SHIFT_SLOPE, EDGE_CONTRAST = -0.18, 0.40, 3.0
"""How far the level of half height lies outside the true edges, both sides, in speckle sizes.

It is EDGE_SHIFT at the contrast EDGE_CONTRAST and grows by EDGE_SHIFT_SLOPE times the natural
logarithm of the contrast. At the edge of a wide echo the amplitude is half of the plateau, 6 dB
below it, whatever the contrast. Half of the height of a log-compressed profile of H dB is H/2 dB
below its peak: inside the edge for faint foci, outside for bright ones. Fitted to
472 simulated foci of 0.3 to 1 mm, seeds 50000 to 50029 of `benchmarks.accuracy.diameters`, by the
medians in classes of contrast and diameter.
"""
CONTRAST_RANGE = 1.0, 6.0
"""Contrasts between which that shift depends on the contrast; beyond, the display saturates.

From the range of contrasts in the same simulated foci.
"""
POINT_SHARE = 0.54
"""Square of the width of a point, in squares of the speckle size, that is left after the shift.

It is subtracted from the square of the width. From the same fit.
"""
LEAST_DIAMETER = 0.5
"""Smallest diameter that is reported, in speckle sizes: smaller foci are points all the same.

Chosen by eye; no measurement is recorded.
"""


@dataclass(frozen=True, slots=True)
class Extents:
    """Centre, height and size of each of n blobs, in grid pixels and grey levels."""

    x: Array
    """Grid column of the centroid of its core, see CORE_HEIGHT."""
    y: Array
    """Grid row of that centroid."""
    peak: Array
    """Grey level at the position of the blob, in the image smoothed at half of its scale."""
    widths: Array
    """Full widths at half maximum in evenly spread directions, (n, RADIUS_DIRECTIONS / 2)."""
    diameter: Array
    """Diameter of the echo, corrected for the resolution and the compression of the display."""
    ridge: Array
    """Length of the ridge through it above half of its height."""
    faint_ridge: Array
    """Length of the ridge through it above a quarter of its height."""


def measure_extents(
    view: View, blobs: Blobs, background: Array, spread: Array, angle: Array
) -> Extents:
    """Measure the extents of blobs.

    Widths and ridges are measured in the image smoothed at half of the blob's scale, which reduces
    speckle and widens the blob little. Diameters are measured at a quarter of the scale, where
    several bright speckle grains that touch are still as large as all of them together.
    `true_diameters` corrects them.

    Parameters
    ----------
    view : View
    blobs : Blobs
    background, spread : array, shape (n,), float64
        Median, and upper quartile less median, of the grey level around each blob.
    angle : array, shape (n,), float64
        Direction of the ridge of each blob, radians from +x to +y.

    Returns
    -------
    Extents
    """
    count = len(blobs.x)
    finest = Scale(FINEST_SMOOTHING, 1, cv2.GaussianBlur(view.grey, (0, 0), FINEST_SMOOTHING))
    centre, peak, diameter = np.zeros((count, 2)), np.zeros(count), np.zeros(count)
    directions = RADIUS_DIRECTIONS // 2  # directions of the widths, over half a turn
    widths, ridges = np.zeros((count, directions)), np.zeros((count, 2))
    for k in np.unique(blobs.index):
        own = np.flatnonzero(blobs.index == k)
        scale = _finer_scale(blobs, k, HALF_SCALE, finest)
        x, y = scale.from_view(blobs.x[own]), scale.from_view(blobs.y[own])
        peak[own] = sampled(scale.smooth, x, y)
        quarter_scale = _finer_scale(blobs, k, QUARTER_SCALE, finest)
        diameter[own] = _widths_at_half_height(quarter_scale, blobs, own, background[own])
        height = np.maximum(peak[own] - background[own], LEAST_HEIGHT)
        core, half, quarter = (
            (background[own] + share * height).astype(np.float32)
            for share in (CORE_HEIGHT, 0.5, 0.25)
        )
        radii = np.empty((own.size, RADIUS_DIRECTIONS), np.float32)
        largest = RADIUS_LIMIT * FWHM * blobs.scales[k].sigma / scale.factor
        limit = np.full(own.size, largest, np.float32)
        kernels.radial_extents(scale.smooth, x, y, half, limit, radii)
        widths[own] = (radii[:, :directions] + radii[:, directions:]) * scale.factor
        core_centre = np.empty((own.size, 2), np.float32)
        core_radius = (CORE_RADIUS * _medians(widths[own]) / scale.factor).astype(np.float32)
        kernels.centroids(scale.smooth, x, y, core, core_radius, core_centre)
        centre[own] = scale.to_view(core_centre)
        lengths = np.empty((own.size, 2), np.float32)
        kernels.ridge_lengths(
            scale.smooth,
            x,
            y,
            angle[own].astype(np.float32),
            np.stack([half, quarter], axis=1),
            np.float32(view.grid.pixels(LONGEST_RIDGE_MM) / scale.factor),
            lengths,
        )
        ridges[own] = lengths * scale.factor
    speckle_size = float(np.sqrt(view.speckle_size[0] * view.speckle_size[1]))
    diameter = true_diameters(diameter, (peak - background) / spread, speckle_size)
    return Extents(centre[:, 0], centre[:, 1], peak, widths, diameter, ridges[:, 0], ridges[:, 1])


def _finer_scale(blobs: Blobs, index: int, step: int, finest: Scale) -> Scale:
    """Return the scale `index + step` (`step` is negative), or `finest` if there is none."""
    return blobs.scales[index + step] if index + step >= 0 else finest


def true_diameters(width: Array, contrast: Array, speckle_size: float) -> Array:
    """Return the diameters of echoes from their widths at half of their height.

    Speckle blurs an echo, and the display shows the logarithm of its amplitude. Half of the height
    of the displayed profile is therefore not at the edge of the echo: see EDGE_SHIFT.

    Parameters
    ----------
    width : array, shape (n,), float64
        Widths at half height, grid pixels.
    contrast : array, shape (n,), float64
        Height over the surroundings divided by their q75 - q50, which is a contrast in dB up to a
        factor that depends on the kind of speckle.
    speckle_size : float
        Grid pixels.

    Returns
    -------
    array, shape (n,), float64
        Grid pixels; at least LEAST_DIAMETER speckle sizes.
    """
    shift = EDGE_SHIFT + EDGE_SHIFT_SLOPE * np.log(
        np.clip(contrast, *CONTRAST_RANGE) / EDGE_CONTRAST
    )
    shifted = np.maximum(width - speckle_size * shift, 0)
    squared = shifted**2 - POINT_SHARE * speckle_size**2
    return np.asarray(np.sqrt(np.maximum(squared, (LEAST_DIAMETER * speckle_size) ** 2)))


def _widths_at_half_height(
    scale: Scale, blobs: Blobs, own: NDArray[np.intp], background: Array
) -> Array:
    """Return the widths, in grid pixels, of the blobs with the indices `own`, (m,).

    All of them have the same scale. The width is the diameter of the circle with the area of the
    blob above half of its height, corrected for the smoothing of `scale`. Radii are cut as
    LARGEST_RADIUS_RATIO states.
    """
    x, y = scale.from_view(blobs.x[own]), scale.from_view(blobs.y[own])
    height = np.maximum(sampled(scale.smooth, x, y) - background, LEAST_HEIGHT)
    half = (background + 0.5 * height).astype(np.float32)
    radii = np.empty((own.size, RADIUS_DIRECTIONS), np.float32)
    largest = RADIUS_LIMIT * FWHM * blobs.scales[blobs.index[own[0]]].sigma / scale.factor
    kernels.radial_extents(scale.smooth, x, y, half, np.full(own.size, largest, np.float32), radii)
    radii = np.minimum(radii, LARGEST_RADIUS_RATIO * _medians(radii)[:, None]) * scale.factor
    squared = 4 * np.mean(radii.astype(np.float64) ** 2, axis=1) - (FWHM * scale.sigma) ** 2
    return np.asarray(np.sqrt(np.maximum(squared, 1)))


def _medians(values: NDArray[Any]) -> NDArray[Any]:
    """Return the median of each row, which has an even number of values.

    For short rows this is faster than `np.median`.
    """
    ordered, half = np.sort(values, axis=1), values.shape[1] // 2
    return np.asarray((ordered[:, half - 1] + ordered[:, half]) / 2)


def sampled(image: FloatImage, x: NDArray[np.float32], y: NDArray[np.float32]) -> Array:
    """Return the values of an image at positions (n,), by bilinear interpolation."""
    if not x.size:
        return np.empty(0)  # OpenCV refuses empty maps
    values = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values, dtype=np.float64).ravel()
