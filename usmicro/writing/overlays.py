"""Overlays: the scan with its findings drawn, and a strip below that explains the marks.

Marks surround what they mark and never cover it. Pixels outside the tissue, where scanners print names, are black.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage, ByteImage, Frame
from usmicro.model.findings import Focus
from usmicro.writing.polygons import mass_tops

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

Colour = tuple[int, int, int]
Point = tuple[float, float]
Box = tuple[float, float, float, float]

# Okabe and Ito's palette, which people with any colour vision can tell apart (jfly.uni-koeln.de/color, 2008)
ORANGE, SKY_BLUE, GREEN, YELLOW, PURPLE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
)
WHITE, BLACK, STRIP = (235, 235, 235), (0, 0, 0), (24, 24, 24)
LABEL_COLOURS: dict[str, Colour] = {
    "intramass": ORANGE,
    "extramass": SKY_BLUE,
    "intraductal": PURPLE,
}
AREAS: tuple[tuple[int, str, Colour], ...] = (
    (AreaLabel.NONMASS, "nonmass area", GREEN),
    (AreaLabel.DUCT, "duct", PURPLE),
    (AreaLabel.MASS, "mass", ORANGE),
)

LEAST_WIDTH, MOST_SIDE = 600, 4096
NUMBERED = 60
"""At most so many foci get a number; more would hide the scan."""
FONT = cv2.FONT_HERSHEY_SIMPLEX
TEXT_SIZE = 0.42
RIGHT, ABOVE = (1.0, 0.0), (0.0, -1.0)
SHIFT = 4  # OpenCV draws at fixed-point positions with this many binary places


def draw(analysis: AnalysisLike) -> ByteImage:
    """Draw the findings on the key frame; those of a cine that were seen best on another frame are dotted.

    Returns
    -------
    array, shape (rows, columns, 3), uint8 RGB
        The frame, enlarged to at least 600 columns (or shrunk to at most 4096 a side), with a strip below it.
    """
    foci = analysis.foci
    picture = rgb_of(analysis.image)
    picture[analysis.labels == AreaLabel.NOT_TISSUE] = 0
    picture, scale = enlarge(picture)
    pen = Pen(picture, unit=max(1.0, picture.shape[1] / 1000))
    for value, _, colour in AREAS:
        outline(pen, analysis.labels == value, scale, colour)
    centres = [scaled((focus.x_px, focus.y_px), scale) for focus in foci]
    radii = [
        max(8 * pen.unit, (focus.diameter_px or 0.0) / 2 * scale + 5 * pen.unit) for focus in foci
    ]
    for focus, centre, radius in zip(foci, centres, radii, strict=True):
        mark(pen, focus, centre, radius, dotted=focus.frame != analysis.frame)
    taken = [around(centre, 0.7 * radius) for centre, radius in zip(centres, radii, strict=True)]
    for mass, x, y in mass_tops(analysis.labels == 1, analysis.masses, analysis.frame):
        taken.append(
            write_beside(
                pen, f"M{mass}", scaled((x, y), scale), 2 * pen.unit, ORANGE, taken, side=ABOVE
            )
        )
    surest = sorted(
        range(len(foci)), key=lambda index: (-foci[index].confidence, foci[index].focus)
    )[:NUMBERED]
    for index in sorted(surest):
        colour = LABEL_COLOURS[foci[index].label]
        taken.append(
            write_beside(pen, str(foci[index].focus), centres[index], radii[index], colour, taken)
        )
    return np.vstack([picture, legend(analysis, foci, picture.shape[1], scale)])


def rgb_of(frame: Frame) -> ByteImage:
    """A copy of a frame as 8-bit RGB."""
    bytes_ = frame >> 8 if frame.dtype == np.uint16 else frame
    three = bytes_ if bytes_.ndim == 3 else np.repeat(bytes_[..., None], 3, axis=2)
    return np.array(
        three, dtype=np.uint8, order="C"
    )  # a frame may lie transposed in memory, which OpenCV cannot draw on


def enlarge(picture: ByteImage) -> tuple[ByteImage, float]:
    """A picture at a size to draw on, and by how much it was enlarged; by a whole number, unless it is too large to write."""
    rows, columns = picture.shape[:2]
    scale = float(max(1, -(-LEAST_WIDTH // columns)))
    if max(rows, columns) * scale > MOST_SIDE:
        scale = MOST_SIDE / max(rows, columns)
    if scale != 1:
        size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        picture = cv2.resize(
            picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        )
    return picture, scale


class Pen:
    """Draws thin antialiased marks on an RGB picture."""

    def __init__(self, picture: ByteImage, unit: float = 1.0) -> None:
        self.picture = picture
        self.unit = unit
        """Width of a line in pixels, which grows with the picture."""
        self.width = max(1, round(unit))

    def line(
        self, points: Sequence[Point] | NDArray[np.float64], colour: Colour, *, closed: bool = False
    ) -> None:
        """A polygon or open line through points (column, row)."""
        fixed = np.rint(np.asarray(points, dtype=float) * (1 << SHIFT)).astype(np.int32)[:, None, :]
        cv2.polylines(self.picture, [fixed], closed, colour, self.width, cv2.LINE_AA, SHIFT)

    def ring(self, centre: Point, radius: float, colour: Colour, *, dotted: bool = False) -> None:
        """A circle with a dark rim, so that it shows on bright tissue and on colour flow."""
        rows, columns = self.picture.shape[:2]
        reach = radius + 3 * self.unit
        left, right = max(0, int(centre[0] - reach)), min(columns, int(centre[0] + reach) + 2)
        top, bottom = max(0, int(centre[1] - reach)), min(rows, int(centre[1] + reach) + 2)
        y, x = np.mgrid[top:bottom, left:right].astype(float)
        # by distance, since OpenCV's wide antialiased lines spread over what the ring surrounds
        off_line = abs(np.hypot(x - centre[0], y - centre[1]) - radius)
        drawn = (
            np.sin(8 * np.arctan2(y - centre[1], x - centre[0])) > 0
            if dotted
            else np.ones(x.shape, bool)
        )
        window = self.picture[top:bottom, left:right]
        for shade, half in ((BLACK, 1.5 * self.unit), (colour, 0.6 * self.unit)):
            opacity = (np.clip(half + 0.5 - off_line, 0, 1) * drawn)[..., None]
            window[:] = np.rint(window * (1 - opacity) + np.array(shade) * opacity).astype(np.uint8)

    def diamond(self, centre: Point, size: float, colour: Colour, *, filled: bool) -> None:
        """A square on its corner."""
        x, y = centre
        corners = [(x, y - size), (x + size, y), (x, y + size), (x - size, y)]
        self.line(corners, colour, closed=True)
        if filled:
            fixed = np.rint(np.asarray(corners) * (1 << SHIFT)).astype(np.int32)
            cv2.fillConvexPoly(self.picture, fixed, colour, cv2.LINE_AA, SHIFT)

    def extent(self, text: str) -> tuple[int, int]:
        """Width and height of a text in pixels."""
        (width, height), _ = cv2.getTextSize(text, FONT, TEXT_SIZE * self.unit, self.width)
        return width, height

    def text(self, text: str, left: float, bottom: float, colour: Colour) -> None:
        """A line of text."""
        # the rim is the text itself, moved: what a thicker text looks like differs between OpenCV 4 and 5
        for x, y in ((-1, -1), (-1, 1), (1, -1), (1, 1), (0, 0)):
            at = (round(left) + x * self.width, round(bottom) + y * self.width)
            shade = colour if x == 0 else BLACK
            cv2.putText(
                self.picture, text, at, FONT, TEXT_SIZE * self.unit, shade, self.width, cv2.LINE_AA
            )


def scaled(point: Point, scale: float) -> Point:
    """Position in the enlarged picture of a position in the scan; pixel centres lie at whole numbers in both."""
    return (point[0] + 0.5) * scale - 0.5, (point[1] + 0.5) * scale - 0.5


def around(centre: Point, radius: float) -> Box:
    """The square around a point: left, top, right, bottom."""
    return centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius


def outline(pen: Pen, area: BoolImage, scale: float, colour: Colour) -> None:
    """Draw the outlines of an area, holes included."""
    contours, _ = cv2.findContours(area.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        pen.line((contour[:, 0, :] + 0.5) * scale - 0.5, colour, closed=True)


def mark(pen: Pen, focus: Focus, centre: Point, radius: float, *, dotted: bool) -> None:
    """A ring around a focus, with a tick below for a shadow and a diamond to the left for twinkling."""
    x, y = centre
    pen.ring(centre, radius, LABEL_COLOURS[focus.label], dotted=dotted)
    if focus.shadow == "yes":
        pen.line([(x, y + radius + 2 * pen.unit), (x, y + radius + 10 * pen.unit)], YELLOW)
    if focus.twinkling in ("yes", "possible"):
        pen.diamond(
            (x - radius - 6 * pen.unit, y), 4 * pen.unit, YELLOW, filled=focus.twinkling == "yes"
        )


def write_beside(
    pen: Pen,
    text: str,
    centre: Point,
    radius: float,
    colour: Colour,
    taken: Sequence[Box],
    side: tuple[float, float] = RIGHT,
) -> Box:
    """Write a text beside a point, where it covers the least of what is taken, and give the box that it fills."""
    width, height = pen.extent(text)
    rows, columns = pen.picture.shape[:2]
    gap = radius + 3 * pen.unit

    def box(direction: tuple[float, float]) -> Box:
        x = centre[0] + direction[0] * (gap + width / 2)
        y = centre[1] + direction[1] * (gap + height / 2)
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2

    def covered(candidate: Box) -> float:
        left, top, right, bottom = candidate
        inside = overlap(candidate, (0, 0, columns, rows))
        return sum(overlap(candidate, other) for other in taken) + 10 * (
            (right - left) * (bottom - top) - inside
        )

    # straight below is where the shadow tick is, straight left the twinkling mark
    directions = [
        side,
        RIGHT,
        (0.75, -0.75),
        (0.75, 0.75),
        ABOVE,
        (-0.75, -0.75),
        (-0.75, 0.75),
        (-1.0, 0.0),
        (0.0, 1.0),
    ]
    best = min((box(direction) for direction in directions), key=covered)
    pen.text(text, best[0], best[3], colour)
    return best


def overlap(one: Box, other: Box) -> float:
    """Area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def legend(analysis: AnalysisLike, foci: Sequence[Focus], columns: int, scale: float) -> ByteImage:
    """The strip that explains the marks that are there, with counts and, where the spacing is known, a scale bar."""
    pen = Pen(np.full((1, columns, 3), STRIP, dtype=np.uint8), unit=max(1.0, columns / 1000))
    unit = pen.unit
    symbols: list[tuple[str, Callable[[Pen, Point], None]]] = []
    for label, colour in LABEL_COLOURS.items():
        count = sum(focus.label == label for focus in foci)
        symbols.append(
            (f"{label} {count}", lambda pen, at, colour=colour: pen.ring(at, 5 * unit, colour))
        )  # type: ignore[misc]
    for value, name, colour in reversed(AREAS):
        if (analysis.labels == value).any():
            symbols.append(
                (
                    name,
                    lambda pen, at, colour=colour: pen.line(
                        [(at[0] - 6 * unit, at[1]), (at[0] + 6 * unit, at[1])], colour
                    ),
                )
            )  # type: ignore[misc]
    if any(focus.shadow == "yes" for focus in foci):
        symbols.append(
            (
                "shadow",
                lambda pen, at: pen.line(
                    [(at[0], at[1] - 5 * unit), (at[0], at[1] + 4 * unit)], YELLOW
                ),
            )
        )
    for verdict, words in (("yes", "twinkling"), ("possible", "possible twinkling")):
        if any(focus.twinkling == verdict for focus in foci):
            filled = verdict == "yes"
            symbols.append(
                (
                    words,
                    lambda pen, at, filled=filled: pen.diamond(at, 4 * unit, YELLOW, filled=filled),
                )
            )  # type: ignore[misc]
    if any(focus.frame != analysis.frame for focus in foci):
        symbols.append(
            ("of another frame", lambda pen, at: pen.ring(at, 5 * unit, WHITE, dotted=True))
        )
    if analysis.scan.declared_frames > 1:
        symbols.append(
            (f"frame {analysis.frame} of {analysis.scan.declared_frames}", lambda pen, at: None)
        )
    if bar := scale_bar(analysis.summary.spacing_x_mm, columns, scale):
        length, words = bar
        symbols.append(
            (
                words,
                lambda pen, at: pen.line(
                    [(at[0] - 6 * unit, at[1]), (at[0] - 6 * unit + length, at[1])], WHITE
                ),
            )
        )

    line, left, places = 0, 8 * unit, []
    for index, (words, _) in enumerate(symbols):
        room = bar[0] + 8 * unit if bar and index == len(symbols) - 1 else 20 * unit
        width = room + pen.extent(words)[0] + 14 * unit
        if left > 8 * unit and left + width > columns:
            line, left = line + 1, 8 * unit
        places.append((left, line, room))
        left += width
    height = round((line + 1) * 20 * unit + 4 * unit)
    pen.picture = np.full((height, columns, 3), STRIP, dtype=np.uint8)
    for (words, symbol), (left, line, room) in zip(symbols, places, strict=True):
        middle = (line + 0.5) * 20 * unit + 2 * unit
        symbol(pen, (left + 6 * unit, middle))
        pen.text(words, left + room, middle + 4 * unit, WHITE)
    return pen.picture


def scale_bar(spacing_mm: float | None, columns: int, scale: float) -> tuple[float, str] | None:
    """Length in pixels and name of a round length that fits a fifth of the width; None if none does or the spacing is unknown."""
    if spacing_mm is None:
        return None
    fitting = [
        length
        for length in (50, 20, 10, 5, 2, 1)
        if 20 <= length / spacing_mm * scale <= columns / 5
    ]
    return (fitting[0] / spacing_mm * scale, f"{fitting[0]} mm") if fitting else None
