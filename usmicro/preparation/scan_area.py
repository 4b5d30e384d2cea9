"""The scan area: which part of a screen shows echoes, and its slanted sides if it has any.

Speckle is nowhere flat, while the background of a screen is, and text covers little of the ground it stands on. So the scan area is
where nearly every pixel differs from its neighbours. Its outline is then completed to the shape that a transducer scans, a rectangle
or a sector, so that black shadows, cysts and depths at its rim stay tissue.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage, FloatImage, bounding_box

WORKING_SIZE = 400
"""Longest side of the reduced image on which the outline is sought."""
WINDOW = 11
"""Window for the share of textured pixels, in reduced pixels: wider than the spaces in text, narrower than a shadow."""
LEAST_SHARE = 0.5
"""Share of textured pixels in the window from which it is tissue; lines of text reach 0.4."""
SPARSE_SHARE = 0.15
"""Share that is enough in touch with such tissue, where a low gain leaves much of it black."""
LOW_GAIN = 1.25
"""That is so where the area with the sparse share is this many times larger."""
SMALLEST = 16
"""Pixels that a scan area measures at least in both directions."""
LEAST_SLOPE = 0.08
"""Columns a row from which a side counts as slanted: 4.6 degrees."""
CROPPED = 0.97
"""Share of the screen's width from which a scan area, if it also reaches the top, is an image cropped to its tissue."""


@dataclass(frozen=True, slots=True)
class Side:
    """A straight side of the scan area: column = offset + slope * row, in input pixels."""

    offset: float
    slope: float


@dataclass(frozen=True, slots=True)
class ScanArea:
    """One scan area of the screen, in input pixels."""

    mask: BoolImage
    """Of the whole frame, True where the transducer could have shown an echo, dark or not."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom of the mask; right and bottom are one past the last."""
    sides: tuple[Side, Side] | None = None
    """Left and right side where they are slanted apart: a sector or trapezoid."""


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
        The screen is known to hold one area only.

    Returns
    -------
    list of ScanArea
        Several where dark gaps from top to bottom split the screen (dual view); empty if nothing looks like tissue.
    """
    rows, columns = grey.shape
    if min(rows, columns) < SMALLEST:
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
    """1 where a pixel differs from its neighbours; 2 x 2, since a larger window would widen the strokes of text."""
    kernel = np.ones((2, 2), np.uint8)
    spread = cv2.subtract(cv2.dilate(grey, kernel), cv2.erode(grey, kernel))
    return np.asarray(spread > 1, dtype=np.uint8)


def _dense(grey: ByteImage, size: tuple[int, int]) -> ByteImage:
    """1 where nearly every pixel is textured, and where some are next to that, at a reduced size (columns, rows)."""
    share = cv2.resize(_textured(grey) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    window = min(WINDOW, (min(size) // 4) | 1)
    mean = cv2.blur(share, (window, window), borderType=cv2.BORDER_REFLECT_101)
    dense = _opened((mean > LEAST_SHARE * 255).astype(np.uint8), window)
    # at low gain much of the tissue is black; text, as sparse as that, is apart from the tissue
    sparse = _opened((mean > SPARSE_SHARE * 255).astype(np.uint8), window)
    count, labels = cv2.connectedComponents(sparse, connectivity=4)
    held = np.bincount(labels[dense > 0], minlength=count)
    held[0] = 0
    whole = (held > 0.1 * held.sum())[labels]
    # the window reaches over the border, which for well filled tissue is told better from the dense part
    if np.count_nonzero(whole) <= LOW_GAIN * np.count_nonzero(dense):
        return dense
    reach = 2 * int((0.5 - SPARSE_SHARE) * window) + 1
    return np.asarray(
        cv2.erode(whole.astype(np.uint8), np.ones((reach, reach), np.uint8), borderValue=1)
    )


def _opened(mask: ByteImage, window: int) -> ByteImage:
    """Without parts narrower than the window, except at the border."""
    padded = cv2.copyMakeBorder(mask, window, window, window, window, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, np.ones((window, window), np.uint8))
    return np.ascontiguousarray(opened[window:-window, window:-window])


def _components(dense: ByteImage) -> list[BoolImage]:
    """Connected parts large enough for a scan area, largest first."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(dense, connectivity=4)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    if count < 2 or areas.max() < 0.01 * dense.size:
        return []
    order = 1 + np.argsort(-areas, kind="stable")
    return [labels == index for index in order if areas[index - 1] >= 0.2 * areas.max()]


def _split_at_gaps(component: BoolImage, grey: ByteImage) -> list[BoolImage]:
    """Split a component at columns that are flat from its top to its bottom, as between the halves of a dual view."""
    left, top, right, bottom = bounding_box(component)
    scale = grey.shape[1] / component.shape[1]
    first, last = int(left * scale), int(right * scale)
    window = grey[int(top * scale) : int(bottom * scale), first:last]
    if window.shape[0] < 2:
        return [component]
    flat = (cv2.absdiff(window[1:], window[:-1]) <= 1).mean(axis=0)
    if np.median(flat) > 0.9:
        return [component]
    # lossy compression leaves ripples in a narrow gap, but no light
    light = np.percentile(window[::3], 98, axis=0)
    gaps = np.flatnonzero((flat > 0.97) | (light < 0.15 * np.median(light))) + first
    gaps = gaps[(gaps > first + 0.2 * (last - first)) & (gaps < last - 0.2 * (last - first))]
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
    """The largest component and those of like height beside it."""
    components = sorted(components, key=lambda component: -np.count_nonzero(component))
    kept = [components[0]]
    for component in components[1:]:
        left, top, right, bottom = bounding_box(component)
        beside = True
        for other in kept:
            other_left, other_top, other_right, other_bottom = bounding_box(other)
            shared_rows = min(bottom, other_bottom) - max(top, other_top)
            shared_columns = min(right, other_right) - max(left, other_left)
            beside &= shared_rows > 0.5 * (other_bottom - other_top) and shared_columns < 0.1 * (
                right - left
            )
        if beside and np.count_nonzero(component) > 0.35 * np.count_nonzero(kept[0]):
            kept.append(component)
    return kept


def _with_depths(component: BoolImage, dense: ByteImage) -> BoolImage:
    """The component together with the echoes below it that a dark band parts from it; a wider strip below is another display."""
    left, top, right, bottom = bounding_box(component)
    joined = component.copy()
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(dense, connectivity=4)
    for index in range(1, count):
        x, y, width = statistics[index, :3]
        inside = min(x + width, right) - max(x, left) > 0.8 * width
        below = bottom - 0.2 * (bottom - top) < y < bottom + 0.5 * (bottom - top)
        if inside and below and width < 0.8 * (right - left):
            joined |= labels == index
    return joined


def _completed(
    component: BoolImage, shape: tuple[int, int], aspect: float, *, alone: bool
) -> ScanArea | None:
    """Complete a component on the reduced image to the rectangle or sector that it is part of."""
    rows, columns = shape
    scale_x, scale_y = columns / component.shape[1], rows / component.shape[0]
    left, top, right, bottom = bounding_box(component)
    within = component[top:bottom, left:right]
    # edges of the component in input pixels: x and y of its first and last pixel in every row and column
    row = (np.arange(top, bottom) + 0.5) * scale_y - 0.5
    first = (left + within.argmax(axis=1)) * scale_x - 0.5
    last = (right - within[:, ::-1].argmax(axis=1)) * scale_x - 0.5
    column = (np.arange(left, right) + 0.5) * scale_x - 0.5
    highest = (top + within.argmax(axis=0)) * scale_y - 0.5
    lowest = (bottom - within[::-1].argmax(axis=0)) * scale_y - 0.5

    left_side = _slanted_side(row, first, first > 2 * scale_x, scale_x, aspect)
    mirrored = _slanted_side(row, -last, last < columns - 0.5 - 2 * scale_x, scale_x, aspect)
    y, x = np.arange(rows, dtype=np.float32)[:, None], np.arange(columns, dtype=np.float32)[None, :]
    if left_side is None or mirrored is None:
        # the percentiles leave out text that touches the top or a side, and keep depths that are dark over most of the width
        box = [
            np.percentile(first, 20),
            np.percentile(highest, 40),
            np.percentile(last, 80),
            np.percentile(lowest, 98),
        ]
        if alone and box[2] - box[0] > CROPPED * columns and box[1] < (1 - CROPPED) * rows:
            box[3] = (
                rows - 0.5
            )  # an image cropped to its tissue: what is black below is depth, not background
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
        if min(bounds[2] - bounds[0], bounds[3] - bounds[1]) >= SMALLEST
        else None
    )


def _slanted_side(
    row: NDArray[np.float64],
    edge: NDArray[np.float64],
    free: BoolImage,
    tolerance: float,
    aspect: float,
) -> Side | None:
    """The straight line that most edge points lie on and none lie left of, if it slants to the left downwards.

    Points may lie to the right, where the tissue is dark at its rim; `free` tells points that the image border does not cut.
    """
    row, edge = row[free], edge[free]
    if row.size < 12 or row.size < 0.2 * free.size:
        return None
    picked = np.unique(np.linspace(0, row.size - 1, 40).astype(int))
    pairs = np.triu_indices(picked.size, 1)
    far = picked[pairs[1]] - picked[pairs[0]] > row.size // 5
    i, j = pairs[0][far], pairs[1][far]
    slope = (edge[picked[j]] - edge[picked[i]]) / (row[picked[j]] - row[picked[i]])
    offset = edge[picked[i]] - slope * row[picked[i]]
    distance = edge[None, :] - (offset[:, None] + slope[:, None] * row[None, :])
    on_line = np.abs(distance) < 1.5 * tolerance
    votes = on_line.sum(axis=1) - 2 * (distance < -1.5 * tolerance).sum(axis=1)
    best = int(np.argmax(votes))
    chosen = on_line[best]
    if votes[best] < 0.4 * row.size or chosen.sum() < 12:
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
    """Below the top and above the bottom of a sector, each an arc about the apex or flat, whichever fits its edge better."""
    left, right = sides
    apex_y = (right.offset - left.offset) / (left.slope - right.slope)
    apex_x = left.offset + left.slope * apex_y
    squared = (x - np.float32(apex_x)) ** 2 + ((y - np.float32(apex_y)) * np.float32(aspect)) ** 2
    inner = np.hypot(column - apex_x, (highest - apex_y) * aspect)
    outer = np.hypot(column - apex_x, (lowest - apex_y) * aspect)
    # columns where the edge belongs to a side, not to the top, are left out
    slack = 3.0
    under = (
        highest
        > np.maximum((column - left.offset) / left.slope, (column - right.offset) / right.slope)
        + slack
    )
    under = under if under.sum() >= 8 else np.ones(column.size, dtype=bool)
    if _spread(inner[under]) < aspect * _spread(highest[under]):
        inside = squared > np.float32(np.percentile(inner[under], 20) ** 2)
    else:
        inside = np.broadcast_to(y > np.percentile(highest[under], 20), squared.shape)
    middle = np.abs(column - apex_x) < 0.35 * (column[-1] - column[0])
    middle = middle if middle.sum() >= 8 else np.ones(column.size, dtype=bool)
    return np.asarray(
        inside & (squared < np.float32(np.percentile(outer[middle], 90) ** 2)) & (y < lowest.max())
    )


def _spread(values: NDArray[np.float64]) -> float:
    """Interdecile range."""
    low, high = np.percentile(values, (10, 90))
    return float(high - low)
