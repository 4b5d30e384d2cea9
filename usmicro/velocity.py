"""Velocity: what the colours of a colour Doppler image mean, read back through its colour bar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.arrays import ByteImage, FloatImage
from usmicro.view import ColourBar, ColourFlow

MATCH = 12.0
"""Distance in Lab at which a colour's quality falls to 1/e: JPEG and blending with grey echoes cause some 5."""
WITHOUT_BAR = 0.4
"""Quality of the best match where the usual map stands in for a colour bar that was not found."""


def velocity(colour: ColourFlow) -> tuple[FloatImage, FloatImage]:
    """Read the velocity of every flow pixel back from its colour.

    Each colour takes the value of the nearest colour of the bar in Lab. Without a bar the usual map stands in for it, red to yellow
    towards the transducer and blue to cyan away, so that little more than the sign can be relied on.

    Parameters
    ----------
    colour : ColourFlow

    Returns
    -------
    fraction : array, shape (rows, columns), float32
        Velocity over the half range of the bar, positive towards the transducer, NaN where there is no flow: -1 to 1, and further on one
        side if the baseline is shifted. Times pi it is the Doppler phase, in which aliased flow is continuous. Power Doppler: the
        amplitude, 0 to 1.
    quality : array, shape (rows, columns), float32
        0 to 1: how near the colour of the bar was; 0 where there is no flow.

    References
    ----------
    J Clin Ultrasound 23 (1995) 537: colour pixels matched to the colour bar.
    """
    fraction = np.full(colour.mask.shape, np.nan, dtype=np.float32)
    quality = np.zeros(colour.mask.shape, dtype=np.float32)
    fraction[colour.mask], quality[colour.mask] = decode(colour.rgb[colour.mask], colour.bar, power=colour.power)
    return fraction, quality


def decode(colours: ByteImage, bar: ColourBar | None, *, power: bool = False) -> tuple[FloatImage, FloatImage]:
    """Values and qualities of colours, shape (n, 3); see `velocity`."""
    from usmicro.kernels.colour import nearest

    if not len(colours):
        return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.float32)
    palette, values = usual_map(power=power) if bar is None else bar_values(bar)
    codes = colours.astype(np.int32) @ np.array([65536, 256, 1], dtype=np.int32)
    kinds, which = np.unique(codes, return_inverse=True)
    distinct = np.stack([kinds >> 16, kinds >> 8 & 255, kinds & 255], axis=1).astype(np.uint8)
    index = np.empty(len(distinct), dtype=np.int32)
    distance = np.empty(len(distinct), dtype=np.float32)
    nearest(lab(distinct), lab(palette), index, distance)
    quality = np.exp(-((distance / MATCH) ** 2)) * np.float32(1 if bar is not None else WITHOUT_BAR)
    return values[index][which], quality.astype(np.float32)[which]


def lab(colours: ByteImage) -> FloatImage:
    """CIE Lab of sRGB colours, both of shape (n, 3)."""
    import cv2

    converted: FloatImage = cv2.cvtColor(colours[None].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[0]
    return np.ascontiguousarray(converted)


def bar_values(bar: ColourBar) -> tuple[ByteImage, NDArray[np.float32]]:
    """Distinct colours of a bar, (m, 3), and the value that each stands for; a colour shown over a stretch stands for its middle."""
    length = len(bar.colours)
    along = np.arange(length, dtype=np.float32)
    if bar.kind == "power":
        values = 1 - along / max(bar.baseline, 1.0)
    else:
        values = (np.float32(bar.baseline) - along) / np.float32((length - 1) / 2)
    colours = bar.colours.reshape(-1, 3)
    values = np.repeat(values, len(colours) // length)
    palette, which, count = np.unique(colours, axis=0, return_inverse=True, return_counts=True)
    mean = np.bincount(which.ravel(), values, len(palette)) / count
    return palette, mean.astype(np.float32)


def usual_map(*, power: bool) -> tuple[ByteImage, NDArray[np.float32]]:
    """Colours (256, 3) and values of the map that most scanners start with."""
    values = np.linspace(0 if power else -1, 1, 256, dtype=np.float32)
    size = np.abs(values)
    strong, bright = 255 * np.clip(0.35 + 1.3 * size, 0, 1), 255 * np.clip(2 * size - 1, 0, 1)
    nothing = np.zeros_like(values)
    towards, away = np.stack([strong, bright, nothing], axis=1), np.stack([nothing, bright, strong], axis=1)
    return np.where(values[:, None] >= 0, towards, away).round().astype(np.uint8), values
