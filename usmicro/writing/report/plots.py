"""Plots of the report: histograms and bars as inline SVG, made of plain text so that the same numbers give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from statistics import median

WIDTH, HEIGHT = 320, 170
LEFT, RIGHT, TOP, BOTTOM = 36, 8, 10, 34
MOST_BINS = 20
SHAPES = {"intramass": "circle", "extramass": "square", "intraductal": "triangle"}
"""The shape of each label, so that colour is not the only difference."""


def histogram(
    values: Sequence[float],
    title: str,
    axis: str,
    *,
    whole: bool = False,
    most: float | None = None,
    missing: str = "",
) -> str:
    """A figure with a histogram of numbers that are not negative.

    Parameters
    ----------
    values : sequence of float
    title, axis : str
        What the numbers are, and what to write below the horizontal axis.
    whole : bool
        Whether they count something; bins then hold whole numbers.
    most : float, optional
        The highest that they can be; the axis then goes from 0 to there.
    missing : str
        What to say of values that are not known.
    """
    if not values:
        return _figure(title, f'<p class="empty">No values.</p>{_note(missing)}')
    edges, beyond = (
        ([most * index / MOST_BINS for index in range(MOST_BINS + 1)], False)
        if most
        else bins(values, whole=whole)
    )
    counts = [0] * (len(edges) - 1)
    step = edges[1] - edges[0]
    for value in values:
        counts[min(len(counts) - 1, max(0, math.floor((value - edges[0]) / step + 1e-9)))] += 1
    room = (WIDTH - LEFT - RIGHT) / len(counts)
    highest, ticks = _count_axis(max(counts))
    inner = HEIGHT - TOP - BOTTOM
    parts = []
    for tick in ticks:
        y = TOP + inner * (1 - tick / highest)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text class="tick" x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{tick:,}</text>'
        )
    for index, (count, (low, high)) in enumerate(zip(counts, pairwise(edges), strict=True)):
        span = _whole_span(low, high) if whole else f"{low:g} to {high:g}"
        span = f"{low:g} or more" if beyond and index == len(counts) - 1 else span
        x, y = LEFT + index * room, TOP + inner * (1 - count / highest)
        bar = f'<rect class="bar" x="{x + 0.75:.2f}" y="{y:.2f}" width="{max(room - 1.5, 0.5):.2f}" height="{TOP + inner - y:.2f}"/>'
        target = f'<rect class="target" x="{x:.2f}" y="{TOP}" width="{room:.2f}" height="{inner}"/>'
        parts.append(f"<g><title>{escape(span)}: {count:,}</title>{bar}{target}</g>")
    between = round_up(step * len(counts) / 7)
    centred = whole and step == 1
    for index, edge in enumerate(
        edges[:-1] if beyond or centred else edges
    ):  # a last bin that holds more has no upper edge
        if abs(edge / between - round(edge / between)) < 1e-6:
            x = LEFT + (index + (0.5 if centred else 0)) * room
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{TOP + inner + 14}" text-anchor="middle">{edge:g}</text>'
            )
    parts.append(
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{TOP + inner}" y2="{TOP + inner}"/>'
    )
    parts.append(
        f'<text class="label" x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{HEIGHT - 4}" text-anchor="middle">{escape(axis)}</text>'
    )
    middle = (
        f"median {median(values):.3g}, {min(values):.3g} to {max(values):.3g}; n = {len(values):,}"
    )
    described = escape(f"Histogram, {title}: {middle}", quote=True)
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{described}">{"".join(parts)}</svg>'
    beyond_note = f"; the last bar holds all from {edges[-2]:g} on" if beyond else ""
    return _figure(title, f"{svg}{_note(middle + beyond_note)}{_note(missing)}")


def bins(values: Sequence[float], *, whole: bool) -> tuple[list[float], bool]:
    """Edges of bins of a round width, and whether the last bin also holds what lies beyond (the highest hundredth)."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[min(len(ordered) - 1, math.ceil(0.99 * len(ordered)))]
    step = (
        round_up((high - low) / MOST_BINS)
        if high > low
        else (1.0 if whole else round_up(max(high, 1.0) / MOST_BINS))
    )
    step = max(step, 1.0) if whole else step
    first = 0 if whole else math.floor(low / step + 1e-9)
    last = max(first + 1, math.floor(high / step + 1e-9) + 1)
    return [float(f"{index * step:.10g}") for index in range(first, last + 1)], ordered[
        -1
    ] > last * step


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20 and so on."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * (1 - 1e-9))


def bars(counts: Sequence[tuple[str, int, str]], title: str, *, missing: str = "") -> str:
    """A figure with a horizontal bar for each word: the word, how often it occurs, and the class that colours the bar."""
    total = sum(count for _, count, _ in counts)
    if not total:
        return _figure(title, f'<p class="empty">No values.</p>{_note(missing)}')
    rows = []
    for name, count, colour in counts:
        share = 100 * count / total
        shape = (
            f'<svg class="icon {colour}" aria-hidden="true"><use href="#shape-{SHAPES[colour]}"/></svg>'
            if colour in SHAPES
            else ""
        )
        rows.append(
            f'<div class="bar-row"><span class="bar-name">{shape}{escape(name)}</span>'
            f'<span class="bar-count">{count:,} <small>{share:.0f} %</small></span>'
            f'<span class="bar-track"><span class="bar-fill {colour}" style="width:{share:.2f}%"></span></span></div>'
        )
    return _figure(title, f'<div class="bars">{"".join(rows)}</div>{_note(missing)}')


def _whole_span(low: float, high: float) -> str:
    return f"{low:g}" if high - low == 1 else f"{low:g} to {high - 1:g}"


def _count_axis(highest: int) -> tuple[float, list[int]]:
    """Upper end of the axis and the ticks on it."""
    step = max(1, round(round_up(highest / 4)))
    ticks = list(range(0, highest + step, step))
    return float(ticks[-1]), ticks


def _figure(title: str, content: str) -> str:
    return f'<figure class="plot"><figcaption>{escape(title)}</figcaption>{content}</figure>'


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>' if text else ""
