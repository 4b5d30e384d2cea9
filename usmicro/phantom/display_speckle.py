"""Display images of pure speckle, simulated directly in image space.

They are faster to make than scans by `usmicro.phantom.simulate`, and every property of the display
can be chosen. `training.false_alarm` measures on them how strongly the detector responds to speckle
alone, and `benchmarks.false_alarms` counts the foci that it finds in them. Neither may import the
other, so the simulation is part of the package.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from usmicro.model.arrays import ByteImage

FWHM_PER_SIGMA = 2.355
"""Full width at half maximum of a Gaussian over its standard deviation: 2 sqrt(2 ln 2)."""

REFERENCE_GREY = 110
"""Grey level, 0 to 255, of the root mean square envelope before the grey map.

About the reference level of simulated scans (`PhantomSettings.grey`); chosen by eye, no measurement
is recorded.
"""


@dataclass(frozen=True)
class SpeckleKind:
    """Properties of pure speckle as a scanner may display it."""

    across: float
    """Full width at half maximum of the point-spread function across the beam, pixels."""
    along: float
    """Full width at half maximum of the point-spread function along the beam, pixels."""
    shape: float | None = None
    """Shape parameter of the gamma-distributed scattering power; None gives Rayleigh speckle.

    The power is constant over rectangles of `across` x `along`, of which a resolution cell contains
    several. The amplitude SNR of the envelope, measured by tests/phantom/test_display_speckle.py,
    is 1.91 for None, 1.81 for 4.5 and 1.61 for 1.25. If a whole cell had the same power, it would
    be 1.7 for 4.5 and 1.35 for 1.25.
    """
    looks: int = 1
    """Number of independent envelopes that are averaged, as in spatial compounding."""
    decibels: float = 60.0
    """Dynamic range of the display, dB."""
    gamma: float = 1.0
    """Exponent of the grey map."""
    smoothing: float = 0.0
    """Standard deviation of a Gaussian filter of the display image, pixels; 0: no filter."""
    quality: int = 0
    """Quality of a JPEG compression of the display image; 0: no compression."""


def speckle_image(rng: np.random.Generator, kind: SpeckleKind, size: tuple[int, int]) -> ByteImage:
    """Simulate a display image of pure speckle.

    Parameters
    ----------
    rng : numpy.random.Generator
    kind : SpeckleKind
    size : (int, int)
        Rows and columns.

    Returns
    -------
    array, shape (rows, columns), uint8
    """
    power = np.ones(size, np.float32)
    if kind.shape is not None:
        cell = int(kind.along), int(kind.across)
        cells = size[0] // cell[0] + 1, size[1] // cell[1] + 1
        cell_power = rng.gamma(kind.shape, 1 / kind.shape, cells).astype(np.float32)
        power = np.kron(cell_power, np.ones(cell, np.float32))[: size[0], : size[1]]
    sigma_across, sigma_along = kind.across / FWHM_PER_SIGMA, kind.along / FWHM_PER_SIGMA
    envelope = np.zeros(size, np.float32)
    for _ in range(kind.looks):
        scatterers = rng.normal(size=(2, *size)).astype(np.float32) * np.sqrt(power)
        real, imaginary = (
            cv2.GaussianBlur(part, (0, 0), sigma_across, sigmaY=sigma_along) for part in scatterers
        )
        envelope += np.hypot(real, imaginary)
    relative = envelope / np.sqrt(np.mean(envelope**2))
    level = REFERENCE_GREY / 255 + 20 * np.log10(relative + 1e-9) / kind.decibels
    grey = (np.clip(level, 0, 1) ** kind.gamma * 255).astype(np.float32)
    if kind.smoothing:
        grey = cv2.GaussianBlur(grey, (0, 0), kind.smoothing)
    displayed = np.round(grey).astype(np.uint8)
    if kind.quality:
        encoded = cv2.imencode(".jpg", displayed, [cv2.IMWRITE_JPEG_QUALITY, kind.quality])[1]
        displayed = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
    return np.asarray(displayed, dtype=np.uint8)
