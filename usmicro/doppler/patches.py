"""Mosaics: where twinkling may come from although no echo was found there, since its own colours, or a ligament, hide the focus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import bounding_box
from usmicro.model.view import View
from usmicro.numerics.quantiles import quantile
from usmicro.settings import TwinklingSettings

LEAST_CELLS = 4.0
"""Colour cells that a patch holds at least."""
HEAD_MM = 1.0
"""The part of a patch nearest to the transducer, in which the focus must lie."""
FIRST = 0.05
"""Share of a patch that may be noise in front of its head."""


def colour_patch_heads(
    view: View, settings: TwinklingSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Grid columns and rows of the heads of the patches of colour: a focus that twinkles is at the head of its own.

    Cells of colour less than one cell apart form a patch. Vessels are patches too; only the evidence of many frames tells them apart.
    There are none in power Doppler, whose colours have no phase, nor in a flash.
    """
    import cv2

    nothing = np.empty(0), np.empty(0)
    colour = view.colour
    if colour is None or colour.power:
        return nothing
    lit = colour.mask & colour.box
    if not lit.any() or np.count_nonzero(lit) > settings.flash * np.count_nonzero(colour.box):
        return nothing
    cell = view.grid.pixels(settings.cell)
    width = 2 * round(cell / 2) + 1
    left, top, right, bottom = bounding_box(lit)
    lit = lit[top:bottom, left:right]
    joined = cv2.dilate(
        lit.view(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    )
    count, labels = cv2.connectedComponents(joined)
    y, x = np.divmod(np.flatnonzero(lit), lit.shape[1])
    number, x, y = labels[y, x], x + left, y + top
    depth = view.scan_lines.depth(x, y)
    heads = []
    for patch in range(1, count):
        own = number == patch
        if np.count_nonzero(own) >= LEAST_CELLS * cell * cell:
            first = own & (depth <= quantile(depth[own], FIRST) + view.grid.pixels(HEAD_MM))
            heads.append((float(x[first].mean()), float(y[first].mean())))
    found = np.array(heads).reshape(-1, 2)
    return found[:, 0], found[:, 1]
