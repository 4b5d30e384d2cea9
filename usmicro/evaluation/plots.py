"""Plots of the evaluation as inline SVG.

The SVG is written as plain text, so that the same numbers give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from usmicro.writing.report.plots import round_up

WIDTH, HEIGHT = 420, 320
"""Size of a plot, SVG units."""

LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 42
"""Margins around the axes, SVG units; room for the labels of the axes."""

INNER_WIDTH, INNER_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
"""Size of the area between the axes, SVG units."""

BINS = 10
"""Number of bins of a histogram of values between 0 and 1."""

ROUNDING = 1e-9
"""Added before numbers of ticks are rounded down, against errors of floating-point division."""

Point = tuple[float, float]
"""Horizontal and vertical value of a point of a curve."""


def curve(
    points: Sequence[Point],
    title: str,
    x_label: str,
    y_label: str,
    *,
    x_end: float,
    marker: Point | None = None,
    marker_text: str = "",
    diagonal: bool = False,
) -> str:
    """Draw a curve that rises in steps as an HTML figure.

    Parameters
    ----------
    points : sequence of (float, float)
        Points of the curve, from left to right. The vertical axis goes from 0 to 1.
    title, x_label, y_label : str
        Caption, and labels of the axes.
    x_end : float
        End of the horizontal axis, which starts at 0. The curve is cut there.
    marker : (float, float), optional
        Point of the curve that gets a dot.
    marker_text : str
        Meaning of the dot.
    diagonal : bool
        Draw the diagonal, which is the curve of a random score.
    """
    parts = []
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        y = TOP + INNER_HEIGHT * (1 - tick)
        grid = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        parts += [grid, _text("tick", f"{LEFT - 6}", f"{y + 4:.1f}", "end", f"{tick:g}")]
    step = round_up(x_end / 5)
    for index in range(math.floor(x_end / step + ROUNDING) + 1):
        parts.append(_x_tick(LEFT + INNER_WIDTH * index * step / x_end, f"{index * step:g}"))
    if diagonal:
        ends = f"{_position((0, 0), x_end)} {_position((x_end, 1), x_end)}"
        parts.append(f'<polyline class="guess" points="{ends}"/>')
    steps = [(0.0, 0.0)]
    for x_value, y_value in points:
        if x_value > x_end:
            break
        steps += [(x_value, steps[-1][1]), (x_value, y_value)]
    positions = " ".join(_position(point, x_end) for point in steps)
    parts.append(f'<polyline class="curve" points="{positions}"/>')
    note = ""
    if marker is not None:
        cx, cy = _position(marker, x_end).split(",")
        text = escape(marker_text)
        circle = f'<circle class="mark" cx="{cx}" cy="{cy}" r="5"><title>{text}</title></circle>'
        parts.append(circle)
        note = f'<p class="note">Dot: {text}</p>'
    parts += _x_axis(x_label)
    place = f'transform="translate(12 {TOP + INNER_HEIGHT / 2}) rotate(-90)"'
    parts.append(f'<text class="label" {place} text-anchor="middle">{escape(y_label)}</text>')
    return _figure(title, f"{y_label} against {x_label}", parts, note)


def histogram(values: Sequence[float], title: str, x_label: str) -> str:
    """Draw a histogram of values between 0 and 1, with ten bins, as an HTML figure."""
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int(value * BINS))] += 1
    bin_width = INNER_WIDTH / BINS
    parts = []
    for index, count in enumerate(counts):
        height = INNER_HEIGHT * count / max(counts)
        x, y = LEFT + INNER_WIDTH * index / BINS, TOP + INNER_HEIGHT - height
        place = f'x="{x + 1:.1f}" y="{y:.1f}" width="{bin_width - 2:.1f}" height="{height:.1f}"'
        title_text = f"{index / BINS:g} to {(index + 1) / BINS:g}: {count}"
        parts.append(f'<g><title>{title_text}</title><rect class="bar" {place}/></g>')
        if count:
            text_x, text_y = f"{x + INNER_WIDTH / (2 * BINS):.1f}", f"{max(y - 3, 10):.1f}"
            parts.append(_text("tick", text_x, text_y, "middle", f"{count}"))
    for tick in range(0, BINS + 1, 2):
        parts.append(_x_tick(LEFT + INNER_WIDTH * tick / BINS, f"{tick / BINS:g}"))
    return _figure(title, x_label, parts + _x_axis(x_label))


def _position(point: Point, x_end: float) -> str:
    """Return the SVG position of a point of a curve, as "x,y"."""
    x = LEFT + INNER_WIDTH * min(point[0] / x_end, 1)
    return f"{x:.1f},{TOP + INNER_HEIGHT * (1 - point[1]):.1f}"


def _text(css_class: str, x: str, y: str, anchor: str, text: str) -> str:
    place = f'x="{x}" y="{y}" text-anchor="{anchor}"'
    return f'<text class="{css_class}" {place}>{escape(text)}</text>'


def _x_tick(x: float, text: str) -> str:
    return _text("tick", f"{x:.1f}", f"{TOP + INNER_HEIGHT + 16}", "middle", text)


def _x_axis(label: str) -> list[str]:
    y = TOP + INNER_HEIGHT
    return [
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>',
        _text("label", f"{LEFT + INNER_WIDTH / 2}", f"{HEIGHT - 6}", "middle", label),
    ]


def _figure(title: str, description: str, parts: Sequence[str], note: str = "") -> str:
    """Return an HTML figure; title and description are the text for screen readers."""
    label = escape(f"{title}: {description}", quote=True)
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}"'
    svg = f'<svg {box} role="img" aria-label="{label}">{"".join(parts)}</svg>'
    return f"<figure><figcaption>{escape(title)}</figcaption>{svg}{note}</figure>"
