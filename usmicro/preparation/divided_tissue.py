"""Tissue that an anechoic middle divides, such as a cyst that is as wide as the scan.

The two parts lie one above the other between the same sides. Two pictures that a screen shows one
above the other do so, too. But a picture begins with a straight edge or with the arc with which the
other one begins, and a sector begins narrow again. Where in doubt, the parts are not joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage, bounding_box
from usmicro.preparation.connected_parts import ConnectedParts
from usmicro.preparation.graphics.on_black import find_graphics_on_black
from usmicro.preparation.scan_outline import slanted_side

FloatArray = NDArray[np.float64]
_Edges = tuple[FloatArray, FloatArray]
"""Rows of two edges, one for each column; NaN where there is none."""

LEAST_PART = 0.01
"""Smallest area of a part as a fraction of the reduced image. Chosen by judgement."""
LEAST_BELOW = 0.95
"""One part lies below another one if it does in this fraction of the columns that both share.
Chosen by judgement: the wall of a cyst may overhang at its ends."""
LEAST_SHARED = 0.85
"""Smallest fraction of the columns of the narrower part that both share. Chosen by judgement."""
SIDE_TOLERANCE, CORNER_TOLERANCE = 0.05, 0.12
"""Largest distance of the outermost end of a part from the common side, as a fraction of the width
of both parts; the second holds inside a slanted side, since a part below the corner of a sector
does not reach it. Chosen by eye on simulated scans: a stacked sector of 35 degrees is further
inside."""
LEAST_AT_SIDE = 0.3
"""Smallest fraction of the rows of a part that end at a common vertical side: in a stacked sector
fewer do. Chosen by eye on simulated scans."""
BORDER_DISTANCE = 2
"""A row that ends this close to the border of the image, in reduced pixels, may be cut by it and
does not show that a side is slanted."""
ACROSS = 0.5
"""Another part divides a gap if it lies in more than this fraction of the columns. Chosen by
judgement."""
LARGEST_GAP = 0.7
"""Largest height of the dark middle as a fraction of the height of all. Chosen by judgement."""
DARK = 0.3
"""Largest median of the grey levels in the dark middle as a fraction of that in the tissue. Chosen
by judgement; it is 0.02 in the cyst of a BUSI image that is 90 % as wide as the scan."""
DIM, BRIGHT, LEAST_STEP = 0.25, 0.5, 8
"""An edge is where the grey level first exceeds that of the dark middle by these fractions of the
difference to the tissue, and by this much: ripples of lossy coding are lower. Both are tried, since
a picture may begin dark. Chosen by judgement."""
BORDER_WIDTH, LEAST_BORDER_WIDTH = 1.5, 3
"""A straight border is within this many reduced pixels, and within this many pixels: rounding and
the blur of resampling."""
SHARP_WIDTH, LEAST_SHARP_WIDTH = 4.0, 8
"""The edge of a picture is sharp: it becomes bright within this many reduced pixels, or within the
block of lossy coding. The depth at which the gain rises is softer."""
QUARTERS, STRAIGHT = 4, 0.5
"""An edge is a border of a picture if in all of so many parts of its width but one this fraction of
the columns or more lie at the same row. The wall of a wide cyst is level in its middle only. Chosen
by eye on simulated scans."""


def with_dark_middles(
    dense: ByteImage, parts: ConnectedParts, grey: ByteImage, aspect: float
) -> ByteImage:
    """Fill the anechoic middle of tissue that it divides into an upper and a lower part.

    Parameters
    ----------
    dense : array, shape (reduced rows, reduced columns), uint8
        1 where nearly all pixels are textured.
    parts : ConnectedParts
        Its parts.
    grey : array, shape (rows, columns), uint8
        The image in full size.
    aspect : float
        Height over width of an input pixel.

    Returns
    -------
    array, shape (reduced rows, reduced columns), uint8
        `dense`, with 1 also between two parts of the same scan.
    """
    large = [parts.part(n) for n in np.flatnonzero(parts.area >= LEAST_PART * dense.size).tolist()]
    if len(large) < 2:
        return dense
    filled = dense.copy()
    reduced = np.asarray(cv2.resize(grey, dense.shape[::-1], interpolation=cv2.INTER_AREA))
    for pair in permutations(large, 2):
        gap = _Gap.between(*pair)
        if (
            gap is not None
            and not _holds_another(gap, large)
            and _same_sides(*pair, aspect)
            and (levels := _dark_level(gap, pair, reduced)) is not None
            and not _has_picture_border(gap, grey, *levels)
        ):
            filled[gap.mask] = 1
    return filled


@dataclass(frozen=True, slots=True)
class _Gap:
    """What lies between an upper and a lower part, in reduced pixels."""

    mask: BoolImage
    columns: NDArray[np.intp]
    """Columns in which there are both parts."""
    begin: NDArray[np.intp]
    """First row below the upper part in these columns."""
    end: NDArray[np.intp]
    """First row of the lower part in these columns."""

    @classmethod
    def between(cls, upper: BoolImage, lower: BoolImage) -> _Gap | None:
        """Return the gap; None if `lower` does not lie below `upper`, or too far."""
        above, below = upper.any(axis=0), lower.any(axis=0)
        columns = np.flatnonzero(above & below)
        if columns.size < LEAST_SHARED * min(above.sum(), below.sum()):
            return None
        rows = upper.shape[0]
        begin = rows - upper[::-1, columns].argmax(axis=0)
        end = lower[:, columns].argmax(axis=0)
        top, bottom = bounding_box(upper | lower)[1::2]
        if (
            np.mean(begin <= end) < LEAST_BELOW
            or not (begin < end).any()
            or np.median(end - begin) > LARGEST_GAP * (bottom - top)
        ):
            return None
        return cls(_between(upper, lower), columns, begin, end)


def _holds_another(gap: _Gap, large: list[BoolImage]) -> bool:
    """Return True if another large part lies across most of a gap."""
    return any((gap.mask & part).any(axis=0).sum() > ACROSS * gap.columns.size for part in large)


def _between(upper: BoolImage, lower: BoolImage) -> BoolImage:
    """Return what lies between two parts, inside the straight lines along their sides."""
    rows = upper.shape[0]
    both = upper | lower
    hull = np.zeros(both.shape, np.uint8)
    points = cv2.findNonZero(both.view(np.uint8))
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    row = np.arange(rows)[:, None]
    # beside the upper part, nothing lies above what is left of the sides
    begin = np.where(upper.any(axis=0), rows - upper[::-1].argmax(axis=0), 0)
    end = np.where(lower.any(axis=0), lower.argmax(axis=0), 0)
    return np.asarray((hull > 0) & (row >= begin) & (row < end))


def _same_sides(upper: BoolImage, lower: BoolImage, aspect: float) -> bool:
    """Return True if one straight line is the left side of both parts, and one the right side."""
    left, _, right, _ = bounding_box(upper | lower)
    return _same_left_side(upper, lower, right - left, aspect) and _same_left_side(
        upper[:, ::-1], lower[:, ::-1], right - left, aspect
    )


def _same_left_side(upper: BoolImage, lower: BoolImage, width: int, aspect: float) -> bool:
    """Return True if one straight line is the left side of two parts of this width together."""
    ends, slanted = [], []
    for part in (upper, lower):
        row = np.flatnonzero(part.any(axis=1))
        first = part[row].argmax(axis=1).astype(np.float64)
        ends.append((row.astype(np.float64), first))
        side = slanted_side(ends[-1][0], first, first > BORDER_DISTANCE, 1.0, aspect)
        if side is not None:
            slanted.append(side)
    for side in slanted:
        # positive to the right of the side
        inside = [(first - (side.offset + side.slope * row)).min() for row, first in ends]
        if all(-SIDE_TOLERANCE * width <= end <= CORNER_TOLERANCE * width for end in inside):
            return True
    if len(slanted) == 2:
        return False
    # one slanted side alone may be the wall of a cyst
    outermost = min(first.min() for _, first in ends) + SIDE_TOLERANCE * width
    return all(np.mean(first <= outermost) >= LEAST_AT_SIDE for _, first in ends)


def _dark_level(
    gap: _Gap, parts: tuple[BoolImage, BoolImage], reduced: ByteImage
) -> tuple[float, float] | None:
    """Return the median grey level of a gap and of the tissue; None if the gap is not dark."""
    dark, tissue = (float(np.median(reduced[mask])) for mask in (gap.mask, np.logical_or(*parts)))
    return (dark, tissue) if dark < DARK * tissue else None


def _has_picture_border(gap: _Gap, grey: ByteImage, dark: float, tissue: float) -> bool:
    """Return True if a gap lies between two pictures, or if a line is drawn in it.

    The edges of the gap are searched for in each column, from its middle upwards and downwards. A
    picture begins straight, or with the same arc as the other one; it ends in the same way.
    """
    rows, columns = gap.mask.shape
    scale_y, scale_x = grey.shape[0] / rows, grey.shape[1] / columns
    column = np.arange(int(gap.columns[0] * scale_x), int((gap.columns[-1] + 1) * scale_x))
    middle = np.interp((column + 0.5) / scale_x - 0.5, gap.columns, (gap.begin + gap.end) / 2)
    middle = np.rint(middle * scale_y)[None, :]
    part = grey[:, column[0] : column[-1] + 1]
    row = np.arange(part.shape[0])[:, None]
    drawn = find_graphics_on_black(part)
    width = max(LEAST_BORDER_WIDTH, round(BORDER_WIDTH * scale_y))
    sharp = max(LEAST_SHARP_WIDTH, round(SHARP_WIDTH * scale_y))
    levels = [dark + max(LEAST_STEP, fraction * (tissue - dark)) for fraction in (DIM, BRIGHT)]
    for ignored in (np.zeros_like(drawn), drawn):
        found = (_edges((part > level) & ~ignored, row < middle) for level in levels)
        for dim, bright in zip(*found, strict=True):
            rise = bright[1] - dim[1]
            if np.isnan(rise).all() or np.nanmedian(rise) > sharp:
                continue
            for other, edge in (dim, bright):
                if _is_level(edge, width) or _is_level(edge - other, width):
                    return True
    return False


def _edges(bright: BoolImage, upper: BoolImage) -> tuple[_Edges, _Edges]:
    """Return where the upper and the lower part begin, and where the lower and the upper part end.

    Rows are counted downwards for the first pair and upwards for the second, so that the second
    edge of each pair lies at the gap. `upper` is True above the middle of the gap.
    """
    above, below = bright & upper, bright & ~upper
    return (
        (_first_row(above), _first_row(below)),
        (_first_row(below[::-1]), _first_row(above[::-1])),
    )


def _first_row(bright: BoolImage) -> FloatArray:
    """Return the first row of each column, NaN without one."""
    return np.where(bright.any(axis=0), bright.argmax(axis=0), np.nan)


def _is_level(edge: FloatArray, width: int) -> bool:
    """Return True if most of an edge lies within `width` rows, over nearly its whole length."""
    known = edge[np.isfinite(edge)].astype(int)
    if known.size == 0:
        return False
    count = np.convolve(np.bincount(known - known.min()), np.ones(width, int))
    last = int(count.argmax()) + known.min()
    level = (edge > last - width) & (edge <= last)
    shares = sorted(part.mean() for part in np.array_split(level, QUARTERS))
    return bool(shares[1] >= STRAIGHT)
