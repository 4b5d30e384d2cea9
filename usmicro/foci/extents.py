"""Extents of bright blobs: centre, widths, diameter, and the ridge that each may lie on."""

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
"""Directions in which the radius of a blob is measured; even, so that opposite ones make a width.

More cost time. Chosen by eye; no measurement is recorded.
"""
LONGEST_RIDGE_MM = 6.0
"""Length in mm over which a bright ridge is followed to either side.

Longer ones are lines in any case. Chosen by eye; no measurement is recorded.
"""
CORE_HEIGHT = 0.6
"""Height of the core of a blob, whose centroid is its position, over the height of the peak.

Speckle on the flanks moves the maximum; the centroid halves that error. Chosen by eye; how the
halving was measured is not recorded.
"""
CORE_RADIUS = 0.75
"""Radius within which the core is looked for, over the median width of the blob.

Chosen by eye; no measurement is recorded.
"""
LARGEST_RADIUS_RATIO = 2.0
"""Largest radius of a blob that counts for its diameter, over the median of its radii.

A ligament that a focus lies on must not count. Chosen by eye; no measurement is recorded.
"""
RADIUS_LIMIT = 3
"""Radius up to which the edge of a blob is looked for, in full widths at half maximum of its scale.

Chosen by eye; no measurement is recorded.
"""
FINEST_SMOOTHING = 1.0
"""Standard deviation in pixels of the smoothing in which the smallest foci are measured.

Chosen by eye; no measurement is recorded.
"""
HALF_SCALE, QUARTER_SCALE = -2, -4
"""Steps in the scale space, with a ratio of sqrt(2), from a scale to half and a quarter of it."""
LEAST_HEIGHT = 1.0
"""Smallest height of a blob over its surroundings, grey levels: one step of the display."""


@dataclass(frozen=True, slots=True)
class Extents:
    """Centre, height and size of each of n blobs, in grid pixels and grey levels."""

    x: Array
    """Grid column of the centroid of its core, see CORE_HEIGHT."""
    y: Array
    """Grid row of that centroid."""
    peak: Array
    """Grey level at its middle, smoothed at half the blob's scale."""
    widths: Array
    """Full widths at half maximum in evenly spread directions, (n, RADIUS_DIRECTIONS / 2)."""
    diameter: Array
    """Diameter of the circle with the area of the blob above half of its height."""
    ridge: Array
    """Length of the ridge through it above half of its height."""
    faint_ridge: Array
    """Length of the ridge through it above a quarter of its height."""


def measure_extents(view: View, blobs: Blobs, background: Array, angle: Array) -> Extents:
    """Extents of each blob, from the grey level around it and the angle of its ridge, both (n,).

    Widths and ridges are measured in the image smoothed at half of the blob's scale, which reduces
    speckle and widens the blob little. Diameters are measured at a quarter of the scale, where a
    lump of several bright grains is still as large as all of them together.
    """
    count = len(blobs.x)
    finest = Scale(FINEST_SMOOTHING, 1, cv2.GaussianBlur(view.grey, (0, 0), FINEST_SMOOTHING))
    centre, peak, diameter = np.zeros((count, 2)), np.zeros(count), np.zeros(count)
    half_turn = RADIUS_DIRECTIONS // 2
    widths, ridges = np.zeros((count, half_turn)), np.zeros((count, 2))
    for k in np.unique(blobs.index):
        own = np.flatnonzero(blobs.index == k)
        scale = _finer_scale(blobs, k, HALF_SCALE, finest)
        x, y = scale.from_view(blobs.x[own]), scale.from_view(blobs.y[own])
        peak[own] = sampled(scale.smooth, x, y)
        quarter_scale = _finer_scale(blobs, k, QUARTER_SCALE, finest)
        diameter[own] = _diameters(quarter_scale, blobs, own, background[own])
        height = np.maximum(peak[own] - background[own], LEAST_HEIGHT)
        core, half, quarter = (
            (background[own] + share * height).astype(np.float32)
            for share in (CORE_HEIGHT, 0.5, 0.25)
        )
        radii = np.empty((own.size, RADIUS_DIRECTIONS), np.float32)
        largest = RADIUS_LIMIT * FWHM * blobs.scales[k].sigma / scale.factor
        limit = np.full(own.size, largest, np.float32)
        kernels.radial_extents(scale.smooth, x, y, half, limit, radii)
        widths[own] = (radii[:, :half_turn] + radii[:, half_turn:]) * scale.factor
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
    return Extents(centre[:, 0], centre[:, 1], peak, widths, diameter, ridges[:, 0], ridges[:, 1])


def _finer_scale(blobs: Blobs, index: int, step: int, finest: Scale) -> Scale:
    """The scale `step` (negative) from one of the scale space, or `finest` where there is none."""
    return blobs.scales[index + step] if index + step >= 0 else finest


def _diameters(scale: Scale, blobs: Blobs, own: NDArray[np.intp], background: Array) -> Array:
    """Diameters, grid pixels, of the blobs `own`, (m,), which all have the same scale.

    It is that of the circle with the area above half of the height, less the smoothing of `scale`.
    Radii count up to LARGEST_RADIUS_RATIO.
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
    """Median of each row, with an even number of values; faster than `np.median` for short rows."""
    ordered, half = np.sort(values, axis=1), values.shape[1] // 2
    return np.asarray((ordered[:, half - 1] + ordered[:, half]) / 2)


def sampled(image: FloatImage, x: NDArray[np.float32], y: NDArray[np.float32]) -> Array:
    """Bilinear values of an image at positions (n,)."""
    if not x.size:
        return np.empty(0)  # OpenCV refuses empty maps
    values = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values, dtype=np.float64).ravel()
