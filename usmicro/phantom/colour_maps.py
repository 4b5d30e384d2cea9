"""Colour maps of colour Doppler: from velocity or power to RGB."""

from __future__ import annotations

import numpy as np

from usmicro.model.arrays import ByteImage

FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
STEPS = 256
GREENEST = 210
"""Green of the largest variance."""
# from +1, towards the transducer, to -1, away; power from the strongest to none
_STOPS = {
    "red-blue": [
        *((1, (255, 240, 60)), (0.55, (250, 110, 10)), (0.02, (110, 0, 0))),
        *((-0.02, (0, 0, 110)), (-0.55, (10, 100, 250)), (-1, (90, 245, 255))),
    ],
    "red-blue plain": [
        (1, (255, 70, 60)),
        (0.02, (80, 0, 0)),
        (-0.02, (0, 0, 80)),
        (-1, (70, 90, 255)),
    ],
    "red-green": [
        *((1, (255, 230, 150)), (0.5, (235, 60, 30)), (0.02, (90, 0, 20))),
        *((-0.02, (0, 20, 90)), (-0.5, (10, 140, 140)), (-1, (140, 255, 120))),
    ],
    "yellow-green": [
        *((1, (255, 255, 140)), (0.5, (200, 150, 0)), (0.02, (90, 50, 0))),
        *((-0.02, (0, 70, 30)), (-0.5, (0, 150, 60)), (-1, (170, 255, 170))),
    ],
    "variance": [
        (1, (255, 60, 60)),
        (0.02, (110, 0, 0)),
        (-0.02, (0, 0, 110)),
        (-1, (60, 60, 255)),
    ],
    "power": [(1, (255, 245, 120)), (0.5, (250, 130, 10)), (0.15, (150, 20, 10)), (0, (60, 0, 10))],
}


def colour_table(name: str) -> ByteImage:
    """Colours of a map, shape (256, 3), first the end that is drawn on top: +1, or the strongest power."""
    stops = _STOPS[name]
    values = np.linspace(1, stops[-1][0], STEPS)
    at, colours = (
        np.array([value for value, _ in stops][::-1]),
        np.array([colour for _, colour in stops][::-1], float),
    )
    return (
        np.stack([np.interp(values, at, colours[:, channel]) for channel in range(3)], axis=1)
        .round()
        .astype(np.uint8)
    )


def coloured(
    value: FloatArray, name: str, *, shift: float = 0.0, variance: FloatArray | None = None
) -> ByteImage:
    """RGB of velocities from -1 to 1, or of powers from 0 to 1.

    With its baseline shifted a map is stretched on the one side and squeezed on the other, so that velocities from shift - 1 to
    shift + 1 have colours. Variance, 0 to 1, adds green: the second dimension of the map of that name.
    """
    table = colour_table(name)
    lowest = -1.0 if name != "power" else 0.0
    in_map = np.where(value > 0, value / (1 + shift), value / (1 - shift))
    index = np.rint((1 - np.clip(in_map, lowest, 1)) / (1 - lowest) * (STEPS - 1)).astype(np.intp)
    colours = table[index]
    if variance is not None:
        green = colours[..., 1] + (GREENEST - colours[..., 1].astype(np.float32)) * np.clip(
            variance, 0, 1
        )
        colours[..., 1] = np.rint(green).astype(np.uint8)
    return np.asarray(colours)


def bar_colours(name: str, length: int, width: int, *, shift: float = 0.0) -> ByteImage:
    """Colours of a colour bar, shape (length, width, 3), first the end that is drawn on top."""
    lowest = 0.0 if name == "power" else shift - 1
    value = np.linspace(shift + 1, lowest, length, dtype=np.float32)
    across = np.linspace(0, 1, width, dtype=np.float32)
    variance = np.tile(across, (length, 1)) if name == "variance" else None
    return coloured(np.tile(value[:, None], (1, width)), name, shift=shift, variance=variance)
