"""Size of a speckle cell, from the autocovariance of the grey levels in homogeneous tissue."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.arrays import BoolImage, FloatImage
from usmicro.view import Beams

PATCH = 32
"""Edge of a patch in pixels."""
PATCHES = 32
"""Patches used at most; the most homogeneous ones."""


def _half_width(profile: NDArray[np.float64]) -> float:
    """Twice the lag at which an autocovariance profile falls to half of its value at lag 0; NaN if it never does."""
    below = np.flatnonzero(profile < 0.5)
    if below.size == 0:
        return float("nan")
    lag = int(below[0])
    above, under = profile[lag - 1], profile[lag]
    return 2 * float(lag - 1 + (above - 0.5) / (above - under))


def speckle_cell(grey: FloatImage, usable: BoolImage, beams: Beams) -> tuple[float, float] | None:
    """Full width at half maximum of the grey autocovariance across and along the beam, in pixels of `grey`.

    The median over the most homogeneous patches; None where no patch can be used.

    References
    ----------
    Wagner, Smith, Sandrik, Lopez, IEEE Trans. Sonics and Ultrasonics 30 (1983) 156: the autocovariance of speckle is set by the resolution cell.
    """
    size = min(PATCH, *grey.shape)
    if size < 8:
        return None
    # the slow change of brightness is anatomy, not speckle
    smooth = cv2.GaussianBlur(grey, (0, 0), size / 4, borderType=cv2.BORDER_REFLECT_101)
    fine = grey - smooth
    found = []
    step = max(size // 2, int(np.sqrt(grey.size / 400)))
    for top in range(0, grey.shape[0] - size + 1, step):
        for left in range(0, grey.shape[1] - size + 1, step):
            window = (slice(top, top + size), slice(left, left + size))
            if not usable[window].all():
                continue
            patch = fine[window]
            variance = float(patch.var())
            mean = float(smooth[window].mean())
            if variance < 1 or mean < 8 or mean > 235:
                continue
            # anatomy is what makes the variance of the smooth part large against that of the fine one
            found.append((float(smooth[window].var()) / variance, top, left))
    if not found:
        return None
    widths = []
    for _, top, left in sorted(found)[:PATCHES]:
        patch = fine[top : top + size, left : left + size]
        spectrum = np.abs(np.fft.rfft2(patch - patch.mean(), s=(2 * size, 2 * size))) ** 2
        covariance = np.fft.irfft2(spectrum)
        down, right = beams.direction(left + size / 2, top + size / 2)[::-1]
        lags = np.arange(size // 2)
        along = _sample(covariance, lags * float(right), lags * float(down))
        across = _sample(covariance, lags * float(down), -lags * float(right))
        widths.append((_half_width(across / covariance[0, 0]), _half_width(along / covariance[0, 0])))
    across_width, along_width = np.nanmedian(np.asarray(widths), axis=0)
    if not (np.isfinite(across_width) and np.isfinite(along_width)):
        return None
    return float(across_width), float(along_width)


def _sample(covariance: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear interpolation in a periodic autocovariance, whose lag 0 is at [0, 0]."""
    rows, columns = covariance.shape
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    u, v = x - left, y - top
    a, b = covariance[top % rows, left % columns], covariance[top % rows, (left + 1) % columns]
    c, d = covariance[(top + 1) % rows, left % columns], covariance[(top + 1) % rows, (left + 1) % columns]
    return np.asarray((1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * c + u * d))
