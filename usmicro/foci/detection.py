"""Detection of echogenic foci: bright blobs at several scales, at a constant false-alarm rate.

It runs on the unfiltered image, because speckle reduction erases small foci.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.foci.blobs import Blobs
from usmicro.foci.false_alarm import LEAST_RESPONSE, SpeckleResponses
from usmicro.foci.features import measure_blobs
from usmicro.foci.scale_space import Scale, filled_outside, scale_space
from usmicro.kernels import foci as kernels
from usmicro.kernels import levels as level_kernels
from usmicro.kernels import masks as mask_kernels
from usmicro.model.arrays import BoolImage
from usmicro.model.findings import Candidates
from usmicro.model.scan import SpacingLike
from usmicro.model.view import View
from usmicro.numerics.quantiles import quantile
from usmicro.settings import FociSettings

Floats = NDArray[np.float64]

TEN_CM2 = 1000.0
"""10 cm2 in mm2."""
TEXTURE_RING_MM = 2.0
"""Width in mm of the ring around a blob in which texture is measured; see TEXTURE_RING_SIGMAS.

A wide ring has less speckle noise; a narrow one has the texture of the same tissue. Chosen by eye;
no measurement is recorded.
"""
TEXTURE_RING_SIGMAS = 3
"""Number of standard deviations of the scale that are added to the width of the ring.

Coarser scales have fewer independent samples. Chosen by eye; no measurement is recorded.
"""
GUARD_SIGMAS, GUARD_SPECKLE = 2.5, 0.5
"""Inner radius of the ring: the sum of so many standard deviations of the scale and speckle sizes.

The response of the blob itself must not count as texture. Chosen by eye; no measurement is
recorded.
"""
RING_SAMPLES = 10
"""Number of rows and of columns that are sampled across the width of a ring.

More samples cost time. Chosen by eye; no measurement is recorded.
"""
LEAST_RING_SHARE = 0.2
"""Smallest usable share of a ring; with less of it the quartile is unsteady.

Chosen by eye; no measurement is recorded.
"""
LEAST_TEXTURE_SHARE = 0.8
"""Smallest texture around a blob, as a fraction of the typical texture of the view.

In areas without texture, such as cysts, every echo would otherwise be a focus. Chosen by eye; no
measurement is recorded.
"""
FLAT_TEXTURE = 0.01
"""Upper quartile of the Laplacian magnitude, grey levels, up to which a view shows no texture.

Rounding errors stay below it. Chosen by eye; no measurement is recorded.
"""
TYPICAL_TEXTURE_LEVEL = 64.0
"""Histogram level, of 256, of the typical texture of a view.

Quartiles are then exact to 1/64 and textures up to four times the typical one are distinguished.
"""
TEXTURE_SAMPLES = 20000
"""Number of usable pixels from which the typical texture of a view is measured, at least.

Up to twice as many are used, and all in smaller views. More pixels cost time. Chosen by eye; no
measurement is recorded.
"""
TEXTURE_QUANTILE = 0.75
"""Quantile of the Laplacian magnitude that is the texture.

A saturated band would change the median less, but other foci and cysts would change it more
(docs/accuracy.md).
"""
SUPPRESSION_SIGMAS, SUPPRESSION_SPECKLE = 1.2, 0.5
"""Distance within which the weaker of two blobs is left out.

It is the larger of these two: so many standard deviations of the scale of the stronger blob, and so
many speckle sizes. Chosen by eye; no measurement is recorded.
"""


@dataclass(frozen=True, slots=True)
class UsablePixels:
    """The usable pixels on the grid of some scales."""

    usable: BoolImage
    """Mask, (rows, columns)."""
    count: int
    """Number of usable pixels."""
    sample: NDArray[np.int32]
    """Row and column of evenly spaced usable pixels, (n, 2)."""

    @classmethod
    def of(cls, usable: BoolImage) -> UsablePixels:
        """Return the usable pixels of a mask (rows, columns)."""
        usable = np.ascontiguousarray(usable)
        count = int(np.count_nonzero(usable))
        step = max(1, count // TEXTURE_SAMPLES)
        sample = np.empty((-(-count // step), 2), np.int32)
        mask_kernels.every_nth_pixel(usable, step, sample)
        return cls(usable, count, sample)


def usable_by_factor(view: View, scales: Sequence[Scale]) -> dict[int, UsablePixels]:
    """Return the usable pixels of a view on the grids of all scales, by `Scale.factor`.

    A coarse pixel is usable if more than half of its area is.
    """
    by_factor = {1: UsablePixels.of(view.usable)}
    for scale in scales:
        if scale.factor not in by_factor:
            usable = np.empty(scale.smooth.shape, np.bool_)
            mask_kernels.majority_covered(by_factor[1].usable, usable)
            by_factor[scale.factor] = UsablePixels.of(usable)
    return by_factor


def blobs_of_scale(
    scale: Scale, view: View, least: float, pixels: UsablePixels
) -> tuple[Floats, Floats, Floats]:
    """Return the bright blobs of one scale with a response of at least `least`.

    The response is the blobness divided by the texture. The blobness is sqrt(l1 l2), with the
    eigenvalues l1 and l2 of the Hessian. The texture is the upper quartile of the magnitude of the
    Laplacian of the same scale in a ring around the blob. Both are computed from the same filtered
    image, so the response of speckle alone hardly depends on gain, display slope, speckle size or
    scale. Slow changes of brightness and bright neighbours hardly change the texture, whereas a
    ligament in the ring would change quartiles of the grey level itself.

    Parameters
    ----------
    scale : Scale
    view : View
    least : float
        Smallest response.
    pixels : UsablePixels
        On the grid of the scale.

    Returns
    -------
    x, y, response : array, shape (n,), float64
        Grid columns and rows of the view, and responses.
    """
    no_blobs = np.empty(0), np.empty(0), np.empty(0)
    factor, sigma = scale.factor, scale.sigma / scale.factor
    texture = np.empty(len(pixels.sample), np.float32)
    level_kernels.laplacian_at(scale.smooth, pixels.sample, texture)
    typical = quantile(texture, TEXTURE_QUANTILE) if pixels.count else 0.0
    if not typical > FLAT_TEXTURE:
        return no_blobs
    capacity = pixels.count // 4 + 1  # maxima are at least two pixels apart
    position, strength = np.empty((capacity, 2), np.float32), np.empty(capacity, np.float32)
    least_texture = LEAST_TEXTURE_SHARE * typical
    least_strength = np.float32(least * LEAST_TEXTURE_SHARE * typical)
    count = kernels.blob_maxima(scale.smooth, pixels.usable, least_strength, position, strength)
    if count == 0:
        return no_blobs
    x, y = np.ascontiguousarray(position[:count, 0]), np.ascontiguousarray(position[:count, 1])
    speckle_size = np.sqrt(view.speckle_size[0] * view.speckle_size[1])
    guard = GUARD_SIGMAS * sigma + GUARD_SPECKLE * speckle_size / factor
    width = view.grid.pixels(TEXTURE_RING_MM) / factor + TEXTURE_RING_SIGMAS * sigma
    levels = np.empty(scale.smooth.shape, np.uint8)
    levels_per_grey = np.float32(TYPICAL_TEXTURE_LEVEL / typical)
    level_kernels.laplacian_levels(scale.smooth, levels_per_grey, levels)
    quartile, counted = np.empty((count, 1), np.float32), np.empty(count, np.float32)
    inner, outer = np.full(count, guard, np.float32), np.full(count, guard + width, np.float32)
    step = np.full(count, max(1, round(width / RING_SAMPLES)), np.int32)
    shares = np.array([TEXTURE_QUANTILE], np.float32)
    kernels.ring_quantiles(
        levels, pixels.usable, x, y, inner, outer, step, shares, quartile, counted
    )
    local = np.maximum(quartile[:, 0] * (typical / TYPICAL_TEXTURE_LEVEL), least_texture)
    response = strength[:count] / local
    kept = (response >= least) & (counted >= LEAST_RING_SHARE * np.pi * (outer**2 - inner**2))
    return scale.to_view(x[kept]), scale.to_view(y[kept]), response[kept].astype(np.float64)


def strongest_first(x: Floats, y: Floats, response: Floats) -> NDArray[np.intp]:
    """Return the order of blobs by falling response, then by row and column; all arrays are (n,).

    It equals `np.lexsort((y, x, -response))` and is faster, because few responses are equal.
    """
    order = np.argsort(-response)
    equal = np.flatnonzero(np.diff(response[order]) == 0)
    places = np.union1d(equal, equal + 1)
    tied = order[places]
    order[places] = tied[np.lexsort((y[tied], x[tied], -response[tied]))]
    return order


def blob_responses(view: View, settings: FociSettings) -> Blobs:
    """Return all bright blobs of a view with a response of LEAST_RESPONSE or more, strongest first.

    Of two blobs that are closer than SUPPRESSION_SIGMAS states, the weaker one is left out.
    """
    images = {1: filled_outside(view.grey, view.tissue)}
    scales = scale_space(view, settings.smallest, settings.largest, images)
    pixels = usable_by_factor(view, scales)
    by_scale = [
        blobs_of_scale(scale, view, LEAST_RESPONSE, pixels[scale.factor]) for scale in scales
    ]
    x, y, response = (np.concatenate([blobs[k] for blobs in by_scale]) for k in range(3))
    index = np.repeat(np.arange(len(scales)), [len(blobs[0]) for blobs in by_scale])
    order = strongest_first(x, y, response)
    x, y, response, index = x[order], y[order], response[order], index[order]
    sigma = np.array([scale.sigma for scale in scales])[index]
    speckle_size = np.sqrt(view.speckle_size[0] * view.speckle_size[1])
    radius = np.maximum(SUPPRESSION_SIGMAS * sigma, SUPPRESSION_SPECKLE * speckle_size)
    kept = np.empty(len(x), bool)
    kernels.suppress_non_maxima(
        x.astype(np.float32), y.astype(np.float32), radius.astype(np.float32), kept
    )
    return Blobs(x[kept], y[kept], index[kept], response[kept], scales, images)


def find_candidates(view: View, settings: FociSettings = FociSettings()) -> Candidates:  # noqa: B008  (frozen)
    """Find echogenic foci on a view.

    Bright blobs with diameters from `settings.smallest` to `settings.largest` are candidates while
    speckle alone would give at most `settings.false_positives` of them in 10 cm2. Candidates with a
    measured diameter above `settings.largest` are left out. No candidate is rejected for its shape
    or for where it lies; the confidence depends on both, through `line` and `features`.

    Parameters
    ----------
    view : View
        Its unfiltered grey image is used. No focus lies on burned-in graphics or colour pixels.
    settings : FociSettings

    Returns
    -------
    Candidates
        Strongest first; positions and diameters in grid pixels. `features` are those of
        `usmicro.foci.features.measure_blobs`.
    """
    blobs = blob_responses(view, settings)
    false_alarm = SpeckleResponses.of(blobs.response).false_alarm(blobs.response)
    area = np.count_nonzero(view.usable) * view.grid.pixel_mm**2 / TEN_CM2
    count = int(np.count_nonzero(false_alarm * len(blobs.x) <= settings.false_positives * area))
    candidates = measure_blobs(view, settings, blobs.strongest(count), false_alarm[:count])
    return candidates.take(candidates.diameter <= view.grid.pixels(settings.largest))


def find_foci(
    image: ArrayLike,
    *,
    spacing: SpacingLike | None = None,
    settings: FociSettings | None = None,
) -> Candidates:
    """Find echogenic foci in a bare B-mode image.

    Parameters
    ----------
    image : array, shape (rows, columns) or (rows, columns, 3 or 4)
        Grey levels or RGB of the display, as in `Scan.of_array`; echogenic tissue is bright.
    spacing : float, pair of float or Spacing, optional
        Distance between pixel centres, mm; a pair is (between columns, between rows). Without it a
        usual imaging depth is assumed, which only affects the scales.
    settings : FociSettings, optional

    Returns
    -------
    Candidates
        As from `find_candidates`, but with positions and diameters in pixels of `image`.

    Raises
    ------
    ImageError
        If the array is not one image, or shows no tissue.
    UsageError
        If the spacing is not positive.
    """
    from usmicro.preparation.bare_image import views_of_image

    by_view = []
    for view in views_of_image(image, spacing)[0]:
        candidates = find_candidates(view, settings or FociSettings())
        x, y = view.grid.to_image(candidates.x, candidates.y)
        diameter = candidates.diameter * np.sqrt(view.grid.step_x * view.grid.step_y)
        width, height = candidates.width * view.grid.step_x, candidates.height * view.grid.step_y
        by_view.append(replace(candidates, x=x, y=y, diameter=diameter, width=width, height=height))
    columns = {
        f.name: np.concatenate([getattr(candidates, f.name) for candidates in by_view])
        for f in fields(Candidates)
        if f.name != "features"
    }
    features = {
        name: np.concatenate([candidates.features[name] for candidates in by_view])
        for name in by_view[0].features
    }
    strongest = np.argsort(-features["response"], kind="stable")
    return Candidates(**columns, features=features).take(strongest)
