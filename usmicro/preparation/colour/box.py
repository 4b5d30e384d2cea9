"""The colour box: the thin outline that a scanner draws around the part of the image where it measures flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage, FloatImage

TOP, BOTTOM = 0, 1
Curve = NDArray[np.float64]
"""Points (n, 2) of column and row, one pixel apart."""

THICKNESS = 4
"""An outline is brighter than what lies this many pixels to both of its sides."""
CONTRAST = 12
"""By how much it is brighter, grey levels."""
SHORTEST = 20
"""Pixels that a box is high and wide at least."""
STEEPEST = 0.9
"""Columns per row that a side leans at most: a steered or diverging box."""
GAP = 12
"""Rows of a side that may be hidden, by flow, text or dots."""
ARC_SLACK = 6
"""Pixels by which the end of a side may miss the arc that it ends on."""
MOST_ARCS = 60
"""Arcs that are tried for one end of a box."""
MOST_SIDES = 24
"""Longest candidates for a side that are looked at."""
SUPPORT = 0.6
"""Mean fraction of the four edges that must be drawn where there is flow inside."""
SUPPORT_EMPTY = 0.85
"""The same where there is no flow to confirm it."""
HELD = 0.95
"""Fraction of the flow that must lie between the edges."""
SIZE_COST = 0.12
"""Of two outlines the one e times as large must be drawn better by this: frames of the interface hold the flow too."""


class Side(NamedTuple):
    """A straight, steep, thin line: column = at + lean * row; drawn from row top to row bottom."""

    at: float
    lean: float
    top: int
    bottom: int
    drawn: NDArray[np.int64]
    """Rows drawn above each row, (rows + 1,)."""

    def column(self, row: Any) -> Any:
        """Column at a row."""
        return self.at + self.lean * row

    def support(self, top: float, bottom: float) -> float:
        """Fraction drawn between two rows."""
        first, last = (int(np.clip(round(row), 0, len(self.drawn) - 1)) for row in (top, bottom))
        return float(self.drawn[last] - self.drawn[first]) / max(bottom - top, 1.0)


def find_box(
    frame: ByteImage, flow: BoolImage, ignored: BoolImage, *, aspect: float = 1.0
) -> tuple[BoolImage, BoolImage] | None:
    """Find a rectangular, steered or diverging colour box by its outline.

    Two steep thin lines, joined at both ends by level lines or by arcs about the point where they meet, hold the flow between them.

    Parameters
    ----------
    frame : array, shape (rows, columns, 3), uint8
        RGB.
    flow : bool array, shape (rows, columns)
        Flow that the box must hold; may be empty.
    ignored : bool array, shape (rows, columns)
        Where no side is looked for: the colour bars.
    aspect : float
        Height over width of a pixel: the arcs of a box are circles in mm.

    Returns
    -------
    (inside, outline) or None
        Bool images of what lies within the outline and of the outline itself.
    """
    import cv2

    # white, grey, yellow and green outlines are bright in green; beside yellow or cyan flow the first two still are in the darkest channel
    red, green, blue = cv2.split(frame)
    darkest = cv2.min(cv2.min(red, green, dst=red), blue, dst=blue)
    del red, blue  # of a large frame each array takes much memory
    sides = find_sides((thin_lines(green) | thin_lines(darkest)) & ~ignored)
    thin = (
        thin_lines(np.ascontiguousarray(green.T)).T | thin_lines(np.ascontiguousarray(darkest.T)).T
    )
    del green, darkest
    # an edge a row beside the drawn one counts a little less
    level = np.where(
        thin,
        np.float32(1),
        np.float32(0.97) * (np.roll(thin, 1, axis=0) | np.roll(thin, -1, axis=0)),
    )
    del thin
    drawn_before = np.zeros((level.shape[0], level.shape[1] + 1), np.float32)
    level.cumsum(axis=1, dtype=np.float32, out=drawn_before[:, 1:])
    rows, columns = np.nonzero(flow)
    every = max(len(rows) // 1000, 1)
    points = columns[::every], rows[::every]
    slack = (1 - HELD) / 2
    reach = (
        (float(np.quantile(rows, slack)), float(np.quantile(rows, 1 - slack)))
        if len(rows)
        else None
    )
    best_score, best = -np.inf, None
    for left in sides:
        for right in sides:
            if not _apart(left, right) or not _between(left, right, *points):
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
            if (bottom - top).min() < SHORTEST or not (
                _holds(upper, TOP, reach) and _holds(lower, BOTTOM, reach)
            ):
                continue
            edges = [
                left.support(top[0], bottom[0]),
                right.support(top[1], bottom[1]),
                _drawn(level, upper),
                _drawn(level, lower),
            ]
            # the screen may end before the box does
            for i, cut in (
                (2, upper[:, 1].min() < GAP),
                (3, lower[:, 1].max() >= flow.shape[0] - GAP),
            ):
                edges[i] = max(edges[i], 0.5) if cut else edges[i]
            support = float(np.mean(edges))
            if support < (SUPPORT if len(rows) else SUPPORT_EMPTY) or min(edges) < 0.25 * support:
                continue
            area = (np.ptp(upper[:, 0]) + np.ptp(lower[:, 0])) / 2 * (bottom - top).mean()
            if (score := support - SIZE_COST * float(np.log(area))) > best_score:
                best_score, best = score, np.concatenate([upper, lower[::-1]])
    return None if best is None else _filled(best, flow.shape)


def thin_lines(image: ByteImage) -> BoolImage:
    """Pixels brighter than those THICKNESS columns to both sides."""
    import cv2

    thin = np.zeros(image.shape, dtype=bool)
    middle = image[:, THICKNESS:-THICKNESS]
    beside = cv2.max(image[:, : -2 * THICKNESS], image[:, 2 * THICKNESS :])
    if middle.size:
        thin[:, THICKNESS:-THICKNESS] = cv2.subtract(middle, beside) >= CONTRAST
    return thin


def find_sides(steep: BoolImage) -> list[Side]:
    """Straight lines in a mask of thin steep lines, the longest first."""
    import cv2

    from usmicro.kernels.colour import chain_lengths

    rows, columns = steep.shape
    length = np.zeros(steep.shape, dtype=np.int32)
    chain_lengths(steep, length)
    _, labels, stats, _ = cv2.connectedComponentsWithStats((length >= SHORTEST).view(np.uint8))
    near = steep | np.roll(steep, 1, axis=1) | np.roll(steep, -1, axis=1)
    tall = [i for i in range(1, len(stats)) if stats[i, cv2.CC_STAT_HEIGHT] >= SHORTEST]
    tall.sort(key=lambda i: -stats[i, cv2.CC_STAT_HEIGHT])
    sides: list[Side] = []
    for i in tall[: 2 * MOST_SIDES]:
        x, y, width, height = stats[i, :4]
        in_row, in_column = np.nonzero(labels[y : y + height, x : x + width] == i)
        line = steep_line((in_column + x).astype(np.float64), (in_row + y).astype(np.float64))
        if line is None:
            continue
        at, lean = line
        if any(
            abs(other.column(row) - at - lean * row) < 3
            for other in sides
            for row in [(y + y + height) / 2]
            if _covers(other, row)
        ):
            continue
        column = np.round(at + lean * np.arange(rows)).astype(int)
        seen = (column >= 0) & (column < columns)
        seen[seen] = near[np.flatnonzero(seen), column[seen]]
        top, bottom = _extended(seen, y + height // 2)
        sides.append(Side(at, lean, top, bottom, np.concatenate([[0], seen.cumsum()])))
    sides.sort(key=lambda side: (side.top - side.bottom, side.at))
    return sides[:MOST_SIDES]


def steep_line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float] | None:
    """The steep line x = at + lean * y through most of the points, (at, lean), whatever else is joined to it; None if it is short."""
    leans = np.linspace(-STEEPEST, STEEPEST, 73)
    shifts = x[None] - leans[:, None] * y[None]
    first = shifts.min()
    bins = ((shifts - first) / 1.5).astype(np.int64)
    most = int(bins.max()) + 1
    votes = np.bincount(
        (bins + most * np.arange(len(leans))[:, None]).ravel(), minlength=most * len(leans)
    )
    best = int(votes.argmax())
    lean, at = float(leans[best // most]), float(first + (best % most + 0.5) * 1.5)
    on_line = np.zeros(len(x), dtype=bool)
    for reach in (3.0, 2.0, 1.5):
        on_line = np.abs(x - at - lean * y) < reach
        if len(np.unique(y[on_line])) < SHORTEST:
            return None
        lean, at = np.polyfit(y[on_line], x[on_line], 1).tolist()
    return (at, lean) if abs(lean) <= STEEPEST and np.ptp(y[on_line]) >= 0.5 * np.ptp(y) else None


def _covers(side: Side, row: float) -> bool:
    return side.top <= row < side.bottom


def _extended(seen: NDArray[np.bool_], start: int) -> tuple[int, int]:
    """First row and one past the last of the stretch around a row that has no gap longer than GAP."""
    marks = np.flatnonzero(seen)
    groups = np.split(marks, np.flatnonzero(np.diff(marks) > GAP) + 1)
    nearest = min(
        groups, key=lambda group: 0 if group[0] <= start <= group[-1] else min(abs(group - start))
    )
    top, bottom = int(nearest[0]), int(nearest[-1]) + 1
    # bright speckle in line with the outline must not lengthen it
    least = 0.7 * seen[top:bottom].mean() * GAP
    while bottom - top > SHORTEST and (seen[top : top + GAP].sum() < least or not seen[top]):
        top += 1
    while bottom - top > SHORTEST and (
        seen[bottom - GAP : bottom].sum() < least or not seen[bottom - 1]
    ):
        bottom -= 1
    return top, bottom


def _apart(left: Side, right: Side) -> bool:
    """Whether two sides stand beside one another over most of their height."""
    top, bottom = max(left.top, right.top), min(left.bottom, right.bottom)
    if bottom - top < 0.6 * max(left.bottom - left.top, right.bottom - right.top):
        return False
    # a box does not narrow with depth, but for what the fit of its sides is off by
    return right.column(top) - left.column(top) >= SHORTEST and right.lean - left.lean >= -0.03


def _between(left: Side, right: Side, x: NDArray[np.intp], y: NDArray[np.intp]) -> bool:
    inside = (x >= left.at + left.lean * y - 1) & (x <= right.at + right.lean * y + 1)
    return not len(x) or float(inside.mean()) >= HELD


def _holds(curve: Curve, end: int, reach: tuple[float, float] | None) -> bool:
    """Whether an end lies beyond the flow."""
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
    """Level lines and arcs that join two sides at the end of either; and the best drawn level line between there and the flow."""
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
    # of lines drawn alike the outermost
    best = np.flatnonzero(drawn >= drawn.max() - 0.02)[0 if end == TOP else -1]
    for row in sorted({*rows, int(half[best])}):
        first, last = left.column(row), right.column(row)
        x = np.linspace(first, last, max(int(last - first), 2))
        yield np.stack([x, np.full_like(x, row)], axis=1)
    spread = right.lean - left.lean
    if spread < 0.05:
        return
    apex_y = (left.at - right.at) / spread
    apex_x = left.column(apex_y)
    angles = np.arctan(left.lean / aspect), np.arctan(right.lean / aspect)
    ends = [
        np.hypot(side.column(row) - apex_x, (row - apex_y) * aspect)
        for side, row in zip((left, right), rows, strict=True)
    ]
    # the ends of the sides, and so the radius, are off by a few pixels
    for radius in np.arange(min(ends) - ARC_SLACK, max(ends) + ARC_SLACK + 1)[:MOST_ARCS]:
        angle = np.linspace(*angles, max(int(radius * (angles[1] - angles[0])), 2))
        x, y = apex_x + radius * np.sin(angle), apex_y + radius * np.cos(angle) / aspect
        yield np.stack([x, y], axis=1)


def _drawn(level: FloatImage, curve: Curve) -> float:
    """Fraction of a curve that is drawn."""
    x, y = curve.round().astype(int).T
    inside = (x >= 0) & (x < level.shape[1]) & (y >= 0) & (y < level.shape[0])
    return float(level[y[inside], x[inside]].sum()) / len(x)


def _filled(polygon: Curve, shape: tuple[int, ...]) -> tuple[BoolImage, BoolImage]:
    """Inside of an outline, and the outline, three pixels thick."""
    import cv2

    corners = polygon.round().astype(np.int32)[:, None]
    inside, line = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)
    cv2.fillPoly(inside, [corners], 1)
    cv2.polylines(line, [corners], True, 1)
    outline = cv2.dilate(line, np.ones((3, 3), np.uint8)) > 0
    return (inside > 0) & ~outline, outline
