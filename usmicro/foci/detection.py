"""Hyperechoic foci: multi-scale bright-blob detection with a constant false-alarm rate, on the unfiltered image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.errors import ImageError
from usmicro.foci.false_alarm import LEAST, SpeckleResponses
from usmicro.foci.features import Blobs, measure
from usmicro.foci.scale_space import Scale, filled_outside, scale_space
from usmicro.kernels import foci as kernels
from usmicro.kernels import levels as levels_of
from usmicro.kernels import masks as mask_kernels
from usmicro.model.arrays import BoolImage
from usmicro.model.findings import Candidates
from usmicro.model.scan import Spacing
from usmicro.model.view import View
from usmicro.numerics.quantiles import quantile
from usmicro.settings import FociSettings

TEN_CM2 = 1000.0
"""mm2."""
RING_MM = 2.0
"""Width of the background ring, to which three standard deviations of the scale are added."""
RING_SAMPLES = 10
"""Rows and columns sampled across a ring."""
LEAST_RING = 0.2
"""Smallest usable share of a ring."""
LEAST_TEXTURE = 0.8
"""Local texture counts as at least this share of the view's: quiet areas, such as cysts, would turn every echo into a focus."""
FLAT = 0.01
"""Typical magnitude of the Laplacian, in grey levels, up to which a view shows rounding errors and no texture."""
TEXTURE_LEVELS = 64.0
"""Histogram level of the view's typical texture."""
TEXTURE_SAMPLES = 20000
"""Usable pixels, at least, that the view's typical texture is taken from."""
UPPER_QUARTILE = np.array([0.75], np.float32)


@dataclass(frozen=True, slots=True)
class Mask:
    """The usable pixels on the grid of some scales."""

    usable: BoolImage
    count: int
    sample: NDArray[np.int32]
    """Row and column of evenly taken ones."""

    @classmethod
    def of(cls, usable: BoolImage) -> Mask:
        """A mask on its own grid."""
        usable = np.ascontiguousarray(usable)
        count = int(np.count_nonzero(usable))
        step = max(1, count // TEXTURE_SAMPLES)
        sample = np.empty((-(-count // step), 2), np.int32)
        mask_kernels.every(usable, step, sample)
        return cls(usable, count, sample)


def masks_of(view: View, scales: Sequence[Scale]) -> dict[int, Mask]:
    """The usable pixels of a view on the grid of each scale, by its factor: more than half of a coarse pixel is usable."""
    masks = {1: Mask.of(view.usable)}
    for scale in scales:
        if scale.factor not in masks:
            usable = np.empty(scale.smooth.shape, np.bool_)
            mask_kernels.mostly(masks[1].usable, usable)
            masks[scale.factor] = Mask.of(usable)
    return masks


def detect(
    scale: Scale, view: View, least: float, mask: Mask
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Positions (x, y) and responses of the bright blobs of one scale that respond with `least` or more.

    The response is the blobness sqrt(l1 l2), l1 and l2 the eigenvalues of the Hessian, over the upper quartile of the magnitude of the
    Laplacian of the same scale in a ring around the blob. Numerator and denominator see speckle through the same filter, so the
    response of speckle alone hardly depends on gain, display slope, speckle size or scale, and a slow brightness change counts
    as little as a bright neighbour: quartiles of the grey level itself call every ligament in the ring background.
    """
    nothing = np.empty(0), np.empty(0), np.empty(0)
    factor, sigma = scale.factor, scale.sigma / scale.factor
    texture = np.empty(len(mask.sample), np.float32)
    levels_of.laplacian_at(scale.smooth, mask.sample, texture)
    typical = quantile(texture, 0.75) if mask.count else 0.0
    if not typical > FLAT:
        return nothing
    most = mask.count // 4 + 1  # maxima are at least two pixels apart
    position, strength = np.empty((most, 2), np.float32), np.empty(most, np.float32)
    count = kernels.blob_maxima(
        scale.smooth, mask.usable, np.float32(least * LEAST_TEXTURE * typical), position, strength
    )
    if count == 0:
        return nothing
    x, y = np.ascontiguousarray(position[:count, 0]), np.ascontiguousarray(position[:count, 1])
    guard = 2.5 * sigma + 0.5 * np.sqrt(view.speckle_size[0] * view.speckle_size[1]) / factor
    width = view.grid.pixels(RING_MM) / factor + 3 * sigma
    levels = np.empty(scale.smooth.shape, np.uint8)
    levels_of.laplacian_levels(scale.smooth, np.float32(TEXTURE_LEVELS / typical), levels)
    quartile, counted = np.empty((count, 1), np.float32), np.empty(count, np.float32)
    inner, outer = np.full(count, guard, np.float32), np.full(count, guard + width, np.float32)
    step = np.full(count, max(1, round(width / RING_SAMPLES)), np.int32)
    kernels.ring_quantiles(
        levels, mask.usable, x, y, inner, outer, step, UPPER_QUARTILE, quartile, counted
    )
    local = np.maximum(quartile[:, 0] * (typical / TEXTURE_LEVELS), LEAST_TEXTURE * typical)
    response = strength[:count] / local
    kept = (response >= least) & (counted >= LEAST_RING * np.pi * (outer**2 - inner**2))
    return scale.to_view(x[kept]), scale.to_view(y[kept]), response[kept].astype(np.float64)


def strongest_first(
    x: NDArray[np.float64], y: NDArray[np.float64], response: NDArray[np.float64]
) -> NDArray[np.intp]:
    """What `np.lexsort((y, x, -response))` gives; positions decide only where responses are equal, which few are."""
    order = np.argsort(-response)
    equal = np.flatnonzero(np.diff(response[order]) == 0)
    places = np.union1d(equal, equal + 1)
    tied = order[places]
    order[places] = tied[np.lexsort((y[tied], x[tied], -response[tied]))]
    return order


def blob_responses(view: View, settings: FociSettings) -> Blobs:
    """All blobs of the view that respond with LEAST or more, strongest first.

    Of two that are close, within 1.2 of the stronger one's sigma or within half a speckle cell, the weaker is left out.
    """
    filled = filled_outside(view.grey, view.tissue)
    scales = scale_space(view, settings.smallest, settings.largest, filled)
    masks = masks_of(view, scales)
    found = [detect(scale, view, LEAST, masks[scale.factor]) for scale in scales]
    x, y, response = (np.concatenate([part[k] for part in found]) for k in range(3))
    index = np.repeat(np.arange(len(scales)), [len(part[0]) for part in found])
    order = strongest_first(x, y, response)
    x, y, response, index = x[order], y[order], response[order], index[order]
    reach = np.maximum(
        1.2 * np.array([scale.sigma for scale in scales])[index],
        0.5 * np.sqrt(view.speckle_size[0] * view.speckle_size[1]),
    )
    kept = np.empty(len(x), bool)
    kernels.strongest_apart(
        x.astype(np.float32), y.astype(np.float32), reach.astype(np.float32), kept
    )
    return Blobs(x[kept], y[kept], index[kept], response[kept], scales, filled)


def find_candidates(view: View, settings: FociSettings = FociSettings()) -> Candidates:  # noqa: B008  (frozen)
    """Find hyperechoic foci on a view.

    Bright blobs from `settings.smallest` to `settings.largest` are kept while speckle alone would give fewer than
    `settings.false_positives` of them in 10 cm2; what is measured to be larger than `settings.largest` is left out. Nothing is
    rejected for being a line or for where it lies: `line` and `features` measure it, for a confidence to weigh.

    Parameters
    ----------
    view : View
        Its unfiltered grey image is used; overlay and colour pixels hold no focus.
    settings : FociSettings

    Returns
    -------
    Candidates
        Strongest first; positions and diameters in grid pixels. `features` are those of `usmicro.foci.features.measure`.
    """
    blobs = blob_responses(view, settings)
    false_alarm = SpeckleResponses.of(blobs.response).false_alarm(blobs.response)
    area = np.count_nonzero(view.usable) * view.grid.pixel_mm**2 / TEN_CM2
    count = int(np.count_nonzero(false_alarm * len(blobs.x) <= settings.false_positives * area))
    candidates = measure(view, settings, blobs.first(count), false_alarm[:count])
    return candidates.take(candidates.diameter <= view.grid.pixels(settings.largest))


def find_foci(
    image: ArrayLike,
    *,
    spacing: float | tuple[float, float] | Spacing | None = None,
    settings: FociSettings | None = None,
) -> Candidates:
    """Find hyperechoic foci in a bare B-mode image.

    Parameters
    ----------
    image : array, shape (rows, columns) or (rows, columns, 3)
        Display grey levels (or RGB) 0 to 255, bright is echogenic; uint16 is taken to span 0 to 65535.
    spacing : float, pair of float or Spacing, optional
        Distance between pixel centres in mm; a pair is (between columns, between rows). Without it a usual depth is assumed,
        which only chooses the scales.
    settings : FociSettings, optional

    Returns
    -------
    Candidates
        As `find_candidates`, but positions and diameters in pixels of `image`.

    Raises
    ------
    ImageError
        If the array is not an image or shows no tissue, or the spacing is not positive.
    """
    from usmicro.preparation import prepare

    frame = np.asarray(image)
    if frame.dtype.kind == "f":
        if not np.isfinite(frame).all():
            raise ImageError("the image holds values that are NaN or infinite; replace them first")
        frame = np.clip(np.round(frame), 0, 255)
    if frame.dtype != np.uint16:
        frame = frame.astype(np.uint8)
    if spacing is None:
        spacing = Spacing()
    elif not isinstance(spacing, Spacing):
        across, down = np.broadcast_to(np.asarray(spacing, dtype=float), 2)
        if not (across > 0 and down > 0):
            raise ImageError(f"expected a positive spacing in mm, found {spacing}")
        spacing = Spacing(float(across), float(down), "given")
    found = []
    for view in prepare(frame, spacing=spacing):
        candidates = find_candidates(view, settings or FociSettings())
        x, y = view.grid.to_image(candidates.x, candidates.y)
        diameter = candidates.diameter * np.sqrt(view.grid.step_x * view.grid.step_y)
        found.append(replace(candidates, x=x, y=y, diameter=diameter))
    columns = {
        f.name: np.concatenate([getattr(part, f.name) for part in found])
        for f in fields(Candidates)
        if f.name != "features"
    }
    features = {
        name: np.concatenate([part.features[name] for part in found]) for name in found[0].features
    }
    return Candidates(**columns, features=features).take(
        np.argsort(-features["response"], kind="stable")
    )
