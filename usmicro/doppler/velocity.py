"""Velocity: values of the colours of a colour Doppler image, according to its colour bar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import ByteImage, FloatImage
from usmicro.model.view import ColourBar, ColourFlow

MATCH_DISTANCE = 25.0
"""Distance in RGB from the bar's colours at which the quality of a colour falls to 1/e.

JPEG compression changes colours by about 7; the colours of other maps are farther away. Chosen by
eye; no measurement of the choice is recorded.
"""
OPACITIES = np.round(np.arange(0.5, 1.01, 0.05), 2)
"""Opacities that are tried.

Below one half, most of a colour would be grey. Chosen by eye; no measurement is recorded.
"""
BRIGHTEST_MIXED_GREY = 120.0
"""Brightest echo with which a colour is mixed, grey level.

Instead of a colour, scanners show echoes that are brighter.

Chosen by eye; no measurement is recorded.
"""
RESIDUAL_RATIO = 1.5
"""An opacity is accepted up to this many times the smallest median residual, plus one level.

The residual is the distance in RGB from the mixed bar. Chosen by eye; no measurement is recorded.
The resulting velocities of simulated clips are assessed in docs/accuracy.md ("colour mixed with
grey").
"""
LEAST_FLOW_PIXELS, MOST_FLOW_PIXELS = 50, 600
"""Smallest and approximate largest number of flow pixels from which an opacity is estimated.

With fewer pixels the median is unsteady; more pixels only take time. Chosen by eye; no measurement
is recorded.
"""
QUALITY_WITHOUT_BAR = 0.4
"""Quality of a perfect match with the default map, which is used where no colour bar was found.

Chosen by eye; no measurement is recorded.
"""


def velocity(colour: ColourFlow) -> tuple[FloatImage, FloatImage]:
    """Determine the velocity of every flow pixel from its colour.

    Each pixel takes the value of the nearest colour of the bar. The opacity with which the scanner
    mixes colours and echoes is estimated, and the colours of the bar are mixed in the same way.
    Without a bar, a default map is used: red to yellow towards the transducer, blue to cyan away
    from it. Little more than the sign is then reliable.

    Parameters
    ----------
    colour : ColourFlow

    Returns
    -------
    fraction : array, shape (rows, columns), float32
        Velocity divided by half of the range of the bar, positive towards the transducer; NaN where
        there is no flow. It lies between -1 and 1, or exceeds one of these limits if the baseline
        is shifted. Multiplied by pi it is the Doppler phase, in which aliased flow is continuous.
        For power Doppler it is the amplitude, 0 to 1.
    quality : array, shape (rows, columns), float32
        Closeness of the match, 0 to 1; 0 where there is no flow.

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
    """Determine the values of colours.

    Parameters
    ----------
    colours : array, shape (n, 3), uint8
        RGB of flow pixels.
    bar : ColourBar or None
        None selects the default map.
    power : bool
        True to select the default map of power Doppler.
    opacity : float
        Share of the bar's colours in the flow pixels, 0 to 1; the rest is grey.

    Returns
    -------
    fraction, quality : array, shape (n,), float32
        As returned by `velocity`.
    """
    if not len(colours):
        return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.float32)
    palette, values = default_map(power=power) if bar is None else bar_values(bar)
    distinct, inverse = np.unique(_codes_of(colours), return_inverse=True)
    index, distance = _nearest(_colours_of(distinct), palette, opacity)
    best_quality = np.float32(1 if bar is not None else QUALITY_WITHOUT_BAR)
    quality = np.exp(-((distance / MATCH_DISTANCE) ** 2)) * best_quality
    return values[index][inverse], quality.astype(np.float32)[inverse]


def _nearest(
    colours: ByteImage, palette: ByteImage, opacity: float
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the index of the nearest palette colour for each colour, and the distance in RGB.

    The palette has shape (m, 3), the colours (n, 3), both results (n,). Each palette colour is
    mixed with the grey level that brings it nearest to the colour.
    """
    from usmicro.kernels.colour import nearest_palette_colours

    index = np.empty(len(colours), dtype=np.int32)
    distance = np.empty(len(colours), dtype=np.float32)
    nearest_palette_colours(
        np.ascontiguousarray(colours, np.float32),
        palette.astype(np.float32),
        opacity,
        BRIGHTEST_MIXED_GREY,
        index,
        distance,
    )
    return index, distance


def find_opacity(colours: ByteImage, bar: ColourBar | None) -> float:
    """Estimate the opacity of the colours in flow pixels.

    Parameters
    ----------
    colours : array, shape (n, 3), uint8
        RGB of flow pixels.
    bar : ColourBar or None

    Returns
    -------
    float
        Share of the bar's colours, 0 to 1, the rest being grey: the largest of `OPACITIES` that
        explains the pixels nearly as well as the best. 1 without a one-dimensional velocity bar,
        because several mixtures explain the colours of other bars.
    """
    if bar is None or bar.kind != "velocity" or len(colours) < LEAST_FLOW_PIXELS:
        return 1.0
    palette, _ = bar_values(bar)
    sample = colours[:: max(len(colours) // MOST_FLOW_PIXELS, 1)]
    residuals = np.array(
        [np.median(_nearest(sample, palette, opacity)[1]) for opacity in OPACITIES]
    )
    accepted = residuals <= RESIDUAL_RATIO * residuals.min() + 1
    return float(OPACITIES[np.flatnonzero(accepted).max()])


def bar_values(bar: ColourBar) -> tuple[ByteImage, NDArray[np.float32]]:
    """Return the distinct colours of a bar and their values.

    Parameters
    ----------
    bar : ColourBar

    Returns
    -------
    colours : array, shape (m, 3), uint8
        RGB.
    values : array, shape (m,), float32
        Values like the fraction that `velocity` returns. A colour in several rows of the bar has
        their mean value.
    """
    length = len(bar.colours)
    row = np.arange(length, dtype=np.float32)
    if bar.kind == "power":
        values = 1 - row / max(bar.baseline, 1.0)
    else:
        values = (np.float32(bar.baseline) - row) / np.float32((length - 1) / 2)
    colours = bar.colours.reshape(-1, 3)
    values = np.repeat(values, len(colours) // length)
    distinct, inverse, count = np.unique(
        _codes_of(colours), return_inverse=True, return_counts=True
    )
    mean = np.bincount(inverse.ravel(), values, len(distinct)) / count
    return _colours_of(distinct), mean.astype(np.float32)


def _codes_of(colours: ByteImage) -> NDArray[np.int32]:
    """Return one integer (n,) for each RGB colour (n, 3)."""
    return colours.astype(np.int32) @ np.array([65536, 256, 1], dtype=np.int32)


def _colours_of(codes: NDArray[np.int32]) -> ByteImage:
    """Return the RGB colours (n, 3) of integers (n,) from `_codes_of`."""
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)


def default_map(*, power: bool) -> tuple[ByteImage, NDArray[np.float32]]:
    """Return colours (256, 3), uint8 RGB, and values (256,) of the default map of most scanners."""
    values = np.linspace(0 if power else -1, 1, 256, dtype=np.float32)
    size = np.abs(values)
    strong, bright = 255 * np.clip(0.35 + 1.3 * size, 0, 1), 255 * np.clip(2 * size - 1, 0, 1)
    nothing = np.zeros_like(values)
    towards = np.stack([strong, bright, nothing], axis=1)
    away = np.stack([nothing, bright, strong], axis=1)
    return np.where(values[:, None] >= 0, towards, away).round().astype(np.uint8), values
