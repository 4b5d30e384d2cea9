"""Coarse clumps: irregular, elongated and confluent bright areas that blob detection misses.

A clump is a connected bright area that is set off from all of its surroundings. Such areas are
nested: a higher grey level cuts a smaller part out of the same clump. Of each nest, one area is
kept: the largest that is set off nearly as clearly as the clearest one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.foci.blobs import Array
from usmicro.foci.extents import true_diameters
from usmicro.kernels import clumps as kernels
from usmicro.kernels import levels as level_kernels
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage
from usmicro.model.view import View
from usmicro.settings import FociSettings

PIXEL_MM = 0.16
"""Edge in mm of the pixels on which clumps are looked for; finer ones cost time.

Chosen by eye; no measurement is recorded.
"""
SMOOTHING_MM = 0.3
"""Standard deviation in mm of the smoothing that joins the parts of a clump.

With 0.2 mm, a clump of two bars in a real mass stays divided. Chosen by eye on ten real scans.
"""
LEVELS = 14
"""Number of grey levels at which areas are cut out; more cost time.

Chosen by eye on ten real scans.
"""
LEVEL_RANGE = 0.03, 0.995
"""Quantiles of the grey level of the tissue between which these levels lie.

Half of the height of a clump in a small dark mass lies below most of the tissue. Chosen by eye on
ten real scans and on simulated ones.
"""
LEAST_DIAMETER_MM = 1.0
"""Smallest diameter in mm of a clump; blob detection finds smaller foci of any shape.

Chosen by eye on ten real scans.
"""
RING_MM = 0.3, 1.2
"""Smallest and largest distance in mm from a clump at which its surroundings are measured.

Nearer pixels belong to its blurred edge. Chosen by eye on ten real scans.
"""
OUTER_SHARE = 0.6
"""Contrast of the area that is kept, as a fraction of the largest contrast in its nest.

Chosen by eye on ten real scans.
"""
LEAST_EDGE_CONTRAST = 0.3
"""Smallest edge contrast of a clump, see `Clumps.edge_contrast`.

Clumps of readers' marks in real scans have 0.6 and more. Chosen by eye on ten real scans.
"""
LARGEST_ELONGATION = 3.0
"""Largest ratio of the axes of a clump; longer ones are septa and fasciae.

Chosen by eye on ten real scans.
"""
THIN_MM, LARGEST_THIN_ELONGATION = 1.4, 2.0
"""Length in mm of the shorter axis of a thin area, and the largest ratio of its axes.

Longer thin areas are biopsy clips, which are 3 mm long and thinner than the resolution, or short
parts of septa. Blob detection still finds thin calcifications. Chosen on simulated clips.
"""
LEAST_RING_SHARE = 0.8
"""Smallest part of the surroundings of a clump that is usable tissue.

Clumps at the edge of the tissue are cut off. Chosen by eye; no measurement is recorded.
"""
LEAST_BOX_SHARE = 0.35
"""Smallest part of its box that a clump fills; branching networks of septa fill less.

Chosen by eye on ten real scans.
"""
LEAST_SOLIDITY = 0.6
"""Smallest part of its convex hull that a clump, with its holes filled, fills.

Chosen by eye on ten real scans.
"""
SKIN_MM = 2.5
"""Depth in mm down to which nothing is a clump: the skin and the gel echo are bright there.

Skin is up to 2 mm thick. Chosen by eye on ten real scans.
"""
WHOLE_SHARE = 0.9
"""Share of the pixels above half of the height that are connected, if the clump is in one piece.

Chosen by eye on simulated clumps.
"""
MOST_AREAS = 4000
"""Largest number of areas that are measured on a view; real scans have up to 200."""


@dataclass(frozen=True, slots=True)
class Clumps:
    """Clumps of one view, the one of largest edge contrast first.

    All arrays have shape (n,), in grid pixels and grey levels.
    """

    x: Array
    """Grid column of the centroid of the filled outline."""
    y: Array
    """Grid row of that centroid."""
    diameter: Array
    """Diameter of the circle with the area of the filled outline, corrected for the resolution."""
    width: Array
    """Extent along the grid columns."""
    height: Array
    """Extent along the grid rows."""
    edge_contrast: Array
    """Lower quartile of the clump less the quantile 0.9 of its surroundings, in units of q75 - q50
    of the tissue: the whole clump is brighter than nearly all of its surroundings."""
    contrast: Array
    """Upper quartile of the clump less the median of its surroundings, in units of q75 - q50 of the
    surroundings."""
    elongation: Array
    """Ratio of the longer to the shorter axis."""
    fill: Array
    """Part of the filled outline that is bright: below 1 for a rim."""
    solidity: Array
    """Area of the filled outline divided by that of its convex hull."""
    outline: list[NDArray[np.float32]]
    """Corners (m, 2) of each outline: grid column and row."""

    def __len__(self) -> int:
        return len(self.x)


Choice = Callable[[Array, Array, Array, Array, Array], NDArray[np.bool_]]
"""See `find_clumps`."""


@dataclass(frozen=True, slots=True)
class _Areas:
    """Nested bright areas of one view, on a reduced grid."""

    levels: ByteImage
    """Smoothed grey levels."""
    usable: BoolImage
    thresholds: NDArray[np.int32]
    found: NDArray[np.int32]
    """Result of `kernels.components_by_level`, (n, 8)."""
    measured: NDArray[np.float32]
    """Result of `kernels.measure_components`, (n, 13)."""
    spread: float
    """q75 - q50 of the grey level of the tissue."""
    factor: int
    """Edge of a pixel in grid pixels of the view."""

    def to_view(self, position: NDArray[Any]) -> NDArray[np.float64]:
        """Convert positions along one axis to the grid of the view."""
        return np.asarray((position.astype(np.float64) + 0.5) * self.factor - 0.5)


def find_clumps(
    view: View, filled: FloatImage, settings: FociSettings, is_worth: Choice | None = None
) -> Clumps:
    """Find coarse clumps on a view.

    Parameters
    ----------
    view : View
    filled : array, shape of the view, float32
        Its grey image, filled outside the tissue by `filled_outside`.
    settings : FociSettings
        Clumps are at most `largest_clump` wide and high.
    is_worth : function, optional
        Called with x, y, contrast, edge contrast and elongation, each (n,), of areas that may be
        clumps; returns True for those whose outline is worth measuring, which takes most of the
        time. The values are those of the area before its outline is drawn at half of its height.

    Returns
    -------
    Clumps

    References
    ----------
    Nested areas of constant grey level: Matas, Chum, Urban, Pajdla, Image and Vision Computing 22
    (2004) 761.
    """
    areas = _bright_areas(view, filled, settings)
    measured = areas.measured.astype(np.float64)
    edge_contrast = (measured[:, 0] - measured[:, 6]) / areas.spread
    chosen = _clearest_of_nests(areas.found[:, 7], edge_contrast, _may_be_clump(areas, view))
    speckle_size = float(np.sqrt(view.speckle_size[0] * view.speckle_size[1]))
    contrast = _contrast(areas.measured)
    if is_worth is not None:
        x, y = (areas.to_view(measured[chosen, axis]) for axis in (8, 9))
        elongation = _elongation(measured[chosen, 10:])
        worth = is_worth(x, y, contrast[chosen], edge_contrast[chosen], elongation)
        chosen = [index for index, kept in zip(chosen, worth.tolist(), strict=True) if kept]
    thin = view.grid.pixels(THIN_MM)
    rows = [row for index in chosen if (row := _measured(areas, index, thin)) is not None]
    outlines = [outline for _, outline in rows]
    table = np.array([values for values, _ in rows], dtype=np.float64).reshape(-1, 7)
    kept = table[:, 5].astype(int)
    return Clumps(
        x=table[:, 0],
        y=table[:, 1],
        diameter=true_diameters(table[:, 2], contrast[kept], speckle_size),
        width=np.array([float(np.ptp(outline[:, 0])) for outline in outlines]),
        height=np.array([float(np.ptp(outline[:, 1])) for outline in outlines]),
        edge_contrast=edge_contrast[kept],
        contrast=contrast[kept],
        elongation=table[:, 6],
        fill=table[:, 3],
        solidity=table[:, 4],
        outline=outlines,
    )


def _bright_areas(view: View, filled: FloatImage, settings: FociSettings) -> _Areas:
    """Cut bright areas out of a view at several grey levels, and measure them."""
    factor = max(1, round(PIXEL_MM / view.grid.pixel_mm))
    pixel_mm = factor * view.grid.pixel_mm
    rows, columns = view.shape
    size = (max(1, columns // factor), max(1, rows // factor))
    # the last rows and columns that do not fill a pixel are left out
    used = slice(size[1] * factor), slice(size[0] * factor)
    reduced = cv2.resize(filled[used], size, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(reduced, (0, 0), SMOOTHING_MM / pixel_mm)
    mask = cv2.resize(view.usable[used].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    usable = mask > 0
    levels, histogram = np.empty(smooth.shape, np.uint8), np.empty(256, np.int64)
    level_kernels.round_to_levels(smooth, usable, levels, histogram)
    darker = np.cumsum(histogram)
    low, median, upper, high = np.searchsorted(
        darker, np.array([LEVEL_RANGE[0], 0.5, 0.75, LEVEL_RANGE[1]]) * max(int(darker[-1]), 1)
    ).tolist()
    thresholds = np.unique(np.rint(np.linspace(low, high, LEVELS)).astype(np.int32))[::-1].copy()
    found = np.empty((MOST_AREAS, 8), np.int32)
    count = kernels.components_by_level(
        levels,
        usable,
        thresholds,
        int(np.pi / 4 * (LEAST_DIAMETER_MM / pixel_mm) ** 2),
        int(settings.largest_clump / pixel_mm),
        found,
    )
    found = found[:count].copy()
    measured = np.empty((count, 13), np.float32)
    inner, outer = (distance / pixel_mm for distance in RING_MM)
    kernels.measure_components(levels, usable, thresholds, found, inner, outer, measured)
    return _Areas(levels, usable, thresholds, found, measured, max(upper - median, 1), factor)


def _may_be_clump(areas: _Areas, view: View) -> NDArray[np.bool_]:
    """Return True for areas that are compact, whole, and below the skin; shape (n,)."""
    found, measured = areas.found, areas.measured
    box = (found[:, 5] - found[:, 3] + 1) * (found[:, 6] - found[:, 4] + 1)
    x, y = areas.to_view(measured[:, 8]), areas.to_view(measured[:, 9])
    return np.asarray(
        (measured[:, 7] >= LEAST_RING_SHARE)
        & (_elongation(measured[:, 10:]) <= LARGEST_ELONGATION)
        & (found[:, 2] >= LEAST_BOX_SHARE * box)
        & (view.scan_lines.depth(x, y) >= view.grid.pixels(SKIN_MM))
    )


def _elongation(moments: NDArray[Any]) -> Array:
    """Return the ratio of the axes of areas, (n,), from their central moments xx, yy and xy."""
    xx, yy, xy = moments.astype(np.float64).T
    mean, radius = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    return np.asarray(np.sqrt((mean + radius) / np.maximum(mean - radius, 1e-3)))


def _contrast(measured: NDArray[np.float32]) -> Array:
    """Return `Clumps.contrast` of areas, (n,)."""
    inside, median, upper = measured[:, [2, 4, 5]].astype(np.float64).T
    return np.asarray((inside - median) / np.maximum(upper - median, 1))


def _clearest_of_nests(
    container: NDArray[np.int32], contrast: Array, suitable: NDArray[np.bool_]
) -> list[int]:
    """Return the indices of the areas that are kept, the clearest nest first.

    `container`, (n,), is the index of the next larger area that contains each area, or -1; it is
    larger than the index of the area itself. Of nested areas only one is kept.
    """
    parts: dict[int, list[int]] = {}
    for index, outer in enumerate(container.tolist()):
        if outer >= 0:
            parts.setdefault(outer, []).append(index)
    suitable = suitable & (contrast >= LEAST_EDGE_CONTRAST)
    taken = np.zeros(len(container), bool)
    kept = []
    for clearest in np.argsort(-contrast, kind="stable").tolist():
        if taken[clearest] or not suitable[clearest]:
            continue
        largest = outer = clearest
        while (outer := int(container[outer])) >= 0 and not taken[outer]:
            if suitable[outer] and contrast[outer] >= OUTER_SHARE * contrast[clearest]:
                largest = outer
        inside = [largest]
        while inside:
            index = inside.pop()
            taken[index] = True
            inside += parts.get(index, [])
        outer = largest
        while (outer := int(container[outer])) >= 0:
            taken[outer] = True
        kept.append(largest)
    return kept


def _measured(
    areas: _Areas, index: int, thin: float
) -> tuple[tuple[float, float, float, float, float, int, float], NDArray[np.float32]] | None:
    """Return centroid, diameter, fill, solidity, index and elongation of an area, and its outline.

    Lengths are in grid pixels of the view. The result is None if the area is not solid enough, or
    long and thinner than `thin`.
    """
    threshold, seed, _, left, top, right, bottom, _ = areas.found[index].tolist()
    window = np.empty((bottom - top + 3, right - left + 3), np.uint8)
    kernels.component_mask(
        areas.levels,
        areas.usable,
        int(areas.thresholds[threshold]),
        seed,
        left - 1,
        top - 1,
        window,
    )
    window = _above_half_height(areas, index, window)
    contours, _ = cv2.findContours(window, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=len)
    area = cv2.contourArea(contour) + len(contour) / 2 + 1  # of pixels, not between their centres
    hull = cv2.convexHull(contour)
    hull_area = cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2 + 1
    solidity = min(area / hull_area, 1.0)
    if solidity < LEAST_SOLIDITY:
        return None
    filled = cv2.drawContours(np.zeros_like(window), [contour], -1, 1, cv2.FILLED)
    moments = cv2.moments(filled, binaryImage=True)
    pixels = moments["m00"]
    x = float(areas.to_view(np.array(moments["m10"] / pixels + left - 1)))
    y = float(areas.to_view(np.array(moments["m01"] / pixels + top - 1)))
    diameter = 2 * float(np.sqrt(pixels / np.pi)) * areas.factor
    xx, yy, xy = (moments[name] / pixels for name in ("mu20", "mu02", "mu11"))
    elongation = float(_elongation(np.array([[xx + 1 / 12, yy + 1 / 12, xy]]))[0])
    shorter = diameter / np.sqrt(elongation)  # axis of an ellipse with the same area
    if elongation > (LARGEST_THIN_ELONGATION if shorter < thin else LARGEST_ELONGATION):
        return None
    corners = _at_pixel_edges(contour[:, 0].astype(np.float64))
    outline = areas.to_view(corners + np.array([left - 1, top - 1]))
    fill = cv2.countNonZero(window) / pixels
    return (x, y, diameter, fill, solidity, index, elongation), outline.astype(np.float32)


def _above_half_height(areas: _Areas, index: int, window: ByteImage) -> ByteImage:
    """Return the part of an area above half of its height, or the area if that is in pieces.

    `window` is 1 in the area, and begins one pixel left of and above its box. The height is the
    upper quartile of the area less the median of its surroundings.
    """
    upper, median = areas.measured[index, 2], areas.measured[index, 4]
    left, top = areas.found[index, 3:5] - 1
    rows, columns = np.nonzero(window)
    bright = areas.levels[rows + top, columns + left] >= (upper + median) / 2
    part = np.zeros_like(window)
    part[rows[bright], columns[bright]] = 1
    _, labels, table, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
    if len(table) < 2:
        return window
    largest = 1 + int(np.argmax(table[1:, cv2.CC_STAT_AREA]))
    if table[largest, cv2.CC_STAT_AREA] < WHOLE_SHARE * int(bright.sum()):
        return window
    return np.asarray(labels == largest, dtype=np.uint8)


def _at_pixel_edges(corners: Array) -> Array:
    """Move the corners (m, 2) of a contour half a pixel outwards, from pixel centres to edges."""
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    return np.asarray(corners + 0.5 * np.sign(corners - middle))
