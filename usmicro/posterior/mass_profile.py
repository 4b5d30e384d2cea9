"""Tissue behind a mass, ranked against the tissue beside it at equal depth.

The rank of a pixel is the fraction of the tissue beside the mass that is darker. Ranks depend on
neither gain nor offset, and little on the grey map.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage
from usmicro.model.view import View
from usmicro.numerics.quantiles import masked_quantile
from usmicro.posterior.sampling import Bools, Floats, at_noise_floor, independent_length, rays_from
from usmicro.settings import ShadowSettings

MIDDLE = 0.3
"""Half of the width of the assessed middle of a mass, as a fraction of the width of the mass.

The outer fifths are left out: the edges of a round mass refract, which makes edge shadows. With
0.2, 0.25, 0.3, 0.35 and 0.4 the cross-validated log loss of enhancement was 0.338, 0.341, 0.346,
0.354 and 0.358, that of shadowing 0.316, 0.319, 0.316, 0.313 and 0.311 (the models of `python -m
training.posterior`). No program repeats this comparison, nor the others of this module.
"""
FLANK_START, FLANK_END = 0.05, 0.5
"""Distances from the sides of a mass between which a flank lies, as fractions of its width.

With flanks up to 0.2, 0.33, 0.5 and 0.7 of the width, the log loss of enhancement was 0.350, 0.347,
0.346 and 0.347, that of shadowing 0.310, 0.308, 0.316 and 0.320. Kappa with two readers, by
hospital, was 0.62, 0.64, 0.69 and 0.68, that with the radiologist 0.53, 0.52, 0.54 and 0.50.
"""
LEAST_FLANK = 3
"""Smallest end of a flank in resolution cells: the ranks among fewer cells are unsteady.

Chosen by eye; with 5 the log loss was the same within 0.003.
"""
LEAST_REFERENCE = 20
"""Smallest number of samples of a flank at one depth that a pixel is ranked against.

Chosen by judgement; no measurement is recorded.
"""
NEAR_MM = 1.5
"""Distance behind a mass, in mm, over which `near` is measured. With 1.0 and 2.5 the log loss was
the same within 0.002."""
BRIGHT, DARK = 0.9, 0.1
"""Ranks above and below which a pixel counts as bright and dark.

With 0.8 and 0.2, and with 0.95 and 0.05, the log loss was the same within 0.003.
"""
BLACK = 0.15
"""Level below which a pixel counts as black, as a fraction of the range of the grey levels of the
view, which are taken from the 5th to the 95th percentile. With 0.1 and 0.2 the log loss was the
same within 0.001."""
LEAST_FALL = np.float64(1.0)
"""Smallest difference, in grey levels, between the noise floor and assessable tissue beside a mass.

It is the smallest step of an 8-bit display.
"""
SIGMA_OF_CELL = 1 / 2.355
"""Standard deviation of a Gaussian of full width at half maximum 1."""


@dataclass(frozen=True, slots=True)
class MassProfile:
    """Measures of the tissue behind the middle of a mass.

    Ranks are from 0, darker than all tissue beside the mass, to 1. The length is
    `ShadowSettings.length`.
    """

    near: float
    """Mean rank over the first NEAR_MM behind the mass."""
    deep: float
    """Mean rank over a distance behind the mass that equals its width."""
    spread: float
    """Standard deviation, over the scan lines, of the mean rank over the length."""
    bright: float
    """Fraction of the pixels over the length with a rank above BRIGHT."""
    dark: float
    """Fraction of the pixels over the length with a rank below DARK."""
    black: float
    """Fraction of the pixels over the length that are black for this view."""


def mass_profile(view: View, mass: BoolImage, settings: ShadowSettings) -> MassProfile | None:
    """Measure the tissue behind a mass.

    Parameters
    ----------
    view : View
    mass : array, shape of the view, bool
    settings : ShadowSettings

    Returns
    -------
    MassProfile or None
        None if it cannot be assessed: the mass is empty, too little tissue behind or beside it is
        visible, or the tissue beside it is as dark as the noise floor.
    """
    if not mass.any():
        return None
    length = view.grid.pixels(settings.length)
    samples = _sample(view, mass, length)
    behind = (samples.beyond >= 0) & ~np.isnan(samples.grey)
    rank, reference = _ranks(samples, behind, max(round(view.speckle_size[1] / 2), 1))
    ranked = ~np.isnan(rank)
    over_length = ranked & (samples.beyond < length)
    crossing = samples.crossing
    least_samples = settings.least_cells * independent_length(view)
    assessed = crossing & (over_length.sum(axis=1) >= least_samples)
    if 2 * assessed.sum() < crossing.sum() or not assessed.any():
        return None
    at_depth = np.broadcast_to(reference, rank.shape)[over_length & assessed[:, None]]
    if at_noise_floor(view, np.median(at_depth), LEAST_FALL):
        return None
    near = ranked & (samples.beyond < view.grid.pixels(NEAR_MM))
    deep = ranked & (samples.beyond < samples.width)
    if not near.any() or not deep.any():
        return None
    lines = [float(rank[i][over_length[i]].mean()) for i in np.flatnonzero(assessed)]
    low, high = (masked_quantile(view.grey, view.usable, q) for q in (0.05, 0.95))
    black = low + BLACK * (high - low)
    return MassProfile(
        near=float(rank[near].mean()),
        deep=float(rank[deep].mean()),
        spread=float(np.std(lines)),
        bright=float((rank[over_length] > BRIGHT).mean()),
        dark=float((rank[over_length] < DARK).mean()),
        black=float((samples.grey[over_length] < black).mean()),
    )


@dataclass(frozen=True)
class _Samples:
    """Samples along the scan lines through a mass and its flanks.

    The scan lines are one pixel apart at the mean depth of the mass. They run from the upper end of
    the mass to beyond its lower end.
    """

    grey: NDArray[np.float32]
    """Grey levels behind the middle of the mass, (lines, steps); NaN where no grey echo shows."""
    beyond: Floats
    """Distance of these from one resolution cell below the mass, (lines, steps), in samples; NaN on
    scan lines that do not cross the mass."""
    flanks: tuple[Floats, Floats]
    """Grey levels of the left and right flank, smoothed, (lines, steps)."""
    smooth: Floats
    """`grey`, smoothed."""
    width: float
    """Width of the mass in grid pixels."""

    @property
    def crossing(self) -> Bools:
        """True for scan lines that cross the mass, (lines,)."""
        return ~np.isnan(self.beyond[:, 0])


def _sample(view: View, mass: BoolImage, length: float) -> _Samples:
    """Sample the scan lines through a mass and its flanks; `length` is in grid pixels."""
    scan_lines = view.scan_lines
    rows, columns = (indices.astype(float) for indices in np.nonzero(mass))
    if scan_lines.geometry == "linear":
        across, depth = columns, rows
    else:
        depth = np.hypot(columns - scan_lines.apex_x, rows - scan_lines.apex_y)
        across = np.arctan2(columns - scan_lines.apex_x, rows - scan_lines.apex_y) * depth.mean()
    left, right, top = across.min(), across.max(), depth.min()
    width = right - left + 1
    end = max(FLANK_END * width, LEAST_FLANK * view.speckle_size[0])
    line = np.arange(left - end, right + end + 1)
    if scan_lines.geometry == "linear":
        x, y = line, np.full(len(line), top)
    else:
        angle = line / depth.mean()
        x = scan_lines.apex_x + top * np.sin(angle)
        y = scan_lines.apex_y + top * np.cos(angle)
    longest = max(length, width)
    steps = int(np.ceil(depth.max() - top + 1 + view.speckle_size[1] + longest))
    rays = rays_from(scan_lines, x, y)
    grey = rays.sample(view.grey, view.usable, steps)
    smooth = _smoothed(grey, view.speckle_size)
    offset = line - (left + right) / 2
    middle = np.abs(offset) <= max(MIDDLE * width, 0.5)
    beside = np.abs(offset) >= width / 2 + FLANK_START * width
    inside = rays.labels(mass, steps)[middle] == 1
    lower_end = steps - np.argmax(inside[:, ::-1], axis=1, keepdims=True)
    beyond = np.arange(steps) - lower_end - view.speckle_size[1]
    return _Samples(
        grey=grey[middle],
        beyond=np.where(inside.any(axis=1, keepdims=True), beyond, np.nan),
        flanks=(smooth[beside & (offset < 0)], smooth[beside & (offset > 0)]),
        smooth=smooth[middle],
        width=float(width),
    )


def _smoothed(grey: NDArray[np.float32], speckle_size: tuple[float, float]) -> Floats:
    """Average grey levels over one resolution cell; NaN stays NaN and does not spread."""
    across, along = (SIGMA_OF_CELL * size for size in speckle_size)
    valid = ~np.isnan(grey)
    total, weight = (
        cv2.GaussianBlur(image, (0, 0), sigmaX=along, sigmaY=across)
        for image in (np.where(valid, grey, 0), valid.astype(np.float32))
    )
    return np.where(valid, total / np.maximum(weight, 1e-6), np.nan)


def _ranks(samples: _Samples, behind: Bools, half_window: int) -> tuple[Floats, Floats]:
    """Rank the samples behind a mass among those of the flanks at equal depth.

    Parameters
    ----------
    samples : _Samples
    behind : array, shape (lines, steps), bool
        Samples to rank.
    half_window : int
        Flanks are compared up to this number of samples above and below.

    Returns
    -------
    rank : array, shape (lines, steps)
        Mean of the ranks in the left and in the right flank; NaN where neither is visible.
    reference : array, shape (steps,)
        Mean grey level of the flanks; NaN where there is no rank.
    """
    rank = np.full(behind.shape, np.nan)
    reference = np.full(behind.shape[1], np.nan)
    for step in np.flatnonzero(behind.any(axis=0)).tolist():
        ranked = behind[:, step]
        sides = list(_references(samples.flanks, step, half_window))
        if sides:
            values = samples.smooth[ranked, step]
            rank[ranked, step] = np.mean([_rank(values, side) for side in sides], axis=0)
            reference[step] = np.mean([side.mean() for side in sides])
    return rank, reference


def _references(
    flanks: tuple[Floats, Floats], step: int, half_window: int
) -> Iterator[NDArray[np.float64]]:
    """Yield the sorted samples around a depth of each flank that shows enough of them."""
    for flank in flanks:
        values = flank[:, max(step - half_window, 0) : step + half_window + 1]
        values = values[~np.isnan(values)]
        if len(values) >= LEAST_REFERENCE:
            yield np.sort(values)


def _rank(values: Floats, reference: Floats) -> Floats:
    """Return the fraction of a sorted reference below each value; a tie counts one half."""
    below = np.searchsorted(reference, values, "left")
    not_above = np.searchsorted(reference, values, "right")
    return (below + not_above) / (2 * len(reference))
