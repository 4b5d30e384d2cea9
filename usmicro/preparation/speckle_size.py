"""Size of a speckle cell, from the autocovariance of the grey levels in homogeneous tissue."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, FloatImage
from usmicro.model.view import ScanLines

PATCH = 32
"""Edge of a patch in pixels."""
PATCHES = 32
"""Patches used at most; the most homogeneous ones."""


def _half_widths(profiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Twice the lag at which each autocovariance, a row of values from lag 0 on, falls to half of its first; NaN if it never does."""
    profiles = profiles / profiles[:, :1]
    below = profiles < 0.5
    lag = np.maximum(below.argmax(axis=1), 1)
    above, under = (np.take_along_axis(profiles, lags[:, None], 1)[:, 0] for lags in (lag - 1, lag))
    return np.where(below.any(axis=1), 2 * (lag - 1 + (above - 0.5) / (above - under)), np.nan)


def measure_speckle_size(
    grey: FloatImage, usable: BoolImage, scan_lines: ScanLines
) -> tuple[float, float] | None:
    """Full width at half maximum of the grey autocovariance across and along the beam, in pixels of `grey`.

    The third decile over the most homogeneous patches; None where no patch can be used.

    References
    ----------
    Wagner, Smith, Sandrik, Lopez, IEEE Trans. Sonics and Ultrasonics 30 (1983) 156: the resolution cell sets the autocovariance of speckle.
    """
    size = min(PATCH, *grey.shape)
    if size < 8:
        return None
    # the slow change of brightness is anatomy, not speckle
    smooth = cv2.blur(grey, (size | 1, size | 1), borderType=cv2.BORDER_REFLECT_101)
    fine = grey - smooth
    step = max(size // 2, int(np.sqrt(grey.size / 400)))
    corners = np.ix_(
        range(0, grey.shape[0] - size + 1, step), range(0, grey.shape[1] - size + 1, step)
    )
    whole = (
        cv2.erode(usable.astype(np.uint8), np.ones((size, size), np.uint8), anchor=(0, 0))[corners]
        > 0
    )
    mean = _mean_over(grey, size)[corners]
    slow = _mean_over(smooth**2, size)[corners] - mean**2
    fast = _mean_over(fine**2, size)[corners]
    suitable = whole & (fast > 1) & (mean > 8) & (mean < 235)
    if not suitable.any():
        return None
    # anatomy is what makes the slow variance large against the fast one
    order = np.argsort(
        np.where(suitable, slow / np.maximum(fast, 1), np.inf), axis=None, kind="stable"
    )
    chosen = order[: min(PATCHES, int(suitable.sum()))]
    tops, lefts = (
        index.ravel()[axis_index]
        for index, axis_index in zip(corners, np.unravel_index(chosen, suitable.shape), strict=True)
    )
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
    # layers of tissue lengthen the autocovariance and nothing shortens it, so the narrow patches are the pure ones
    across_width, along_width = np.percentile(measured, 30, axis=0)
    return float(across_width), float(along_width)


def _mean_over(image: FloatImage, size: int) -> FloatImage:
    """Mean over the square of an edge `size` whose top left corner is at each pixel."""
    return np.asarray(
        cv2.boxFilter(
            image, cv2.CV_32F, (size, size), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT
        ),
        dtype=np.float32,
    )


def _sample(
    covariances: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear interpolation in each of some periodic autocovariances, whose lag 0 is at [0, 0]; a row of x and y belongs to each."""
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
