"""The scan area: the part of a screen that shows echoes, and its slanted sides if it has any.

Speckle is nowhere flat. The background of a screen is flat, and text covers little of it. So the
scan area is where nearly every pixel differs from its neighbours. Its outline is then completed to
the shape that a transducer scans, a rectangle or a sector, so that black shadows, cysts and dark
depths at its rim count as tissue.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from usmicro.model.arrays import BoolImage, ByteImage, bounding_box
from usmicro.preparation.graphics.on_black import find_graphics_on_black
from usmicro.preparation.scan_outline import LEAST_SIDE, ScanArea, completed

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
LEAST_AREA, LEAST_RELATIVE_AREA = 0.01, 0.2
"""Smallest area of a component: as a fraction of the reduced image, which the largest component
must reach, and as a fraction of the largest component. Chosen by eye; no measurement is
recorded."""

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
        completed(
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
