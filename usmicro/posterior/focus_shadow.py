"""Posterior acoustic shadow of foci."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from usmicro.model.arrays import LabelImage
from usmicro.model.findings import Shadow, ShadowProfile
from usmicro.model.view import View
from usmicro.posterior.sampling import (
    LINES_PER_STRIP,
    Bools,
    Floats,
    Rays,
    at_noise_floor,
    independent_length,
    strips_behind,
)
from usmicro.settings import ShadowSettings

FloatArray = NDArray[np.float32]

CORRELATED_CELLS = 3
"""Number of resolution cells over which differences along a scan line may be correlated.

Speckle is correlated over one cell, layers of tissue over more. The value limits the lags of the
Newey-West variance. The resulting shadow rate at random places is in docs/accuracy.md, "The shadow
test by itself".
"""
BRIGHTEST_SPECKLE = 4.0
"""Largest (grey - q50) / (q75 - q50) of speckle in the flanks; brighter samples are cut to it.

Derivation: q75 of log-compressed speckle lies at twice the intensity of q50, so a share of
2^-(2^4) = 1.5e-5 of fully developed speckle is brighter; of K-distributed speckle it is about ten
times as much.
"""
LEAST_SPREAD = 1.0
"""Smallest q75 - q50 of the flanks, grey levels: the smallest step of an 8-bit display."""
LEAST_VARIANCE = 1e-6
"""Smallest variance of a mean difference, grey levels squared. It avoids a division by 0 in
constant images."""
SMALLEST_P = 0.0001
"""p values below this are written "< 0.0001" in `Shadow.reason`, as is usual in tables."""


def focus_shadows(
    view: View,
    x: ArrayLike,
    y: ArrayLike,
    diameter: ArrayLike,
    settings: ShadowSettings = ShadowSettings(),  # noqa: B008  (frozen)
    masses: LabelImage | None = None,
    height: ArrayLike | None = None,
) -> list[Shadow]:
    """Assess the posterior shadow of each focus.

    A strip runs along the scan lines from one resolution cell below the focus. It is about as wide
    as the focus and at least as wide as a resolution cell. It is compared at equal depth with a
    flank of the same width on either side. Both flanks must be brighter. The p value is that of a
    paired t test over depth with the less bright flank, corrected for taking the smaller of two
    differences that share a strip. The test counts independent resolution cells instead of pixels,
    or layers of tissue where these are thicker.

    Parameters
    ----------
    view : View
    x, y, diameter : array, shape (n,)
        Positions and diameters of the foci, grid pixels; of clumps, their widths.
    settings : ShadowSettings
    masses : array, shape of the view, int32, optional
        Label image of the masses. Samples of strip and flanks are compared only where they lie in
        the same mass, or all outside.
    height : array, shape (n,), optional
        Extents in depth, grid pixels; the diameters if not given.

    Returns
    -------
    list of Shadow, one per focus
        Lengths are in grid pixels from the lower edge of the focus. `reason` is one sentence that
        says what decided the verdict or why the shadow is not assessable.

    References
    ----------
    The less bright of two flanks: median side difference of Horsch, Giger, Vyborny, Venta, Medical
    Physics 29 (2002) 157. Probability that two normal variables of correlation 1/2 both pass a
    threshold: Owen, Annals of Mathematical Statistics 27 (1956) 1075. Variance of the mean of
    correlated samples: Newey, West, Econometrica 55 (1987) 703.
    """
    x, y, diameter = (np.atleast_1d(np.asarray(values, dtype=float)) for values in (x, y, diameter))
    if len(x) == 0:
        return []
    extent = diameter if height is None else np.atleast_1d(np.asarray(height, dtype=float))
    rays = strips_behind(view, x, y, diameter, extent)
    steps = max(round(view.grid.pixels(settings.length)), 1)
    grey = rays.sample(view.grey, view.usable, steps)
    usable = ~np.isnan(grey)
    comparable = usable
    if masses is not None:
        labels = rays.labels(masses, steps)
        comparable = usable & (labels == labels[:, 1:2, LINES_PER_STRIP // 2, None])
    flanks = np.where(comparable, grey, np.nan)[:, ::2].reshape(len(x), -1)
    median, upper_quartile = _row_quantiles(flanks, (0.5, 0.75))
    spread = np.maximum(upper_quartile - median, LEAST_SPREAD)
    # a bright focus or ligament in a flank must not make a shadow of the strip
    brightest = (median + BRIGHTEST_SPECKLE * spread).astype(np.float32)
    grey = np.minimum(grey, brightest[:, None, None, None])
    count = comparable.sum(axis=2)
    level = np.where(comparable, grey, 0).sum(axis=2) / np.maximum(count, 1)
    compared = _in_strip_and_flanks(comparable)
    falls = np.where(compared[:, None], level[:, ::2] - level[:, 1:2], 0).astype(float)
    cells = compared.sum(axis=1) / independent_length(view)
    enough = cells >= settings.least_cells
    p = np.ones(len(x))
    p[enough] = _p_values(falls[enough], compared[enough], independent_length(view))
    at_floor = at_noise_floor(view, median, spread)
    few_cells = iter(_few_cells_reasons(rays.take(~enough), view, usable[~enough], settings))
    shadows = []
    depths = _depths(view, steps)  # shared, since a long cine keeps very many profiles
    mean_falls, depths_compared = falls.mean(axis=1), compared.sum(axis=1)
    profiles = np.where(compared[:, None], level, np.nan).astype(np.float32)
    for i in range(len(x)):
        if not enough[i]:
            shadows.append(Shadow("not assessable", reason=next(few_cells)))
        elif at_floor[i]:
            reason = "The tissue beside the strip is at the noise floor."
            shadows.append(Shadow("not assessable", reason=reason))
        else:
            fall = mean_falls[i]
            drop = float(fall.sum() / depths_compared[i] / spread[i])
            # copies, so that a focus that is kept does not keep those of all others
            left, strip, right = (np.array(values) for values in profiles[i])
            profile = ShadowProfile(*depths, strip=strip, left=left, right=right)
            shadows.append(_assessed(view, fall, drop, float(p[i]), settings, profile))
    return shadows


def _depths(view: View, steps: int) -> tuple[FloatArray, FloatArray | None]:
    """Return the depths of a profile in pixels of the input image, and in mm if these are known."""
    grid = view.grid
    # the strips begin one resolution cell below the lower edge of the focus
    depth = (np.arange(steps) + view.speckle_size[1]).astype(np.float32)
    in_mm = depth * np.float32(grid.pixel_mm) if grid.spacing.known else None
    return depth * np.float32(np.sqrt(grid.step_x * grid.step_y)), in_mm


def _assessed(
    view: View,
    fall: Floats,
    drop: float,
    p: float,
    settings: ShadowSettings,
    profile: ShadowProfile,
) -> Shadow:
    """Return the shadow of an assessable focus; `fall`, (steps,), is in grey levels by depth."""
    p_words = f"p = {p:.2g}" if p >= SMALLEST_P else f"p < {SMALLEST_P:g}"
    if p >= settings.significance:
        significantly = "" if drop <= 0 else "significantly "
        reason = f"Not {significantly}darker than both flanks ({p_words})."
        return Shadow("no", drop, p, reason=reason, profile=profile)
    length = _shadow_steps(fall) + view.speckle_size[1]
    length_mm = view.grid.in_mm(length)
    over = "" if length_mm is None else f" over {length_mm:.1f} mm"
    by = f"{drop:.2g} times their grey-level spread"
    reason = f"Darker than both flanks by {by}{over} ({p_words})."
    return Shadow("yes", drop, p, length, reason, profile)


def _in_strip_and_flanks(mask: Bools) -> Bools:
    """Return the depths at which a mask covers strip and flanks, shape (n, steps).

    `mask` has shape (n, 3, LINES_PER_STRIP, steps). At a depth that counts, it is True on more than
    half of the lines of the strip and of each flank.
    """
    return np.asarray((mask.sum(axis=2) > LINES_PER_STRIP // 2).all(axis=1))


def _row_quantiles(values: NDArray[np.float32], shares: Sequence[float]) -> list[Floats]:
    """Return quantiles of each row of an array (n, m), without interpolation.

    NaNs are ignored; the quantile of a row of NaNs is NaN.
    """
    ordered = np.sort(values, axis=1)  # NaNs sort last
    last = np.maximum(np.count_nonzero(~np.isnan(values), axis=1) - 1, 0)
    return [
        ordered[np.arange(len(values)), (share * last).astype(int)].astype(float)
        for share in shares
    ]


def _p_values(falls: Floats, compared: Bools, cell: float) -> Floats:
    """Return the probability, (n,), that speckle alone makes the smaller of two falls as large.

    `falls`, (n, 2, steps) in grey levels, is zero where not `compared`, (n, steps); `cell` is the
    length of an independent resolution cell in steps.
    """
    count = compared.sum(axis=1)[:, None]
    mean = falls.sum(axis=2) / count
    residual = np.where(compared[:, None], falls - mean[:, :, None], 0)
    power = (residual**2).sum(axis=2)
    # Correlated samples show only 1 - 1/cells of their variance. The estimate of the variance has
    # sqrt(2) times as many independent cells: its autocovariance is the square, which is narrower.
    cells = count / cell
    by_speckle = power / count / (cells - 1)
    lags = min(round(CORRELATED_CELLS * cell), falls.shape[2])
    for lag in range(1, lags):
        product = (residual[:, :, lag:] * residual[:, :, :-lag]).sum(axis=2)
        power = power + 2 * (1 - lag / lags) * product
    by_layers = power / count**2
    variance = np.maximum(np.maximum(by_speckle, by_layers), LEAST_VARIANCE)
    t = mean / np.sqrt(variance)
    one_sided = special.stdtr(np.sqrt(2) * cells[:, 0] - 1, -t.min(axis=1))
    normal = -special.ndtri(np.clip(one_sided, 1e-300, 1 - 1e-15))
    both_sides = one_sided - 2 * special.owens_t(normal, 1 / np.sqrt(3))
    return np.asarray(np.clip(both_sides, 0.0, 1.0))


def _shadow_steps(fall: Floats) -> float:
    """Return the number of samples to the end of a shadow, from its `fall` by depth (steps,).

    The end is that of the best fitting step function: a constant fall down to a depth, none below.
    """
    total = np.maximum(np.cumsum(fall), 0)
    return float(np.argmax(total**2 / np.arange(1, len(fall) + 1)) + 1)


def _few_cells_reasons(
    rays: Rays, view: View, usable: Bools, settings: ShadowSettings
) -> list[str]:
    """Return the reason for each of m foci with too few comparable cells of strip and flanks.

    `rays` has the shape (m, 3, LINES_PER_STRIP), `usable` (m, 3, LINES_PER_STRIP, steps). The
    tissue is sampled only for strips with too few usable cells.
    """
    if not len(usable):
        return []
    least_samples = settings.least_cells * independent_length(view)
    too_few_usable = _in_strip_and_flanks(usable).sum(axis=1) < least_samples
    in_tissue = ~np.isnan(
        rays.take(too_few_usable).sample(view.grey, view.tissue, usable.shape[-1])
    )
    leaves_tissue = np.zeros(len(usable), np.bool_)
    leaves_tissue[too_few_usable] = _in_strip_and_flanks(in_tissue).sum(axis=1) < least_samples
    return [
        "The strip behind the focus or a flank leaves the tissue."
        if leaves
        else "Text or colour covers the strip behind the focus or a flank."
        if covered
        else "Too few speckle cells of strip and flanks lie in the same tissue."
        for leaves, covered in zip(leaves_tissue, too_few_usable, strict=True)
    ]
