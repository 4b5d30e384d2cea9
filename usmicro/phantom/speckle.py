"""Speckle in beam space.

Scatterers are filtered by a point-spread function that widens with depth; the magnitude is the
envelope, which is log-compressed for display. The scatterers of a resolution cell have
gamma-distributed power, so the envelope is K-distributed.

References
----------
Jakeman and Pusey, Physical Review Letters 40 (1978) 546: the K distribution.

Anderson, Soo and Trahey, IEEE Ultrasonics Symposium (2000) 1307: the amplitude SNR of breast
tissue is 1.3 to 1.4; that of Rayleigh speckle is 1.91.
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

SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))
"""Standard deviation of a Gaussian over its full width at half maximum."""

MEAN_ENVELOPE = float(np.sqrt(np.pi) / 2)
"""Mean envelope of Rayleigh speckle of unit power: the reference level of contrasts and greys."""

LARGEST_SNR = 1.9
"""Largest amplitude SNR for which a shape parameter is sought: just below the 1.91 of Rayleigh
speckle, at which the parameter becomes infinite."""

DEPTH_BANDS = 8
"""Number of depths with a point-spread function each, between which filtered fields are blended."""

FOCAL_LENGTH_SCALE = 14.0
"""Distance from the focal depth over which the lateral resolution changes, mm."""


def k_snr(shape: float) -> float:
    """Return the amplitude SNR (mean over standard deviation) of K-distributed speckle."""
    gamma_ratio = np.exp(special.gammaln(shape + 0.5) - special.gammaln(shape))
    mean = gamma_ratio / np.sqrt(shape) * MEAN_ENVELOPE
    return float(mean / np.sqrt(1 - mean * mean))


@lru_cache(maxsize=32)
def k_shape(snr: float) -> float:
    """Return the shape parameter of K-distributed speckle with an amplitude SNR.

    An SNR above `LARGEST_SNR` is treated as `LARGEST_SNR`, which is nearly Rayleigh speckle.
    """
    target = min(snr, LARGEST_SNR)
    log_shape = optimize.brentq(lambda log_shape: k_snr(np.exp(log_shape)) - target, -4, 6)
    return float(np.exp(log_shape))


def resolution(settings: PhantomSettings, d: Any) -> tuple[Any, Any]:
    """Return lateral and axial resolution at depths `d`: full widths at half maximum, mm.

    Both widen below the focal depth: the aperture cannot grow further and high frequencies are
    attenuated.
    """
    from_focus = (np.asarray(d) - settings.focal_depth) / FOCAL_LENGTH_SCALE
    widening = np.where(from_focus < 0, 1 + 0.25 * from_focus**2, 1 + 0.45 * from_focus)
    return settings.lateral * widening, settings.axial * (1 + 0.008 * np.maximum(d, 0))


def psf_sigmas(settings: PhantomSettings, probe: Probe, d: Any) -> tuple[Any, Any]:
    """Return the standard deviations of the point-spread function at depths `d` in mm.

    The first is in scan lines, the second in depth samples.
    """
    lateral, axial = resolution(settings, d)
    return lateral * SIGMA_PER_FWHM / probe.line_spacing(d), axial * SIGMA_PER_FWHM / SAMPLE_STEP


def blur(field: NDArray[Any], lines: float, samples: float) -> NDArray[Any]:
    """Filter a complex array with a Gaussian of unit sum; standard deviations in pixels."""
    real, imaginary = (
        cv2.GaussianBlur(np.ascontiguousarray(part, np.float32), (0, 0), lines, sigmaY=samples)
        for part in (field.real, field.imag)
    )
    return np.asarray(real + np.complex64(1j) * imaginary)


def filtered(field: ComplexImage, settings: PhantomSettings, probe: Probe) -> ComplexImage:
    """Filter a field in beam space with the point-spread function of each depth."""
    rows = np.arange(len(probe.d))
    band_rows = np.linspace(0, len(rows) - 1, DEPTH_BANDS)
    step = band_rows[1]
    out = np.zeros_like(field)
    for band_row in band_rows:
        depth = float(np.interp(band_row, rows, probe.d))
        lines, samples = psf_sigmas(settings, probe, depth)
        first, last = (
            max(int(band_row - step) + 1, 0),
            min(int(np.ceil(band_row + step)), len(rows)),
        )
        reach = int(4 * samples) + 1
        above = min(reach, first)
        band = blur(field[first - above : last + reach], float(lines), float(samples))
        weight = np.maximum(1 - np.abs(rows[first:last] - band_row) / step, 0).astype(np.float32)
        out[first:last] += weight[:, None] * band[above : above + last - first]
    return out


def scatterer_power(
    rng: np.random.Generator, shape: FloatImage, settings: PhantomSettings, probe: Probe
) -> FloatImage:
    """Draw the scattering power at each sample; its mean is 1.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : array, shape `probe.shape`
        Shape parameter of the K distribution at each sample.
    settings : PhantomSettings
    probe : Probe
        With the settings it gives the point-spread function.

    Returns
    -------
    array, shape `probe.shape`, float32
    """
    lines, samples = psf_sigmas(settings, probe, probe.d)
    # from the fourth moment of the field: the samples of a cell share the shape parameter
    cell = (2 * np.pi * lines * samples).astype(np.float32)[:, None]
    return np.asarray(rng.standard_gamma(shape / cell, dtype=np.float32) * cell / shape)


def scatterers(
    rng: np.random.Generator, power: FloatImage, settings: PhantomSettings, probe: Probe
) -> ComplexImage:
    """Draw complex scatterers of a power, scaled so that `filtered` keeps the mean power."""
    lines, samples = psf_sigmas(settings, probe, probe.d)
    gain = (2 * np.pi * lines * samples).astype(np.float32)[:, None]
    values = rng.standard_normal((2, *probe.shape), dtype=np.float32) * np.sqrt(power * gain)
    return np.asarray(values[0] + np.complex64(1j) * values[1])


def compressed(envelope: FloatImage, settings: PhantomSettings) -> FloatImage:
    """Return the display grey levels, 0 to 255, of an envelope.

    An envelope of `MEAN_ENVELOPE` has the grey level `settings.grey`.
    """
    level_db = 20 * np.log10(np.maximum(envelope, np.float32(1e-6)) / np.float32(MEAN_ENVELOPE))
    grey = np.clip(settings.grey + level_db * np.float32(255 / settings.dynamic_range), 0, 255)
    return np.asarray(grey + np.float32(settings.curve) * (s_curve(grey) - grey), dtype=np.float32)


def s_curve(grey: NDArray[Any]) -> NDArray[Any]:
    """Return the S-shaped grey map of scanners that flatten the darkest and brightest levels."""
    t = grey / np.float32(255)
    return np.asarray(255 * t * t * (3 - 2 * t))
