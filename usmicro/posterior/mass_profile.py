"""Tissue behind a mass, ranked against the tissue beside it at equal depth.

The rank of a pixel is the fraction of the tissue beside the mass that is darker. Ranks depend on
neither gain nor offset, and little on the grey map.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.kernels import ranks as kernels
from usmicro.model.arrays import BoolImage, pixels_of
from usmicro.model.view import View
from usmicro.posterior.sampling import (
    Bools,
    Floats,
    independent_length,
    rays_from,
)
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
LEAST_FALL = 1.0
"""Smallest difference, in grey levels, between the noise floor and assessable tissue beside a mass.

It is the smallest step of an 8-bit display.
"""
SIGMA_OF_CELL = 1 / 2.355
"""Standard deviation of a Gaussian of full width at half maximum 1."""
SMOOTHING_REACH = 4.0
"""Half of the width, in standard deviations, to which OpenCV cuts off a Gaussian of float32."""


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
    length, near_end = view.grid.pixels(settings.length), view.grid.pixels(NEAR_MM)
    half_window = max(round(view.speckle_size[1] / 2), 1)
    samples = _sample(view, mass, length, half_window)
    if samples is None:
        return None
    beyond = samples.beyond
    behind = (beyond >= 0) & (beyond < max(length, samples.width, near_end))
    rank, reference = _ranks(samples, behind & ~np.isnan(samples.grey), half_window)
    ranked = ~np.isnan(rank)
    over_length = ranked & (beyond < length)
    on_line = over_length.sum(axis=1)
    assessed = on_line >= settings.least_cells * independent_length(view)
    if 2 * assessed.sum() < len(assessed):
        return None
    floor, low, high = view.grey_quantiles
    at_depth = np.broadcast_to(reference, rank.shape)[over_length & assessed[:, None]]
    if np.median(at_depth) - floor < LEAST_FALL:
        return None
    near, deep = ranked & (beyond < near_end), ranked & (beyond < samples.width)
    if not near.any() or not deep.any():
        return None
    lines = rank.sum(axis=1, where=over_length)[assessed] / on_line[assessed]
    black = low + BLACK * (high - low)
    over_length_rank = rank[over_length]
    return MassProfile(
        near=float(rank[near].mean()),
        deep=float(rank[deep].mean()),
        spread=float(np.std(lines)),
        bright=float((over_length_rank > BRIGHT).mean()),
        dark=float((over_length_rank < DARK).mean()),
        black=float((samples.grey[over_length] < black).mean()),
    )


@dataclass(frozen=True)
class _Samples:
    """Samples along the scan lines through a mass and its flanks.

    The scan lines are one pixel apart at the mean depth of the mass. The samples start shortly
    before the first that is ranked.
    """

    grey: NDArray[np.float32]
    """Grey levels on the scan lines that cross the middle of the mass, (lines, steps); NaN where no
    grey echo shows."""
    beyond: Floats
    """Distance of these from one resolution cell below the mass, (lines, steps), in samples."""
    flanks: tuple[NDArray[np.float32], NDArray[np.float32]]
    """Grey levels of the left and right flank, smoothed, (lines, steps)."""
    smooth: NDArray[np.float32]
    """`grey`, smoothed."""
    width: float
    """Width of the mass in grid pixels."""


def _sample(view: View, mass: BoolImage, length: float, half_window: int) -> _Samples | None:
    """Sample the scan lines through a mass and its flanks.

    Parameters
    ----------
    view : View
    mass : array, shape of the view, bool
    length : float
        Distance behind the mass that is sampled at least, grid pixels.
    half_window : int
        Number of samples that are needed above the first that is ranked.

    Returns
    -------
    _Samples or None
        None if no scan line crosses the middle of the mass.
    """
    scan_lines = view.scan_lines
    rows, columns = (positions.astype(float) for positions in pixels_of(mass))
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
    offset = line - (left + right) / 2
    middle = np.abs(offset) <= max(MIDDLE * width, 0.5)
    beside = np.abs(offset) >= width / 2 + FLANK_START * width
    to_bottom = depth.max() - top + 1
    inside_steps = int(np.ceil(to_bottom)) + 1
    inside = rays_from(scan_lines, x[middle], y[middle]).labels(mass, inside_steps) == 1
    crossing = inside.any(axis=1)
    if not crossing.any():
        return None
    cell = view.speckle_size[1]
    behind = inside_steps - np.argmax(inside[crossing, ::-1], axis=1, keepdims=True) + cell
    margin = half_window + int(SMOOTHING_REACH * SIGMA_OF_CELL * cell) + 2
    first = max(int(behind.min()) - margin, 0)
    rays = rays_from(scan_lines, x, y, float(first))
    # below the image there is nothing to sample; a ray may run sideways
    to_edge = int(((view.shape[0] - rays.y) / np.maximum(rays.dy, 1e-3)).max()) + margin
    steps = min(int(np.ceil(to_bottom + cell + max(length, width))) - first, to_edge)
    grey = rays.sample(view.grey, view.usable, steps)
    smooth = _smoothed(grey, view.speckle_size)
    return _Samples(
        grey=grey[middle][crossing],
        beyond=first + np.arange(steps) - behind,
        flanks=(smooth[beside & (offset < 0)], smooth[beside & (offset > 0)]),
        smooth=smooth[middle][crossing],
        width=float(width),
    )


def _smoothed(grey: NDArray[np.float32], speckle_size: tuple[float, float]) -> NDArray[np.float32]:
    """Average grey levels over one resolution cell; NaN stays NaN and does not spread."""
    across, along = (SIGMA_OF_CELL * size for size in speckle_size)
    hidden = np.isnan(grey)
    if not hidden.any():
        return _blurred(grey, across, along)
    total = _blurred(np.where(hidden, np.float32(0), grey), across, along)
    weight = _blurred((~hidden).astype(np.float32), across, along)
    return np.where(hidden, np.float32(np.nan), total / np.maximum(weight, 1e-6))


def _blurred(image: NDArray[np.float32], across: float, along: float) -> NDArray[np.float32]:
    """Apply a Gaussian with standard deviations across and along the lines, (lines, steps)."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigmaX=along, sigmaY=across))


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
    # transposed, so that the kernel finds all samples of a window side by side
    values, left, right = (
        np.ascontiguousarray(lines.T) for lines in (samples.smooth, *samples.flanks)
    )
    ranked = np.ascontiguousarray(behind.T)
    rank, reference = np.empty(values.shape), np.empty(len(values))
    kernels.ranks_at_equal_depth(
        values, ranked, left, right, half_window, LEAST_REFERENCE, rank, reference
    )
    return np.ascontiguousarray(rank.T), reference
