"""The scan area: the part of a screen that shows echoes, and its slanted sides if it has any.

Speckle is nowhere flat. The background of a screen is flat, and text covers little of it. So the
scan area is where nearly every pixel differs from its neighbours. Its outline is then completed to
the shape that a transducer scans, a rectangle or a sector, so that black shadows, cysts and dark
depths at its rim count as tissue.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage, FloatImage, bounding_box
from usmicro.preparation.graphics.on_black import find_graphics_on_black

WORKING_SIZE = 400
"""Longest side, in pixels, of the reduced image on which the outline is searched for."""
CODING_BLOCK = 7
"""Distance from a graphic, in pixels, over which JPEG spreads its ripples: a block has 8 pixels."""
WINDOW = 11
"""Side of the window for the fraction of textured pixels, in reduced pixels: wider than the spaces
in text, narrower than a shadow."""
LEAST_TEXTURE = 1
"""A pixel is textured if the grey levels around it differ by more than this. Chosen by eye; no
measurement is recorded."""
DENSE_FRACTION = 0.5
"""Smallest fraction of textured pixels in a window of tissue. Lines of text reach 0.4."""
SPARSE_FRACTION = 0.15
"""The same next to such tissue if the gain is low, since low gain leaves much of it black. Chosen
by eye; no measurement is recorded."""
LOW_GAIN = 1.25
"""Low gain is assumed if the sparse mask is this many times larger than the dense mask. Chosen by
eye; no measurement is recorded."""
LEAST_DENSE_SHARE = 0.1
"""A part of the sparse mask counts if it holds at least this fraction of the dense pixels. Chosen
by eye; no measurement is recorded."""
LEAST_SIDE = 16
"""Smallest width and height of a scan area in pixels. Chosen by eye; no measurement is recorded."""
LEAST_AREA, LEAST_RELATIVE_AREA = 0.01, 0.2
"""Smallest area of a component: as a fraction of the reduced image, which the largest component
must reach, and as a fraction of the largest component. Chosen by eye; no measurement is
recorded."""
LEAST_SLOPE = 0.08
"""Smallest slope of a slanted side, mm across per mm down: 4.6 degrees. Chosen by eye; no
measurement is recorded."""
CROPPED = 0.97
"""Fraction of the width of the screen above which a scan area that also reaches the top is an image
cropped to its tissue. Chosen by eye; no measurement is recorded."""

# gaps between the halves of a dual view
MOSTLY_FLAT = 0.9
"""An image of which half of the columns are flatter than this is not split: flatness says nothing.
Chosen by eye; no measurement is recorded."""
FLAT_COLUMN = 0.97
"""Smallest fraction of equal neighbours, one above the other, in a column of a gap. Chosen by eye;
no measurement is recorded."""
LIGHT_PERCENTILE, DARK_COLUMN = 98, 0.15
"""A column of a gap is also one whose percentile of the grey level is below this fraction of the
median over all columns: lossy coding leaves ripples in a gap, but no light. Chosen by eye; no
measurement is recorded."""
LEAST_HALF = 0.2
"""Smallest width of a half as a fraction of the whole. Chosen by eye; no measurement is
recorded."""

# components beside one another, and below
SHARED_ROWS, SHARED_COLUMNS, LEAST_SECOND_AREA = 0.5, 0.1, 0.35
"""A component lies beside another one if both share more than this fraction of the rows and less
than this fraction of the columns. It must have this fraction of the area of the largest. Chosen by
eye; no measurement is recorded."""
BELOW_INSIDE, BELOW_WIDTH = 0.8, 0.8
"""Echoes below a dark band belong to a component if this fraction of their width lies below it and
if they are narrower than this fraction of it: a wider strip is another display. Chosen by eye; no
measurement is recorded."""
BELOW_OVERLAP, BELOW_GAP = 0.2, 0.5
"""They begin at most this fraction of the height above the lower end of the component, and at most
this fraction below it. Chosen by eye; no measurement is recorded."""

# the completed outline
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
    box: tuple[int, int, int, int]
    """Left, top, right, bottom of the mask; right and bottom are one past the last."""
    sides: tuple[Side, Side] | None = None
    """Left and right side of a sector or trapezoid, which are slanted apart; None for a
    rectangle."""


def find_scan_areas(
    grey: ByteImage, *, aspect: float = 1.0, single: bool = False
) -> list[ScanArea]:
    """Find the scan areas of a screen, from left to right.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8
    aspect : float
        Height over width of an input pixel; sector arcs are circles in mm.
    single : bool
        True if the image is known to show one area only.

    Returns
    -------
    list of ScanArea
        Several if dark gaps from top to bottom split the screen (dual view); empty if nothing looks
        like tissue.
    """
    rows, columns = grey.shape
    if min(rows, columns) < LEAST_SIDE:
        return []
    scale = min(1.0, WORKING_SIZE / max(rows, columns))
    dense = _dense(grey, (max(1, round(columns * scale)), max(1, round(rows * scale))))
    components = _components(dense)
    if not components:
        return []
    if single:
        components = components[:1]
    else:
        components = [part for component in components for part in _split_at_gaps(component, grey)]
        components = _side_by_side(components)
    areas = [
        _completed(
            _with_depths(component, dense), (rows, columns), aspect, alone=len(components) == 1
        )
        for component in components
    ]
    return sorted((area for area in areas if area is not None), key=lambda area: area.box[0])


def _textured(grey: ByteImage) -> ByteImage:
    """Return 1 where a pixel differs from its neighbours, 0 elsewhere.

    The window is 2 x 2, since a larger one would widen the strokes of text.
    """
    kernel = np.ones((2, 2), np.uint8)
    spread = cv2.subtract(cv2.dilate(grey, kernel), cv2.erode(grey, kernel))
    textured = np.asarray(spread > LEAST_TEXTURE, dtype=np.uint8)
    drawn = find_graphics_on_black(grey)
    if drawn.any():
        # lossy coding leaves ripples around them
        reach = 2 * CODING_BLOCK + 1
        textured[cv2.dilate(drawn.view(np.uint8), np.ones((reach, reach), np.uint8)) > 0] = 0
    return textured


def _dense(grey: ByteImage, size: tuple[int, int]) -> ByteImage:
    """Return 1 where nearly all pixels are textured, at a reduced size (columns, rows).

    If the gain is low, it is also 1 next to that where some pixels are textured.
    """
    share = cv2.resize(_textured(grey) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    window = min(WINDOW, (min(size) // 4) | 1)
    mean = cv2.blur(share, (window, window), borderType=cv2.BORDER_REFLECT_101)
    dense = _opened((mean > DENSE_FRACTION * 255).astype(np.uint8), window)
    # at low gain much of the tissue is black; text is as sparse, but apart from the tissue
    sparse = _opened((mean > SPARSE_FRACTION * 255).astype(np.uint8), window)
    count, labels = cv2.connectedComponents(sparse, connectivity=4)
    held = np.bincount(labels[dense > 0], minlength=count)
    held[0] = 0
    whole = (held > LEAST_DENSE_SHARE * held.sum())[labels]
    # the window extends over the border, so that the dense mask is more exact for filled tissue
    if np.count_nonzero(whole) <= LOW_GAIN * np.count_nonzero(dense):
        return dense
    reach = 2 * int((DENSE_FRACTION - SPARSE_FRACTION) * window) + 1
    return np.asarray(
        cv2.erode(whole.astype(np.uint8), np.ones((reach, reach), np.uint8), borderValue=1)
    )


def _opened(mask: ByteImage, window: int) -> ByteImage:
    """Remove parts narrower than the window, except at the border."""
    padded = cv2.copyMakeBorder(mask, window, window, window, window, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, np.ones((window, window), np.uint8))
    return np.ascontiguousarray(opened[window:-window, window:-window])


def _components(dense: ByteImage) -> list[BoolImage]:
    """Return the connected parts that are large enough for a scan area, the largest first."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(dense, connectivity=4)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    if count < 2 or areas.max() < LEAST_AREA * dense.size:
        return []
    order = 1 + np.argsort(-areas, kind="stable")
    return [
        labels == index for index in order if areas[index - 1] >= LEAST_RELATIVE_AREA * areas.max()
    ]


def _split_at_gaps(component: BoolImage, grey: ByteImage) -> list[BoolImage]:
    """Split a component at columns that are flat from top to bottom, as in a dual view."""
    left, top, right, bottom = bounding_box(component)
    scale = grey.shape[1] / component.shape[1]
    first, last = int(left * scale), int(right * scale)
    window = grey[int(top * scale) : int(bottom * scale), first:last]
    if window.shape[0] < 2:
        return [component]
    flat = (cv2.absdiff(window[1:], window[:-1]) <= LEAST_TEXTURE).mean(axis=0)
    if np.median(flat) > MOSTLY_FLAT:
        return [component]
    light = np.percentile(window[::3], LIGHT_PERCENTILE, axis=0)
    gaps = np.flatnonzero((flat > FLAT_COLUMN) | (light < DARK_COLUMN * np.median(light))) + first
    margin = LEAST_HALF * (last - first)
    gaps = gaps[(gaps > first + margin) & (gaps < last - margin)]
    if gaps.size == 0:
        return [component]
    starts = [gap for previous, gap in pairwise([-9, *gaps]) if gap > previous + 1]
    ends = [gap + 1 for gap, following in pairwise([*gaps, gaps[-1] + 9]) if following > gap + 1]
    cuts = [0, *(edge for pair in zip(starts, ends, strict=True) for edge in pair), grey.shape[1]]
    parts = []
    for begin, end in zip(cuts[::2], cuts[1::2], strict=True):
        part = np.zeros_like(component)
        between = slice(int(np.ceil(begin / scale)), int(end / scale))
        part[:, between] = component[:, between]
        if part.any():
            parts.append(part)
    return parts


def _side_by_side(components: list[BoolImage]) -> list[BoolImage]:
    """Return the largest component and those of similar height beside it."""
    components = sorted(components, key=lambda component: -np.count_nonzero(component))
    kept = [components[0]]
    for component in components[1:]:
        left, top, right, bottom = bounding_box(component)
        beside = True
        for other in kept:
            other_left, other_top, other_right, other_bottom = bounding_box(other)
            shared_rows = min(bottom, other_bottom) - max(top, other_top)
            shared_columns = min(right, other_right) - max(left, other_left)
            beside &= shared_rows > SHARED_ROWS * (other_bottom - other_top)
            beside &= shared_columns < SHARED_COLUMNS * (right - left)
        least = LEAST_SECOND_AREA * np.count_nonzero(kept[0])
        if beside and np.count_nonzero(component) > least:
            kept.append(component)
    return kept


def _with_depths(component: BoolImage, dense: ByteImage) -> BoolImage:
    """Join a component with the echoes below it that a dark band separates from it."""
    left, top, right, bottom = bounding_box(component)
    joined = component.copy()
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(dense, connectivity=4)
    for index in range(1, count):
        x, y, width = statistics[index, :3]
        inside = min(x + width, right) - max(x, left) > BELOW_INSIDE * width
        height = bottom - top
        below = bottom - BELOW_OVERLAP * height < y < bottom + BELOW_GAP * height
        if inside and below and width < BELOW_WIDTH * (right - left):
            joined |= labels == index
    return joined


def _completed(
    component: BoolImage, shape: tuple[int, int], aspect: float, *, alone: bool
) -> ScanArea | None:
    """Complete a component of the reduced image to a rectangle or sector of the frame.

    `alone` is True if it is the only component.
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
    left_side = _slanted_side(row, first, first > border, scale_x, aspect)
    mirrored = _slanted_side(row, -last, last < columns - 0.5 - border, scale_x, aspect)
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


def _slanted_side(
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
