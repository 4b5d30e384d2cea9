"""Graphics on a black background, found because they are sharp and nothing lies around them.

The dots and ticks of a depth scale along a sector, traces of an ECG, body marks in a black panel
and text beside the tissue are of this kind. The echoes at the rim of the tissue fade over several
pixels and touch their neighbours.
"""

from __future__ import annotations

import cv2
import numpy as np

from usmicro.model.arrays import BoolImage, ByteImage
from usmicro.preparation.connected_parts import ConnectedParts

BLACK = 24
"""Largest grey level of the background. Lossy coding leaves ripples of up to 20 around graphics.
Chosen by eye on simulated screens after JPEG compression of quality 85."""
LEAST_SHARPNESS = 75
"""Smallest difference of the grey levels of touching pixels at the edge of a graphic. Echogenic
foci that were marked by readers reach 58."""
LARGEST_SIDE, LARGEST_SHARE = 100, 0.05
"""Largest shorter side of a graphic in pixels, and largest area as a fraction of the image: a body
mark is 40 to 90 pixels high, a trace is low and wide. Chosen by judgement."""
LEAST_SHARP_SHARE = 0.08
"""Smallest fraction of its pixels that are sharp: a tenth of a filled body mark is. A caliper that
touches an echo in black tissue makes up less of the two. Chosen by eye on BUS-BRA."""
REACH = 4
"""Distance from a sharp edge, in pixels, up to which such a part is a graphic: the width of a
stroke and the blur of its rim. Echoes that touch it further away are kept."""
GAP, THICK = 9, 15
"""Tissue is bright in squares of THICK pixels, if gaps of less than GAP pixels are closed. Traces
and dots are thinner. Chosen by eye on simulated screens."""
SECOND_SHARE = 0.2
"""A part of the image whose area is at least this fraction of that of the largest is tissue, too.
Chosen by judgement."""


def find_graphics_on_black(grey: ByteImage) -> BoolImage:
    """Find sharp bright parts of an image that black surrounds, or that are thin and lead into it.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8

    Returns
    -------
    array, shape (rows, columns), bool
        True near the sharp edges of these parts.
    """
    sharp = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, _square(2)) >= LEAST_SHARPNESS
    if not sharp.any():
        return np.zeros(grey.shape, dtype=bool)
    bright = (grey > BLACK).view(np.uint8)
    drawn = _drawn_parts(cv2.dilate(bright, _square(3)), sharp)
    # a trace and the dots of a scale may touch the tissue, which is thick
    thick = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, _square(GAP))
    thick = cv2.morphologyEx(thick, cv2.MORPH_OPEN, _square(THICK))
    drawn |= _drawn_parts(bright & ~cv2.dilate(thick, _square(3)), sharp)
    if not drawn.any():
        return drawn
    return np.asarray(drawn & (cv2.dilate(sharp.view(np.uint8), _square(2 * REACH + 1)) > 0))


def _drawn_parts(parts: ByteImage, sharp: BoolImage) -> BoolImage:
    """Return the connected parts that are small and sharp."""
    if not (sharp & (parts > 0)).any():
        return np.zeros(sharp.shape, dtype=bool)
    found = ConnectedParts.of(parts, sharp)
    area = found.area
    width, height = found.box[:, 2] - found.box[:, 0], found.box[:, 3] - found.box[:, 1]
    black = parts.size - area.sum()
    small = (np.minimum(width, height) <= LARGEST_SIDE) & (area <= LARGEST_SHARE * parts.size)
    small &= area < SECOND_SHARE * max(area.max(), SECOND_SHARE * black)
    return found.drawn(small & (found.marked >= LEAST_SHARP_SHARE * area))


def _square(side: int) -> ByteImage:
    return np.ones((side, side), np.uint8)
