"""Posterior feature of a mass: shadowing, enhancement, both or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage
from usmicro.model.findings import Posterior, PosteriorFeature
from usmicro.model.view import View
from usmicro.posterior.sampling import Bools, Floats, at_noise_floor, independent_length, rays_from
from usmicro.settings import ShadowSettings

GREY_OFFSET = 2.0
"""Grey levels added to both sides of a ratio, so that it stays finite where the scan is black.

Chosen by eye; no measurement is recorded.
"""
LEAST_FALL = np.float64(1.0)
"""Smallest difference, in grey levels, between the noise floor and assessable tissue beside a mass.

It is the smallest step of an 8-bit display.
"""
ASSESSED_QUARTER = 0.25
"""Half of the width of the assessed middle of a mass, as a fraction of the width of the mass.

The outer quarters are left out: the edges of a round mass refract, which makes edge shadows.
"""
MASS_OVER_FLANK = 3
"""Ratio of the width of the mass to the width of a flank.

A narrow flank lies under tissue that attenuates like the tissue above the mass; a wide one has less
speckle noise. Chosen by eye; no measurement is recorded.
"""
LEAST_FLANK = 3
"""Smallest width of a flank in resolution cells: the mean of fewer cells is unsteady.

Chosen by eye; no measurement is recorded.
"""


def posterior_feature(
    view: View,
    mass: BoolImage,
    settings: ShadowSettings = ShadowSettings(),  # noqa: B008  (frozen)
) -> Posterior:
    """Assess the posterior feature of a mass.

    The grey level behind the mass is compared with that beside it at equal depth, along every scan
    line through the middle half of the mass. The score is the median over the scan lines. The
    feature is "combined" if one third of them is shadowed and another enhanced.

    Parameters
    ----------
    view : View
    mass : array, shape of the view, bool
    settings : ShadowSettings

    Returns
    -------
    Posterior
        Its score is the natural logarithm of the grey level behind the mass over that beside it.

    References
    ----------
    Trimming and comparison at equal depth: Horsch, Giger, Vyborny, Venta, Medical Physics 29
    (2002) 157.
    """
    if not mass.any():
        return Posterior("not assessable")
    length = view.grid.pixels(settings.length)
    profiles = _mass_profiles(view, mass, length)
    beside = _mean(profiles.grey[profiles.flank], axis=0)
    steps = np.arange(profiles.grey.shape[1])
    end = len(steps) - np.argmax(profiles.inside[:, ::-1], axis=1, keepdims=True)
    beyond = steps - end - view.speckle_size[1]
    within_length = (beyond >= 0) & (beyond < length)
    behind = within_length & ~np.isnan(profiles.grey) & ~np.isnan(beside)
    crossing = profiles.middle & profiles.inside.any(axis=1)
    least_samples = settings.least_cells * independent_length(view)
    assessed = crossing & (behind.sum(axis=1) >= least_samples)
    if 2 * assessed.sum() < crossing.sum() or not assessed.any():
        return Posterior("not assessable")
    reference = np.broadcast_to(beside, behind.shape)
    if at_noise_floor(view, np.median(reference[assessed][behind[assessed]]), LEAST_FALL):
        return Posterior("not assessable")
    level, level_beside = (
        _mean(np.where(behind[assessed], grey[assessed], np.nan), axis=1) + GREY_OFFSET
        for grey in (profiles.grey, reference)
    )
    log_ratio = np.full(len(assessed), np.nan)
    log_ratio[assessed] = np.log(level / level_beside)
    thirds = [
        float(np.nanmedian(third))
        for third in np.array_split(log_ratio[profiles.middle], 3)
        if not np.isnan(third).all()
    ]
    score = float(np.nanmedian(log_ratio))
    return Posterior(_feature(score, thirds, settings), score)


def _feature(score: float, thirds: Sequence[float], settings: ShadowSettings) -> PosteriorFeature:
    """Return the feature of a mass from its score and the scores of its thirds, left to right."""
    if min(thirds) < settings.posterior_shadowing and max(thirds) > settings.posterior_enhancement:
        return "combined"
    if score < settings.posterior_shadowing:
        return "shadowing"
    return "enhancement" if score > settings.posterior_enhancement else "none"


@dataclass(frozen=True)
class _MassProfiles:
    """Scan lines through a mass and its flanks, one pixel apart at the mean depth of the mass.

    They run from the upper end of the mass to `settings.length` beyond its lower end.
    """

    grey: NDArray[np.float32]
    """Grey levels, (lines, steps); NaN where no grey echo is visible."""
    inside: Bools
    """True in the mass, (lines, steps)."""
    middle: Bools
    """True for scan lines through the middle half of the mass, (lines,)."""
    flank: Bools
    """True for scan lines beside the mass, (lines,)."""


def _mass_profiles(view: View, mass: BoolImage, beyond: float) -> _MassProfiles:
    """Sample the scan lines through a mass and its flanks; `beyond` is in grid pixels."""
    scan_lines = view.scan_lines
    rows, columns = (indices.astype(float) for indices in np.nonzero(mass))
    if scan_lines.geometry == "linear":
        across, depth = columns, rows
    else:
        depth = np.hypot(columns - scan_lines.apex_x, rows - scan_lines.apex_y)
        across = np.arctan2(columns - scan_lines.apex_x, rows - scan_lines.apex_y) * depth.mean()
    left, right, top = across.min(), across.max(), depth.min()
    width = right - left + 1
    flank = max(width / MASS_OVER_FLANK, LEAST_FLANK * view.speckle_size[0])
    line = np.arange(left - flank, right + flank + 1)
    if scan_lines.geometry == "linear":
        x, y = line, np.full(len(line), top)
    else:
        angle = line / depth.mean()
        x = scan_lines.apex_x + top * np.sin(angle)
        y = scan_lines.apex_y + top * np.cos(angle)
    steps = int(np.ceil(depth.max() - top + 1 + view.speckle_size[1] + beyond))
    rays = rays_from(scan_lines, x, y)
    half_middle = max(width * ASSESSED_QUARTER, 0.5)
    middle = np.abs(line - (left + right) / 2) <= half_middle
    grey = rays.sample(view.grey, view.usable, steps)
    inside = rays.labels(mass, steps) == 1
    return _MassProfiles(grey, inside, middle, (line < left) | (line > right))


def _mean(values: NDArray[np.floating], axis: int) -> Floats:
    """Return the mean of the values that are not NaN along an axis; NaN where all are NaN."""
    valid = ~np.isnan(values)
    count = valid.sum(axis=axis)
    total = np.where(valid, values, 0).sum(axis=axis, dtype=float)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
