"""The outline of a scan area: a textured part of the screen, completed to a rectangle or sector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, FloatImage, bounding_box

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are one past the last."""
LEAST_SIDE = 16
"""Smallest width and height of a scan area in pixels. Chosen by eye; no measurement is recorded."""
LEAST_SLOPE = 0.08
"""Smallest slope of a slanted side, mm across per mm down: 4.6 degrees. Chosen by eye; no
measurement is recorded."""
CROPPED = 0.97
"""Fraction of the width of the screen above which a scan area that also reaches the top is an image
cropped to its tissue. Chosen by eye; no measurement is recorded."""
LEFT_PERCENTILE, TOP_PERCENTILE, RIGHT_PERCENTILE, BOTTOM_PERCENTILE = 20, 40, 80, 98
"""Percentiles of the edges of a component that give its rectangle. They leave out text that touches
the top or a side, and keep depths that are dark over most of the width. Chosen by eye; no
measurement is recorded."""
LEAST_EDGE_ROWS, LEAST_EDGE_FRACTION = 12, 0.2
"""Smallest number of rows with an edge point, and smallest fraction of the rows, from which a
slanted side is fitted. Chosen by eye; no measurement is recorded."""
FIT_POINTS, LEAST_FIT_DISTANCE = 40, 5
"""Number of edge points whose pairs are tried as lines; a pair is at least 1 / LEAST_FIT_DISTANCE
of the rows apart. Chosen by eye; no measurement is recorded."""
BORDER_DISTANCE = 2
"""An edge point this close to the border of the image, in reduced pixels, may be cut by it and is
left out of the fit of a side."""
FIT_TOLERANCE = 1.5
"""Largest distance of a point from a fitted side, in reduced pixels: rounding and one more."""
LEAST_VOTES = 0.4
"""Smallest number of points on a fitted side, less two for each point outside, as a fraction.
Chosen by eye; no measurement is recorded."""
CORNER_SLACK = 3.0
"""Columns in which the upper edge is less than this many rows below a side are left out: their edge
belongs to the side. Chosen by eye; no measurement is recorded."""
LEAST_ARC_COLUMNS = 8
"""Smallest number of columns from which an arc is fitted; with fewer all columns are used. Chosen
by eye; no measurement is recorded."""
INNER_PERCENTILE, OUTER_PERCENTILE = 20, 90
"""Percentiles of the radius of the edge points that give the inner and the outer arc. Chosen by
eye; no measurement is recorded."""
MIDDLE_COLUMNS = 0.35
"""The outer arc is fitted to columns within this fraction of the width from the apex. Chosen by
eye; no measurement is recorded."""


@dataclass(frozen=True, slots=True)
class Side:
    """A straight side of the scan area: column = offset + slope * row, in input pixels."""

    offset: float
    slope: float


@dataclass(frozen=True, slots=True)
class ScanArea:
    """One scan area of the screen, in input pixels."""

    mask: BoolImage
    """True where the transducer may show an echo, dark or not; shape of the whole frame."""
    box: Box
    """Box around the mask."""
    sides: tuple[Side, Side] | None = None
    """Left and right side of a sector or trapezoid, which are slanted apart; None for a
    rectangle."""
    left_out: tuple[Box, ...] = ()
    """Boxes around other large textured parts of the screen, which no scan area covers. Only the
    first scan area has them."""


def completed(
    component: BoolImage, shape: tuple[int, int], aspect: float, *, alone: bool
) -> ScanArea | None:
    """Complete a component of the reduced image to a rectangle or sector of the frame.

    Parameters
    ----------
    component : array, shape (reduced rows, reduced columns), bool
        Connected part with texture.
    shape : tuple of int
        Rows and columns of the frame.
    aspect : float
        Height of a pixel over its width.
    alone : bool
        True if it is the only component.

    Returns
    -------
    ScanArea or None
        None if the outline is too small.
    """
    rows, columns = shape
    scale_x, scale_y = columns / component.shape[1], rows / component.shape[0]
    left, top, right, bottom = bounding_box(component)
    within = component[top:bottom, left:right]
    # edges in input pixels: first and last column of every row, first and last row of every column
    row = (np.arange(top, bottom) + 0.5) * scale_y - 0.5
    first = (left + within.argmax(axis=1)) * scale_x - 0.5
    last = (right - within[:, ::-1].argmax(axis=1)) * scale_x - 0.5
    column = (np.arange(left, right) + 0.5) * scale_x - 0.5
    highest = (top + within.argmax(axis=0)) * scale_y - 0.5
    lowest = (bottom - within[::-1].argmax(axis=0)) * scale_y - 0.5

    border = BORDER_DISTANCE * scale_x
    left_side = slanted_side(row, first, first > border, scale_x, aspect)
    mirrored = slanted_side(row, -last, last < columns - 0.5 - border, scale_x, aspect)
    y, x = np.arange(rows, dtype=np.float32)[:, None], np.arange(columns, dtype=np.float32)[None, :]
    if left_side is None or mirrored is None:
        box = [
            np.percentile(first, LEFT_PERCENTILE),
            np.percentile(highest, TOP_PERCENTILE),
            np.percentile(last, RIGHT_PERCENTILE),
            np.percentile(lowest, BOTTOM_PERCENTILE),
        ]
        if alone and box[2] - box[0] > CROPPED * columns and box[1] < (1 - CROPPED) * rows:
            # in an image that is cropped to its tissue, black rows below are depth
            box[3] = rows - 0.5
        mask = (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
        sides = None
    else:
        sides = (left_side, Side(-mirrored.offset, -mirrored.slope))
        mask = (x > sides[0].offset + sides[0].slope * y) & (
            x < sides[1].offset + sides[1].slope * y
        )
        mask &= _between_arcs(x, y, sides, column, highest, lowest, aspect)
    mask = np.ascontiguousarray(mask)
    if not mask.any():
        return None
    bounds = bounding_box(mask)
    return (
        ScanArea(mask, bounds, sides)
        if min(bounds[2] - bounds[0], bounds[3] - bounds[1]) >= LEAST_SIDE
        else None
    )


def slanted_side(
    row: NDArray[np.float64],
    edge: NDArray[np.float64],
    free: BoolImage,
    tolerance: float,
    aspect: float,
) -> Side | None:
    """Fit the left side of a sector, which slants to the left downwards; None if there is none.

    Most edge points lie on the line and hardly any to its left. Points may lie to the right, where
    the tissue is dark at its rim. `free` is True for points that the image border does not cut.
    """
    row, edge = row[free], edge[free]
    if row.size < LEAST_EDGE_ROWS or row.size < LEAST_EDGE_FRACTION * free.size:
        return None
    picked = np.unique(np.linspace(0, row.size - 1, FIT_POINTS).astype(int))
    pairs = np.triu_indices(picked.size, 1)
    far = picked[pairs[1]] - picked[pairs[0]] > row.size // LEAST_FIT_DISTANCE
    i, j = pairs[0][far], pairs[1][far]
    slope = (edge[picked[j]] - edge[picked[i]]) / (row[picked[j]] - row[picked[i]])
    offset = edge[picked[i]] - slope * row[picked[i]]
    distance = edge[None, :] - (offset[:, None] + slope[:, None] * row[None, :])
    on_line = np.abs(distance) < FIT_TOLERANCE * tolerance
    outside = distance < -FIT_TOLERANCE * tolerance
    votes = on_line.sum(axis=1) - 2 * outside.sum(axis=1)
    best = int(np.argmax(votes))
    chosen = on_line[best]
    if votes[best] < LEAST_VOTES * row.size or chosen.sum() < LEAST_EDGE_ROWS:
        return None
    fitted = np.polyfit(row[chosen], edge[chosen], 1)
    return Side(float(fitted[1]), float(fitted[0])) if fitted[0] / aspect < -LEAST_SLOPE else None


def _between_arcs(
    x: FloatImage,
    y: FloatImage,
    sides: tuple[Side, Side],
    column: NDArray[np.float64],
    highest: NDArray[np.float64],
    lowest: NDArray[np.float64],
    aspect: float,
) -> BoolImage:
    """Return the mask between the upper and the lower edge of a sector.

    The upper edge is an arc around the apex or flat, whichever fits better. The lower edge is an
    arc.
    """
    left, right = sides
    apex_y = (right.offset - left.offset) / (left.slope - right.slope)
    apex_x = left.offset + left.slope * apex_y
    squared = (x - np.float32(apex_x)) ** 2 + ((y - np.float32(apex_y)) * np.float32(aspect)) ** 2
    inner = np.hypot(column - apex_x, (highest - apex_y) * aspect)
    outer = np.hypot(column - apex_x, (lowest - apex_y) * aspect)
    under = (
        highest
        > np.maximum((column - left.offset) / left.slope, (column - right.offset) / right.slope)
        + CORNER_SLACK
    )
    under = under if under.sum() >= LEAST_ARC_COLUMNS else np.ones(column.size, dtype=bool)
    if _spread(inner[under]) < aspect * _spread(highest[under]):
        inside = squared > np.float32(np.percentile(inner[under], INNER_PERCENTILE) ** 2)
    else:
        inside = np.broadcast_to(y > np.percentile(highest[under], INNER_PERCENTILE), squared.shape)
    middle = np.abs(column - apex_x) < MIDDLE_COLUMNS * (column[-1] - column[0])
    middle = middle if middle.sum() >= LEAST_ARC_COLUMNS else np.ones(column.size, dtype=bool)
    return np.asarray(
        inside
        & (squared < np.float32(np.percentile(outer[middle], OUTER_PERCENTILE) ** 2))
        & (y < lowest.max())
    )


def _spread(values: NDArray[np.float64]) -> float:
    """Return the interdecile range."""
    low, high = np.percentile(values, (10, 90))
    return float(high - low)
