"""Colour maps of colour Doppler: from velocity or power to RGB."""

from __future__ import annotations

import numpy as np

from usmicro.model.arrays import ByteImage

FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

TABLE_LENGTH = 256
"""Number of colours of a map."""

LARGEST_VARIANCE_GREEN = 210
"""Green level, 0 to 255, that the map with variance gives to the largest variance."""

_STOPS: dict[str, tuple[tuple[float, tuple[int, int, int]], ...]] = {
    "red-blue": (
        (1, (255, 240, 60)),
        (0.55, (250, 110, 10)),
        (0.02, (110, 0, 0)),
        (-0.02, (0, 0, 110)),
        (-0.55, (10, 100, 250)),
        (-1, (90, 245, 255)),
    ),
    "red-blue plain": (
        (1, (255, 70, 60)),
        (0.02, (80, 0, 0)),
        (-0.02, (0, 0, 80)),
        (-1, (70, 90, 255)),
    ),
    "red-green": (
        (1, (255, 230, 150)),
        (0.5, (235, 60, 30)),
        (0.02, (90, 0, 20)),
        (-0.02, (0, 20, 90)),
        (-0.5, (10, 140, 140)),
        (-1, (140, 255, 120)),
    ),
    "yellow-green": (
        (1, (255, 255, 140)),
        (0.5, (200, 150, 0)),
        (0.02, (90, 50, 0)),
        (-0.02, (0, 70, 30)),
        (-0.5, (0, 150, 60)),
        (-1, (170, 255, 170)),
    ),
    "variance": (
        (1, (255, 60, 60)),
        (0.02, (110, 0, 0)),
        (-0.02, (0, 0, 110)),
        (-1, (60, 60, 255)),
    ),
    "power": (
        (1, (255, 245, 120)),
        (0.5, (250, 130, 10)),
        (0.15, (150, 20, 10)),
        (0, (60, 0, 10)),
    ),
}
"""Nodes of each map, between which colours are interpolated: value and RGB.

A velocity goes from +1, towards the transducer, to -1, away from it; a power goes from 1 to 0.
"""


def colour_table(name: str) -> ByteImage:
    """Return the colours of a map, shape (256, 3), in the order of a bar from top to bottom.

    The first colour is that of velocity +1, or of the highest power.
    """
    stops = _STOPS[name]
    values = np.linspace(1, stops[-1][0], TABLE_LENGTH)
    # np.interp needs increasing nodes
    nodes = np.array([value for value, _ in reversed(stops)])
    colours = np.array([colour for _, colour in reversed(stops)], float)
    channels = [np.interp(values, nodes, colours[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def coloured(
    value: FloatArray, name: str, *, shift: float = 0.0, variance: FloatArray | None = None
) -> ByteImage:
    """Return the colours of velocities or powers.

    Parameters
    ----------
    value : array
        Velocities from shift - 1 to shift + 1 as fractions of the velocity limit, or powers from
        0 to 1.
    name : str
        Name of the colour map.
    shift : float
        Shift of the baseline as a fraction of the velocity limit. The map is stretched on one side
        of the baseline and compressed on the other.
    variance : array, shape of `value`, optional
        Variance, 0 to 1, which adds green.

    Returns
    -------
    array, shape of `value` plus (3,), uint8
    """
    table = colour_table(name)
    lowest = -1.0 if name != "power" else 0.0
    in_map = np.where(value > 0, value / (1 + shift), value / (1 - shift))
    fraction = (1 - np.clip(in_map, lowest, 1)) / (1 - lowest)
    colours = table[np.rint(fraction * (TABLE_LENGTH - 1)).astype(np.intp)]
    if variance is not None:
        green = colours[..., 1].astype(np.float32)
        green_added = (LARGEST_VARIANCE_GREEN - green) * np.clip(variance, 0, 1)
        colours[..., 1] = np.rint(colours[..., 1] + green_added).astype(np.uint8)
    return np.asarray(colours)


def bar_colours(name: str, length: int, width: int, *, shift: float = 0.0) -> ByteImage:
    """Return the pixels of a vertical colour bar, shape (length, width, 3).

    `shift` is the shift of the baseline as a fraction of the velocity limit.
    """
    lowest = 0.0 if name == "power" else shift - 1
    value = np.linspace(shift + 1, lowest, length, dtype=np.float32)
    across = np.linspace(0, 1, width, dtype=np.float32)
    variance = np.tile(across, (length, 1)) if name == "variance" else None
    return coloured(np.tile(value[:, None], (1, width)), name, shift=shift, variance=variance)
