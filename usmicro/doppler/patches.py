"""Colour patches, which may be caused by a focus without a visible echo.

The colours of twinkling, or a ligament, can hide the echo of the focus.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import bounding_box
from usmicro.model.view import View
from usmicro.numerics.quantiles import quantile
from usmicro.settings import TwinklingSettings

LEAST_PATCH_CELLS = 4.0
"""Smallest area of a colour patch, in squares of `twinkling.cell`: smaller ones are mostly noise.

The rules for patches were chosen on the simulated clips of seeds 20000 to 20019 (docs/accuracy.md).
"""
PATCH_HEAD_MM = 1.0
"""Depth of the head of a patch, mm: the part nearest to the transducer, which holds the focus.

The rules for patches were chosen on the simulated clips of seeds 20000 to 20019 (docs/accuracy.md).
"""
NOISE_BEFORE_HEAD = 0.05
"""Share of the pixels of a patch, nearest to the transducer, that may be noise before its head.

The rules for patches were chosen on the simulated clips of seeds 20000 to 20019 (docs/accuracy.md).
"""


def colour_patch_heads(
    view: View, settings: TwinklingSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the heads of the colour patches; a focus that twinkles lies at the head of its patch.

    Coloured pixels less than one colour cell apart form a patch. Vessels form patches too; only the
    evidence of many frames distinguishes them from twinkling. No patches are returned for power
    Doppler, whose colours have no phase, or for a frame with a flash.

    Parameters
    ----------
    view : View
    settings : TwinklingSettings

    Returns
    -------
    x, y : array, shape (n,), float64
        Grid columns and rows of the heads.
    """
    import cv2

    no_heads = np.empty(0), np.empty(0)
    colour = view.colour
    if colour is None or colour.power:
        return no_heads
    coloured = colour.mask & colour.box
    most_coloured = settings.flash * np.count_nonzero(colour.box)
    if not coloured.any() or np.count_nonzero(coloured) > most_coloured:
        return no_heads
    cell = view.grid.pixels(settings.cell)
    width = 2 * round(cell / 2) + 1
    left, top, right, bottom = bounding_box(coloured)
    coloured = coloured[top:bottom, left:right]
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    count, labels = cv2.connectedComponents(cv2.dilate(coloured.view(np.uint8), disc))
    y, x = np.divmod(np.flatnonzero(coloured), coloured.shape[1])
    patch_of, x, y = labels[y, x], x + left, y + top
    depth = view.scan_lines.depth(x, y)
    heads = []
    for patch in range(1, count):
        in_patch = patch_of == patch
        if np.count_nonzero(in_patch) >= LEAST_PATCH_CELLS * cell * cell:
            nearest = quantile(depth[in_patch], NOISE_BEFORE_HEAD)
            head = in_patch & (depth <= nearest + view.grid.pixels(PATCH_HEAD_MM))
            heads.append((float(x[head].mean()), float(y[head].mean())))
    positions = np.array(heads).reshape(-1, 2)
    return positions[:, 0], positions[:, 1]
