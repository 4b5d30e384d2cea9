"""Speckle size, from the autocovariance of the grey level in homogeneous tissue."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage, FloatImage
from usmicro.model.view import ScanLines

PATCH = 32
"""Side of a patch in pixels: several times the speckle size on the working grid."""
PATCHES = 32
"""Largest number of patches; the most homogeneous ones are used. Chosen by eye; no measurement is
recorded."""
LEAST_SIDE = 8
"""Smallest side of an image in which the speckle size is measured."""
MOST_POSITIONS = 400
"""Approximate number of patches that are compared; it limits the computing time."""
LEAST_VARIANCE = 1
"""Smallest variance of the speckle of a patch in squared grey levels: that of rounding is less."""
GREY_RANGE = (8, 235)
"""Range of the mean grey level of a patch that is neither black nor saturated. Chosen by eye; no
measurement is recorded."""
NARROW_PERCENTILE = 30
"""Percentile of the widths over the patches: layers of tissue lengthen the autocovariance, and
nothing shortens it, so that narrow patches show speckle alone. Chosen by eye; no measurement is
recorded."""


def _half_widths(profiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the full width at half maximum of autocovariances, in lags, shape (n,).

    `profiles`, shape (n, lags), holds the values from lag 0 on. NaN if one never falls to half.
    """
    profiles = profiles / profiles[:, :1]
    below = profiles < 0.5
    lag = np.maximum(below.argmax(axis=1), 1)
    above, under = (np.take_along_axis(profiles, lags[:, None], 1)[:, 0] for lags in (lag - 1, lag))
    return np.where(below.any(axis=1), 2 * (lag - 1 + (above - 0.5) / (above - under)), np.nan)


def measure_speckle_size(
    grey: FloatImage, usable: BoolImage, scan_lines: ScanLines
) -> tuple[float, float] | None:
    """Measure the speckle size across and along the beam.

    It is the full width at half maximum of the autocovariance of the grey level.

    Parameters
    ----------
    grey : array, shape (rows, columns), float32
        Display grey level on the grid.
    usable : array, shape (rows, columns), bool
        Tissue that shows grey echoes.
    scan_lines : ScanLines

    Returns
    -------
    (across, along) or None
        In grid pixels; None if no patch is usable.

    References
    ----------
    Wagner, Smith, Sandrik, Lopez, IEEE Trans. Sonics and Ultrasonics 30 (1983) 156: the resolution
    cell sets the autocovariance of speckle.
    """
    size = min(PATCH, *grey.shape)
    if size < LEAST_SIDE:
        return None
    # slow changes of brightness are anatomy
    smooth = cv2.blur(grey, (size | 1, size | 1), borderType=cv2.BORDER_REFLECT_101)
    fine = grey - smooth
    step = max(size // 2, int(np.sqrt(grey.size / MOST_POSITIONS)))
    tops = np.arange(0, grey.shape[0] - size + 1, step)
    lefts = np.arange(0, grey.shape[1] - size + 1, step)
    whole = _sums_over(usable.view(np.uint8), size, tops, lefts) == size**2
    mean, slow, fast = (
        (_sums_over(image, size, tops, lefts) / size**2).astype(np.float32)
        for image in (grey, smooth**2, fine**2)
    )
    slow -= mean**2
    suitable = whole & (fast > LEAST_VARIANCE) & (mean > GREY_RANGE[0]) & (mean < GREY_RANGE[1])
    if not suitable.any():
        return None
    # homogeneous patches have little slow variance compared with the fast variance
    order = np.argsort(
        np.where(suitable, slow / np.maximum(fast, 1), np.inf), axis=None, kind="stable"
    )
    chosen = order[: min(PATCHES, int(suitable.sum()))]
    row, column = np.unravel_index(chosen, suitable.shape)
    tops, lefts = tops[row], lefts[column]
    patches = np.stack(
        [fine[top : top + size, left : left + size] for top, left in zip(tops, lefts, strict=True)]
    )
    patches -= patches.mean(axis=(1, 2), keepdims=True)
    covariances = np.fft.irfft2(np.abs(np.fft.rfft2(patches, s=(2 * size, 2 * size))) ** 2)
    right, down = scan_lines.direction(lefts + size / 2, tops + size / 2)
    steps = np.arange(size // 2)
    across = _half_widths(_sample(covariances, np.outer(down, steps), np.outer(-right, steps)))
    along = _half_widths(_sample(covariances, np.outer(right, steps), np.outer(down, steps)))
    measured = np.stack([across, along], axis=1)
    measured = measured[np.isfinite(measured).all(axis=1)]
    if measured.size == 0:
        return None
    across_width, along_width = np.percentile(measured, NARROW_PERCENTILE, axis=0)
    return float(across_width), float(along_width)


def _sums_over(
    image: FloatImage | ByteImage, size: int, tops: NDArray[np.intp], lefts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the sums over the squares that begin at these rows and columns.

    A box filter of the whole image takes twice as long, since it computes every place.
    """
    strips = [
        cv2.reduce(image[top : top + size], 0, cv2.REDUCE_SUM, dtype=cv2.CV_64F) for top in tops
    ]
    before = np.zeros((len(tops), image.shape[1] + 1))
    np.cumsum(np.concatenate(strips), axis=1, out=before[:, 1:])
    return np.asarray(before[:, lefts + size] - before[:, lefts])


def _sample(
    covariances: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interpolate periodic autocovariances, shape (n, rows, columns), whose lag 0 is at [0, 0].

    `x` and `y`, shape (n, lags), are columns and rows in each.
    """
    _, rows, columns = covariances.shape
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    u, v = x - left, y - top
    each = np.arange(len(covariances))[:, None]
    a, b = (
        covariances[each, top % rows, left % columns],
        covariances[each, top % rows, (left + 1) % columns],
    )
    c, d = (
        covariances[each, (top + 1) % rows, left % columns],
        covariances[each, (top + 1) % rows, (left + 1) % columns],
    )
    return np.asarray((1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * c + u * d))
