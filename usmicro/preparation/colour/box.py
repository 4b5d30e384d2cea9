"""The colour box: the thin outline around the part of the image that may show colour flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage, FloatImage
from usmicro.preparation.connected_parts import ConnectedParts

TOP, BOTTOM = 0, 1
Curve = NDArray[np.float64]
"""Columns and rows of points one pixel apart, shape (n, 2)."""

THICKNESS = 4
"""Distance, in pixels, from an outline to the pixels on both sides that must be darker."""
LEAST_CONTRAST = 12
"""Smallest contrast of an outline against them in grey levels. Chosen by eye; no measurement is
recorded."""
LEAST_SIDE = 20
"""Smallest width and height of a box in pixels. Chosen by eye; no measurement is recorded."""
MOST_SLOPE = 0.9
"""Largest slope of a side, in columns per row: that of a steered or diverging box. Chosen by eye;
no measurement is recorded."""
MOST_GAP = 12
"""Largest number of rows of a side that flow, text or dots may hide. Chosen by eye; no measurement
is recorded."""
ARC_TOLERANCE = 6
"""Largest distance, in pixels, from the end of a side to the arc on which it ends. Chosen by eye;
no measurement is recorded."""
MOST_ARCS = 60
"""Number of arcs that are tried for one end of a box; it limits the computing time."""
MOST_SIDES = 24
"""Number of candidates for a side, the longest first; it limits the computing time."""
LEAST_SUPPORT = 0.6
"""Smallest mean fraction of the four edges that is drawn, if there is flow inside. Chosen by eye;
no measurement is recorded."""
LEAST_SUPPORT_EMPTY = 0.85
"""The same if there is no flow to confirm the box. Chosen by eye; no measurement is recorded."""
WEAKEST_EDGE = 0.25
"""Smallest fraction of an edge that is drawn, as a fraction of the mean. Chosen by eye; no
measurement is recorded."""
CUT_EDGE = 0.5
"""Fraction that counts as drawn, at least, of an edge that the border of the screen cuts off.
Chosen by eye; no measurement is recorded."""
BESIDE_LINE = 0.97
"""Weight of a pixel one row beside a drawn line, just below that of the line. Chosen by eye; no
measurement is recorded."""
TIED_LINES = 0.02
"""Largest difference of the fractions that are drawn of two lines that count as equally complete.
Chosen by eye; no measurement is recorded."""
FLOW_POINTS = 1000
"""Approximate number of pixels of flow that are tested; it limits the computing time."""
SLOPES, OFFSET_BIN = 73, 1.5
"""Number of slopes, and width of the bins of offsets in pixels, in the Hough transform of a side.
Chosen by eye; no measurement is recorded."""
LINE_DISTANCES = (3.0, 2.0, 1.5)
"""Largest distance of a point from a side, in pixels, in each repetition of its fit. Chosen by eye;
no measurement is recorded."""
LEAST_LINE_PART = 0.5
"""Smallest part of the height of the points over which a side extends. Chosen by eye; no
measurement is recorded."""
SAME_SIDE = 3
"""Distance, in pixels, below which two lines are one side. Chosen by eye; no measurement is
recorded."""
LEAST_END_DENSITY = 0.7
"""Smallest number of drawn rows at the end of a side, relative to the whole side: bright speckle in
line with the outline must not lengthen it. Chosen by eye; no measurement is recorded."""
LEAST_COMMON_HEIGHT = 0.6
"""Smallest common height of two sides, relative to the taller one. Chosen by eye; no measurement is
recorded."""
LEAST_OPENING = -0.03
"""Smallest difference of the slopes of both sides: a box does not narrow with depth, apart from
errors of the fit. Chosen by eye; no measurement is recorded."""
LEAST_ARC_OPENING = 0.05
"""Smallest difference of the slopes of both sides at which arcs are tried. Chosen by eye; no
measurement is recorded."""
FLOW_FRACTION = 0.95
"""Smallest fraction of the flow that lies between the edges: some colour is text or noise."""
SIZE_PENALTY = 0.12
"""An outline that is e times as large must have this much more support. It rejects frames of the
interface, which contain the flow as well. Chosen by eye; no measurement is recorded."""


class Side(NamedTuple):
    """A straight, steep, thin line: column = at + slope * row, from row `top` to row `bottom`."""

    at: float
    slope: float
    top: int
    bottom: int
    drawn: NDArray[np.int64]
    """Number of rows above each row in which the line is drawn, shape (rows + 1,)."""

    def column(self, row: Any) -> Any:
        """Return the column at a row."""
        return self.at + self.slope * row

    def support(self, top: float, bottom: float) -> float:
        """Return the fraction of the line that is drawn between two rows."""
        first, last = (int(np.clip(round(row), 0, len(self.drawn) - 1)) for row in (top, bottom))
        return float(self.drawn[last] - self.drawn[first]) / max(bottom - top, 1.0)


def find_box(
    frame: ByteImage, flow: BoolImage, ignored: BoolImage, *, aspect: float = 1.0
) -> tuple[BoolImage, BoolImage] | None:
    """Find a rectangular, steered or diverging colour box by its outline.

    The outline consists of two steep thin lines that are joined at both ends, either by horizontal
    lines or by arcs around the point where the two lines meet. The flow lies between them.

    Parameters
    ----------
    frame : array, shape (rows, columns, 3), uint8
        RGB.
    flow : bool array, shape (rows, columns)
        Flow that the box must contain; may be empty.
    ignored : bool array, shape (rows, columns)
        True where no side is searched for: the colour bars.
    aspect : float
        Height over width of a pixel: the arcs of a box are circles in mm.

    Returns
    -------
    (inside, outline) or None
        Masks of the inside of the outline, and of the outline itself.
    """
    import cv2

    # white, grey, yellow and green outlines are bright in the green channel; white and grey ones
    # beside yellow or cyan flow are bright in the darkest channel
    red, green, blue = cv2.split(frame)
    darkest = cv2.min(cv2.min(red, green, dst=red), blue, dst=blue)
    del red, blue  # arrays are freed early, since those of a large frame need much memory
    sides = find_sides((thin_lines(green) | thin_lines(darkest)) & ~ignored)
    thin = thin_lines(green, axis=0) | thin_lines(darkest, axis=0)
    del green, darkest
    # an edge one row beside a drawn line counts a little less
    beside = np.roll(thin, 1, axis=0) | np.roll(thin, -1, axis=0)
    weights = np.zeros(256, np.float32)
    weights[1:4] = BESIDE_LINE, 1, 1
    level = np.asarray(cv2.LUT(2 * thin.view(np.uint8) + beside.view(np.uint8), weights))
    del thin, beside
    drawn_before = np.zeros((level.shape[0], level.shape[1] + 1), np.float32)
    level.cumsum(axis=1, dtype=np.float32, out=drawn_before[:, 1:])
    rows, columns = np.divmod(np.flatnonzero(flow), flow.shape[1])
    every = max(len(rows) // FLOW_POINTS, 1)
    points = columns[::every], rows[::every]
    slack = (1 - FLOW_FRACTION) / 2
    reach = (
        (float(np.quantile(rows, slack)), float(np.quantile(rows, 1 - slack)))
        if len(rows)
        else None
    )
    best_score, best = -np.inf, None
    for left in sides:
        for right in sides:
            if not _apart(left, right) or not _contains_flow(left, right, *points):
                continue
            ends = [
                list(_ends(left, right, end, drawn_before, reach, aspect)) for end in (TOP, BOTTOM)
            ]
            upper = max(
                ends[TOP], key=lambda curve: (_holds(curve, TOP, reach), _drawn(level, curve))
            )
            lower = max(
                ends[BOTTOM], key=lambda curve: (_holds(curve, BOTTOM, reach), _drawn(level, curve))
            )
            top, bottom = upper[[0, -1], 1], lower[[0, -1], 1]
            if (bottom - top).min() < LEAST_SIDE or not (
                _holds(upper, TOP, reach) and _holds(lower, BOTTOM, reach)
            ):
                continue
            edges = [
                left.support(top[0], bottom[0]),
                right.support(top[1], bottom[1]),
                _drawn(level, upper),
                _drawn(level, lower),
            ]
            # the box may be cut off by the edge of the screen
            for i, cut in (
                (2, upper[:, 1].min() < MOST_GAP),
                (3, lower[:, 1].max() >= flow.shape[0] - MOST_GAP),
            ):
                edges[i] = max(edges[i], CUT_EDGE) if cut else edges[i]
            support = float(np.mean(edges))
            if (
                support < (LEAST_SUPPORT if len(rows) else LEAST_SUPPORT_EMPTY)
                or min(edges) < WEAKEST_EDGE * support
            ):
                continue
            area = (np.ptp(upper[:, 0]) + np.ptp(lower[:, 0])) / 2 * (bottom - top).mean()
            if (score := support - SIZE_PENALTY * float(np.log(area))) > best_score:
                best_score, best = score, np.concatenate([upper, lower[::-1]])
    return None if best is None else _masks_of(best, flow.shape)


def thin_lines(image: ByteImage, axis: int = 1) -> BoolImage:
    """Return the pixels that are brighter than those THICKNESS pixels away on both sides.

    The sides are those along an axis: 1 finds steep lines, 0 level ones.
    """
    import cv2

    thin = np.zeros(image.shape, dtype=bool)
    if image.shape[axis] <= 2 * THICKNESS:
        return thin
    lower, middle, upper = (
        (slice(None),) * axis + (slice(first, image.shape[axis] - 2 * THICKNESS + first),)
        for first in (0, THICKNESS, 2 * THICKNESS)
    )
    thin[middle] = (
        cv2.subtract(image[middle], cv2.max(image[lower], image[upper])) >= LEAST_CONTRAST
    )
    return thin


def find_sides(steep: BoolImage) -> list[Side]:
    """Return the straight lines in a mask of thin steep lines, the longest first."""
    from usmicro.kernels.colour import chain_lengths

    rows, columns = steep.shape
    length = np.zeros(steep.shape, dtype=np.int32)
    chain_lengths(steep, length)
    parts = ConnectedParts.of(length >= LEAST_SIDE)
    top_of, height_of = parts.box[:, 1], parts.box[:, 3] - parts.box[:, 1]
    near = steep | np.roll(steep, 1, axis=1) | np.roll(steep, -1, axis=1)
    tall = np.argsort(-height_of, kind="stable")[: np.count_nonzero(height_of >= LEAST_SIDE)]
    sides: list[Side] = []
    for i in tall[: 2 * MOST_SIDES]:
        y, height = top_of[i], height_of[i]
        in_row, in_column = parts.pixels_of(i)
        line = steep_line(in_column.astype(np.float64), in_row.astype(np.float64))
        if line is None:
            continue
        at, slope = line
        if any(
            abs(other.column(row) - at - slope * row) < SAME_SIDE
            for other in sides
            for row in [(y + y + height) / 2]
            if _covers(other, row)
        ):
            continue
        column = np.round(at + slope * np.arange(rows)).astype(int)
        seen = (column >= 0) & (column < columns)
        seen[seen] = near[np.flatnonzero(seen), column[seen]]
        top, bottom = _extended(seen, y + height // 2)
        sides.append(Side(at, slope, top, bottom, np.concatenate([[0], seen.cumsum()])))
    sides.sort(key=lambda side: (side.top - side.bottom, side.at))
    return sides[:MOST_SIDES]


def steep_line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return (at, slope) of the steep line x = at + slope * y through most of the points.

    Other lines that are joined to it are ignored. None if the line is short.
    """
    slopes = np.linspace(-MOST_SLOPE, MOST_SLOPE, SLOPES)
    shifts = x[None] - slopes[:, None] * y[None]
    first = shifts.min()
    bins = ((shifts - first) / OFFSET_BIN).astype(np.int64)
    most = int(bins.max()) + 1
    votes = np.bincount(
        (bins + most * np.arange(len(slopes))[:, None]).ravel(), minlength=most * len(slopes)
    )
    best = int(votes.argmax())
    slope, at = float(slopes[best // most]), float(first + (best % most + 0.5) * OFFSET_BIN)
    on_line = np.zeros(len(x), dtype=bool)
    for distance in LINE_DISTANCES:
        on_line = np.abs(x - at - slope * y) < distance
        if len(np.unique(y[on_line])) < LEAST_SIDE:
            return None
        slope, at = np.polyfit(y[on_line], x[on_line], 1).tolist()
    long_enough = np.ptp(y[on_line]) >= LEAST_LINE_PART * np.ptp(y)
    return (at, slope) if abs(slope) <= MOST_SLOPE and long_enough else None


def _covers(side: Side, row: float) -> bool:
    return side.top <= row < side.bottom


def _extended(seen: NDArray[np.bool_], start: int) -> tuple[int, int]:
    """Return the first row and the row past the end of the stretch around a row without gaps.

    Gaps up to MOST_GAP rows count as drawn.
    """
    drawn = np.flatnonzero(seen)
    groups = np.split(drawn, np.flatnonzero(np.diff(drawn) > MOST_GAP) + 1)
    nearest = min(
        groups, key=lambda group: 0 if group[0] <= start <= group[-1] else min(abs(group - start))
    )
    top, bottom = int(nearest[0]), int(nearest[-1]) + 1
    least = LEAST_END_DENSITY * seen[top:bottom].mean() * MOST_GAP
    while bottom - top > LEAST_SIDE and (seen[top : top + MOST_GAP].sum() < least or not seen[top]):
        top += 1
    while bottom - top > LEAST_SIDE and (
        seen[bottom - MOST_GAP : bottom].sum() < least or not seen[bottom - 1]
    ):
        bottom -= 1
    return top, bottom


def _apart(left: Side, right: Side) -> bool:
    """True if two sides lie beside one another over most of their height."""
    top, bottom = max(left.top, right.top), min(left.bottom, right.bottom)
    tallest = max(left.bottom - left.top, right.bottom - right.top)
    if bottom - top < LEAST_COMMON_HEIGHT * tallest:
        return False
    wide_enough = right.column(top) - left.column(top) >= LEAST_SIDE
    return wide_enough and right.slope - left.slope >= LEAST_OPENING


def _contains_flow(left: Side, right: Side, x: NDArray[np.intp], y: NDArray[np.intp]) -> bool:
    """True if the flow at columns x and rows y lies between two sides, or if there is none."""
    inside = (x >= left.at + left.slope * y - 1) & (x <= right.at + right.slope * y + 1)
    return not len(x) or float(inside.mean()) >= FLOW_FRACTION


def _holds(curve: Curve, end: int, reach: tuple[float, float] | None) -> bool:
    """True if an end of the box lies beyond the flow."""
    if reach is None:
        return True
    return (
        bool(reach[TOP] >= curve[:, 1].min() - 1)
        if end == TOP
        else bool(reach[BOTTOM] <= curve[:, 1].max() + 1)
    )


def _ends(
    left: Side,
    right: Side,
    end: int,
    drawn_before: FloatImage,
    reach: tuple[float, float] | None,
    aspect: float,
) -> Iterator[Curve]:
    """Yield candidates for the upper or lower edge of a box.

    These are horizontal lines and arcs at the end of either side, and the most complete horizontal
    line between there and the flow.
    """
    rows = (left.top, right.top) if end == TOP else (left.bottom - 1, right.bottom - 1)
    middle = (max(left.top, right.top) + min(left.bottom, right.bottom)) / 2
    limit = middle if reach is None else reach[end]
    half = (
        np.arange(min(rows), max(int(limit), min(rows)) + 1)
        if end == TOP
        else np.arange(min(int(limit), max(rows)), max(rows) + 1)
    )
    first, last = (
        np.clip(side.column(half).round().astype(int), 0, drawn_before.shape[1] - 1)
        for side in (left, right)
    )
    drawn = (drawn_before[half, last] - drawn_before[half, first]) / np.maximum(last - first, 1)
    # the outermost of equally complete lines
    best = np.flatnonzero(drawn >= drawn.max() - TIED_LINES)[0 if end == TOP else -1]
    for row in sorted({*rows, int(half[best])}):
        first, last = left.column(row), right.column(row)
        x = np.linspace(first, last, max(int(last - first), 2))
        yield np.stack([x, np.full_like(x, row)], axis=1)
    spread = right.slope - left.slope
    if spread < LEAST_ARC_OPENING:
        return
    apex_y = (left.at - right.at) / spread
    apex_x = left.column(apex_y)
    angles = np.arctan(left.slope / aspect), np.arctan(right.slope / aspect)
    ends = [
        np.hypot(side.column(row) - apex_x, (row - apex_y) * aspect)
        for side, row in zip((left, right), rows, strict=True)
    ]
    # the ends of the sides, and so the radius, are uncertain by a few pixels
    for radius in np.arange(min(ends) - ARC_TOLERANCE, max(ends) + ARC_TOLERANCE + 1)[:MOST_ARCS]:
        angle = np.linspace(*angles, max(int(radius * (angles[1] - angles[0])), 2))
        x, y = apex_x + radius * np.sin(angle), apex_y + radius * np.cos(angle) / aspect
        yield np.stack([x, y], axis=1)


def _drawn(level: FloatImage, curve: Curve) -> float:
    """Return the fraction of a curve that is drawn."""
    x, y = curve.round().astype(int).T
    inside = (x >= 0) & (x < level.shape[1]) & (y >= 0) & (y < level.shape[0])
    return float(level[y[inside], x[inside]].sum()) / len(x)


def _masks_of(polygon: Curve, shape: tuple[int, ...]) -> tuple[BoolImage, BoolImage]:
    """Return masks of the inside of an outline, and of the outline, three pixels thick."""
    import cv2

    corners = polygon.round().astype(np.int32)[:, None]
    inside, line = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)
    cv2.fillPoly(inside, [corners], 1)
    cv2.polylines(line, [corners], True, 1)
    outline = cv2.dilate(line, np.ones((3, 3), np.uint8)) > 0
    return (inside > 0) & ~outline, outline
