"""Legend: the strip below an overlay that explains its symbols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from usmicro.model.arrays import ByteImage, area_of
from usmicro.model.findings import Focus
from usmicro.writing.drawing import (
    AREAS,
    LABEL_COLOURS,
    WHITE,
    YELLOW,
    Colour,
    Pen,
    Point,
)

if TYPE_CHECKING:
    from usmicro.writing.protocols import AnalysisLike

STRIP: Colour = (24, 24, 24)
"""Colour of the strip. Chosen by eye."""

# Sizes are in widths of a drawn line. All were chosen by eye on the sample scans.
LINE_HEIGHT = 20
"""Height of a line of the legend."""
MARGIN = 4
"""Sum of the margins above and below all lines."""
SIDE_MARGIN = 8
"""Margin to the left of the first entry, and between the scale bar and its text."""
SYMBOL_WIDTH = 20
"""Distance from the left of a symbol to its text."""
SYMBOL_CENTRE = 6
"""Distance from the left of a symbol to its centre: half the length of a line symbol."""
TEXT_DROP = 4
"""Distance from the middle of a line of the legend to the bottom of its text."""
ENTRY_GAP = 14
"""Distance from the end of a text to the next symbol."""
RING_RADIUS, DIAMOND_SIZE = 5, 4
"""Radius of the ring, and half the diagonal of the diamond."""
TICK_UP, TICK_DOWN = 5, 4
"""Length of the shadow tick above and below the middle of the line."""

BAR_LENGTHS_MM = (50, 20, 10, 5, 2, 1)
"""Lengths of a scale bar, mm."""
LEAST_BAR = 20
"""Smallest length of a scale bar, pixels. Chosen by eye on the sample scans."""
BAR_SHARE = 5
"""The scale bar takes at most 1/BAR_SHARE of the width. Chosen by eye on the sample scans."""

Symbol = Callable[[Pen, Point], None]
"""Draws a symbol around a point."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One symbol of the legend with its text."""

    text: str
    symbol: Symbol | None
    """None for a text without a symbol."""
    width: float
    """Distance from the left of the symbol to the text, pixels."""


def legend(analysis: AnalysisLike, foci: Sequence[Focus], columns: int, scale: float) -> ByteImage:
    """Draw the legend: the symbols that occur, with counts, and a scale bar.

    There is no scale bar if the pixel spacing is unknown.

    Parameters
    ----------
    analysis : AnalysisLike
    foci : sequence of Focus
        Foci that are drawn; a cine may have more on other frames.
    columns : int
        Width of the overlay, pixels.
    scale : float
        Size of the overlay divided by the size of the scan.

    Returns
    -------
    array, shape (rows, columns, 3), uint8 RGB
    """
    pen = Pen(np.full((1, columns, 3), STRIP, dtype=np.uint8), unit=max(1.0, columns / 1000))
    unit = pen.unit
    entries = _entries(analysis, foci, columns, scale, unit)
    line, left, places = 0, SIDE_MARGIN * unit, []
    for entry in entries:
        width = entry.width + pen.extent(entry.text)[0] + ENTRY_GAP * unit
        if left > SIDE_MARGIN * unit and left + width > columns:
            line, left = line + 1, SIDE_MARGIN * unit
        places.append((left, line))
        left += width
    height = round((line + 1) * LINE_HEIGHT * unit + MARGIN * unit)
    pen.picture = np.full((height, columns, 3), STRIP, dtype=np.uint8)
    for entry, (left, line) in zip(entries, places, strict=True):
        middle = (line + 0.5) * LINE_HEIGHT * unit + MARGIN / 2 * unit
        if entry.symbol is not None:
            entry.symbol(pen, (left + SYMBOL_CENTRE * unit, middle))
        pen.text(entry.text, left + entry.width, middle + TEXT_DROP * unit, WHITE)
    return pen.picture


def _entries(
    analysis: AnalysisLike, foci: Sequence[Focus], columns: int, scale: float, unit: float
) -> list[Entry]:
    """Return the entries of the legend; `unit` is the width of a line, pixels."""
    symbols: list[tuple[str, Symbol | None]] = []
    for label, colour in LABEL_COLOURS.items():
        count = sum(focus.label == label for focus in foci)
        symbols.append((f"{label} {count}", _ring(colour)))
    for value, name, colour in reversed(AREAS):
        if area_of(analysis.labels, value).any():
            symbols.append((name, _line(colour)))
    if any(focus.shadow == "yes" for focus in foci):
        symbols.append(("shadow", _tick))
    for verdict, text in (("yes", "twinkling"), ("possible", "possible twinkling")):
        if any(focus.twinkling == verdict for focus in foci):
            symbols.append((text, _diamond(filled=verdict == "yes")))
    if analysis.scan.declared_frames > 1:
        frames = analysis.scan.declared_frames
        symbols.append((f"frame {analysis.frame} of {frames} (counted from 0)", None))
        if elsewhere := len(analysis.foci) - len(foci):
            text = "1 focus" if elsewhere == 1 else f"{elsewhere} foci"
            symbols.append((f"{text} on other frames: see the contact sheet", None))
    entries = [Entry(text, symbol, SYMBOL_WIDTH * unit) for text, symbol in symbols]
    if bar := scale_bar(analysis.summary.spacing_x_mm, columns, scale):
        length, text = bar
        entries.append(Entry(text, _bar(length), length + SIDE_MARGIN * unit))
    return entries


def _ring(colour: Colour) -> Symbol:
    """Return a symbol: a ring."""

    def ring(pen: Pen, centre: Point) -> None:
        pen.ring(centre, RING_RADIUS * pen.unit, colour)

    return ring


def _line(colour: Colour) -> Symbol:
    """Return the symbol of an outline: a horizontal line."""

    def line(pen: Pen, centre: Point) -> None:
        x, y = centre
        reach = SYMBOL_CENTRE * pen.unit
        pen.line([(x - reach, y), (x + reach, y)], colour)

    return line


def _bar(length: float) -> Symbol:
    """Return a scale bar of a length in pixels."""

    def bar(pen: Pen, centre: Point) -> None:
        left = centre[0] - SYMBOL_CENTRE * pen.unit
        pen.line([(left, centre[1]), (left + length, centre[1])], WHITE)

    return bar


def _tick(pen: Pen, centre: Point) -> None:
    """Draw the symbol of a posterior shadow."""
    x, y = centre
    pen.line([(x, y - TICK_UP * pen.unit), (x, y + TICK_DOWN * pen.unit)], YELLOW)


def _diamond(*, filled: bool) -> Symbol:
    """Return the symbol of twinkling."""

    def diamond(pen: Pen, centre: Point) -> None:
        pen.diamond(centre, DIAMOND_SIZE * pen.unit, YELLOW, filled=filled)

    return diamond


def scale_bar(spacing_mm: float | None, columns: int, scale: float) -> tuple[float, str] | None:
    """Choose a scale bar of a round length that fits into a fifth of the width.

    Parameters
    ----------
    spacing_mm : float or None
        Width of a pixel of the scan, mm.
    columns : int
        Width of the picture, pixels.
    scale : float
        Size of the picture divided by the size of the scan.

    Returns
    -------
    (float, str) or None
        Length in pixels of the picture, and text; None if no length fits or the spacing is unknown.
    """
    if spacing_mm is None:
        return None
    for length in BAR_LENGTHS_MM:
        pixels = length / spacing_mm * scale
        if LEAST_BAR <= pixels <= columns / BAR_SHARE:
            return pixels, f"{length} mm"
    return None
