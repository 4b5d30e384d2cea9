"""Caliper marks, found by their shape: they are drawn faint as often as bright, and few of them have a stroke that stands alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from usmicro.arrays import BoolImage, ByteImage, FloatImage

SHARPEN = np.array([[-0.5, -0.5, 0, 2, 0, -0.5, -0.5]], np.float32)
"""Lateral high pass: it leaves little of an echo, which is several pixels wide, and all of a mark."""
RIM = 3
"""Empty columns around a drawing, the reach of the high pass."""

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
TILE = 64
"""Edge of the squares that are searched or passed over as a whole."""
OVERLAP = 8
"""Pixels by which they overlap: half a mark and more."""
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
        marks.append(_Mark(template, correlation, float(((template - template.mean()) ** 2).sum())))
    return tuple(marks)


def find_marks(grey: ByteImage, tissue: BoolImage) -> BoolImage:
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
    marks = _marks()
    sharp = cv2.filter2D(grey.astype(np.float32), -1, SHARPEN, borderType=cv2.BORDER_REFLECT_101)
    # no mark where the sharpened image has less power than the faintest one brings; few tiles of most frames pass
    power = cv2.blur(sharp * sharp, (13, 13))
    least = min(mark.energy * LEAST_GREY**2 / mark.template.size for mark in marks)
    possible = (power >= least) & tissue
    for top in range(0, grey.shape[0], TILE):
        for left in range(0, grey.shape[1], TILE):
            if not possible[top : top + TILE, left : left + TILE].any():
                continue
            first_row, first_column = max(0, top - OVERLAP), max(0, left - OVERLAP)
            window = sharp[first_row : top + TILE + OVERLAP, first_column : left + TILE + OVERLAP]
            for mark in marks:
                height, width = mark.template.shape
                if window.shape[0] < height or window.shape[1] < width:
                    continue
                correlation = cv2.matchTemplate(window, mark.template, cv2.TM_CCOEFF_NORMED)
                for y, x in np.argwhere(correlation >= mark.correlation):
                    patch = window[y : y + height, x : x + width]
                    if float(((patch - patch.mean()) * mark.template).sum()) >= LEAST_GREY * mark.energy:
                        row, column = first_row + y, first_column + x
                        found[row : row + height, column + RIM - 2 : column + width - RIM + 2] = True
    return found
