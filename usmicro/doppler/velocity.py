"""Velocity: what the colours of a colour Doppler image mean, read back through its colour bar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import ByteImage, FloatImage
from usmicro.model.view import ColourBar, ColourFlow

MATCH = 25.0
"""Distance in RGB at which a colour's quality falls to 1/e: JPEG causes some 7."""
OPACITIES = np.round(np.arange(0.5, 1.01, 0.05), 2)
"""Opacities that are tried."""
MOST_GREY = 120.0
"""Brightest echo that colour is mixed with: scanners show brighter ones instead of it."""
AS_WELL = 1.5
"""An opacity explains the colours as well as the best one if they are off by so many times as much, and a level."""
LEAST_MIXED, MOST_MIXED = 50, 600
"""Flow pixels from which an opacity is told, and how many are looked at."""
WITHOUT_BAR = 0.4
"""Quality of the best match where the usual map stands in for a colour bar that was not found."""


def velocity(colour: ColourFlow) -> tuple[FloatImage, FloatImage]:
    """Read the velocity of every flow pixel back from its colour.

    Each colour takes the value of the nearest colour of the bar. Where the scanner mixes colours with the echoes below, as it is found to
    from the colours themselves, those of the bar are mixed alike. Without a bar the usual map stands in for it, red to yellow towards the
    transducer and blue to cyan away, so that little more than the sign can be relied on.

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
    colours = colour.rgb[colour.mask]
    opacity = find_opacity(colours, colour.bar)
    fraction[colour.mask], quality[colour.mask] = decode(
        colours, colour.bar, power=colour.power, opacity=opacity
    )
    return fraction, quality


def decode(
    colours: ByteImage, bar: ColourBar | None, *, power: bool = False, opacity: float = 1.0
) -> tuple[FloatImage, NDArray[np.float32]]:
    """Values and qualities of colours, shape (n, 3); see `velocity`."""
    if not len(colours):
        return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.float32)
    palette, values = usual_map(power=power) if bar is None else bar_values(bar)
    kinds, which = np.unique(_codes(colours), return_inverse=True)
    index, distance = _nearest(_colours(kinds), palette, opacity)
    quality = np.exp(-((distance / MATCH) ** 2)) * np.float32(1 if bar is not None else WITHOUT_BAR)
    return values[index][which], quality.astype(np.float32)[which]


def _nearest(
    colours: ByteImage, palette: ByteImage, opacity: float
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For each colour (n, 3) the nearest of a palette mixed with grey, and its distance in RGB."""
    from usmicro.kernels.colour import nearest

    index, distance = (
        np.empty(len(colours), dtype=np.int32),
        np.empty(len(colours), dtype=np.float32),
    )
    nearest(
        np.ascontiguousarray(colours, np.float32),
        palette.astype(np.float32),
        opacity,
        MOST_GREY,
        index,
        distance,
    )
    return index, distance


def find_opacity(colours: ByteImage, bar: ColourBar | None) -> float:
    """Share of the bar's colours in flow pixels, shape (n, 3), of which the rest is grey: the largest that explains them as well as any.

    1 without a one-dimensional velocity bar: more than one mixture explains the colours of the others.
    """
    if bar is None or bar.kind != "velocity" or len(colours) < LEAST_MIXED:
        return 1.0
    palette, _ = bar_values(bar)
    some = colours[:: max(len(colours) // MOST_MIXED, 1)]
    off = np.array([np.median(_nearest(some, palette, opacity)[1]) for opacity in OPACITIES])
    return float(OPACITIES[np.flatnonzero(off <= AS_WELL * off.min() + 1).max()])


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
    kinds, which, count = np.unique(_codes(colours), return_inverse=True, return_counts=True)
    mean = np.bincount(which.ravel(), values, len(kinds)) / count
    return _colours(kinds), mean.astype(np.float32)


def _codes(colours: ByteImage) -> NDArray[np.int32]:
    """One number for each colour (n, 3)."""
    return colours.astype(np.int32) @ np.array([65536, 256, 1], dtype=np.int32)


def _colours(codes: NDArray[np.int32]) -> ByteImage:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)


def usual_map(*, power: bool) -> tuple[ByteImage, NDArray[np.float32]]:
    """Colours (256, 3) and values of the map that most scanners start with."""
    values = np.linspace(0 if power else -1, 1, 256, dtype=np.float32)
    size = np.abs(values)
    strong, bright = 255 * np.clip(0.35 + 1.3 * size, 0, 1), 255 * np.clip(2 * size - 1, 0, 1)
    nothing = np.zeros_like(values)
    towards, away = (
        np.stack([strong, bright, nothing], axis=1),
        np.stack([nothing, bright, strong], axis=1),
    )
    return np.where(values[:, None] >= 0, towards, away).round().astype(np.uint8), values
