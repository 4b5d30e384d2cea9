"""Caliper marks, found by their shape: they are drawn faint as often as bright, and few of them have a stroke that stands alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from usmicro.kernels.graphics import match_template
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage

SHARPEN = np.array([[-0.5, -0.5, 0, 2, 0, -0.5, -0.5]], np.float32)
"""Lateral high pass: it leaves little of an echo, which is several pixels wide, and all of a mark."""
RIM = 3
"""Empty columns around a drawing, the reach of the high pass."""
BAND = 1024
"""Rows that are looked through at once: what is computed for every pixel of a large image would take ten times its memory."""
OVERLAP = 16
"""Rows around them, more than the highest drawing has."""

DRAWINGS = {
    "plus": (
        0.62,
        """
        ....++....
        ....##....
        ....##....
        ....##....
        ###########
        +++++++++++
        ....##....
        ....##....
        ....##....
        ....++....
        """,
    ),
    "saltire": (
        0.52,
        """
        +.........+
        +#.......#+
        ..#.....#..
        ...#...#...
        ....#.#....
        .....#.....
        ....#.#....
        ...#...#...
        ..#.....#..
        +#.......#+
        +.........+
        """,
    ),
    "saltire on a bar": (
        0.52,
        """
        #.......##
        .#.....##.
        ..#...##..
        ...#.##...
        ....##....
        ##########
        ...#..#...
        ..##...#..
        .##....##.
        .#......##
        #........#
        """,
    ),
    "circle with dot": (
        0.54,
        """
        ...+...+...
        .##.....##.
        +#.#...#.#+
        #.#.....#.#
        ##..###..##
        #...###...#
        ....###....
        #...###...#
        ##.......##
        #.#.....#.#
        .#.#...#.#.
        ..#.....#..
        """,
    ),
}
"""Least correlation with the sharpened image, above what tissue reaches, and the mark: blank, half and full grey."""
LEAST_GREY = 28.0
"""Grey levels by which a mark must stand out; tissue that happens to correlate reaches 22."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """A mark as it is looked for."""

    template: FloatImage
    correlation: float
    energy: float
    """Sum of squares of the template of a mark of one grey level."""


@cache
def _marks() -> tuple[_Mark, ...]:
    marks = []
    for correlation, drawing in DRAWINGS.values():
        lines = [line.strip() for line in drawing.strip().splitlines()]
        image = np.zeros((len(lines) + 2, max(map(len, lines)) + 2 * RIM), np.float32)
        for row, line in enumerate(lines):
            for column, character in enumerate(line):
                image[row + 1, column + RIM] = {".": 0.0, "+": 0.5, "#": 1.0}[character]
        # screens are seldom stored without any resampling
        image = cv2.GaussianBlur(image, (0, 0), 0.45)
        template = cv2.filter2D(image, -1, SHARPEN)[:, 1:-1].copy()
        template -= template.mean()
        marks.append(_Mark(template, correlation, float((template**2).sum())))
    return tuple(marks)


def find_calipers(grey: ByteImage, tissue: BoolImage) -> BoolImage:
    """Boxes around caliper marks of 9 to 13 pixels: + and x, also on a bar, and circles with a dot.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8
        In the pixels that the marks were drawn in.
    tissue : array, shape (rows, columns), bool
        Where marks are looked for.

    Returns
    -------
    array, shape (rows, columns), bool
    """
    found = np.zeros(grey.shape, dtype=bool)
    for first in range(0, grey.shape[0], BAND):
        # a mark has its centre in one band; around the band are all rows that it and the measure of power reach
        top, bottom = max(first - OVERLAP, 0), min(first + BAND + OVERLAP, grey.shape[0])
        within = np.zeros((bottom - top, grey.shape[1]), dtype=bool)
        own = slice(first - top, first - top + BAND)
        within[own] = tissue[first : first + BAND]
        _find_on_band(grey[top:bottom], within, found[top:bottom])
    return found


def _find_on_band(grey: ByteImage, centres: BoolImage, found: BoolImage) -> None:
    """Set the boxes around marks whose centre lies on a pixel of `centres`."""
    sharp = cv2.filter2D(grey, cv2.CV_32F, SHARPEN, borderType=cv2.BORDER_REFLECT_101)
    # no mark where the sharpened image has less power, in the window of the largest of them, than the faintest one brings
    largest = tuple(max(mark.template.shape[axis] for mark in _marks()) for axis in (1, 0))
    power = cv2.sqrBoxFilter(sharp, cv2.CV_32F, largest, normalize=False)
    for mark in _marks():
        height, width = mark.template.shape
        possible = (power >= mark.energy * LEAST_GREY**2) & centres
        if not possible.any():
            continue
        corners = np.empty((grey.size // 8, 2), np.int32)
        count = match_template(
            sharp, possible, mark.template, mark.correlation, LEAST_GREY * mark.energy, corners
        )
        for row, column in corners[:count]:
            found[row : row + height, column + RIM - 2 : column + width - RIM + 2] = True
