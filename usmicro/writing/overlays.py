"""Overlays: the scan with its findings drawn on it, and a legend below.

Symbols surround a finding and never cover it. Pixels outside the tissue, where scanners print
names, are black.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import ByteImage, area_of
from usmicro.model.findings import Focus, Mass
from usmicro.writing.drawing import (
    AREAS,
    LABEL_COLOURS,
    ORANGE,
    YELLOW,
    Colour,
    Pen,
    Point,
    enlarge,
    on_black,
    outline,
    rgb_of,
    scaled,
)
from usmicro.writing.legend import legend
from usmicro.writing.polygons import mass_tops, outline_corners

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, pixels."""

MOST_NUMBERED = 60
"""Largest number of foci that get a number; more numbers would hide the scan. Chosen by eye on the
sample scans; no measurement is recorded."""

# Sizes are in widths of a drawn line. All were chosen by eye on the sample scans.
LEAST_RING_RADIUS, RING_MARGIN = 8, 5
"""Smallest radius of a ring, and its distance from the edge of the focus."""
TICK_START, TICK_END = 2, 10
"""Distance of both ends of the shadow tick from the ring."""
DIAMOND_DISTANCE, DIAMOND_SIZE = 6, 4
"""Distance of the centre of the twinkling diamond from the ring, and half of its diagonal."""
TEXT_GAP = 3
"""Distance of a text from the ring or the point that it belongs to."""
MASS_TEXT_GAP = 2
"""Further distance of the number of a mass from its outline."""

RESERVED_SHARE = 0.7
"""Half the side of the square around a focus that texts avoid, ring radii: about the square inside
the ring."""
OUTSIDE_WEIGHT = 10
"""Cost of a part of a text outside the picture, relative to a part that covers a symbol. Chosen by
eye on the sample scans."""
DIAGONAL = 0.75
"""Both components of a diagonal direction: between those of a circle, 0.71, and of a square, 1.
Chosen by eye on the sample scans."""
RIGHT, ABOVE, LEFT, BELOW = (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0), (0.0, 1.0)
DIRECTIONS = (
    RIGHT,
    (DIAGONAL, -DIAGONAL),
    (DIAGONAL, DIAGONAL),
    ABOVE,
    (-DIAGONAL, -DIAGONAL),
    (-DIAGONAL, DIAGONAL),
    LEFT,
    BELOW,
)
"""Directions in which a text may lie, best first. The diamond of twinkling lies straight left, the
tick of a shadow straight below."""


def draw(analysis: AnalysisLike) -> ByteImage:
    """Draw the findings on the key frame.

    Foci that a cine shows on other frames only are left out, and so are shadows and outlines that
    were measured on another frame.

    Returns
    -------
    array, shape (rows, columns, 3), uint8 RGB
        The frame, enlarged to at least 600 columns (or shrunk to at most 4096 a side), with a
        legend below it.
    """
    foci = foci_on_key_frame(analysis)
    areas = {value: area_of(analysis.labels, value) for value, _, _ in AREAS}
    tissue = ~area_of(analysis.labels, AreaLabel.NOT_TISSUE)
    picture, scale = enlarge(on_black(analysis.image, tissue))
    picture = rgb_of(picture)  # a grey frame is enlarged faster in grey
    pen = Pen(picture, unit=max(1.0, picture.shape[1] / 1000))
    for value, _, colour in AREAS:
        outline(pen, areas[value], scale, colour)
    centres = [scaled((focus.x_px, focus.y_px), scale) for focus in foci]
    radii = [ring_radius(focus, scale, pen.unit) for focus in foci]
    for focus, centre, radius in zip(foci, centres, radii, strict=True):
        if focus.outline_px is not None:
            corners = (outline_corners(focus.outline_px) + 0.5) * scale - 0.5
            pen.line(corners, LABEL_COLOURS[focus.label], closed=True)
        draw_focus(pen, focus, centre, radius)
    taken = [
        square(centre, RESERVED_SHARE * radius)
        for centre, radius in zip(centres, radii, strict=True)
    ]
    tops = mass_tops(areas[AreaLabel.MASS], masses_on_key_frame(analysis), analysis.frame)
    for mass, x, y in tops:
        top, gap = scaled((x, y), scale), MASS_TEXT_GAP * pen.unit
        taken.append(write_beside(pen, f"M{mass}", top, gap, ORANGE, taken, preferred=ABOVE))
    by_confidence = sorted(
        range(len(foci)), key=lambda index: (-foci[index].confidence, foci[index].focus)
    )
    for index in sorted(by_confidence[:MOST_NUMBERED]):
        focus, colour = foci[index], LABEL_COLOURS[foci[index].label]
        number = str(focus.focus)
        taken.append(write_beside(pen, number, centres[index], radii[index], colour, taken))
    return np.vstack([picture, legend(analysis, foci, picture.shape[1], scale)])


def foci_on_key_frame(analysis: AnalysisLike) -> list[Focus]:
    """Return the foci that the key frame shows, at their positions on this frame.

    A focus that was measured on another frame has neither its shadow nor its outline here.
    """
    positions = {
        point.focus: (point.x_px, point.y_px)
        for point in analysis.tracks
        if point.frame == analysis.frame
    }
    shown = []
    for focus in analysis.foci:
        if focus.frame == analysis.frame:
            shown.append(focus)
        elif focus.focus in positions:
            x_px, y_px = positions[focus.focus]
            elsewhere: dict[str, Any] = {"shadow": "not assessable", "outline_px": None}
            shown.append(replace(focus, x_px=x_px, y_px=y_px, **elsewhere))
    return shown


def masses_on_key_frame(analysis: AnalysisLike) -> list[Mass]:
    """Return the masses that the key frame shows, with their centres on this frame."""
    centres = {
        point.mass: (point.x_px, point.y_px)
        for point in analysis.mass_tracks
        if point.frame == analysis.frame
    }
    shown = []
    for mass in analysis.masses:
        if mass.frame == analysis.frame:
            shown.append(mass)
        elif mass.mass in centres:
            x_px, y_px = centres[mass.mass]
            shown.append(replace(mass, frame=analysis.frame, x_px=x_px, y_px=y_px))
    return shown


def ring_radius(focus: Focus, scale: float, unit: float) -> float:
    """Return the radius of the ring around a focus, pixels of the picture.

    The ring of a clump surrounds its outline.
    """
    radius = (focus.diameter_px or 0.0) / 2 * scale
    if focus.outline_px is not None:
        corners = outline_corners(focus.outline_px) - (focus.x_px, focus.y_px)
        radius = float(np.hypot(*corners.T).max()) * scale
    return max(LEAST_RING_RADIUS * unit, radius + RING_MARGIN * unit)


def square(centre: Point, half_side: float) -> Box:
    """Return the square around a point."""
    x, y = centre
    return x - half_side, y - half_side, x + half_side, y + half_side


def draw_focus(pen: Pen, focus: Focus, centre: Point, radius: float) -> None:
    """Draw a ring around a focus, a tick below for a shadow, and a diamond for twinkling.

    The diamond lies to the left; it is open if twinkling is only possible. A clump whose outline is
    drawn has no ring.
    """
    x, y = centre
    if focus.outline_px is None:
        pen.ring(centre, radius, LABEL_COLOURS[focus.label])
    if focus.shadow == "yes":
        start, end = (y + radius + distance * pen.unit for distance in (TICK_START, TICK_END))
        pen.line([(x, start), (x, end)], YELLOW)
    if focus.twinkling in ("yes", "possible"):
        place = (x - radius - DIAMOND_DISTANCE * pen.unit, y)
        pen.diamond(place, DIAMOND_SIZE * pen.unit, YELLOW, filled=focus.twinkling == "yes")


def write_beside(
    pen: Pen,
    text: str,
    centre: Point,
    radius: float,
    colour: Colour,
    taken: Sequence[Box],
    preferred: Point = RIGHT,
) -> Box:
    """Write a text beside a point, where it covers the least.

    Parameters
    ----------
    pen : Pen
    text : str
    centre : (float, float)
        Column and row of the point.
    radius : float
        Radius around the point that stays free, pixels.
    colour : tuple of int
    taken : sequence of Box
        Boxes that the text avoids.
    preferred : (float, float)
        Direction that is taken if nothing speaks against it.

    Returns
    -------
    Box
        The box that the text fills.
    """
    width, height = pen.extent(text)
    rows, columns = pen.picture.shape[:2]
    gap = radius + TEXT_GAP * pen.unit

    def box(direction: Point) -> Box:
        x = centre[0] + direction[0] * (gap + width / 2)
        y = centre[1] + direction[1] * (gap + height / 2)
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2

    def cost(candidate: Box) -> float:
        left, top, right, bottom = candidate
        outside = (right - left) * (bottom - top) - overlap(candidate, (0, 0, columns, rows))
        return sum(overlap(candidate, other) for other in taken) + OUTSIDE_WEIGHT * outside

    best, least = box(preferred), float("inf")
    for direction in (preferred, *DIRECTIONS):
        candidate = box(direction)
        if (paid := cost(candidate)) < least:
            best, least = candidate, paid
        if not paid:
            break  # it covers nothing
    pen.text(text, best[0], best[3], colour)
    return best


def overlap(one: Box, other: Box) -> float:
    """Return the area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)
