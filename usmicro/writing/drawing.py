"""Drawing on pictures: colours, sizes, and a pen for thin antialiased lines and text."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage, ByteImage, Frame

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""
Point = tuple[float, float]
"""Column and row, pixels; pixel centres lie at whole numbers."""

# The palette of Okabe and Ito, which people with any colour vision can tell apart
# (jfly.uni-koeln.de/color, 2008).
ORANGE: Colour = (230, 159, 0)
SKY_BLUE: Colour = (86, 180, 233)
GREEN: Colour = (0, 158, 115)
YELLOW: Colour = (240, 228, 66)
PURPLE: Colour = (204, 121, 167)

WHITE: Colour = (235, 235, 235)
BLACK: Colour = (0, 0, 0)

LABEL_COLOURS: dict[str, Colour] = {
    "intramass": ORANGE,
    "extramass": SKY_BLUE,
    "intraductal": PURPLE,
}
"""Colour of a focus, by its label."""
AREAS: tuple[tuple[int, str, Colour], ...] = (
    (AreaLabel.NONMASS, "nonmass area", GREEN),
    (AreaLabel.DUCT, "duct", PURPLE),
    (AreaLabel.MASS, "mass", ORANGE),
)
"""Value in the label image, name and colour of each kind of area, in the order of drawing."""

LEAST_WIDTH = 600
"""Smallest width of a picture to draw on, pixels: numbers and rings stay readable. Chosen by eye on
the sample scans; no measurement is recorded."""
MOST_SIDE = 4096
"""Largest side of a picture that is written, pixels. Weighs detail against the size of the file.
Chosen by eye on the sample scans; no measurement is recorded."""
FONT = cv2.FONT_HERSHEY_SIMPLEX
TEXT_SIZE = 0.42
"""Scale of the font for a line width of 1 pixel. Chosen by eye on the sample scans."""
RIM_HALF_WIDTH, RING_HALF_WIDTH = 1.5, 0.6
"""Half the width of the dark rim and of the coloured line of a ring, line widths. Chosen by eye on
the sample scans."""
RING_WINDOW = 3
"""Margin of the window around a ring that is drawn on, line widths: more than the rim."""
FRACTION_BITS = 4
"""Number of binary places of the fixed-point positions that OpenCV draws at."""


def rgb_of(frame: Frame) -> ByteImage:
    """Return a copy of a frame as 8-bit RGB.

    Parameters
    ----------
    frame : array, shape (rows, columns) or (rows, columns, 3), uint8 or uint16

    Returns
    -------
    array, shape (rows, columns, 3), uint8
    """
    bytes_ = _bytes_of(frame)
    # OpenCV cannot draw on a frame that is transposed in memory
    return cv2.cvtColor(bytes_, cv2.COLOR_GRAY2RGB) if bytes_.ndim == 2 else bytes_.copy("C")  # type: ignore[return-value]


def on_black(frame: Frame, tissue: BoolImage) -> ByteImage:
    """Return a copy of a frame in 8 bits that is black outside the tissue.

    Parameters
    ----------
    frame : array, shape (rows, columns) or (rows, columns, 3), uint8 or uint16
    tissue : array, shape (rows, columns), bool

    Returns
    -------
    array, shape of the frame, uint8
    """
    bytes_ = _bytes_of(frame)
    return np.asarray(cv2.bitwise_and(bytes_, bytes_, mask=tissue.view(np.uint8)))


def _bytes_of(frame: Frame) -> ByteImage:
    """Return a frame in 8 bits, in rows."""
    return np.ascontiguousarray(frame >> 8 if frame.dtype == np.uint16 else frame, dtype=np.uint8)


def enlarge(picture: ByteImage) -> tuple[ByteImage, float]:
    """Enlarge a picture that is too narrow to draw on, or shrink it if it is too large to write.

    Parameters
    ----------
    picture : array, shape (rows, columns) or (rows, columns, 3), uint8

    Returns
    -------
    picture : array, shape as that of the argument, uint8
        At least 600 columns wide, at most 4096 pixels a side.
    scale : float
        New size divided by old size.
    """
    rows, columns = picture.shape[:2]
    scale = max(1.0, LEAST_WIDTH / columns)
    if max(rows, columns) * scale > MOST_SIDE:
        scale = MOST_SIDE / max(rows, columns)
    if scale != 1:
        size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        picture = cv2.resize(picture, size, interpolation=interpolation)
    return picture, scale


def scaled(point: Point, scale: float) -> Point:
    """Return the position in the enlarged picture of a position in the scan."""
    return (point[0] + 0.5) * scale - 0.5, (point[1] + 0.5) * scale - 0.5


class Pen:
    """Draws thin antialiased lines and text on an RGB picture.

    Parameters
    ----------
    picture : array, shape (rows, columns, 3), uint8
        Picture to draw on; it is changed.
    unit : float
        Width of a line, pixels.
    """

    def __init__(self, picture: ByteImage, unit: float = 1.0) -> None:
        self.picture = picture
        self.unit = unit
        """Width of a line, pixels. It grows with the picture."""
        self.width = max(1, round(unit))

    def line(
        self, points: Sequence[Point] | NDArray[np.float64], colour: Colour, *, closed: bool = False
    ) -> None:
        """Draw a line, or a polygon if `closed`, through points, shape (n, 2): column and row."""
        fixed = _fixed_point(points)[:, None, :]
        cv2.polylines(self.picture, [fixed], closed, colour, self.width, cv2.LINE_AA, FRACTION_BITS)

    def ring(self, centre: Point, radius: float, colour: Colour) -> None:
        """Draw a circle with a dark rim, so that it shows on bright tissue and on colour flow."""
        rows, columns = self.picture.shape[:2]
        reach = radius + RING_WINDOW * self.unit
        left, right = max(0, int(centre[0] - reach)), min(columns, int(centre[0] + reach) + 2)
        top, bottom = max(0, int(centre[1] - reach)), min(rows, int(centre[1] + reach) + 2)
        y, x = np.mgrid[top:bottom, left:right].astype(float)
        # not by OpenCV, whose wide antialiased lines spread over what the ring surrounds
        distance = abs(np.hypot(x - centre[0], y - centre[1]) - radius)
        window = self.picture[top:bottom, left:right]
        for shade, half in ((BLACK, RIM_HALF_WIDTH), (colour, RING_HALF_WIDTH)):
            opacity = (np.clip(half * self.unit + 0.5 - distance, 0, 1))[..., None]
            window[:] = np.rint(window * (1 - opacity) + np.array(shade) * opacity).astype(np.uint8)

    def diamond(self, centre: Point, size: float, colour: Colour, *, filled: bool) -> None:
        """Draw a square that stands on a corner; `size` is half of its diagonal, pixels."""
        x, y = centre
        corners = [(x, y - size), (x + size, y), (x, y + size), (x - size, y)]
        self.line(corners, colour, closed=True)
        if filled:
            cv2.fillConvexPoly(
                self.picture, _fixed_point(corners), colour, cv2.LINE_AA, FRACTION_BITS
            )

    def extent(self, text: str) -> tuple[int, int]:
        """Return the width and the height of a text, pixels."""
        (width, height), _ = cv2.getTextSize(text, FONT, TEXT_SIZE * self.unit, self.width)
        return width, height

    def text(self, text: str, left: float, bottom: float, colour: Colour) -> None:
        """Write a line of text with a dark rim."""
        # the rim is the shifted text: thicker text looks different in OpenCV 4 and 5
        for x, y in ((-1, -1), (-1, 1), (1, -1), (1, 1), (0, 0)):
            start = (round(left) + x * self.width, round(bottom) + y * self.width)
            shade = colour if x == 0 else BLACK
            size = TEXT_SIZE * self.unit
            cv2.putText(self.picture, text, start, FONT, size, shade, self.width, cv2.LINE_AA)


def outline(pen: Pen, area: BoolImage, scale: float, colour: Colour) -> None:
    """Draw the outlines of an area, including those of its holes.

    Parameters
    ----------
    pen : Pen
    area : array, shape (rows, columns), bool
        Area on the scan.
    scale : float
        Size of the picture divided by the size of the scan.
    colour : tuple of int
    """
    contours, _ = cv2.findContours(area.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        pen.line((contour[:, 0, :] + 0.5) * scale - 0.5, colour, closed=True)


def _fixed_point(points: Sequence[Point] | NDArray[np.float64]) -> NDArray[np.int32]:
    """Return points, shape (n, 2), as the fixed-point numbers that OpenCV draws at."""
    scaled_up = np.asarray(points, dtype=float) * (1 << FRACTION_BITS)
    return np.asarray(np.rint(scaled_up), dtype=np.int32)
