"""Measurements of candidates: size, contrast, line-likeness, and features for the confidence."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from usmicro.foci.blobs import Array, Blobs
from usmicro.foci.extents import measure_extents, sampled
from usmicro.foci.scale_space import FWHM, Scale, scale_space
from usmicro.kernels import extents as extent_kernels
from usmicro.kernels import foci as kernels
from usmicro.kernels import focus_patches as patch_kernels
from usmicro.kernels import levels as level_kernels
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage
from usmicro.model.findings import Candidates
from usmicro.model.view import View
from usmicro.numerics.area_means import area_means
from usmicro.settings import FociSettings

QUARTILES = np.array([0.25, 0.5, 0.75], np.float32)
GREY_RING_MM = 2.0
"""Width in mm of the ring around a focus in which the grey level of its surroundings is measured.

A wide ring has less speckle noise; a narrow one lies in the same tissue. Chosen by eye; no
measurement is recorded.
"""
GREY_GUARD_SIGMAS = 2
"""Inner radius of that ring in standard deviations of the scale; the speckle size is added to it.

The focus itself must not count as its surroundings. Chosen by eye; no measurement is recorded.
"""
GREY_RING_SAMPLES = 12
"""Number of rows and of columns that are sampled across the width of a ring.

More samples cost time. Chosen by eye; no measurement is recorded.
"""
REGION_RADII_MM = (2.0, 5.0)
"""Inner and outer radius in mm of the ring that gives the grey level of the region around a focus.

Chosen by eye; no measurement is recorded.
"""
CALCIFICATION_SIGMAS_MM = (0.16, 0.48)
"""Range of standard deviations, in mm, over which the largest blobness is taken.

Small calcifications have their largest blobness there.

Chosen by eye; no measurement is recorded.
"""
FINE_TEXTURE_MM, LEAST_FINE_TEXTURE_PX = 0.16, 0.5
"""Standard deviation of the smoothing that removes fine texture, in mm; its minimum in grid pixels.

Chosen by eye; no measurement is recorded.
"""
LEAST_FINE_TEXTURE = 0.3
"""Smallest fine texture by which blobness is divided, grey levels, since black areas have none.

Chosen by eye; no measurement is recorded.
"""
TEXTURE_AREA_MM = 1.0
"""Standard deviation in mm of the neighbourhood over which fine texture is averaged.

Chosen by eye; no measurement is recorded.
"""
RESOLVED_WIDTH = 1.25
"""Smallest diameter, in speckle sizes, of a focus that counts as larger than a point.

It is more than 1, because log compression widens points. Chosen by eye; no measurement is recorded.
"""
DOUBLE_SCALE = 2
"""Steps in the scale space, with a ratio of sqrt(2), from a scale to twice that."""
LEAST_RING_SPREAD = 1.0
"""Smallest grey-level spread q75 - q50 of a ring, grey levels: one step of the display.

Where the spread is smaller, the display has cut off the speckle.
"""
LEAST_STEEPNESS_RADIUS_PX = 1.0
"""Smallest radius, in grid pixels, of a focus whose steepness is measured."""
SATURATED_LEVEL = 250
"""Grey level from which a pixel counts as saturated.

It is less than 255, because compression and resampling darken white. Chosen by eye; no measurement
is recorded.
"""


def measure_blobs(
    view: View, settings: FociSettings, blobs: Blobs, probability: Array
) -> Candidates:
    """Measure blobs.

    A ring with a guard band around each focus gives the grey level of its surroundings. The height
    of a grey level is its difference to the median of the ring.

    Parameters
    ----------
    view : View
    settings : FociSettings
    blobs : Blobs
    probability : array, shape (n,)
        Probability that speckle alone responds as strongly as each blob.

    Returns
    -------
    Candidates
        `x`, `y` are the centroid of the core, the part above 0.6 of the height of the peak.
        `diameter` is that of a circle with the area of the focus, corrected for the resolution and
        the compression of the display (`usmicro.foci.extents.true_diameters`); for a focus that is
        no larger than a point it is at most the speckle size. `line` is
        1 - 2 * width / length, at least 0, with the smallest width and the length of the ridge at
        half maximum: it is 0 up to a length of twice the width. `contrast` is that of the peak at
        half the blob's scale. `features` are arrays of shape (n,), float64; lengths are in mm of
        the grid, whose pixel size is an estimate where the spacing is unknown:

        - `response`: the detection statistic;
        - `scale_mm`: standard deviation of the scale at which the blob was detected;
        - `blobness`: largest sqrt(l1 l2) sigma^2 for sigma from 0.16 to 0.48 mm, divided by the
          75th percentile of the grey level of the tissue;
        - `blobness_to_texture`: that largest value divided by the mean fine texture around the
          focus (sigma 1 mm); the texture includes the focus, so foci on black have lower values;
        - `grey_contrast`: grey level of the peak less the median of the ring;
        - `peak_quantile`: share of the tissue that is darker than the peak;
        - `saturation`: share of the focus at grey level 250 or more;
        - `ring_quantile`, `region_quantile`: share of the tissue that is darker than the median of
          the ring, and of a ring from 2 to 5 mm;
        - `ring_spread`: q75 - q25 of the ring divided by q75 - q25 of the tissue;
        - `roundness`, `roundness_wide`: smaller over larger eigenvalue of the Hessian at the focus'
          scale and at twice that: 1 round, 0 a straight line, below 0 a saddle;
        - `across_beam`: 1 for a focus that is long across the beam, as skin and fascia are, 0 for
          one that is long along the beam;
        - `elongation`: ratio of the longest to the shortest width at half maximum;
        - `ridge_mm`, `faint_ridge_mm`: length of the ridge through the focus, above a half and
          above a quarter of its height;
        - `depth_mm`: distance from the transducer face;
        - `steepness_across`, `steepness_along`: largest difference between adjacent pixels of a
          row and of a column, times the speckle size across and along the beam in pixels, divided
          by the grey contrast. An echo is as smooth as the resolution of the scan; burned-in
          graphics are steeper;
        - `clump`, `fill`, `solidity`, `confluence`: 0, 1, 1 and 1 for a round focus. For a clump
          (`usmicro.foci.clump_candidates`): 1, the bright part of its filled outline, the part of
          its convex hull that it fills, and the number of candidates in it.
    """
    grid, index = view.grid, blobs.index
    sigma = np.array([scale.sigma for scale in blobs.scales])[index]
    speckle_size = float(np.sqrt(view.speckle_size[0] * view.speckle_size[1]))
    levels, histogram = np.empty(view.shape, np.uint8), np.empty(256, np.int64)
    level_kernels.round_to_levels(
        np.ascontiguousarray(view.grey), np.ascontiguousarray(view.usable), levels, histogram
    )
    share_darker = np.cumsum(histogram) / max(histogram.sum(), 1)

    guard = GREY_GUARD_SIGMAS * sigma + speckle_size
    outer = guard + grid.pixels(GREY_RING_MM)
    ring = _quartiles(levels, view.usable, blobs, guard, outer)
    region_inner, region_outer = (
        np.maximum(ring_radius, grid.pixels(radius))
        for ring_radius, radius in zip((guard, outer), REGION_RADII_MM, strict=True)
    )
    region = _quartiles(levels, view.usable, blobs, region_inner, region_outer)
    small, large, angle = _hessian_eigenvalues(_second_differences(blobs))
    small_wide, large_wide, _ = _hessian_eigenvalues(_second_differences(blobs, DOUBLE_SCALE))
    spread = np.maximum(ring[:, 2] - ring[:, 1], LEAST_RING_SPREAD)
    extents = measure_extents(view, blobs, ring[:, 1], spread, angle)

    columns, rows = (
        np.clip(np.round(position).astype(int), 0, size - 1)
        for position, size in zip((extents.x, extents.y), view.shape[::-1], strict=True)
    )
    # graphics beside a focus may pull the centroid onto them
    usable = view.usable[rows, columns]
    x, y = np.where(usable, extents.x, blobs.x), np.where(usable, extents.y, blobs.y)

    contrast = extents.peak - ring[:, 1]
    shortest, longest = np.maximum(extents.widths.min(axis=1), 1), extents.widths.max(axis=1)
    resolved = extents.diameter >= RESOLVED_WIDTH * speckle_size
    diameter = np.where(resolved, extents.diameter, np.minimum(extents.diameter, speckle_size))
    length = np.maximum(np.maximum(extents.ridge, longest), 1)
    beam_x, beam_y = view.scan_lines.direction(blobs.x, blobs.y)
    blobness = _blobness(view, blobs)
    texture = np.maximum(_fine_texture(view, blobs), LEAST_FINE_TEXTURE)
    lower, upper = np.searchsorted(share_darker, (0.25, 0.75))
    whole_levels = np.arange(256) + 0.5
    features = {
        "response": blobs.response,
        "scale_mm": sigma * grid.pixel_mm,
        "blobness": blobness / max(int(upper), 1),
        "blobness_to_texture": blobness / texture,
        "grey_contrast": contrast,
        "peak_quantile": np.interp(extents.peak, whole_levels, share_darker),
        "saturation": _saturation(levels, blobs, diameter / 2),
        "ring_quantile": np.interp(ring[:, 1], whole_levels, share_darker),
        "region_quantile": np.interp(region[:, 1], whole_levels, share_darker),
        "ring_spread": (ring[:, 2] - ring[:, 0]) / max(int(upper - lower), 1),
        "roundness": _roundness(small, large),
        "roundness_wide": _roundness(small_wide, large_wide),
        "across_beam": np.abs(np.cos(angle) * beam_y - np.sin(angle) * beam_x),
        "elongation": np.maximum(longest / shortest, 1),
        "ridge_mm": extents.ridge * grid.pixel_mm,
        "faint_ridge_mm": extents.faint_ridge * grid.pixel_mm,
        "depth_mm": view.scan_lines.depth(blobs.x, blobs.y) * grid.pixel_mm,
        **_steepness(view, x, y, diameter, contrast),
        "clump": np.zeros(len(x)),
        "fill": np.ones(len(x)),
        "solidity": np.ones(len(x)),
        "confluence": np.ones(len(x)),
    }
    return Candidates(
        x=x,
        y=y,
        diameter=diameter,
        contrast=contrast / spread,
        false_alarm=probability,
        line=np.clip(1 - 2 * shortest / length, 0, 1),
        coarse=resolved & (diameter >= grid.pixels(settings.coarse)),
        width=diameter,
        height=diameter,
        outline=np.full(len(x), None, object),
        features=features,
    )


def _quartiles(
    levels: ByteImage, usable: BoolImage, blobs: Blobs, inner: Array, outer: Array
) -> Array:
    """Return quartiles (n, 3) of usable grey levels in rings with radii (n,) in grid pixels."""
    # blobs of one scale have equal rings, whose offsets are computed once if they are successive
    order = np.argsort(blobs.index, kind="stable")
    count = len(order)
    out, counted = np.empty((count, 3), np.float32), np.empty(count, np.float32)
    step = np.maximum(1, (outer - inner) // GREY_RING_SAMPLES)[order].astype(np.int32)
    x, y, least, most = (
        values[order].astype(np.float32) for values in (blobs.x, blobs.y, inner, outer)
    )
    kernels.ring_quantiles(levels, usable, x, y, least, most, step, QUARTILES, out, counted)
    quartiles = np.empty((count, 3))
    quartiles[order] = out
    return quartiles


def _second_differences(blobs: Blobs, coarser: int = 0) -> Array:
    """Return the second differences (xx, yy, xy) times sigma squared of each blob, (n, 3).

    They are taken `coarser` steps above the blob's own scale, at most at the coarsest scale.
    """
    out = np.empty((len(blobs.x), 3))
    index = np.minimum(blobs.index + coarser, len(blobs.scales) - 1)
    for k in np.unique(index):
        own = np.flatnonzero(index == k)
        out[own] = _second_differences_at(blobs.scales[k], blobs.x[own], blobs.y[own])
    return out


def _second_differences_at(scale: Scale, x: Array, y: Array) -> Array:
    """Return second differences (xx, yy, xy) times sigma squared at grid positions, (n, 3)."""
    out = np.empty((len(x), 3), np.float32)
    extent_kernels.second_differences(scale.smooth, scale.from_view(x), scale.from_view(y), out)
    return out.astype(np.float64) * (scale.sigma / scale.factor) ** 2


def _hessian_eigenvalues(second_differences: Array) -> tuple[Array, Array, Array]:
    """Return the smaller and larger eigenvalue of each negated Hessian and the angle of the ridge.

    All have shape (n,). Eigenvalues are positive for bright blobs. The angle is in radians from +x
    to +y.
    """
    xx, yy, xy = -second_differences.T
    mean, radius = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    # the larger eigenvalue belongs to the direction across the ridge
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
    return mean - radius, mean + radius, angle


def _roundness(small: Array, large: Array) -> Array:
    """Return the ratio of the smaller to the larger eigenvalue, -1 to 1."""
    return np.clip(small / np.maximum(large, 1e-6), -1, 1)


def _blobness(view: View, blobs: Blobs) -> Array:
    """Return the largest sqrt(l1 l2) sigma^2 over CALCIFICATION_SIGMAS_MM, grey levels, (n,)."""
    largest = np.zeros(len(blobs.x))
    low, high = CALCIFICATION_SIGMAS_MM
    for scale in scale_space(view, low * FWHM, high * FWHM, blobs.images):
        small, large, _ = _hessian_eigenvalues(_second_differences_at(scale, blobs.x, blobs.y))
        blobness = np.sqrt(np.maximum(small, 0) * np.maximum(large, 0))
        largest = np.maximum(largest, blobness)
    return largest


def _fine_texture(view: View, blobs: Blobs) -> Array:
    """Return the mean magnitude of the fine texture around each blob, grey levels, (n,).

    Fine texture is the difference between an image and its smoothed copy. The mean is taken over
    the tissue, on a grid of half the size.
    """
    image, tissue = blobs.images[1], view.tissue
    sigma = max(view.grid.pixels(FINE_TEXTURE_MM), LEAST_FINE_TEXTURE_PX)
    area = max(view.grid.pixels(TEXTURE_AREA_MM), 1) / 2
    detail = cv2.absdiff(image, cv2.GaussianBlur(image, (0, 0), sigma))
    half_size = (max(image.shape[1] // 2, 1), max(image.shape[0] // 2, 1))
    if tissue.all():
        share = _full_share(view.shape, half_size, area)
    else:
        detail, share = detail * tissue, _coarse_mean(tissue.astype(np.float32), half_size, area)
    scale = np.array(half_size) / (image.shape[1], image.shape[0])
    x, y = (
        (positions + 0.5) * step - 0.5
        for positions, step in zip((blobs.x, blobs.y), scale, strict=True)
    )
    mean: FloatImage = np.divide(
        _coarse_mean(detail, half_size, area), np.maximum(share, np.float32(1e-3))
    )
    return sampled(mean, x.astype(np.float32), y.astype(np.float32))


@lru_cache(maxsize=4)
def _full_share(shape: tuple[int, int], size: tuple[int, int], area: float) -> FloatImage:
    """Return `_coarse_mean` of the mask of a view that is all tissue: 1 except for rounding.

    It is the same for all frames of a cine, so it is cached.
    """
    return _coarse_mean(np.ones(shape, np.float32), size, area)


def _coarse_mean(image: FloatImage, size: tuple[int, int], area: float) -> FloatImage:
    """Resize an image to `size` (columns, rows); smooth it with the standard deviation `area`."""
    return np.asarray(cv2.GaussianBlur(area_means(image, size)[0], (0, 0), area))


def _steepness(
    view: View, x: Array, y: Array, diameter: Array, contrast: Array
) -> dict[str, Array]:
    """Return the steepness of each focus across and along the beam."""
    steps = np.empty((len(x), 2), np.float32)
    radius = np.maximum(diameter / 2, LEAST_STEEPNESS_RADIUS_PX) + 1
    patch_kernels.largest_steps(
        np.ascontiguousarray(view.grey),
        x.astype(np.float32),
        y.astype(np.float32),
        radius.astype(np.float32),
        steps,
    )
    relative = steps / np.maximum(contrast, LEAST_RING_SPREAD)[:, np.newaxis]
    across, along = view.speckle_size
    return {"steepness_across": relative[:, 0] * across, "steepness_along": relative[:, 1] * along}


def _saturation(levels: ByteImage, blobs: Blobs, radius: Array) -> Array:
    """Return the share of saturated pixels within the radius (n,) of each focus."""
    out = np.empty(len(blobs.x))
    column, row, whole_radius = (
        np.round(values).astype(int) for values in (blobs.x, blobs.y, np.maximum(radius, 1))
    )
    level_kernels.saturated_fractions(levels, row, column, whole_radius, SATURATED_LEVEL, out)
    return out
