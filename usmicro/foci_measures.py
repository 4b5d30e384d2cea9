"""What is measured of each focus candidate: size, contrast to its surroundings, line-likeness, and features for the confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.findings import Candidates
from usmicro.kernels import foci as kernels
from usmicro.scale_space import FWHM, Scale, scale_space
from usmicro.settings import FociSettings
from usmicro.view import View

Array = NDArray[np.float64]

DIRECTIONS = 32
QUARTILES = np.array([0.25, 0.5, 0.75], np.float32)
RING_MM = 2.0
"""Width of the ring that tells the grey level around a focus."""
FAR_MM = (2.0, 5.0)
"""Inner and outer radius of the ring that tells the grey level of the region a focus lies in."""
RIDGE_MM = 6.0
"""How far a bright ridge is followed each way."""
BLOBNESS_MM = (0.16, 0.48)
"""Standard deviations between which the blobness is largest for marked foci."""
TEXTURE_MM = 0.12
"""Standard deviation of the smoothing that fine texture is measured against."""
AREA_MM = 1.2
"""Standard deviation of the neighbourhood that fine texture is averaged over."""
LEAST_SPREAD = 1.0
"""Smallest spread of a ring in grey levels: below it the display has cut the speckle off."""


@dataclass(frozen=True, slots=True)
class Blobs:
    """Bright blobs of one view, strongest first."""

    x: Array
    y: Array
    index: NDArray[np.intp]
    """Scale that each was found at."""
    response: Array
    scales: list[Scale]


def measure(view: View, settings: FociSettings, blobs: Blobs, probability: Array) -> Candidates:
    """Measure blobs whose response has a `probability` in speckle alone.

    Features, all arrays of float, lengths by the estimated scale where the spacing is unknown:

    - `response`: blobness over the local texture at the focus' scale, the detection statistic;
    - `scale_mm`: standard deviation of the scale that it was found at;
    - `blobness`: largest sqrt(l1 l2) sigma^2 over sigma 0.16 to 0.48 mm at the focus, grey levels, over the 75th grey percentile of the tissue;
    - `blobness_to_texture`: the same over the mean fine texture (sigma 1.2 mm), in which the focus itself takes part: tempers foci on black;
    - `grey_contrast`: grey level at the peak less the median of the ring, grey levels;
    - `peak_quantile`: share of the tissue that is darker than the peak;
    - `saturation`: share of the focus at grey level 250 or more;
    - `ring_quantile`, `region_quantile`: share of the tissue darker than the median of the ring, and of a ring from 2 to 5 mm: low inside a mass;
    - `ring_spread`: q75 - q25 of the ring over that of the tissue;
    - `roundness`: smaller over larger eigenvalue of the Hessian at the focus' scale, `roundness_wide` at twice the scale (-1 to 1; below
      0 a saddle): 1 round, 0 a straight line;
    - `across_beam`: 1 where the focus is long across the beam, as skin and fascia are, 0 along it;
    - `elongation`: longest over shortest width at half maximum;
    - `ridge_mm`, `ridge_quarter_mm`: how far the brightness continues along the ridge through the focus, both ways together, above a half
      and above a quarter of its height over the ring;
    - `depth_mm`: distance from the transducer face.

    `line` is 1 - width / length, of the width at half maximum across the ridge and the length of the ridge at half maximum.
    """
    grey, usable, grid = view.grey, view.usable, view.grid
    x, y, index, scales = blobs.x, blobs.y, blobs.index, blobs.scales
    sigma = np.array([scale.sigma for scale in scales])[index]
    x32, y32 = x.astype(np.float32), y.astype(np.float32)
    cell = float(np.sqrt(view.speckle[0] * view.speckle[1]))
    levels = np.clip(np.round(grey), 0, 255).astype(np.uint8)
    tissue = np.sort(levels[usable]) if usable.any() else np.zeros(1, np.uint8)
    tissue_quartiles = np.quantile(tissue, QUARTILES)

    inner = FWHM * sigma / 2 + cell
    ring = _ring(levels, usable, x32, y32, inner, inner + grid.pixels(RING_MM))
    near, far = (np.full(len(x), grid.pixels(radius)) for radius in FAR_MM)
    region = _ring(levels, usable, x32, y32, np.maximum(near, inner), np.maximum(far, inner + grid.pixels(RING_MM)))
    peak = _at_own_scale(scales, index, x, y)
    height = np.maximum(peak - ring[:, 1], LEAST_SPREAD)

    fine = cv2.GaussianBlur(grey, (0, 0), 1.0)
    top = _sampled(fine, x32, y32)
    half = (ring[:, 1] + 0.5 * np.maximum(top - ring[:, 1], LEAST_SPREAD)).astype(np.float32)
    quarter = (ring[:, 1] + 0.25 * np.maximum(top - ring[:, 1], LEAST_SPREAD)).astype(np.float32)
    radius = np.empty((len(x), DIRECTIONS), np.float32)
    most = (3 * FWHM * sigma + 4).astype(np.float32)
    kernels.radii(fine, x32, y32, half, most, radius)
    widths = (radius[:, : DIRECTIONS // 2] + radius[:, DIRECTIONS // 2 :]).astype(float)
    diameter = np.sqrt(np.maximum(np.median(widths, axis=1) ** 2 - FWHM**2, 1.0)) if len(x) else np.empty(0)

    curvature, wide = _curvatures(scales, index, x, y, 0), _curvatures(scales, index, x, y, 2)
    small, large, angle = _eigen(curvature)
    small_wide, large_wide, angle_wide = _eigen(wide)
    reach = np.float32(grid.pixels(RIDGE_MM))
    ridge, ridge_quarter = np.empty(len(x), np.float32), np.empty(len(x), np.float32)
    kernels.ridge_lengths(fine, x32, y32, angle.astype(np.float32), half, reach, ridge)
    kernels.ridge_lengths(fine, x32, y32, angle.astype(np.float32), quarter, reach, ridge_quarter)
    shortest, longest = widths.min(axis=1, initial=np.inf), widths.max(axis=1, initial=0)
    length = np.maximum(ridge, longest)
    line = np.clip(1 - shortest / np.maximum(length, 1), 0, 1)

    beam_x, beam_y = view.beams.direction(x, y)
    blobness = _blobness(view, x, y)
    texture = _texture(view, x32, y32)
    features = {
        "response": blobs.response,
        "scale_mm": sigma * grid.pixel_mm,
        "blobness": blobness / max(float(tissue_quartiles[2]), 1.0),
        "blobness_to_texture": blobness / np.maximum(texture, 0.3),
        "grey_contrast": height,
        "peak_quantile": np.searchsorted(tissue, peak) / tissue.size,
        "saturation": _saturation(levels, x32, y32, np.maximum(diameter / 2, 1)),
        "ring_quantile": np.searchsorted(tissue, ring[:, 1]) / tissue.size,
        "region_quantile": np.searchsorted(tissue, region[:, 1]) / tissue.size,
        "ring_spread": (ring[:, 2] - ring[:, 0]) / max(float(tissue_quartiles[2] - tissue_quartiles[0]), 1.0),
        "roundness": _ratio(small, large),
        "roundness_wide": _ratio(small_wide, large_wide),
        "across_beam": np.abs(np.cos(angle) * beam_y - np.sin(angle) * beam_x),
        "elongation": longest / np.maximum(shortest, 1),
        "ridge_mm": ridge * grid.pixel_mm,
        "ridge_quarter_mm": ridge_quarter * grid.pixel_mm,
        "depth_mm": view.beams.depth(x, y) * grid.pixel_mm,
    }
    return Candidates(
        x=x,
        y=y,
        diameter=diameter,
        contrast=(peak - ring[:, 1]) / np.maximum(ring[:, 2] - ring[:, 1], LEAST_SPREAD),
        false_alarm=probability,
        line=line,
        coarse=diameter >= max(grid.pixels(settings.coarse), 1.25 * cell),
        features={name: np.asarray(values, dtype=np.float64) for name, values in features.items()},
    )


def _ring(
    levels: NDArray[np.uint8], usable: NDArray[np.bool_], x: NDArray[np.float32], y: NDArray[np.float32], inner: Array, outer: Array
) -> Array:
    """Quartiles of the usable grey levels in rings; the tissue's where a ring holds none."""
    out, counted = np.empty((x.size, 3), np.float32), np.empty(x.size, np.float32)
    step = np.maximum(1, (outer - inner) // 12).astype(np.int32)
    kernels.ring_quantiles(levels, usable, x, y, inner.astype(np.float32), outer.astype(np.float32), step, QUARTILES, out, counted)
    return out.astype(np.float64)


def _sampled(image: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]) -> Array:
    if not x.size:
        return np.empty(0)
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), dtype=np.float64).ravel()


def _at_own_scale(scales: Sequence[Scale], index: NDArray[np.intp], x: Array, y: Array) -> Array:
    """Smoothed grey level of each candidate at the scale that it was found at."""
    out = np.empty(len(x))
    for k in np.unique(index):
        own, scale = index == k, scales[k]
        out[own] = _sampled(scale.smooth, scale.from_view(x[own]), scale.from_view(y[own]))
    return out


def _curvatures(scales: Sequence[Scale], index: NDArray[np.intp], x: Array, y: Array, coarser: int) -> Array:
    """Second differences (xx, yy, xy) of each candidate some scales coarser than its own, or at the coarsest."""
    out = np.empty((len(x), 3), np.float32)
    wanted = np.minimum(index + coarser, len(scales) - 1)
    for k in np.unique(wanted):
        own, scale = wanted == k, scales[k]
        part = np.empty((np.count_nonzero(own), 3), np.float32)
        kernels.curvatures(scale.smooth, scale.from_view(x[own]), scale.from_view(y[own]), part)
        out[own] = part * (scale.sigma / scale.factor) ** 2
    return out.astype(np.float64)


def _eigen(curvature: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues of the Hessian, negated so that bright is positive, smaller then larger, and the angle of the ridge from +x to +y."""
    across, along, mixed = -curvature.T
    middle, radius = (across + along) / 2, np.hypot((across - along) / 2, mixed)
    # the larger eigenvalue belongs to the direction across the ridge
    angle = 0.5 * np.arctan2(2 * mixed, across - along) + np.pi / 2
    return middle - radius, middle + radius, angle


def _ratio(small: Array, large: Array) -> Array:
    return np.clip(small / np.maximum(large, 1e-6), -1, 1)


def _blobness(view: View, x: Array, y: Array) -> Array:
    """Largest sqrt(l1 l2) sigma^2 over the scales where marked foci answer, grey levels."""
    best = np.zeros(len(x))
    low, high = BLOBNESS_MM
    for scale in scale_space(view, low * FWHM, high * FWHM):
        small, large, _ = _eigen(_curvatures([scale], np.zeros(len(x), np.intp), x, y, 0))
        best = np.maximum(best, np.sqrt(np.maximum(small, 0) * np.maximum(large, 0)))
    return best


def _texture(view: View, x: NDArray[np.float32], y: NDArray[np.float32]) -> Array:
    """Mean magnitude of what a fine smoothing takes away, around each candidate, grey levels."""
    tissue = view.tissue.astype(np.float32)
    grey = view.grey * tissue
    fine, area = max(view.grid.pixels(TEXTURE_MM), 0.5), max(view.grid.pixels(AREA_MM), 1.0)
    share = np.maximum(cv2.GaussianBlur(tissue, (0, 0), fine), np.float32(1e-3))
    detail = np.abs(view.grey - cv2.GaussianBlur(grey, (0, 0), fine) / share) * tissue
    share = np.maximum(cv2.GaussianBlur(tissue, (0, 0), area), np.float32(1e-3))
    return _sampled(cv2.GaussianBlur(detail, (0, 0), area) / share, x, y)


def _saturation(levels: NDArray[np.uint8], x: NDArray[np.float32], y: NDArray[np.float32], radius: Array) -> Array:
    """Share of each focus that the display has cut off at white."""
    everywhere = np.ones(levels.shape, bool)
    return 1 - _share_below(levels, everywhere, x, y, radius, 250)


def _share_below(
    levels: NDArray[np.uint8], usable: NDArray[np.bool_], x: NDArray[np.float32], y: NDArray[np.float32], radius: Array, level: int
) -> Array:
    """Share of the pixels within a radius that lie below a grey level."""
    out = np.empty(x.size)
    for i, (column, row, reach) in enumerate(
        zip(np.round(x).astype(int), np.round(y).astype(int), np.ceil(radius).astype(int), strict=True)
    ):
        window = (slice(max(row - reach, 0), row + reach + 1), slice(max(column - reach, 0), column + reach + 1))
        out[i] = np.mean(levels[window][usable[window]] < level)
    return out
