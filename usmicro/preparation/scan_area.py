"""The scan area: the part of a screen that shows echoes, and its slanted sides if it has any.

Speckle is nowhere flat. The background of a screen is flat, and text covers little of it. So the
scan area is where nearly every pixel differs from its neighbours. Its outline is then completed to
the shape that a transducer scans, a rectangle or a sector, so that black shadows, cysts and dark
depths at its rim count as tissue. So does an anechoic middle that divides the tissue.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cmp_to_key
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage, bounding_box
from usmicro.preparation.connected_parts import ConnectedParts
from usmicro.preparation.divided_tissue import with_dark_middles
from usmicro.preparation.graphics.on_black import find_graphics_on_black
from usmicro.preparation.scan_outline import LEAST_SIDE, Box, ScanArea, completed

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
LEAST_AREA, LEAST_RELATIVE_AREA = 0.01, 0.05
"""Smallest area of a component: as a fraction of the reduced image, which the largest component
must reach, and as a fraction of the largest component. The first was chosen by eye; no measurement
is recorded. Logos and bars on the screens of five data sets reach 0.024 of the second."""

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

# components beside one another, one above the other, and below
SHARED_ROWS, SHARED_COLUMNS, LEAST_SECOND_AREA = 0.5, 0.1, 0.35
"""A component lies beside another one if both share more than this fraction of the rows and less
than this fraction of the columns. It must have this fraction of the area of the largest. Chosen by
eye; no measurement is recorded."""
STACKED_END, STACKED_HEIGHT = 0.05, 0.7
"""A component is a picture above or below another one if their left and their right ends differ by
at most this fraction of the width, and if the lower of the two heights is at least this fraction
of the other: a trace below a scan is flatter. Chosen by judgement."""
BELOW_INSIDE, BELOW_WIDTH = 0.8, 0.8
"""Echoes below a dark band belong to a component if this fraction of their width lies below it and
if they are narrower than this fraction of it: a wider strip is another display. Chosen by eye; no
measurement is recorded."""
BELOW_OVERLAP, BELOW_GAP = 0.2, 0.5
"""They begin at most this fraction of the height above the lower end of the component, and at most
this fraction below it. Chosen by eye; no measurement is recorded."""
LEAST_COVERED = 0.5
"""A component is left out if less than this fraction of it lies in the scan areas. Chosen by
judgement."""


def find_scan_areas(
    grey: ByteImage, *, aspect: float = 1.0, single: bool = False
) -> list[ScanArea]:
    """Find the scan areas of a screen, from left to right, then from top to bottom.

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
        Several if dark gaps from top to bottom split the screen (dual view), or if two pictures of
        equal size lie one above the other; empty if nothing looks like tissue. Other large textured
        parts of the screen are in `left_out` of the first.
    """
    rows, columns = grey.shape
    if min(rows, columns) < LEAST_SIDE:
        return []
    scale = min(1.0, WORKING_SIZE / max(rows, columns))
    dense = _dense(grey, (max(1, round(columns * scale)), max(1, round(rows * scale))))
    parts = ConnectedParts.of(dense, corners=False)
    filled = with_dark_middles(dense, parts, grey, aspect)
    if filled is not dense:
        parts = ConnectedParts.of(filled, corners=False)
    components = _components(parts)
    if not components:
        return []
    if single:
        pictures = components[:1]
    else:
        components = [part for component in components for part in _split_at_gaps(component, grey)]
        pictures = _pictures(components)
    found = [
        completed(_with_depths(picture, parts), (rows, columns), aspect, alone=len(pictures) == 1)
        for picture in pictures
    ]
    areas = sorted((area for area in found if area is not None), key=cmp_to_key(_order))
    if areas and len(components) > len(pictures):
        areas[0] = replace(areas[0], left_out=_left_out(components, areas))
    return areas


def _textured(grey: ByteImage) -> ByteImage:
    """Return 255 where a pixel differs from its neighbours, 0 elsewhere.

    The window is 2 x 2, since a larger one would widen the strokes of text.
    """
    kernel = np.ones((2, 2), np.uint8)
    spread = cv2.subtract(cv2.dilate(grey, kernel), cv2.erode(grey, kernel))
    textured = np.asarray(cv2.threshold(spread, LEAST_TEXTURE, 255, cv2.THRESH_BINARY)[1])
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
    share = cv2.resize(_textured(grey), size, interpolation=cv2.INTER_AREA)
    window = min(WINDOW, (min(size) // 4) | 1)
    mean = cv2.blur(share, (window, window), borderType=cv2.BORDER_REFLECT_101)
    dense = _opened((mean > DENSE_FRACTION * 255).astype(np.uint8), window)
    # at low gain much of the tissue is black; text is as sparse, but apart from the tissue
    sparse = _opened((mean > SPARSE_FRACTION * 255).astype(np.uint8), window)
    # the window extends over the border, so that the dense mask is more exact for filled tissue
    most = LOW_GAIN * np.count_nonzero(dense)
    if np.count_nonzero(sparse) <= most:
        return dense
    parts = ConnectedParts.of(sparse, dense.view(np.bool_), corners=False)
    whole = parts.drawn(parts.marked > LEAST_DENSE_SHARE * parts.marked.sum())
    if np.count_nonzero(whole) <= most:
        return dense
    reach = 2 * int((DENSE_FRACTION - SPARSE_FRACTION) * window) + 1
    return np.asarray(
        cv2.erode(whole.view(np.uint8), np.ones((reach, reach), np.uint8), borderValue=1)
    )


def _opened(mask: ByteImage, window: int) -> ByteImage:
    """Remove parts narrower than the window, except at the border."""
    padded = cv2.copyMakeBorder(mask, window, window, window, window, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, np.ones((window, window), np.uint8))
    return np.ascontiguousarray(opened[window:-window, window:-window])


def _components(parts: ConnectedParts) -> list[BoolImage]:
    """Return the connected parts that are large enough for a scan area, the largest first."""
    rows, columns = parts.shape
    largest = max(parts.area, default=0)
    if largest < LEAST_AREA * rows * columns:
        return []
    order = np.argsort(-parts.area, kind="stable")
    return [parts.part(n) for n in order if parts.area[n] >= LEAST_RELATIVE_AREA * largest]


def _split_at_gaps(component: BoolImage, grey: ByteImage) -> list[BoolImage]:
    """Split a component at columns that are flat or dark from top to bottom, as in a dual view."""
    left, top, right, bottom = bounding_box(component)
    scale = grey.shape[1] / component.shape[1]
    first, last = int(left * scale), int(right * scale)
    window = grey[int(top * scale) : int(bottom * scale), first:last]
    if window.shape[0] < 2:
        return [component]
    equal = (cv2.absdiff(window[1:], window[:-1]) <= LEAST_TEXTURE).view(np.uint8)
    flat = cv2.reduce(equal, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0] / len(equal)
    if np.median(flat) > MOSTLY_FLAT:
        return [component]
    column = np.arange(first, last)
    margin = LEAST_HALF * (last - first)
    within = (column > first + margin) & (column < last - margin)
    gaps = column[within & ((flat > FLAT_COLUMN) | _dark_columns(window[::3], within))]
    if gaps.size == 0:
        return [component]
    parts = _cut(component, gaps, scale)
    sizes = np.array([np.count_nonzero(part) for part in parts])
    if np.count_nonzero(sizes > LEAST_SECOND_AREA * sizes.max()) < 2:
        # what is left beside one large part is no half of a dual view: a dark lesion at its side
        parts = _cut(component, gaps[flat[gaps - first] > FLAT_COLUMN], scale)
    return parts


def _dark_columns(grey: ByteImage, within: BoolImage) -> BoolImage:
    """Return True for the columns of an image that are dark from top to bottom.

    `within` is True for the columns that are needed; the others may be missing.
    """
    # the percentiles of all columns take long, and a column with enough light is never dark
    light = (grey > DARK_COLUMN * 255).view(np.uint8)
    most_dark = len(grey) - cv2.reduce(light, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]
    if not (most_dark[within] > LIGHT_PERCENTILE / 100 * (len(grey) - 1)).any():
        return np.zeros(grey.shape[1], dtype=bool)
    level = np.percentile(np.ascontiguousarray(grey.T), LIGHT_PERCENTILE, axis=1)
    return np.asarray(level < DARK_COLUMN * np.median(level))


def _cut(component: BoolImage, gaps: NDArray[np.intp], scale: float) -> list[BoolImage]:
    """Return what is left and right of the gaps, which are columns of the frame."""
    if gaps.size == 0:
        return [component]
    starts = [gap for previous, gap in pairwise([-9, *gaps]) if gap > previous + 1]
    ends = [gap + 1 for gap, following in pairwise([*gaps, gaps[-1] + 9]) if following > gap + 1]
    edges = [edge for pair in zip(starts, ends, strict=True) for edge in pair]
    cuts = [0, *edges, round(component.shape[1] * scale)]
    parts = []
    for begin, end in zip(cuts[::2], cuts[1::2], strict=True):
        part = np.zeros_like(component)
        between = slice(int(np.ceil(begin / scale)), int(end / scale))
        part[:, between] = component[:, between]
        if part.any():
            parts.append(part)
    return parts


def _pictures(components: list[BoolImage]) -> list[BoolImage]:
    """Return the largest component and those of similar size beside, above and below it."""
    components = sorted(components, key=lambda component: -np.count_nonzero(component))
    kept = [components[0]]
    least = LEAST_SECOND_AREA * np.count_nonzero(components[0])
    for component in components[1:]:
        boxes = [(bounding_box(component), bounding_box(other)) for other in kept]
        if np.count_nonzero(component) > least and all(
            _beside(*pair) or _stacked(*pair) for pair in boxes
        ):
            kept.append(component)
    return kept


def _beside(box: Box, other: Box) -> bool:
    """Return True if a component lies beside another one."""
    shared_columns, shared_rows = _shared(box, other)
    width, height = box[2] - box[0], other[3] - other[1]
    return shared_rows > SHARED_ROWS * height and shared_columns < SHARED_COLUMNS * width


def _stacked(box: Box, other: Box) -> bool:
    """Return True if two components are pictures of one size, one above the other."""
    tolerance = STACKED_END * (other[2] - other[0])
    heights = sorted((box[3] - box[1], other[3] - other[1]))
    return (
        abs(box[0] - other[0]) <= tolerance
        and abs(box[2] - other[2]) <= tolerance
        and _shared(box, other)[1] <= 0
        and heights[0] >= STACKED_HEIGHT * heights[1]
    )


def _shared(box: Box, other: Box) -> tuple[int, int]:
    """Return the number of columns and of rows that two boxes share, negative for a distance."""
    return (
        min(box[2], other[2]) - max(box[0], other[0]),
        min(box[3], other[3]) - max(box[1], other[1]),
    )


def _order(area: ScanArea, other: ScanArea) -> int:
    """Compare two scan areas: from left to right, and one above the other from top to bottom."""
    shared_columns, shared_rows = _shared(area.box, other.box)
    axis = 1 if shared_columns > shared_rows else 0
    return area.box[axis] - other.box[axis]


def _left_out(components: list[BoolImage], areas: list[ScanArea]) -> tuple[Box, ...]:
    """Return the boxes, in input pixels, of the large components that lie in no scan area."""
    covered = np.logical_or.reduce([area.mask for area in areas])
    rows, columns = components[0].shape
    scale_y, scale_x = covered.shape[0] / rows, covered.shape[1] / columns
    share = cv2.resize(covered.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    least = LEAST_RELATIVE_AREA * max(np.count_nonzero(part) for part in components)
    boxes = [
        bounding_box(part)
        for part in components
        if np.count_nonzero(part) >= least and share[part].mean() < LEAST_COVERED
    ]
    return tuple(
        (
            int(left * scale_x),
            int(top * scale_y),
            round(right * scale_x),
            round(bottom * scale_y),
        )
        for left, top, right, bottom in boxes
    )


def _with_depths(component: BoolImage, parts: ConnectedParts) -> BoolImage:
    """Join a component with the echoes below it that a dark band separates from it."""
    left, top, right, bottom = bounding_box(component)
    height = bottom - top
    begin, first, end, _ = parts.box.T
    width = end - begin
    inside = np.minimum(end, right) - np.maximum(begin, left) > BELOW_INSIDE * width
    below = (bottom - BELOW_OVERLAP * height < first) & (first < bottom + BELOW_GAP * height)
    joined = inside & below & (width < BELOW_WIDTH * (right - left))
    return component | parts.drawn(joined)
