"""Plots of the report: histograms and bars as inline SVG.

The SVG is written as plain text, so that the same numbers give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from statistics import median

WIDTH, HEIGHT = 320, 170
"""Size of a plot, SVG units."""
LEFT, RIGHT, TOP, BOTTOM = 36, 8, 10, 34
"""Margins around the axes, SVG units; room for the labels of the axes."""
INNER_WIDTH, INNER_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
"""Size of the area between the axes, SVG units."""
BAR_GAP = 1.5
"""Gap between two bars, SVG units. Chosen by eye."""
MOST_BINS = 20
"""Number of bins that a histogram aims at. Weighs detail against noise. Chosen by eye on the sample
scans; no measurement is recorded."""
X_TICKS, Y_TICKS = 7, 4
"""Number of ticks that the axes aim at, so that their labels do not touch. Chosen by eye."""
SHOWN_SHARE = 0.99
"""Share of the values that have bins of equal width; the last bin also has all above, so that a few
large values do not squeeze the rest. Chosen by eye; no measurement is recorded."""
ROUNDING = 1e-9
"""Tolerance for the rounding of floating-point divisions."""
SHAPES = {"intramass": "circle", "extramass": "square", "intraductal": "triangle"}
"""Shape of each label, so that colour is not the only difference."""


def histogram(
    values: Sequence[float],
    title: str,
    axis: str,
    *,
    whole: bool = False,
    most: float | None = None,
    missing: str = "",
) -> str:
    """Draw a histogram of numbers that are not negative, as an HTML figure.

    Parameters
    ----------
    values : sequence of float
    title, axis : str
        Caption, and label of the horizontal axis.
    whole : bool
        True for counts; the edges of bins are then whole numbers.
    most : float, optional
        Largest possible value; the axis then goes from 0 to this value.
    missing : str
        Note on values that are not known.
    """
    if not values:
        return _figure(title, f'<p class="empty">No values.</p>{_note(missing)}')
    if most:
        edges, open_ended = [most * index / MOST_BINS for index in range(MOST_BINS + 1)], False
    else:
        edges, open_ended = bins(values, whole=whole)
    counts = [0] * (len(edges) - 1)
    step = edges[1] - edges[0]
    for value in values:
        index = math.floor((value - edges[0]) / step + ROUNDING)
        counts[min(len(counts) - 1, max(0, index))] += 1
    bin_width = INNER_WIDTH / len(counts)
    highest, ticks = _count_axis(max(counts))
    base = TOP + INNER_HEIGHT
    parts = []
    for tick in ticks:
        y = TOP + INNER_HEIGHT * (1 - tick / highest)
        parts.append(_horizontal("grid", f"{y:.1f}"))
        parts.append(_text("tick", f"{LEFT - 6}", f"{y + 3.5:.1f}", f"{tick:,}", anchor="end"))
    for index, (count, (low, high)) in enumerate(zip(counts, pairwise(edges), strict=True)):
        span = _whole_span(low, high) if whole else f"{low:g} to {high:g}"
        span = f"{low:g} or more" if open_ended and index == len(counts) - 1 else span
        x, y = LEFT + index * bin_width, TOP + INNER_HEIGHT * (1 - count / highest)
        bar = _rectangle(
            "bar",
            f"{x + BAR_GAP / 2:.2f}",
            f"{y:.2f}",
            f"{max(bin_width - BAR_GAP, 0.5):.2f}",
            f"{base - y:.2f}",
        )
        target = _rectangle("target", f"{x:.2f}", f"{TOP}", f"{bin_width:.2f}", f"{INNER_HEIGHT}")
        parts.append(f"<g><title>{escape(span)}: {count:,}</title>{bar}{target}</g>")
    tick_step = round_up(step * len(counts) / X_TICKS)
    centred = whole and step == 1
    # an open-ended bin has no upper edge
    for index, edge in enumerate(edges[:-1] if open_ended or centred else edges):
        if abs(edge / tick_step - round(edge / tick_step)) < 1e-6:
            x = LEFT + (index + (0.5 if centred else 0)) * bin_width
            parts.append(_text("tick", f"{x:.1f}", f"{base + 14}", f"{edge:g}"))
    parts.append(_horizontal("axis", f"{base}"))
    parts.append(_text("label", f"{(LEFT + WIDTH - RIGHT) / 2:.1f}", f"{HEIGHT - 4}", axis))
    numbers = (
        f"median {median(values):.3g}, {min(values):.3g} to {max(values):.3g}; n = {len(values):,}"
    )
    description = escape(f"Histogram, {title}: {numbers}", quote=True)
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{description}">'
    svg += f"{''.join(parts)}</svg>"
    open_note = f"; the last bar has all values from {edges[-2]:g}" if open_ended else ""
    return _figure(title, f"{svg}{_note(numbers + open_note)}{_note(missing)}")


def bins(values: Sequence[float], *, whole: bool) -> tuple[list[float], bool]:
    """Choose bins of a round width.

    Parameters
    ----------
    values : sequence of float
        Values that are not negative.
    whole : bool
        True for counts; the edges are then whole numbers, from 0.

    Returns
    -------
    edges : list of float
    open_ended : bool
        True if the last bin also has the values above its upper edge.
    """
    ordered = sorted(values)
    low, high = ordered[0], ordered[min(len(ordered) - 1, math.ceil(SHOWN_SHARE * len(ordered)))]
    if high > low:
        step = round_up((high - low) / MOST_BINS)
    else:
        step = 1.0 if whole else round_up(max(high, 1.0) / MOST_BINS)
    step = max(step, 1.0) if whole else step
    first = 0 if whole else math.floor(low / step + ROUNDING)
    last = max(first + 1, math.floor(high / step + ROUNDING) + 1)
    edges = [float(f"{index * step:.10g}") for index in range(first, last + 1)]
    return edges, ordered[-1] > last * step


def round_up(value: float) -> float:
    """Return the smallest of ..., 0.5, 1, 2, 5, 10, 20, ... that is not below a value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        factor * power for factor in (1, 2, 5, 10) if factor * power >= value * (1 - ROUNDING)
    )


def bars(counts: Sequence[tuple[str, int, str]], title: str, *, missing: str = "") -> str:
    """Draw a horizontal bar for each word, as an HTML figure.

    Parameters
    ----------
    counts : sequence of (str, int, str)
        Word, count, and CSS class that colours the bar.
    title : str
        Caption.
    missing : str
        Note on values that are not known.
    """
    total = sum(count for _, count, _ in counts)
    if not total:
        return _figure(title, f'<p class="empty">No values.</p>{_note(missing)}')
    rows = []
    for name, count, colour in counts:
        share = 100 * count / total
        shape = shape_icon(colour) if colour in SHAPES else ""
        rows.append(
            f'<div class="bar-row"><span class="bar-name">{shape}{escape(name)}</span>'
            f'<span class="bar-count">{count:,} <small>{share:.0f} %</small></span>'
            f'<span class="bar-track"><span class="bar-fill {colour}" style="width:{share:.2f}%">'
            "</span></span></div>"
        )
    return _figure(title, f'<div class="bars">{"".join(rows)}</div>{_note(missing)}')


def shape_icon(label: str) -> str:
    """Return the shape of a label as a small SVG."""
    use = f'<use href="#shape-{SHAPES[label]}"/>'
    return f'<svg class="icon {label}" aria-hidden="true">{use}</svg>'


def _horizontal(kind: str, y: str) -> str:
    """Return a line over the width of the plot."""
    return f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'


def _text(kind: str, x: str, y: str, text: str, *, anchor: str = "middle") -> str:
    """Return a text at a place."""
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _rectangle(kind: str, x: str, y: str, width: str, height: str) -> str:
    """Return a rectangle."""
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}"/>'


def _whole_span(low: float, high: float) -> str:
    """Return the text for a bin of whole numbers."""
    return f"{low:g}" if high - low == 1 else f"{low:g} to {high - 1:g}"


def _count_axis(highest: int) -> tuple[float, list[int]]:
    """Return the end of the vertical axis and its ticks."""
    step = max(1, round(round_up(highest / Y_TICKS)))
    ticks = list(range(0, highest + step, step))
    return float(ticks[-1]), ticks


def _figure(title: str, content: str) -> str:
    return f'<figure class="plot"><figcaption>{escape(title)}</figcaption>{content}</figure>'


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>' if text else ""
