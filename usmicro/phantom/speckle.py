"""Speckle in beam space: scatterers, a point-spread function that widens with depth, envelope and log compression.

The scatterers of one resolution cell have gamma-distributed power, so that the envelope is K-distributed (Jakeman & Pusey,
Phys. Rev. Lett. 40 (1978) 546); breast tissue has an amplitude SNR of 1.3 to 1.4 (Anderson, Soo & Trahey, IEEE Ultrasonics
Symposium (2000) 1307) against 1.91 for Rayleigh speckle.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from usmicro.model.arrays import FloatImage
from usmicro.phantom.scan_conversion import SAMPLE_STEP, Probe
from usmicro.phantom.settings import PhantomSettings

ComplexImage = NDArray[np.complex64]
TO_SIGMA = 1 / np.sqrt(8 * np.log(2))
"""Standard deviation over full width at half maximum of a Gaussian."""
MEAN_ENVELOPE = float(np.sqrt(np.pi) / 2)
"""Mean envelope of Rayleigh speckle of unit power: the reference level of contrast and grey."""
BANDS = 8
"""Depth bands with a point-spread function each; between their middles the filtered fields are blended."""


def k_snr(shape: float) -> float:
    """Amplitude mean over standard deviation of K-distributed speckle with this shape parameter."""
    mean = (
        np.exp(special.gammaln(shape + 0.5) - special.gammaln(shape))
        / np.sqrt(shape)
        * MEAN_ENVELOPE
    )
    return float(mean / np.sqrt(1 - mean * mean))


@lru_cache(maxsize=32)
def k_shape(snr: float) -> float:
    """Shape parameter of K-distributed speckle with this amplitude SNR; 1.9 and above is nearly Rayleigh."""
    wanted = min(snr, 1.9)
    return float(
        np.exp(optimize.brentq(lambda log_shape: k_snr(np.exp(log_shape)) - wanted, -4, 6))
    )


def resolution(settings: PhantomSettings, d: Any) -> tuple[Any, Any]:
    """Lateral and axial resolution in mm (full width at half maximum) at depths in mm."""
    away = (np.asarray(d) - settings.focal_depth) / 14.0
    # deeper than the focus the aperture can no longer grow and high frequencies are gone, so both widen
    lateral = settings.lateral * np.where(away < 0, 1 + 0.25 * away**2, 1 + 0.45 * away)
    axial = settings.axial * (1 + 0.008 * np.maximum(d, 0))
    return lateral, axial


def sigmas(settings: PhantomSettings, probe: Probe, d: Any) -> tuple[Any, Any]:
    """Standard deviations of the point-spread function at depths, in scan lines and in samples."""
    lateral, axial = resolution(settings, d)
    return lateral * TO_SIGMA / probe.line_spacing(d), axial * TO_SIGMA / SAMPLE_STEP


def blur(field: NDArray[Any], lines: float, samples: float) -> NDArray[Any]:
    """Gaussian filter of a complex array that keeps sums."""
    parts = [
        cv2.GaussianBlur(np.ascontiguousarray(part, np.float32), (0, 0), lines, sigmaY=samples)
        for part in (field.real, field.imag)
    ]
    return np.asarray(parts[0] + np.complex64(1j) * parts[1])


def filtered(field: ComplexImage, settings: PhantomSettings, probe: Probe) -> ComplexImage:
    """The field through the depth-dependent point-spread function."""
    rows = np.arange(len(probe.d))
    middles = np.linspace(0, len(rows) - 1, BANDS)
    step = middles[1]
    out = np.zeros_like(field)
    for middle in middles:
        lines, samples = sigmas(settings, probe, float(np.interp(middle, rows, probe.d)))
        first, last = max(int(middle - step) + 1, 0), min(int(np.ceil(middle + step)), len(rows))
        reach = int(4 * samples) + 1
        above = min(reach, first)
        piece = blur(field[first - above : last + reach], float(lines), float(samples))[
            above : above + last - first
        ]
        weight = np.maximum(1 - np.abs(rows[first:last] - middle) / step, 0).astype(np.float32)
        out[first:last] += weight[:, None] * piece
    return out


def scatterer_power(
    rng: np.random.Generator, shape: FloatImage, settings: PhantomSettings, probe: Probe
) -> FloatImage:
    """Random scattering power of unit mean at each sample.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : array, shape `probe.shape`
        Shape parameter of the K distribution at each sample.
    settings, probe
        What sets the point-spread function.
    """
    lines, samples = sigmas(settings, probe, probe.d)
    # the fourth moment of a Gaussian cell: 2 pi sigma sigma samples share the shape parameter
    cell = (2 * np.pi * lines * samples).astype(np.float32)[:, None]
    return np.asarray(rng.standard_gamma(shape / cell, dtype=np.float32) * cell / shape)


def scatterers(
    rng: np.random.Generator, power: FloatImage, settings: PhantomSettings, probe: Probe
) -> ComplexImage:
    """Random complex scatterers of this power, scaled so that `filtered` keeps the mean power."""
    lines, samples = sigmas(settings, probe, probe.d)
    gain = (2 * np.pi * lines * samples).astype(np.float32)[:, None]
    values = rng.standard_normal((2, *probe.shape), dtype=np.float32) * np.sqrt(power * gain)
    return np.asarray(values[0] + np.complex64(1j) * values[1])


def compressed(envelope: FloatImage, settings: PhantomSettings) -> FloatImage:
    """Display grey level, 0 to 255, of an envelope whose reference level is `MEAN_ENVELOPE`."""
    level = 20 * np.log10(np.maximum(envelope, np.float32(1e-6)) / np.float32(MEAN_ENVELOPE))
    grey = np.clip(settings.grey + level * np.float32(255 / settings.dynamic_range), 0, 255)
    return np.asarray(grey + np.float32(settings.curve) * (s_curve(grey) - grey), dtype=np.float32)


def s_curve(grey: NDArray[Any]) -> NDArray[Any]:
    """The grey map of scanners that flatten the darkest and brightest levels."""
    t = grey / np.float32(255)
    return np.asarray(255 * t * t * (3 - 2 * t))


def decompressed(grey: NDArray[Any], settings: PhantomSettings) -> FloatImage:
    """Envelope of display grey levels: what `compressed` undoes, but for clipping and rounding."""
    straight = np.linspace(0, 255, 2001)
    grey = np.interp(
        np.asarray(grey, float),
        straight + settings.curve * (s_curve(straight) - straight),
        straight,
    )
    level = (grey - settings.grey) * settings.dynamic_range / 255
    return np.asarray(MEAN_ENVELOPE * 10 ** (level / 20), dtype=np.float32)
