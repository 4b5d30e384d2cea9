"""What is measured of each focus candidate: size, contrast to its surroundings, line-likeness, and features for the confidence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.foci.scale_space import FWHM, Scale, scale_space
from usmicro.kernels import foci as kernels
from usmicro.kernels import levels as levels_of
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage
from usmicro.model.findings import Candidates
from usmicro.model.view import View
from usmicro.settings import FociSettings

Array = NDArray[np.float64]

DIRECTIONS = 32
QUARTILES = np.array([0.25, 0.5, 0.75], np.float32)
RING_MM = 2.0
"""Width of the ring that tells the grey level around a focus."""
REGION_MM = (2.0, 5.0)
"""Inner and outer radius of the ring that tells the grey level of the region a focus lies in."""
RIDGE_MM = 6.0
"""How far a bright ridge is followed each way."""
BLOBNESS_MM = (0.16, 0.48)
"""Standard deviations between which the blobness of small calcifications is largest."""
TEXTURE_MM = 0.16
"""Standard deviation of the smoothing whose remainder is fine texture."""
AREA_MM = 1.0
"""Standard deviation of the neighbourhood that fine texture is averaged over."""
CORE = 0.6
"""Share of its height above which a blob's centre is taken: speckle on the flanks would pull a maximum of the response about."""
FARTHEST = 2.0
"""Largest radius of a blob over the median of its radii."""
RESOLVED = 1.25
"""Diameter over that of the speckle cell from which a focus is larger than a point: log compression widens points."""
FINE = 1.0
"""Standard deviation in pixels of the smoothing in which the smallest foci are measured."""
LEAST_SPREAD = 1.0
"""Smallest grey-level spread of a ring: below it the display has cut the speckle off."""
WHITE = 250
"""Grey level from which a pixel counts as saturated."""


@dataclass(frozen=True, slots=True)
class Blobs:
    """Bright blobs of one view, strongest first."""

    x: Array
    y: Array
    index: NDArray[np.intp]
    """Scale that each was found at."""
    response: Array
    scales: list[Scale]
    filled: FloatImage
    """The view with what is not tissue replaced."""

    def first(self, count: int) -> Blobs:
        """The `count` strongest."""
        return Blobs(
            self.x[:count],
            self.y[:count],
            self.index[:count],
            self.response[:count],
            self.scales,
            self.filled,
        )


@dataclass(frozen=True, slots=True)
class Extents:
    """Where each blob is brightest and how far it reaches, in grid pixels."""

    x: Array
    y: Array
    """Centre of what rises above CORE of its height."""
    peak: Array
    """Grey level at its middle, smoothed at half the blob's scale."""
    widths: Array
    """(n, DIRECTIONS / 2) full widths at half maximum along evenly spread directions."""
    diameter: Array
    """Of the circle that covers as much as the blob does above half of its height."""
    ridge: Array
    """Length of the ridge through it above a half of its height."""
    faint_ridge: Array
    """Length of the ridge through it above a quarter of its height."""


def measure(view: View, settings: FociSettings, blobs: Blobs, probability: Array) -> Candidates:
    """Measure blobs, of which each has a response that speckle alone reaches with a `probability`.

    Positions are centres of the core above 0.6 of the height. `diameter` is that of a circle that covers as much as the focus does
    above half of its height over the ring's median; a focus that cannot be told from a point has at most that of the speckle cell.
    `line` is 1 - 2 * width / length, at least 0, of the smallest width and of the
    length of the ridge at half maximum: 0 up to twice as long as wide. `contrast` is that of the peak at half the blob's scale
    against a ring with a guard band of two sigma and a speckle cell.

    Features, all arrays of float; lengths by the estimated scale where the spacing is unknown:

    - `response`: blobness over the local texture at the focus' scale, the detection statistic;
    - `scale_mm`: standard deviation of the scale that it was found at;
    - `blobness`: largest sqrt(l1 l2) sigma^2 over sigma 0.16 to 0.48 mm, over the 75th grey percentile of the tissue;
    - `blobness_to_texture`: the same over the mean fine texture around (sigma 1 mm), the focus included, which tempers foci on black;
    - `grey_contrast`: grey level of the peak less the median of the ring;
    - `peak_quantile`: share of the tissue that is darker than the peak;
    - `saturation`: share of the focus at grey level 250 or more;
    - `ring_quantile`, `region_quantile`: share of the tissue darker than the median of the ring, and of a ring from 2 to 5 mm;
    - `ring_spread`: q75 - q25 of the ring over that of the tissue;
    - `roundness`, `roundness_wide`: smaller over larger eigenvalue of the Hessian at the focus' scale and at twice that: 1 round,
      0 a straight line, below 0 a saddle;
    - `across_beam`: 1 where the focus is long across the beam, as skin and fascia are, 0 along it;
    - `elongation`: longest over shortest width at half maximum;
    - `ridge_mm`, `faint_ridge_mm`: how far the brightness continues along the ridge through the focus, both ways together, above a
      half and above a quarter of its height over the ring;
    - `depth_mm`: distance from the transducer face.
    """
    grid, index = view.grid, blobs.index
    sigma = np.array([scale.sigma for scale in blobs.scales])[index]
    cell = float(np.sqrt(view.speckle_size[0] * view.speckle_size[1]))
    levels, histogram = np.empty(view.shape, np.uint8), np.empty(256, np.int64)
    levels_of.whole_levels(
        np.ascontiguousarray(view.grey), np.ascontiguousarray(view.usable), levels, histogram
    )
    share_darker = np.cumsum(histogram) / max(histogram.sum(), 1)

    guard = 2 * sigma + cell
    outer = guard + grid.pixels(RING_MM)
    ring = _quartiles(levels, view.usable, blobs, guard, outer)
    inner, far = (grid.pixels(radius) for radius in REGION_MM)
    region = _quartiles(
        levels, view.usable, blobs, np.maximum(guard, inner), np.maximum(outer, far)
    )
    small, large, angle = _eigen(_curvatures(blobs, 0))
    small_wide, large_wide, _ = _eigen(_curvatures(blobs, 2))
    extents = _extents(view, blobs, ring[:, 1], angle)

    columns, rows = (
        np.clip(np.round(p).astype(int), 0, n - 1)
        for p, n in zip((extents.x, extents.y), view.shape[::-1], strict=True)
    )
    usable = view.usable[rows, columns]
    x, y = (
        np.where(usable, extents.x, blobs.x),
        np.where(usable, extents.y, blobs.y),
    )  # an overlay beside a focus may pull its centre

    contrast = extents.peak - ring[:, 1]
    shortest, longest = np.maximum(extents.widths.min(axis=1), 1), extents.widths.max(axis=1)
    resolved = extents.diameter >= RESOLVED * cell
    diameter = np.where(resolved, extents.diameter, np.minimum(extents.diameter, cell))
    beam_x, beam_y = view.scan_lines.direction(blobs.x, blobs.y)
    blobness = _blobness(view, blobs)
    lower, upper = np.searchsorted(share_darker, (0.25, 0.75))
    whole_levels = np.arange(256) + 0.5
    features = {
        "response": blobs.response,
        "scale_mm": sigma * grid.pixel_mm,
        "blobness": blobness / max(int(upper), 1),
        "blobness_to_texture": blobness / np.maximum(_texture(view, blobs), 0.3),
        "grey_contrast": contrast,
        "peak_quantile": np.interp(extents.peak, whole_levels, share_darker),
        "saturation": _saturation(levels, blobs, diameter / 2),
        "ring_quantile": np.interp(ring[:, 1], whole_levels, share_darker),
        "region_quantile": np.interp(region[:, 1], whole_levels, share_darker),
        "ring_spread": (ring[:, 2] - ring[:, 0]) / max(int(upper - lower), 1),
        "roundness": _ratio(small, large),
        "roundness_wide": _ratio(small_wide, large_wide),
        "across_beam": np.abs(np.cos(angle) * beam_y - np.sin(angle) * beam_x),
        "elongation": np.maximum(longest / shortest, 1),
        "ridge_mm": extents.ridge * grid.pixel_mm,
        "faint_ridge_mm": extents.faint_ridge * grid.pixel_mm,
        "depth_mm": view.scan_lines.depth(blobs.x, blobs.y) * grid.pixel_mm,
    }
    return Candidates(
        x=x,
        y=y,
        diameter=diameter,
        contrast=contrast / np.maximum(ring[:, 2] - ring[:, 1], LEAST_SPREAD),
        false_alarm=probability,
        line=np.clip(1 - 2 * shortest / np.maximum(np.maximum(extents.ridge, longest), 1), 0, 1),
        coarse=resolved & (diameter >= grid.pixels(settings.coarse)),
        features=features,
    )


def _quartiles(
    levels: ByteImage, usable: BoolImage, blobs: Blobs, inner: Array, outer: Array
) -> Array:
    """Quartiles of the usable grey levels in a ring around each blob, (n, 3)."""
    count = len(blobs.x)
    out, counted = np.empty((count, 3), np.float32), np.empty(count, np.float32)
    step = np.maximum(1, (outer - inner) // 12).astype(np.int32)
    x, y, least, most = (values.astype(np.float32) for values in (blobs.x, blobs.y, inner, outer))
    kernels.ring_quantiles(levels, usable, x, y, least, most, step, QUARTILES, out, counted)
    return out.astype(np.float64)


def _extents(view: View, blobs: Blobs, background: Array, angle: Array) -> Extents:
    """Widths and ridges of each blob, in the image smoothed at half of its scale: speckle is quieter there and the blob little wider.

    Diameters are measured at a quarter of the scale, where a lump of several bright grains is still as large as all of them.
    """
    count = len(blobs.x)
    fine = Scale(FINE, 1, cv2.GaussianBlur(view.grey, (0, 0), FINE))
    middle, peak, diameter = np.zeros((count, 2)), np.zeros(count), np.zeros(count)
    widths, ridges = np.zeros((count, DIRECTIONS // 2)), np.zeros((count, 2))
    for k in np.unique(blobs.index):
        own = np.flatnonzero(blobs.index == k)
        scale = blobs.scales[k - 2] if k >= 2 else fine
        x, y = scale.from_view(blobs.x[own]), scale.from_view(blobs.y[own])
        peak[own] = _sampled(scale.smooth, x, y)
        diameter[own] = _diameters(
            blobs.scales[k - 4] if k >= 4 else fine, blobs, own, background[own]
        )
        height = np.maximum(peak[own] - background[own], LEAST_SPREAD)
        core, half, quarter = (
            (background[own] + share * height).astype(np.float32) for share in (CORE, 0.5, 0.25)
        )
        radii = np.empty((own.size, DIRECTIONS), np.float32)
        most = np.full(own.size, 3 * FWHM * blobs.scales[k].sigma / scale.factor, np.float32)
        kernels.radii(scale.smooth, x, y, half, most, radii)
        widths[own] = (radii[:, : DIRECTIONS // 2] + radii[:, DIRECTIONS // 2 :]) * scale.factor
        centre = np.empty((own.size, 2), np.float32)
        near = (0.75 * _medians(widths[own]) / scale.factor).astype(np.float32)
        kernels.centroids(scale.smooth, x, y, core, near, centre)
        middle[own] = scale.to_view(centre)
        reach = np.float32(view.grid.pixels(RIDGE_MM) / scale.factor)
        lengths = np.empty((own.size, 2), np.float32)
        kernels.ridge_lengths(
            scale.smooth,
            x,
            y,
            angle[own].astype(np.float32),
            np.stack([half, quarter], axis=1),
            reach,
            lengths,
        )
        ridges[own] = lengths * scale.factor
    return Extents(middle[:, 0], middle[:, 1], peak, widths, diameter, ridges[:, 0], ridges[:, 1])


def _diameters(scale: Scale, blobs: Blobs, own: NDArray[np.intp], background: Array) -> Array:
    """Diameter of the circle that covers as much as each of some blobs does above half of its height, less the smoothing.

    No direction counts for more than FARTHEST of the median radius: a ligament that a focus lies on is none of it.
    """
    x, y = scale.from_view(blobs.x[own]), scale.from_view(blobs.y[own])
    half = (
        background + 0.5 * np.maximum(_sampled(scale.smooth, x, y) - background, LEAST_SPREAD)
    ).astype(np.float32)
    radii = np.empty((own.size, DIRECTIONS), np.float32)
    most = np.full(
        own.size, 3 * FWHM * blobs.scales[blobs.index[own[0]]].sigma / scale.factor, np.float32
    )
    kernels.radii(scale.smooth, x, y, half, most, radii)
    radii = np.minimum(radii, FARTHEST * _medians(radii)[:, None]) * scale.factor
    return np.asarray(
        np.sqrt(
            np.maximum(
                4 * np.mean(radii.astype(np.float64) ** 2, axis=1) - (FWHM * scale.sigma) ** 2, 1
            )
        )
    )


def _medians(values: NDArray[Any]) -> NDArray[Any]:
    """Median of each row, which holds an even number of values; for short rows several times as fast as `np.median`."""
    ordered, half = np.sort(values, axis=1), values.shape[1] // 2
    return np.asarray((ordered[:, half - 1] + ordered[:, half]) / 2)


def _sampled(image: FloatImage, x: NDArray[np.float32], y: NDArray[np.float32]) -> Array:
    if not x.size:
        return np.empty(0)  # OpenCV refuses empty maps
    return np.asarray(
        cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), dtype=np.float64
    ).ravel()


def _curvatures(blobs: Blobs, coarser: int) -> Array:
    """Second differences (xx, yy, xy) of each blob some scales coarser than its own, or at the coarsest, (n, 3)."""
    out = np.empty((len(blobs.x), 3))
    wanted = np.minimum(blobs.index + coarser, len(blobs.scales) - 1)
    for k in np.unique(wanted):
        own = np.flatnonzero(wanted == k)
        out[own] = _curvatures_at(blobs.scales[k], blobs.x[own], blobs.y[own])
    return out


def _curvatures_at(scale: Scale, x: Array, y: Array) -> Array:
    """Second differences (xx, yy, xy) times sigma squared at positions on the view's grid, (n, 3)."""
    out = np.empty((len(x), 3), np.float32)
    kernels.curvatures(scale.smooth, scale.from_view(x), scale.from_view(y), out)
    return out.astype(np.float64) * (scale.sigma / scale.factor) ** 2


def _eigen(curvature: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues of the Hessian, negated so that bright is positive, smaller then larger, and the angle of the ridge from +x to +y."""
    across, along, mixed = -curvature.T
    middle, radius = (across + along) / 2, np.hypot((across - along) / 2, mixed)
    # the larger eigenvalue belongs to the direction across the ridge
    angle = 0.5 * np.arctan2(2 * mixed, across - along) + np.pi / 2
    return middle - radius, middle + radius, angle


def _ratio(small: Array, large: Array) -> Array:
    return np.clip(small / np.maximum(large, 1e-6), -1, 1)


def _blobness(view: View, blobs: Blobs) -> Array:
    """Largest sqrt(l1 l2) sigma^2 over the scales where small calcifications answer, grey levels."""
    best = np.zeros(len(blobs.x))
    low, high = BLOBNESS_MM
    for scale in scale_space(view, low * FWHM, high * FWHM, blobs.filled):
        small, large, _ = _eigen(_curvatures_at(scale, blobs.x, blobs.y))
        best = np.maximum(best, np.sqrt(np.maximum(small, 0) * np.maximum(large, 0)))
    return best


def _texture(view: View, blobs: Blobs) -> Array:
    """Mean magnitude of what a fine smoothing takes away, around each blob, grey levels."""
    image, tissue = blobs.filled, view.tissue
    fine, area = max(view.grid.pixels(TEXTURE_MM), 0.5), max(view.grid.pixels(AREA_MM), 1) / 2
    detail = cv2.absdiff(image, cv2.GaussianBlur(image, (0, 0), fine))
    halves = (max(image.shape[1] // 2, 1), max(image.shape[0] // 2, 1))
    if tissue.all():
        share = _full_share(view.shape, halves, area)
    else:
        detail, share = detail * tissue, _coarse_mean(tissue.astype(np.float32), halves, area)
    scale = np.array(halves) / (image.shape[1], image.shape[0])
    x, y = (
        (positions + 0.5) * step - 0.5
        for positions, step in zip((blobs.x, blobs.y), scale, strict=True)
    )
    mean: FloatImage = np.divide(
        _coarse_mean(detail, halves, area), np.maximum(share, np.float32(1e-3))
    )
    return _sampled(mean, x.astype(np.float32), y.astype(np.float32))


@lru_cache(maxsize=4)
def _full_share(shape: tuple[int, int], size: tuple[int, int], area: float) -> FloatImage:
    """`_coarse_mean` of a view that is tissue all over: 1 but for rounding, and the same on all frames of a cine."""
    return _coarse_mean(np.ones(shape, np.float32), size, area)


def _coarse_mean(image: FloatImage, size: tuple[int, int], area: float) -> FloatImage:
    """An image on a grid of columns and rows, smoothed there by a standard deviation of `area` pixels."""
    return np.asarray(
        cv2.GaussianBlur(cv2.resize(image, size, interpolation=cv2.INTER_AREA), (0, 0), area)
    )


def _saturation(levels: ByteImage, blobs: Blobs, radius: Array) -> Array:
    """Share of the pixels of each focus, out to its radius, that the display has cut off at white."""
    out = np.empty(len(blobs.x))
    column, row, reach = (
        np.round(values).astype(int) for values in (blobs.x, blobs.y, np.maximum(radius, 1))
    )
    levels_of.saturated_shares(levels, row, column, reach, WHITE, out)
    return out
