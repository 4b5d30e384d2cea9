"""Colour maps of colour Doppler: from velocity or power to RGB."""

from __future__ import annotations

import numpy as np

from usmicro.arrays import ByteImage

STEPS = 256
# from +1, towards the transducer, to -1, away; power from the strongest to none
_STOPS = {
    "red-blue": [
        *((1, (255, 240, 60)), (0.55, (250, 110, 10)), (0.02, (110, 0, 0))),
        *((-0.02, (0, 0, 110)), (-0.55, (10, 100, 250)), (-1, (90, 245, 255))),
    ],
    "red-blue plain": [(1, (255, 70, 60)), (0.02, (80, 0, 0)), (-0.02, (0, 0, 80)), (-1, (70, 90, 255))],
    "red-green": [
        *((1, (255, 230, 150)), (0.5, (235, 60, 30)), (0.02, (90, 0, 20))),
        *((-0.02, (0, 20, 90)), (-0.5, (10, 140, 140)), (-1, (140, 255, 120))),
    ],
    "power": [(1, (255, 245, 120)), (0.5, (250, 130, 10)), (0.15, (150, 20, 10)), (0, (60, 0, 10))],
}


def colour_table(name: str) -> ByteImage:
    """Colours of a map, shape (256, 3), first the end that is drawn on top: +1, or the strongest power."""
    stops = _STOPS[name]
    values = np.linspace(1, stops[-1][0], STEPS)
    at, colours = np.array([value for value, _ in stops][::-1]), np.array([colour for _, colour in stops][::-1], float)
    return np.stack([np.interp(values, at, colours[:, channel]) for channel in range(3)], axis=1).round().astype(np.uint8)


def coloured(value: np.ndarray[tuple[int, ...], np.dtype[np.float32]], name: str) -> ByteImage:
    """RGB of velocities from -1 to 1, or of powers from 0 to 1."""
    table = colour_table(name)
    lowest = -1.0 if name != "power" else 0.0
    index = np.rint((1 - np.clip(value, lowest, 1)) / (1 - lowest) * (STEPS - 1)).astype(np.intp)
    return np.asarray(table[index])
