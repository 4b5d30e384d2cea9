"""Sampling of grey levels and labels along scan lines, behind foci and through masses.

A sample is one grid pixel long. Samples of speckle along a scan line are correlated, so tests
count independent resolution cells instead: see `independent_length`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels import scan_lines as kernels
from usmicro.model.arrays import BoolImage, FloatImage
from usmicro.model.view import ScanLines, View

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LINES_PER_STRIP = 9
"""Number of scan lines that are sampled across a strip, and across each flank.

More lines cost time; fewer lines leave parts of a wide strip unsampled. Chosen by eye; no
measurement is recorded.
"""
CORRELATION_LENGTH = 1.1215
"""Integral of the autocovariance of log-compressed speckle, in full widths at half maximum.

Derivation: the intensity of fully developed speckle has a Gaussian autocovariance g. That of its
logarithm is the dilogarithm of g, whose ratio is sqrt(pi) zeta(5/2) / (2 zeta(2) sqrt(-ln h)), with
h = 0.650 where the dilogarithm is half of its maximum.
"""
INTERPOLATION_WIDTH = 1.36
"""Full width at half maximum, grid pixels, that bilinear sampling adds in quadrature to speckle.

Derivation: averaged over random offsets, the bilinear weights have an autocorrelation of variance
1/3 pixel squared; its full width at half maximum is 2.355 sqrt(1/3).
"""
SHADOWED_WIDTH = 0.8
"""Width of the strip, as a fraction of the diameter of the focus.

The sides of a round focus are thin and let sound pass; a narrower strip has more speckle noise.
Chosen by eye; no measurement is recorded.
"""
WIDEST_SPECKLE = 2.0
"""Largest ratio of width to length of a resolution cell that is used for the width of a strip.

Layers of tissue make the measured speckle wider than the beam, and the beam determines the width of
a shadow. Chosen by eye; the resulting rates at random places in real tissue are in
docs/accuracy.md, "The shadow test by itself".
"""


@dataclass(frozen=True)
class Rays:
    """Rays along the scan lines, as flat arrays of `prod(shape)` rays."""

    x: NDArray[np.float32]
    """Grid column of each start."""
    y: NDArray[np.float32]
    """Grid row of each start."""
    dx: NDArray[np.float32]
    """Grid columns from one sample to the next; (dx, dy) is a unit vector."""
    dy: NDArray[np.float32]
    """Grid rows from one sample to the next."""
    shape: tuple[int, ...]
    """Shape of the array that the flat arrays were made from, for instance (foci, 3, lines)."""

    def take(self, chosen: Bools) -> Rays:
        """Return the rays that a mask (n,) selects along the first axis of `shape`."""
        kept = np.repeat(chosen, int(np.prod(self.shape[1:])))
        return Rays(
            self.x[kept],
            self.y[kept],
            self.dx[kept],
            self.dy[kept],
            (int(chosen.sum()), *self.shape[1:]),
        )

    def sample(self, image: FloatImage, usable: BoolImage, steps: int) -> NDArray[np.float32]:
        """Sample grey levels bilinearly, shape (*shape, steps); NaN where a pixel is not usable."""
        out = np.empty((len(self.x), steps), np.float32)
        kernels.sample_along_rays(
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
        """Sample labels of the nearest pixels, shape (*shape, steps); -1 outside the image."""
        out = np.empty((len(self.x), steps), np.int32)
        image = np.ascontiguousarray(labels, dtype=np.int32)
        kernels.sample_labels_along_rays(image, self.x, self.y, self.dx, self.dy, out)
        return out.reshape(*self.shape, steps)


def rays_from(scan_lines: ScanLines, x: Floats, y: Floats, ahead: Floats | float = 0.0) -> Rays:
    """Return rays that start `ahead` pixels deeper than grid positions; `shape` is that of `x`."""
    dx, dy = scan_lines.direction(x, y)
    flat = np.stack([x + ahead * dx, y + ahead * dy, dx, dy]).astype(np.float32).reshape(4, -1)
    return Rays(flat[0], flat[1], flat[2], flat[3], x.shape)


def strips_behind(
    view: View, x: Floats, y: Floats, diameter: Floats, height: Floats | None = None
) -> Rays:
    """Return the rays of a strip behind each focus and of the two flanks beside it.

    Parameters
    ----------
    view : View
    x, y, diameter : array, shape (n,), float64
        Positions and diameters of the foci, grid pixels; of clumps, their widths.
    height : array, shape (n,), float64, optional
        Extents in depth, grid pixels; the diameters if not given.

    Returns
    -------
    Rays, shape (n, 3, LINES_PER_STRIP): left flank, strip, right flank.
        They start one resolution cell below the lower edge of the focus.
    """
    along = view.speckle_size[1]
    across = min(view.speckle_size[0], WIDEST_SPECKLE * along)
    width = np.maximum(SHADOWED_WIDTH * diameter, across)
    within = (np.arange(LINES_PER_STRIP) + 0.5) / LINES_PER_STRIP - 0.5
    # one cell between strip and flank: they share no speckle and no blurred edge of the shadow
    offsets = np.stack(
        [(side * (width + across))[:, None] + width[:, None] * within for side in (-1, 0, 1)],
        axis=1,
    )
    dx, dy = view.scan_lines.direction(x, y)
    start_x = x[:, None, None] + offsets * dy[:, None, None]
    start_y = y[:, None, None] - offsets * dx[:, None, None]
    ahead = (diameter if height is None else height) / 2 + along
    return rays_from(view.scan_lines, start_x, start_y, ahead[:, None, None])


def independent_length(view: View) -> float:
    """Return the length, in samples, of one independent resolution cell along a scan line."""
    return CORRELATION_LENGTH * float(np.hypot(view.speckle_size[1], INTERPOLATION_WIDTH))


def at_noise_floor(view: View, level: Floats | np.float64, fall: Floats | np.float64) -> Bools:
    """Return True where a grey level is less than `fall` above the noise floor of the view."""
    floor = view.grey_quantiles[0]
    return np.asarray(level - floor < fall)
