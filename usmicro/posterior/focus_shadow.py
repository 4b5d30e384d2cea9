"""Posterior acoustic shadow of foci, and the posterior feature of masses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from usmicro.kernels import scan_lines as kernels
from usmicro.model.arrays import BoolImage, FloatImage, LabelImage
from usmicro.model.findings import Posterior, PosteriorFeature, Shadow
from usmicro.model.view import ScanLines, View
from usmicro.numerics.quantiles import masked_quantile
from usmicro.settings import ShadowSettings

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LINES = 9
"""Scan lines sampled across a strip and across each flank."""
CELL = 1.1215
"""Integral of the autocovariance of log-compressed speckle, the dilogarithm of a Gaussian, over its full width at half maximum."""
BILINEAR = 1.36
"""Full width at half maximum, in pixels, by which bilinear sampling at random offsets blurs the autocovariance on average."""
MIDDLE = 0.8
"""Share of the width of a focus that its shadow is looked for in: the sides of a round one are thin and let sound pass."""
WIDEST = 2.0
"""Width of a speckle cell over its length, beyond which the width is not believed."""
LAGS = 3
"""Speckle cells over which differences along the beam may be correlated: tissue has layers, speckle has none."""
BRIGHT = 4.0
"""Quantile-test value at which an echo is a focus and no longer speckle; brighter samples are cut to it."""
NEAR_BLACK = 2.0
"""Grey levels added to both sides of a ratio, so that it stays finite where the scan is black."""


def focus_shadows(
    view: View,
    x: ArrayLike,
    y: ArrayLike,
    diameter: ArrayLike,
    settings: ShadowSettings = ShadowSettings(),  # noqa: B008  (frozen)
    masses: LabelImage | None = None,
) -> list[Shadow]:
    """Judge the posterior shadow of each focus.

    A strip as wide as the focus, and at least as wide as a speckle cell, runs along the beam from one cell below the focus. It is
    compared at equal depth with a flank of the same width on either side. Both flanks must be brighter: the p value is that of the
    less bright one, corrected for having taken the smaller of two differences that share a strip. It comes from a paired t test
    over depth that counts independent speckle cells, not pixels, or layers of tissue where these are thicker.

    Parameters
    ----------
    view : View
    x, y, diameter : array, shape (n,)
        Positions and full widths at half maximum of the foci, grid pixels.
    settings : ShadowSettings
    masses : array, shape of the view, int32, optional
        Label image; a flank is compared only where it lies in the same mass, or outside all, as the strip does at equal depth.

    Returns
    -------
    list of Shadow, one a focus; lengths in grid pixels, counted from the lower edge of the focus.

    References
    ----------
    The less bright of two flanks: median side difference of Horsch, Giger, Vyborny, Venta, Medical Physics 29 (2002) 157.
    Probability that two normal variables of correlation 1/2 both pass a threshold: Owen, Annals of Mathematical Statistics 27 (1956)
    1075. Variance of the mean of correlated samples: Newey, West, Econometrica 55 (1987) 703.
    """
    x, y, diameter = (np.atleast_1d(np.asarray(values, dtype=float)) for values in (x, y, diameter))
    if len(x) == 0:
        return []
    rays = _strips(view, x, y, diameter)
    steps = max(round(view.grid.pixels(settings.length)), 1)
    grey = rays.sample(view.grey, view.usable, steps)
    usable = ~np.isnan(grey)
    comparable = usable
    if masses is not None:
        labels = rays.labels(masses, steps)
        comparable = usable & (labels == labels[:, 1:2, LINES // 2, None])
    middle, upper = _quantiles(
        np.where(comparable, grey, np.nan)[:, ::2].reshape(len(x), -1), (0.5, 0.75)
    )
    unit = np.maximum(upper - middle, 1.0)
    # a bright focus or ligament in a flank must not make a shadow of the strip
    grey = np.minimum(grey, (middle + BRIGHT * unit).astype(np.float32)[:, None, None, None])
    count = comparable.sum(axis=2)
    level = np.where(comparable, grey, 0).sum(axis=2) / np.maximum(count, 1)
    compared = _in_all_three(comparable)
    falls = np.where(compared[:, None], level[:, ::2] - level[:, 1:2], 0).astype(float)
    cells = compared.sum(axis=1) / _cell(view)
    enough = cells >= settings.least_cells
    p = np.ones(len(x))
    p[enough] = _p_values(falls[enough], compared[enough], _cell(view))
    dark = _at_noise_floor(view, middle, unit)
    reasons = iter(_reasons(rays.take(~enough), view, usable[~enough], settings))
    shadows = []
    for i in range(len(x)):
        if not enough[i]:
            shadows.append(Shadow("not assessable", reason=next(reasons)))
        elif dark[i]:
            shadows.append(
                Shadow("not assessable", reason="the tissue beside it is at the noise floor")
            )
        else:
            profile = falls[i].mean(axis=0)
            drop = float(profile.sum() / compared[i].sum() / unit[i])
            if p[i] < settings.significance:
                shadows.append(
                    Shadow("yes", drop, float(p[i]), _length(profile) + view.speckle_size[1])
                )
            else:
                shadows.append(Shadow("no", drop, float(p[i])))
    return shadows


def posterior(
    view: View,
    mass: BoolImage,
    settings: ShadowSettings = ShadowSettings(),  # noqa: B008  (frozen)
) -> Posterior:
    """Judge the posterior feature of a mass.

    Along every scan line through the middle half of the mass, the grey level behind it is compared with that beside it at equal
    depth. The outer quarters are left out: the edges of a round mass refract, and edge shadow is not posterior shadowing. The
    score is the median over the scan lines; a combined feature needs one third of them dark and another bright.

    Parameters
    ----------
    view : View
    mass : array, shape of the view, bool
    settings : ShadowSettings

    References
    ----------
    Trimming and comparison at equal depth: Horsch, Giger, Vyborny, Venta, Medical Physics 29 (2002) 157.
    """
    if not mass.any():
        return Posterior("not assessable")
    lines = _mass_profiles(view, mass, view.grid.pixels(settings.length))
    beside = _mean(lines.grey[lines.flank], axis=0)
    steps = np.arange(lines.grey.shape[1])
    end = len(steps) - np.argmax(lines.inside[:, ::-1], axis=1, keepdims=True)
    beyond = steps - end - view.speckle_size[1]
    behind = (
        (beyond >= 0)
        & (beyond < view.grid.pixels(settings.length))
        & ~np.isnan(lines.grey)
        & ~np.isnan(beside)
    )
    crossing = lines.middle & lines.inside.any(axis=1)
    judged = crossing & (behind.sum(axis=1) >= settings.least_cells * _cell(view))
    if 2 * judged.sum() < crossing.sum() or not judged.any():
        return Posterior("not assessable")
    reference = np.broadcast_to(beside, behind.shape)
    if _at_noise_floor(view, np.median(reference[judged][behind[judged]]), np.float64(1.0)):
        return Posterior("not assessable")
    level, level_beside = (
        _mean(np.where(behind[judged], grey[judged], np.nan), axis=1) + NEAR_BLACK
        for grey in (lines.grey, reference)
    )
    ratio = np.full(len(judged), np.nan)
    ratio[judged] = np.log(level / level_beside)
    thirds = [
        float(np.nanmedian(third))
        for third in np.array_split(ratio[lines.middle], 3)
        if not np.isnan(third).all()
    ]
    score = float(np.nanmedian(ratio))
    return Posterior(_feature(score, thirds, settings), score)


@dataclass(frozen=True)
class _Rays:
    """Rays along the beam, flat arrays; `shape` is how they are grouped."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    dx: NDArray[np.float32]
    dy: NDArray[np.float32]
    shape: tuple[int, ...]

    def take(self, which: Bools) -> _Rays:
        """The rays of some of the groups along the first axis."""
        kept = np.repeat(which, int(np.prod(self.shape[1:])))
        return _Rays(
            self.x[kept],
            self.y[kept],
            self.dx[kept],
            self.dy[kept],
            (int(which.sum()), *self.shape[1:]),
        )

    def sample(self, image: FloatImage, usable: BoolImage, steps: int) -> NDArray[np.float32]:
        """Grey levels, shape (*shape, steps); NaN where not usable."""
        out = np.empty((len(self.x), steps), np.float32)
        kernels.walk(
            np.ascontiguousarray(image),
            np.ascontiguousarray(usable),
            self.x,
            self.y,
            self.dx,
            self.dy,
            out,
        )
        return out.reshape(*self.shape, steps)

    def labels(self, labels: NDArray[np.generic], steps: int) -> NDArray[np.int32]:
        """Labels, shape (*shape, steps); -1 outside the image."""
        out = np.empty((len(self.x), steps), np.int32)
        kernels.walk_labels(
            np.ascontiguousarray(labels, dtype=np.int32), self.x, self.y, self.dx, self.dy, out
        )
        return out.reshape(*self.shape, steps)


def _rays(scan_lines: ScanLines, x: Floats, y: Floats, ahead: Floats | float = 0.0) -> _Rays:
    """Rays along the beam that start `ahead` pixels beyond positions."""
    dx, dy = scan_lines.direction(x, y)
    flat = np.stack([x + ahead * dx, y + ahead * dy, dx, dy]).astype(np.float32).reshape(4, -1)
    return _Rays(flat[0], flat[1], flat[2], flat[3], x.shape)


def _strips(view: View, x: Floats, y: Floats, diameter: Floats) -> _Rays:
    """Rays behind each focus, shape (n, 3, LINES): left flank, strip, right flank."""
    along = view.speckle_size[1]
    # tissue layers stretch the measured cell sideways, beyond the beam width that sets the width of a shadow
    across = min(view.speckle_size[0], WIDEST * along)
    width = np.maximum(MIDDLE * diameter, across)
    within = (np.arange(LINES) + 0.5) / LINES - 0.5
    # one cell between strip and flank, so that neither shares speckle nor the blurred edge of the shadow
    offsets = np.stack(
        [(side * (width + across))[:, None] + width[:, None] * within for side in (-1, 0, 1)],
        axis=1,
    )
    dx, dy = view.scan_lines.direction(x, y)
    start_x = x[:, None, None] + offsets * dy[:, None, None]
    start_y = y[:, None, None] - offsets * dx[:, None, None]
    return _rays(view.scan_lines, start_x, start_y, (diameter / 2 + along)[:, None, None])


def _cell(view: View) -> float:
    """Length of an independent speckle cell along the beam, as sampled, in pixels."""
    return CELL * float(np.hypot(view.speckle_size[1], BILINEAR))


def _in_all_three(mask: Bools) -> Bools:
    """Whether more than half of the lines of strip and of both flanks are true; (n, 3, LINES, steps) to (n, steps)."""
    return np.asarray((mask.sum(axis=2) > LINES // 2).all(axis=1))


def _quantiles(values: NDArray[np.float32], levels: Sequence[float]) -> list[Floats]:
    """Quantiles of each row without its NaNs; NaN for a row that holds nothing else."""
    ordered = np.sort(values, axis=1)  # NaNs sort last
    last = np.maximum(np.count_nonzero(~np.isnan(values), axis=1) - 1, 0)
    return [
        ordered[np.arange(len(values)), (level * last).astype(int)].astype(float)
        for level in levels
    ]


def _mean(values: NDArray[np.floating], axis: int) -> Floats:
    """Mean without NaNs; NaN where there is nothing else."""
    valid = ~np.isnan(values)
    count = valid.sum(axis=axis)
    total = np.where(valid, values, 0).sum(axis=axis, dtype=float)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _p_values(falls: Floats, compared: Bools, cell: float) -> Floats:
    """Probability that speckle alone makes the smaller of two falls as large.

    `falls` (n, 2, steps) is zero where not `compared` (n, steps); `cell` is the length of an independent cell in steps.
    """
    count = compared.sum(axis=1)[:, None]
    mean = falls.sum(axis=2) / count
    rest = np.where(compared[:, None], falls - mean[:, :, None], 0)
    power = (rest**2).sum(axis=2)
    # correlated samples show only 1 - 1/cells of their variance, whose estimate has sqrt(2) times as many independent cells
    cells = count / cell
    by_speckle = power / count / (cells - 1)
    lags = min(round(LAGS * cell), falls.shape[2])
    for lag in range(1, lags):
        power = power + 2 * (1 - lag / lags) * (rest[:, :, lag:] * rest[:, :, :-lag]).sum(axis=2)
    by_layers = power / count**2
    t = mean / np.sqrt(np.maximum(np.maximum(by_speckle, by_layers), 1e-6))
    one_side = special.stdtr(np.sqrt(2) * cells[:, 0] - 1, -t.min(axis=1))
    threshold = -special.ndtri(np.clip(one_side, 1e-300, 1 - 1e-15))
    return np.asarray(np.clip(one_side - 2 * special.owens_t(threshold, 1 / np.sqrt(3)), 0.0, 1.0))


def _at_noise_floor(view: View, level: Floats | np.float64, unit: Floats | np.float64) -> Bools:
    """Whether there is no room below a level for a fall of one unit."""
    floor = masked_quantile(view.grey, view.usable, 0.01)
    return np.asarray(level - floor < unit)


def _length(profile: Floats) -> float:
    """Steps to the end of the shadow: of all profiles that are dark up to a depth and level from there on, the one that fits best."""
    total = np.maximum(np.cumsum(profile), 0)
    return float(np.argmax(total**2 / np.arange(1, len(profile) + 1)) + 1)


def _reasons(rays: _Rays, view: View, usable: Bools, settings: ShadowSettings) -> list[str]:
    """Why the shadows of foci are not assessable that have too few cells."""
    needed = settings.least_cells * _cell(view)
    in_tissue = ~np.isnan(rays.sample(view.grey, view.tissue, usable.shape[-1]))
    reasons = []
    for shown, seen in zip(
        _in_all_three(in_tissue).sum(axis=1), _in_all_three(usable).sum(axis=1), strict=True
    ):
        if shown < needed:
            reasons.append("the strip behind it or a flank leaves the tissue")
        elif seen < needed:
            reasons.append("text or colour covers the strip behind it or a flank")
        else:
            reasons.append("too few speckle cells beside it lie in the same tissue")
    return reasons


@dataclass(frozen=True)
class _MassProfiles:
    """Scan lines through a mass and beside it, one pixel apart at its middle, from its upper to beyond its lower end."""

    grey: NDArray[np.float32]
    """(lines, steps); NaN where no grey echo shows."""
    inside: Bools
    """(lines, steps): in the mass."""
    middle: Bools
    """(lines,): through the middle half of the mass."""
    flank: Bools
    """(lines,): beside the mass."""


def _mass_profiles(view: View, mass: BoolImage, beyond: float) -> _MassProfiles:
    scan_lines = view.scan_lines
    rows, columns = (a.astype(float) for a in np.nonzero(mass))
    if scan_lines.geometry == "linear":
        across, depth = columns, rows
    else:
        depth = np.hypot(columns - scan_lines.apex_x, rows - scan_lines.apex_y)
        across = np.arctan2(columns - scan_lines.apex_x, rows - scan_lines.apex_y) * depth.mean()
    left, right, top = across.min(), across.max(), depth.min()
    width = right - left + 1
    # near flanks lie under tissue that attenuates like that above the mass; below three cells their mean is unsteady
    flank = max(width / 3, 3 * view.speckle_size[0])
    line = np.arange(left - flank, right + flank + 1)
    if scan_lines.geometry == "linear":
        x, y = line, np.full(len(line), top)
    else:
        x, y = (
            scan_lines.apex_x + top * np.sin(line / depth.mean()),
            scan_lines.apex_y + top * np.cos(line / depth.mean()),
        )
    steps = int(np.ceil(depth.max() - top + 1 + view.speckle_size[1] + beyond))
    rays = _rays(scan_lines, x, y)
    middle = np.abs(line - (left + right) / 2) <= max(width / 4, 0.5)
    grey, inside = rays.sample(view.grey, view.usable, steps), rays.labels(mass, steps) == 1
    return _MassProfiles(grey, inside, middle, (line < left) | (line > right))


def _feature(score: float, thirds: Sequence[float], settings: ShadowSettings) -> PosteriorFeature:
    if min(thirds) < settings.posterior_shadowing and max(thirds) > settings.posterior_enhancement:
        return "combined"
    if score < settings.posterior_shadowing:
        return "shadowing"
    return "enhancement" if score > settings.posterior_enhancement else "none"
