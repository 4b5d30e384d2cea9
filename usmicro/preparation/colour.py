"""Colour Doppler pixels, colour box and colour bar of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from usmicro.arrays import BoolImage, ByteImage
from usmicro.scan import Region
from usmicro.view import ColourBar


@dataclass(frozen=True, slots=True)
class ScreenColour:
    """What is coloured on a screen, in pixels of the input image."""

    mask: BoolImage
    """Pixels that show colour flow."""
    box: BoolImage
    """Pixels inside the colour box; all False where the screen has none."""
    bar: ColourBar | None
    power: bool
    """Power Doppler: no sign."""
    interface: BoolImage
    """Saturated pixels that are not flow: colour bar, coloured text, calipers, outline of the colour box, body marks."""


def separate_colour(frame: ByteImage, regions: Sequence[Region] = ()) -> ScreenColour | None:
    """Tell colour flow and coloured interface elements from grey echoes.

    Parameters
    ----------
    frame : array, shape (rows, columns, 3), uint8
        RGB.
    regions : sequence of Region
        Rectangles that the file declares; "colour flow" and "colour bar" are used.

    Returns
    -------
    ScreenColour or None
        None where nothing is coloured beyond one tint of grey.
    """
    values = frame.astype(np.int16)
    if int((values.max(axis=2) - values.min(axis=2)).max()) < 24:
        return None
    box = np.zeros(frame.shape[:2], dtype=bool)
    for region in regions:
        if region.kind == "colour flow":
            box[region.top : region.bottom, region.left : region.right] = True
    coloured = values.max(axis=2) - values.min(axis=2) > 60
    return ScreenColour(mask=coloured & box, box=box, bar=None, power=False, interface=coloured & ~box)
