"""The colour bar: the strip of graded colours beside a colour Doppler image.

It shows which velocity or power each colour stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage
from usmicro.model.scan import Region
from usmicro.model.view import ColourBar
from usmicro.preparation.connected_parts import ConnectedParts

Box = tuple[int, int, int, int]
Colours = NDArray[np.float32]

LEAST_LENGTH = 24
"""Smallest length of a bar in pixels. Chosen by eye; no measurement is recorded."""
LEAST_ELONGATION = 1.8
"""Smallest ratio of length to width of a bar. Chosen by eye; no measurement is recorded."""
LEAST_WIDTH, LEAST_VARIANCE_WIDTH = 3, 4
"""Smallest width of a bar in pixels, and of the inner part of a variance bar. Chosen by eye; no
measurement is recorded."""
EDGE_PART = 5
"""1 / EDGE_PART of the width is left out at either long edge, which JPEG and anti-aliasing blur.
Chosen by eye; no measurement is recorded."""
SLOPE_PART = 3
"""The colours at a long edge are extrapolated from 1 / SLOPE_PART of the inner width. Chosen by
eye; no measurement is recorded."""
ALIGNMENT_PART, LEAST_ALIGNMENT = 6, 2
"""Largest offset of two parts of a bar: 1 / ALIGNMENT_PART of the width, or LEAST_ALIGNMENT pixels
if that is more. Chosen by eye; no measurement is recorded."""
FILLED_FRACTION = 0.8
"""Smallest fraction of its rectangle that one half of a bar fills. Chosen by eye; no measurement is
recorded."""
MOST_CROSSWISE = 12.0
"""Largest mean deviation across a bar, in grey levels, at which its colours change along it only.
Lossy coding causes some. Chosen by eye; no measurement is recorded."""
LEAST_PATH = 150.0
"""Smallest length of the path of the colours of a bar through RGB space. Chosen by eye; no
measurement is recorded."""
BASELINE_LEVEL = 0.6
"""Largest level of the baseline, as a fraction of the highest level on the weaker side. Chosen by
eye; no measurement is recorded."""
ABRUPT = 3.0
"""A colour step of at least 1 / ABRUPT of the largest belongs to the sign change. The median of the
other steps must be below 1 / (2 ABRUPT) of the largest. Chosen by eye; no measurement is
recorded."""
MOST_MIRROR_DISTANCE = 30.0
"""Largest mean distance, in RGB space, of the two halves of a bar at which one mirrors the other.
Such a bar shows power twice. Chosen by eye; no measurement is recorded."""
VARIANCE_SMOOTHNESS = 0.5
"""Largest step across a variance bar as a fraction of its deviation across: its colours change
smoothly in both directions. Chosen by eye; no measurement is recorded."""
POWER_END = 8
"""The ends of a bar whose levels are compared are 1 / POWER_END of its length."""
MOST_GAP = 0.25
"""Largest gap between two parts of a bar, as a fraction of the length of both: a black baseline or
a marker. Chosen by eye; no measurement is recorded."""
BASELINE_MARGIN_PART = 20
"""No baseline is searched for in 1 / BASELINE_MARGIN_PART of the length at either end. Chosen by
eye; no measurement is recorded."""
BASELINE_BAND = 0.15
"""The baseline extends over levels up to this fraction of the way to the weaker side. Chosen by
eye; no measurement is recorded."""
LEAST_STEPS = 8
"""Smallest number of colour steps of a graded bar. Chosen by eye; no measurement is recorded."""
SMALL_STEPS_FRACTION = 0.4
"""Smallest fraction of the colour path that all but the three largest steps make up: a bar is
graded, text and icons are not. Chosen by eye; no measurement is recorded."""
PATH_NODES, MOST_DETOUR, DETOUR_OFFSET = 13, 1.8, 40.0
"""Largest length of the colour path, as a multiple of the path through PATH_NODES equally spaced
nodes, plus an offset in grey levels for noise. Chosen by eye; no measurement is recorded."""


class Rectangle(NamedTuple):
    """A filled rectangle of coloured pixels; for a horizontal bar, in the transposed image."""

    left: int
    top: int
    right: int
    bottom: int


def find_bars(
    frame: ByteImage, coloured: BoolImage, declared: Sequence[Region] = ()
) -> tuple[list[ColourBar], list[Box]]:
    """Find the colour bars of a screen.

    Parameters
    ----------
    frame : array, shape (rows, columns, 3), uint8
        RGB.
    coloured : bool array, shape (rows, columns)
        True where pixels are not grey.
    declared : sequence of Region
        Colour bars that the file declares; used in addition to those found.

    Returns
    -------
    bars : list of ColourBar
        Bars of colour Doppler; the bar with the longest colour path first.
    elasticity : list of (left, top, right, bottom)
        Scales of elastography: bars that run through the rainbow without a baseline.
    """
    bars: list[tuple[float, ColourBar]] = []
    elasticity: list[Box] = []
    filled = _filled_rectangles(coloured)
    for upright in (True, False):
        image = frame if upright else frame.transpose(1, 0, 2)
        rectangles = stacked(filled if upright else [transposed(rectangle) for rectangle in filled])
        for region in declared:
            place = Rectangle(region.left, region.top, region.right, region.bottom)
            if upright == (place.bottom - place.top >= place.right - place.left):
                rectangles.insert(0, place if upright else transposed(place))
        for place in rectangles:
            length, width = place.bottom - place.top, place.right - place.left
            if length < LEAST_LENGTH or length < LEAST_ELONGATION * width or width < LEAST_WIDTH:
                continue
            left, top, right, bottom = place if upright else transposed(place)
            box = left, top, right, bottom
            read = read_bar(
                image[place.top : place.bottom, place.left : place.right], box, upright=upright
            )
            if read == "elasticity":
                elasticity.append(box)
            elif read is not None:
                flat = read.colours if read.colours.ndim == 2 else read.colours.mean(axis=1)
                bars.append((path(flat.astype(np.float32)), read))
    bars.sort(key=lambda item: (-item[0], item[1].box))
    return [bar for _, bar in bars], elasticity


def transposed(place: Rectangle) -> Rectangle:
    """Return the rectangle in the transposed image."""
    return Rectangle(place.top, place.left, place.bottom, place.right)


def _filled_rectangles(mask: BoolImage) -> list[Rectangle]:
    """Return the rectangles that are filled by coloured pixels, such as the halves of bars."""
    import cv2

    thick = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    parts = ConnectedParts.of(thick, corners=False)
    found = []
    for place, area in zip(parts.box.tolist(), parts.area.tolist(), strict=True):
        rectangle = Rectangle(*place)
        width, height = rectangle.right - rectangle.left, rectangle.bottom - rectangle.top
        if (
            min(width, height) >= LEAST_WIDTH
            and max(width, height) >= LEAST_LENGTH // 4
            and area >= FILLED_FRACTION * width * height
        ):
            found.append(rectangle)
    return found


def stacked(rectangles: Sequence[Rectangle]) -> list[Rectangle]:
    """Join rectangles one above the other: a baseline or a marker cuts a bar into parts."""
    joined: list[Rectangle] = []
    for item in sorted(rectangles, key=lambda r: (r.top, r.left)):
        for i, above in enumerate(joined):
            slack = max(LEAST_ALIGNMENT, (item.right - item.left) // ALIGNMENT_PART)
            aligned = (
                abs(above.left - item.left) <= slack and abs(above.right - item.right) <= slack
            )
            gap, length = item.top - above.bottom, item.bottom - above.top
            if aligned and gap <= MOST_GAP * length:
                joined[i] = Rectangle(
                    max(above.left, item.left), above.top, min(above.right, item.right), item.bottom
                )
                break
        else:
            joined.append(item)
    return joined


def path(colours: Colours) -> float:
    """Return the length of the path of a list of colours through RGB space."""
    return float(np.linalg.norm(np.diff(colours, axis=0), axis=1).sum())


def read_bar(
    strip: ByteImage, box: Box, *, upright: bool
) -> ColourBar | Literal["elasticity"] | None:
    """Read a colour bar.

    The top of an upright bar is flow towards the transducer; in a horizontal bar it is the red end.
    The baseline is the darkest band inside, or else the palest. A bar without a baseline but with a
    dark end shows power.

    Parameters
    ----------
    strip : array, shape (length, width, 3), uint8
        Pixels of the bar; the first axis runs along it.
    box : (left, top, right, bottom)
        Place of the bar in the frame.
    upright : bool
        True if the bar is vertical.

    Returns
    -------
    ColourBar, "elasticity" or None
        None if the colours are not graded like those of a bar.
    """
    width = strip.shape[1]
    margin = width // EDGE_PART
    inner = strip[:, margin : width - margin].astype(np.float32)
    colours = np.median(inner, axis=1)
    if path(colours) < LEAST_PATH or not graded(colours):
        return None
    across = float(np.abs(inner - colours[:, None]).mean(axis=(0, 1)).max())
    if across > MOST_CROSSWISE:
        variance = bool(
            np.abs(np.diff(inner, axis=1)).mean(axis=(0, 1)).max() < VARIANCE_SMOOTHNESS * across
            and inner.shape[1] >= LEAST_VARIANCE_WIDTH
        )
        if not variance:
            return None
    else:
        variance = False
    baseline = find_baseline(colours)
    if baseline is None:
        value = colours.max(axis=1)
        first, last = (
            value[: len(value) // POWER_END + 1].mean(),
            value[-(len(value) // POWER_END + 1) :].mean(),
        )
        if min(first, last) <= BASELINE_LEVEL * max(first, last) and not variance:
            shown = colours if first > last else colours[::-1]
            return ColourBar("power", shown.round().astype(np.uint8), float(len(shown) - 1), box)
        return "elasticity" if rainbow(colours) else None
    above, below = colours[: int(baseline) + 1], colours[int(np.ceil(baseline)) :]
    same = min(len(above), len(below))
    if (
        not variance
        and float(np.linalg.norm(above[-same:] - below[:same][::-1], axis=1).mean())
        < MOST_MIRROR_DISTANCE
    ):
        return ColourBar("power", above.round().astype(np.uint8), baseline, box)
    shown = to_edges(inner, margin) if variance else colours
    if not upright and warmth(below) > warmth(above):
        shown, baseline = shown[::-1], len(colours) - 1 - baseline
    return ColourBar(
        "variance" if variance else "velocity",
        np.ascontiguousarray(shown.round().astype(np.uint8)),
        baseline,
        box,
    )


def to_edges(inner: Colours, margin: int) -> Colours:
    """Extrapolate the inner part of a two-dimensional bar, shape (n, m, 3), to its long edges.

    The colours of laminar flow lie at an edge.
    """
    part = max(inner.shape[1] // SLOPE_PART, 2)
    beyond = np.arange(1, margin + 1, dtype=np.float32)[None, :, None]
    first, last = inner[:, :1], inner[:, -1:]
    before, after = (
        (inner[:, at + part - 1 : at + part] - inner[:, at : at + 1]) / (part - 1)
        for at in (0, inner.shape[1] - part)
    )
    return np.asarray(
        np.clip(
            np.concatenate(
                [first - before * beyond[:, ::-1], inner, last + after * beyond], axis=1
            ),
            0,
            255,
        )
    )


def graded(colours: Colours) -> bool:
    """True if colours change in many small steps and do not return.

    The colours of text, icons and flow change in few large steps.
    """
    steps = np.linalg.norm(np.diff(colours, axis=0), axis=1)
    changes = np.sort(steps[steps > 1])
    if len(changes) < LEAST_STEPS or changes[:-3].sum() < SMALL_STEPS_FRACTION * changes.sum():
        return False
    # a graded path is hardly longer than the straight lines between a few of its points
    places = np.linspace(0, len(colours) - 1, PATH_NODES).round().astype(int)
    return bool(steps.sum() <= MOST_DETOUR * path(colours[places]) + DETOUR_OFFSET)


def find_baseline(colours: Colours) -> float | None:
    """Return the middle of the darkest, or else the palest band inside a bar, as an index.

    None if there is neither.
    """
    for measure in (colours.max(axis=1), colours.max(axis=1) - colours.min(axis=1)):
        edge = max(len(measure) // BASELINE_MARGIN_PART, 1)
        lowest = edge + int(np.argmin(measure[edge:-edge]))
        level = float(measure[lowest])
        weaker = min(float(measure[:lowest].max()), float(measure[lowest + 1 :].max()))
        if level > BASELINE_LEVEL * weaker:
            continue
        band = measure <= level + BASELINE_BAND * (weaker - level)
        first, last = lowest, lowest
        while first > 0 and band[first - 1]:
            first -= 1
        while last < len(band) - 1 and band[last + 1]:
            last += 1
        if first > 0 and last < len(band) - 1:
            return _sign_change(colours, first, last)
    return None


def _sign_change(colours: Colours, first: int, last: int) -> float:
    """Return where the hue changes abruptly between two indices, or else their middle.

    If the baseline is shifted, the colours change at different rates on both sides of it.
    """
    steps = np.linalg.norm(np.diff(colours[first - 1 : last + 2], axis=0), axis=1)
    large = np.flatnonzero(steps >= steps.max() / ABRUPT)
    others = np.delete(steps, large)
    abrupt = (
        np.ptp(large) == len(large) - 1
        and len(others) > 0
        and steps.max() > 2 * ABRUPT * np.median(others)
    )
    return (
        first - 0.5 + float(np.average(large, weights=steps[large]))
        if abrupt
        else (first + last) / 2
    )


def warmth(colours: Colours) -> float:
    """Return the mean of red minus blue."""
    return float((colours[:, 0] - colours[:, 2]).mean())


def rainbow(colours: Colours) -> bool:
    """True if a bar runs from red through green to blue, or back."""
    third = len(colours) // 3
    ends = sorted(
        (int(colours[:third].mean(axis=0).argmax()), int(colours[-third:].mean(axis=0).argmax()))
    )
    return ends == [0, 2] and int(colours[third:-third].mean(axis=0).argmax()) == 1
