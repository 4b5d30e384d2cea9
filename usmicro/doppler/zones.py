"""Zones: a focus and its tail along the colour beam, as masks in a window of the grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from usmicro.model.arrays import BoolImage
from usmicro.model.view import View

Window = tuple[slice, slice]
"""Rows and columns of a part of the grid."""


def window_around(view: View, x: float, y: float, radius: float) -> Window:
    """Return the part of the grid within `radius` pixels of a position along either axis."""
    rows, columns = view.shape
    return (
        slice(int(min(max(y - radius, 0), rows)), int(min(max(y + radius + 1, 0), rows))),
        slice(int(min(max(x - radius, 0), columns)), int(min(max(x + radius + 1, 0), columns))),
    )


def zone_of(
    view: View,
    x: float,
    y: float,
    beam: tuple[float, float],
    half_width: float,
    tail: float,
    window: Window,
) -> BoolImage:
    """Return the mask of the tissue pixels of a focus and its tail, in a window of the grid.

    Parameters
    ----------
    view : View
    x, y : float
        Position of the focus, grid pixels.
    beam : pair of float
        Unit vector (x, y) away from the transducer along the colour beam.
    half_width : float
        Half of the width of the zone, grid pixels. The zone begins this far above the focus.
    tail : float
        Length of the tail behind the focus, grid pixels, to which `half_width` is added.
    window : pair of slice

    Returns
    -------
    array, shape of the window, bool
    """
    # only the rows and columns that the zone can reach are computed
    corners = [
        (x + u * beam[0] + v * beam[1], y + u * beam[1] - v * beam[0])
        for u in (-half_width, tail + half_width)
        for v in (-half_width, half_width)
    ]
    corner_x, corner_y = zip(*corners, strict=True)
    part = _span(corner_y, window[0]), _span(corner_x, window[1])
    rows = np.arange(part[0].start, part[0].stop)[:, None]
    columns = np.arange(part[1].start, part[1].stop)[None]
    behind = (columns - x) * beam[0] + (rows - y) * beam[1]
    beside = (columns - x) * beam[1] - (rows - y) * beam[0]
    within_width = np.abs(beside) <= half_width
    within_length = (behind >= -half_width) & (behind <= tail + half_width)
    zone = np.zeros([limits.stop - limits.start for limits in window], np.bool_)
    in_window = tuple(
        slice(span.start - limits.start, span.stop - limits.start)
        for span, limits in zip(part, window, strict=True)
    )
    zone[in_window] = within_width & within_length & view.tissue[part]
    return zone


def _span(positions: Sequence[float], limits: slice) -> slice:
    """Return the rows or columns from the smallest to the largest position, within limits."""
    start, stop = int(min(positions)), int(max(positions)) + 2
    return slice(
        min(max(start, limits.start), limits.stop), max(min(stop, limits.stop), limits.start)
    )
