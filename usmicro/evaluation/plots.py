"""Curves as inline SVG, made of plain text so that the same numbers give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from usmicro.writing.report.plots import round_up

WIDTH, HEIGHT = 420, 320
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 42
Point = tuple[float, float]


def curve(
    points: Sequence[Point],
    title: str,
    across: str,
    up: str,
    *,
    most: float,
    mark: Point | None = None,
    said: str = "",
    diagonal: bool = False,
) -> str:
    """A figure with a curve that rises in steps; the vertical axis goes from 0 to 1.

    Parameters
    ----------
    points : sequence of (float, float)
        From left to right.
    title, across, up : str
        What is shown, and what to write at the axes.
    most : float
        Where the horizontal axis ends.
    mark : (float, float), optional
        A point on it to show, of which `said` tells what it is.
    diagonal : bool
        Draw what a guess would give.
    """
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(point: Point) -> str:
        return f"{LEFT + inner_width * min(point[0] / most, 1):.1f},{TOP + inner_height * (1 - point[1]):.1f}"

    parts = []
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        y = TOP + inner_height * (1 - tick)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    step = round_up(most / 5)
    for index in range(math.floor(most / step + 1e-9) + 1):
        x = LEFT + inner_width * index * step / most
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{TOP + inner_height + 16}" text-anchor="middle">{index * step:g}</text>'
        )
    if diagonal:
        parts.append(f'<polyline class="guess" points="{place((0, 0))} {place((most, 1))}"/>')
    steps = [(0.0, 0.0)]
    for x_value, y_value in points:
        if x_value > most:
            break
        steps += [(x_value, steps[-1][1]), (x_value, y_value)]
    parts.append(f'<polyline class="curve" points="{" ".join(map(place, steps))}"/>')
    if mark is not None:
        x_place, y_place = place(mark).split(",")
        parts.append(
            f'<circle class="mark" cx="{x_place}" cy="{y_place}" r="5"><title>{escape(said)}</title></circle>'
        )
    parts.append(
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{TOP + inner_height}" y2="{TOP + inner_height}"/>'
    )
    parts.append(
        f'<text class="label" x="{LEFT + inner_width / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(across)}</text>'
    )
    middle = TOP + inner_height / 2
    parts.append(
        f'<text class="label" transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{escape(up)}</text>'
    )
    described = escape(f"{title}: {up} against {across}", quote=True)
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{described}">{"".join(parts)}</svg>'
    note = f'<p class="note">Dot: {escape(said)}</p>' if mark is not None else ""
    return f"<figure><figcaption>{escape(title)}</figcaption>{svg}{note}</figure>"


def histogram(values: Sequence[float], title: str, across: str) -> str:
    """A figure that counts values between 0 and 1 in ten bins."""
    counts = [0] * 10
    for value in values:
        counts[min(9, int(value * 10))] += 1
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    parts = []
    for index, count in enumerate(counts):
        height = inner_height * count / max(counts)
        x, y = LEFT + inner_width * index / 10, TOP + inner_height - height
        bar = f'<rect class="bar" x="{x + 1:.1f}" y="{y:.1f}" width="{inner_width / 10 - 2:.1f}" height="{height:.1f}"/>'
        parts.append(f"<g><title>{index / 10:g} to {(index + 1) / 10:g}: {count}</title>{bar}</g>")
        if count:
            parts.append(
                f'<text class="tick" x="{x + inner_width / 20:.1f}" y="{max(y - 3, 10):.1f}" text-anchor="middle">{count}</text>'
            )
    for tick in range(0, 11, 2):
        x = LEFT + inner_width * tick / 10
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{TOP + inner_height + 16}" text-anchor="middle">{tick / 10:g}</text>'
        )
    parts.append(
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{TOP + inner_height}" y2="{TOP + inner_height}"/>'
    )
    parts.append(
        f'<text class="label" x="{LEFT + inner_width / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(across)}</text>'
    )
    described = escape(f"{title}: {across}", quote=True)
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{described}">{"".join(parts)}</svg>'
    return f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>"
