"""Calipers, found by their shape.

They are often faint, and few have a stroke that could be found on its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from usmicro.kernels.graphics import MARGIN, match_template
from usmicro.model.arrays import BoolImage, ByteImage, FloatImage

SHARPEN = np.array([[-0.5, -0.5, 0, 2, 0, -0.5, -0.5]], np.float32)
"""Lateral high-pass filter. It suppresses echoes, which are several pixels wide, and keeps
calipers."""
RIM = 3
"""Empty columns around a drawing: the reach of the high-pass filter."""
BAND = 1024
"""Number of rows that are searched at once. The search needs ten times the memory of these rows."""
OVERLAP = 16
"""Number of further rows on both sides of a band: more than the tallest drawing has."""

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
"""For each kind of caliper the smallest correlation with the sharpened image, and its drawing:
blank, half grey and full grey. The correlations are above those that tissue on the development
scans reaches."""
LEAST_GREY = 28.0
"""Smallest contrast of a caliper in grey levels. Tissue that correlates by chance reaches 22 on the
development scans."""


@dataclass(frozen=True, slots=True)
class _Caliper:
    """Template of one kind of caliper."""

    template: FloatImage
    """Sharpened drawing with contrast 1 and mean 0."""
    correlation: float
    """Smallest correlation at which it counts as found."""
    energy: float
    """Sum of squares of the template."""


@cache
def _calipers() -> tuple[_Caliper, ...]:
    calipers = []
    for correlation, drawing in DRAWINGS.values():
        lines = [line.strip() for line in drawing.strip().splitlines()]
        image = np.zeros((len(lines) + 2, max(map(len, lines)) + 2 * RIM), np.float32)
        for row, line in enumerate(lines):
            for column, character in enumerate(line):
                image[row + 1, column + RIM] = {".": 0.0, "+": 0.5, "#": 1.0}[character]
        # most screens are resampled a little when they are stored
        image = cv2.GaussianBlur(image, (0, 0), 0.45)
        template = cv2.filter2D(image, -1, SHARPEN)[:, 1:-1].copy()
        template -= template.mean()
        calipers.append(_Caliper(template, correlation, float((template**2).sum())))
    return tuple(calipers)


def find_calipers(grey: ByteImage, tissue: BoolImage) -> BoolImage:
    """Find calipers of 9 to 13 pixels: + and x, also on a bar, and circles with a dot.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8
        In the original pixels, since resampling blurs calipers.
    tissue : array, shape (rows, columns), bool
        Where calipers are searched for.

    Returns
    -------
    array, shape (rows, columns), bool
        True in a box around each caliper.
    """
    found = np.zeros(grey.shape, dtype=bool)
    for first in range(0, grey.shape[0], BAND):
        # the centre of a caliper lies in one band; the rows around the band cover its arms
        top, bottom = max(first - OVERLAP, 0), min(first + BAND + OVERLAP, grey.shape[0])
        within = np.zeros((bottom - top, grey.shape[1]), dtype=bool)
        own = slice(first - top, first - top + BAND)
        within[own] = tissue[first : first + BAND]
        _find_on_band(grey[top:bottom], within, found[top:bottom])
    return found


def _find_on_band(grey: ByteImage, centres: BoolImage, found: BoolImage) -> None:
    """Set `found` in the boxes around calipers whose centre lies in `centres`."""
    wide = np.zeros((grey.shape[0], grey.shape[1] + MARGIN), np.float32)
    sharp = wide[:, : grey.shape[1]]
    cv2.filter2D(grey, cv2.CV_32F, SHARPEN, dst=sharp, borderType=cv2.BORDER_REFLECT_101)
    # the faintest caliper gives the sharpened image at least this power in the largest window
    largest = tuple(max(caliper.template.shape[axis] for caliper in _calipers()) for axis in (1, 0))
    power = cv2.sqrBoxFilter(sharp, cv2.CV_32F, largest, normalize=False)
    for caliper in _calipers():
        height, width = caliper.template.shape
        possible = (power >= caliper.energy * LEAST_GREY**2) & centres
        if not possible.any():
            continue
        corners = np.empty((grey.size // 8, 2), np.int32)
        count = match_template(
            wide,
            possible,
            caliper.template,
            caliper.correlation,
            LEAST_GREY * caliper.energy,
            corners,
        )
        for row, column in corners[:count]:
            found[row : row + height, column + RIM - 2 : column + width - RIM + 2] = True
