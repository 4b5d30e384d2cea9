"""Posterior acoustic shadow of foci, and the posterior feature of masses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from usmicro.arrays import BoolImage, LabelImage
from usmicro.findings import Posterior, PosteriorFeature, Shadow
from usmicro.kernels import beams as kernels
from usmicro.settings import ShadowSettings
from usmicro.view import View

Floats = NDArray[np.float64]

RAYS = 9
"""Scan lines sampled across a strip and across each flank."""
CELL = 1.1215
"""Integral of the autocovariance of log-compressed speckle, the dilogarithm of a Gaussian, over its full width at half maximum."""


def focus_shadows(
    view: View,
    x: ArrayLike,
    y: ArrayLike,
    diameter: ArrayLike,
    settings: ShadowSettings | None = None,
    masses: LabelImage | None = None,
) -> list[Shadow]:
    """Judge the posterior shadow of each focus.

    A strip as wide as the focus, and at least as wide as a speckle cell, runs along the beam from one cell below the focus. It is
    compared at equal depth with a flank of the same width on either side. Both flanks must be brighter: the p value is that of the
    less bright one, corrected for having taken the smaller of two differences that share a strip. It comes from a paired t test
    over depth that counts independent speckle cells, not pixels.

    Parameters
    ----------
    view : View
    x, y, diameter : array, shape (n,)
        Positions and full widths at half maximum of the foci, grid pixels.
    settings : ShadowSettings, optional
    masses : array, shape of the view, int32, optional
        Label image; a flank is compared only where it lies in the same mass, or outside all, as the strip at equal depth.

    Returns
    -------
    list of Shadow, one a focus; lengths in grid pixels, counted from the lower edge of the focus.

    References
    ----------
    Strip and flanks: median side difference of Horsch, Giger, Vyborny, Venta, Medical Physics 29 (2002) 157. Probability that two
    normal variables of correlation 1/2 both pass a threshold: Owen, Annals of Mathematical Statistics 27 (1956) 1075.
    """
    settings = ShadowSettings() if settings is None else settings
    x, y, diameter = (np.atleast_1d(np.asarray(values, dtype=float)) for values in (x, y, diameter))
    if len(x) == 0:
        return []
    strips = _strips(view, x, y, diameter, settings, masses)
    floor = float(np.percentile(view.grey[view.usable], 1)) if view.usable.any() else 0.0
    return [_judge(view, strips, i, floor, settings) for i in range(len(x))]


@dataclass(frozen=True)
class _Strips:
    """Per focus what its strip and flanks show; arrays begin with the focus."""

    difference: Floats
    """(n, 2, steps): left and right flank minus strip at equal depth; NaN where one of them shows nothing comparable."""
    inside: NDArray[np.bool_]
    """(n, steps): strip and both flanks lie in the tissue."""
    usable: NDArray[np.bool_]
    """(n, steps): and show grey echoes there, neither text nor colour."""
    middle: Floats
    """(n,): median of the flanks."""
    upper: Floats
    """(n,): upper quartile of the flanks."""


def _strips(view: View, x: Floats, y: Floats, diameter: Floats, settings: ShadowSettings, masses: LabelImage | None) -> _Strips:
    across, along = view.speckle
    width = np.maximum(diameter, across)
    steps = max(round(view.grid.pixels(settings.length)), 1)
    middles = (np.arange(RAYS) + 0.5) / RAYS - 0.5
    # one cell between strip and flank, so that neither shares speckle nor the blurred edge of the shadow
    offsets = np.stack([(side * (width + across))[:, None] + width[:, None] * middles for side in (-1, 0, 1)], axis=1)
    down_x, down_y = view.beams.direction(x, y)
    start_x = x[:, None, None] + offsets * down_y[:, None, None]
    start_y = y[:, None, None] - offsets * down_x[:, None, None]
    ray_x, ray_y = view.beams.direction(start_x, start_y)
    below = (diameter / 2 + along)[:, None, None]
    x0, y0, dx, dy = (a.astype(np.float32).ravel() for a in (start_x + below * ray_x, start_y + below * ray_y, ray_x, ray_y))
    shape = (len(x), 3, RAYS, steps)
    values = np.empty((x0.size, steps), np.float32)
    kernels.walk(view.grey, view.tissue, x0, y0, dx, dy, values)
    inside = ~np.isnan(values).reshape(shape)
    kernels.walk(view.grey, view.usable, x0, y0, dx, dy, values)
    values = values.reshape(shape)
    valid = ~np.isnan(values)
    usable = valid
    if masses is not None:
        labels = np.empty((x0.size, steps), np.int32)
        kernels.walk_labels(np.ascontiguousarray(masses, dtype=np.int32), x0, y0, dx, dy, labels)
        labels = labels.reshape(shape)
        valid = valid & (labels == labels[:, 1:2, RAYS // 2 : RAYS // 2 + 1])
    flanks = np.where(valid[:, ::2], values[:, ::2], np.nan).reshape(len(x), -1)
    middle, upper = _quantiles(flanks, (0.5, 0.75))
    # a bright focus or ligament in a flank must not make a shadow of the strip: cut at the detection threshold of foci
    cap = (middle + 4 * (upper - middle))[:, None, None, None]
    count = valid.sum(axis=2)
    with np.errstate(invalid="ignore"):
        mean = np.where(valid, np.minimum(values, cap), 0).sum(axis=2) / count
    enough = (count > RAYS // 2).all(axis=1, keepdims=True)
    difference = np.where(enough, mean[:, ::2] - mean[:, 1:2], np.nan)
    in_all = [(mask.sum(axis=2) > RAYS // 2).all(axis=1) for mask in (inside, usable)]
    return _Strips(difference, in_all[0], in_all[1], middle, upper)


def _quantiles(values: NDArray[np.float32], levels: tuple[float, ...]) -> list[Floats]:
    """Quantiles of each row without its NaNs; NaN for a row that holds nothing else."""
    ordered = np.sort(values, axis=1)  # NaNs sort last
    count = np.count_nonzero(~np.isnan(values), axis=1)
    rows = np.arange(len(values))
    return [ordered[rows, np.floor(level * np.maximum(count - 1, 0)).astype(int)].astype(float) for level in levels]


def _judge(view: View, strips: _Strips, i: int, floor: float, settings: ShadowSettings) -> Shadow:
    difference = strips.difference[i]
    compared = ~np.isnan(difference[0])
    along = view.speckle[1]
    cells = compared.sum() / (CELL * along)
    if cells < settings.least_cells:
        if strips.inside[i].sum() < settings.least_cells * CELL * along:
            reason = "the strip behind it leaves the tissue"
        elif strips.usable[i].sum() < settings.least_cells * CELL * along:
            reason = "text or colour covers the strip behind it"
        else:
            reason = "too few speckle cells beside it lie in the same tissue"
        return Shadow("not assessable", reason=reason)
    unit = strips.upper[i] - strips.middle[i]
    if strips.middle[i] - floor < max(unit, 1.0):
        return Shadow("not assessable", reason="the tissue beside it is at the noise floor")
    rows = difference[:, compared]
    p = _p_value(rows, cells)
    drop = float(rows.mean()) / max(unit, 1.0)
    dark = p < settings.significance
    length = float(diameter_free_length(rows.mean(axis=0), compared)) + along if dark else None
    return Shadow("yes" if dark else "no", drop, p, length)


def _p_value(rows: Floats, cells: float) -> float:
    """Probability that speckle alone makes both flanks, the rows of `rows`, as much brighter than the strip as the weaker one is."""
    # correlated samples show less than their variance; the sum of squares has sqrt(2) times as many independent cells
    variance = rows.var(axis=1) / (1 - 1 / cells)
    t = rows.mean(axis=1) / np.sqrt(np.maximum(variance / cells, 1e-12))
    single = special.stdtr(np.sqrt(2) * cells - 1, -t.min())
    h = -special.ndtri(np.clip(single, 1e-300, 1 - 1e-16))
    return float(np.clip(single - 2 * special.owens_t(h, 1 / np.sqrt(3)), 0.0, 1.0))


def diameter_free_length(profile: Floats, compared: NDArray[np.bool_]) -> int:
    """Steps to the end of the shadow: the step function, high then zero, that fits the fall over depth best."""
    total = np.cumsum(profile)
    gain = np.where(total > 0, total, 0) ** 2 / np.arange(1, len(profile) + 1)
    return int(np.flatnonzero(compared)[int(np.argmax(gain))]) + 1


def posterior(view: View, mass: BoolImage, settings: ShadowSettings | None = None) -> Posterior:
    """Posterior feature of a mass."""
    feature: PosteriorFeature = "not assessable"
    return Posterior(feature)
