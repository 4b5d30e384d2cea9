"""The colour bar: the strip of graded colours beside a colour Doppler image that says what its colours mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage
from usmicro.model.scan import Region
from usmicro.model.view import ColourBar

Box = tuple[int, int, int, int]
Colours = NDArray[np.float32]

LEAST_LENGTH = 24
"""Pixels that a bar is long at least."""
LEAST_SLIMNESS = 1.8
"""Length over width of a bar at least."""
FILLED = 0.8
"""Fraction of its rectangle that a half of a bar fills."""
ACROSS = 12.0
"""Mean deviation across a bar up to which its colours change along it only."""
LEAST_PATH = 150.0
"""Way through RGB space that the colours of a bar go at least."""
DARK = 0.6
"""The baseline is this much darker, or paler, than the brighter end of the weaker side."""
ABRUPT = 3.0
"""Steps of colour up to this many times as small as the largest belong to the change of sign; those beside are twice as small again."""
MIRRORED = 30.0
"""Mean distance in RGB of two halves up to which one mirrors the other: power, drawn twice."""


class Rectangle(NamedTuple):
    """A filled rectangle of coloured pixels; for a horizontal bar in the transposed image."""

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
        Pixels that are not grey.
    declared : sequence of Region
        Rectangles that the file declares to be colour bars; used besides those found.

    Returns
    -------
    bars : list of ColourBar
        Those of Doppler, the one of most colours first.
    elasticity : list of (left, top, right, bottom)
        Bars that run through the rainbow without a baseline: scales of elastography.
    """
    bars: list[tuple[float, ColourBar]] = []
    elasticity: list[Box] = []
    filled = _filled_rectangles(coloured)
    for upright in (True, False):
        image = frame if upright else frame.transpose(1, 0, 2)
        rectangles = stacked(filled if upright else [turned(rectangle) for rectangle in filled])
        for region in declared:
            place = Rectangle(region.left, region.top, region.right, region.bottom)
            if upright == (place.bottom - place.top >= place.right - place.left):
                rectangles.insert(0, place if upright else turned(place))
        for place in rectangles:
            length, width = place.bottom - place.top, place.right - place.left
            if length < LEAST_LENGTH or length < LEAST_SLIMNESS * width or width < 3:
                continue
            left, top, right, bottom = place if upright else turned(place)
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


def turned(place: Rectangle) -> Rectangle:
    """The same rectangle in the transposed image."""
    return Rectangle(place.top, place.left, place.bottom, place.right)


def _filled_rectangles(mask: BoolImage) -> list[Rectangle]:
    import cv2

    thick = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(thick, connectivity=4)
    found = []
    for left, top, width, height, area in stats[1:].tolist():
        if (
            min(width, height) >= 3
            and max(width, height) >= LEAST_LENGTH // 4
            and area >= FILLED * width * height
        ):
            found.append(Rectangle(left, top, left + width, top + height))
    return found


def stacked(rectangles: Sequence[Rectangle]) -> list[Rectangle]:
    """Join rectangles that lie over one another: a black baseline, or a marker, cuts a bar into parts."""
    joined: list[Rectangle] = []
    for item in sorted(rectangles, key=lambda r: (r.top, r.left)):
        for i, above in enumerate(joined):
            slack = max(2, (item.right - item.left) // 6)
            aligned = (
                abs(above.left - item.left) <= slack and abs(above.right - item.right) <= slack
            )
            gap, length = item.top - above.bottom, item.bottom - above.top
            if aligned and gap <= 0.25 * length:
                joined[i] = Rectangle(
                    max(above.left, item.left), above.top, min(above.right, item.right), item.bottom
                )
                break
        else:
            joined.append(item)
    return joined


def path(colours: Colours) -> float:
    """Length of the way of a list of colours through RGB space."""
    return float(np.linalg.norm(np.diff(colours, axis=0), axis=1).sum())


def read_bar(
    strip: ByteImage, box: Box, *, upright: bool
) -> ColourBar | Literal["elasticity"] | None:
    """Read a strip whose first axis runs along the bar; None if its colours are not graded as those of a bar are.

    The top of an upright bar is flow towards the transducer; of a lying bar it is the red end. The baseline is the darkest, else the
    palest place inside; a bar without one, but with a dark end, is power.
    """
    width = strip.shape[1]
    margin = width // 5  # JPEG and anti-aliasing blur the long edges
    inner = strip[:, margin : width - margin].astype(np.float32)
    colours = np.median(inner, axis=1)
    if path(colours) < LEAST_PATH or not graded(colours):
        return None
    across = float(np.abs(inner - colours[:, None]).mean(axis=(0, 1)).max())
    if across > ACROSS:
        variance = bool(
            np.abs(np.diff(inner, axis=1)).mean(axis=(0, 1)).max() < 0.5 * across
            and inner.shape[1] >= 4
        )
        if not variance:
            return None
    else:
        variance = False
    baseline = find_baseline(colours)
    if baseline is None:
        value = colours.max(axis=1)
        first, last = value[: len(value) // 8 + 1].mean(), value[-(len(value) // 8 + 1) :].mean()
        if min(first, last) <= DARK * max(first, last) and not variance:
            shown = colours if first > last else colours[::-1]
            return ColourBar("power", shown.round().astype(np.uint8), float(len(shown) - 1), box)
        return "elasticity" if rainbow(colours) else None
    above, below = colours[: int(baseline) + 1], colours[int(np.ceil(baseline)) :]
    same = min(len(above), len(below))
    if (
        not variance
        and float(np.linalg.norm(above[-same:] - below[:same][::-1], axis=1).mean()) < MIRRORED
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
    """The inner part (n, m, 3) of a two-dimensional bar continued straight on to its long edges, where laminar flow has its colours."""
    part = max(inner.shape[1] // 3, 2)
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
    """Whether colours change in many small steps and do not return: text, icons and flow change in few large ones."""
    steps = np.linalg.norm(np.diff(colours, axis=0), axis=1)
    changes = np.sort(steps[steps > 1])
    if len(changes) < 8 or changes[:-3].sum() < 0.4 * changes.sum():
        return False
    # the way out and back is at most a few times as long as straight lines through a few fixed points
    places = np.linspace(0, len(colours) - 1, 13).round().astype(int)
    return bool(steps.sum() <= 1.8 * path(colours[places]) + 40)


def find_baseline(colours: Colours) -> float | None:
    """Middle of the darkest, else of the palest band inside a bar, as an index; None if there is neither."""
    for measure in (colours.max(axis=1), colours.max(axis=1) - colours.min(axis=1)):
        edge = max(len(measure) // 20, 1)
        lowest = edge + int(np.argmin(measure[edge:-edge]))
        level = float(measure[lowest])
        weaker = min(float(measure[:lowest].max()), float(measure[lowest + 1 :].max()))
        if level > DARK * weaker:
            continue
        band = measure <= level + 0.15 * (weaker - level)
        first, last = lowest, lowest
        while first > 0 and band[first - 1]:
            first -= 1
        while last < len(band) - 1 and band[last + 1]:
            last += 1
        if first > 0 and last < len(band) - 1:
            return _turn(colours, first, last)
    return None


def _turn(colours: Colours, first: int, last: int) -> float:
    """Where colours change hue at once between two indices, else the middle: slopes differ on the sides of a shifted baseline."""
    steps = np.linalg.norm(np.diff(colours[first - 1 : last + 2], axis=0), axis=1)
    large = np.flatnonzero(steps >= steps.max() / ABRUPT)
    others = np.delete(steps, large)
    at_once = (
        np.ptp(large) == len(large) - 1
        and len(others) > 0
        and steps.max() > 2 * ABRUPT * np.median(others)
    )
    return (
        first - 0.5 + float(np.average(large, weights=steps[large]))
        if at_once
        else (first + last) / 2
    )


def warmth(colours: Colours) -> float:
    """Mean of red less blue."""
    return float((colours[:, 0] - colours[:, 2]).mean())


def rainbow(colours: Colours) -> bool:
    """Whether a bar runs from red through green to blue, or back."""
    third = len(colours) // 3
    ends = sorted(
        (int(colours[:third].mean(axis=0).argmax()), int(colours[-third:].mean(axis=0).argmax()))
    )
    return ends == [0, 2] and int(colours[third:-third].mean(axis=0).argmax()) == 1
