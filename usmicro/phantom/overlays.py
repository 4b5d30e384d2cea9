"""Burned-in graphics: text, rulers, bars, calipers and body marks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage
from usmicro.phantom.truth import Truth

FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE, YELLOW = (255, 255, 255), (255, 230, 60)
"""Colours of the graphics, RGB."""
Colour = tuple[int, int, int]


@dataclass
class Ink:
    """A layer of graphics that is drawn over every frame."""

    rgb: ByteImage
    """Colours, shape (rows, columns, 3)."""
    alpha: ByteImage
    """Opacity, 0 to 255, shape (rows, columns)."""

    @classmethod
    def blank(cls, rows: int, columns: int) -> Ink:
        """Return an empty layer."""
        return cls(np.zeros((rows, columns, 3), np.uint8), np.zeros((rows, columns), np.uint8))

    @property
    def mask(self) -> BoolImage:
        """True at the pixels that are drawn on; shape (rows, columns)."""
        return np.asarray(self.alpha > 0)

    @property
    def is_grey(self) -> bool:
        """True if all graphics are grey."""
        return bool((self.rgb == self.rgb[..., :1])[self.mask].all())

    def _draw(self, drawn: ByteImage, colour: Colour) -> None:
        self.rgb[drawn > 0] = colour
        np.maximum(self.alpha, drawn, out=self.alpha)

    def text(
        self, text: str, x: float, y: float, *, size: float = 0.42, colour: Colour = WHITE
    ) -> None:
        """Draw text whose base line begins at (x, y)."""
        drawn = np.zeros_like(self.alpha)
        cv2.putText(drawn, text, (round(x), round(y)), FONT, size, 255, 1, cv2.LINE_AA)
        self._draw(drawn, colour)

    def line(
        self,
        points: NDArray[np.float64] | list[tuple[float, float]],
        *,
        closed: bool = False,
        colour: Colour = WHITE,
    ) -> None:
        """Draw a line of one pixel through points (x, y)."""
        drawn = np.zeros_like(self.alpha)
        corners = np.rint(np.asarray(points)).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(drawn, [corners], closed, 255, 1, cv2.LINE_8)
        self._draw(drawn, colour)

    def cross(self, x: float, y: float, arm: int = 5, *, colour: Colour = WHITE) -> None:
        """Draw a caliper cross at (x, y)."""
        self.line([(x - arm, y), (x + arm, y)], colour=colour)
        self.line([(x, y - arm), (x, y + arm)], colour=colour)

    def dots(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        *,
        step: float = 8,
        colour: Colour = WHITE,
    ) -> None:
        """Draw a dotted line between two points (x, y), a dot about every `step` pixels."""
        count = max(int(np.hypot(end[0] - start[0], end[1] - start[1]) / step), 1)
        for t in np.linspace(0, 1, count + 1)[1:-1]:
            x, y = start[0] + t * (end[0] - start[0]), start[1] + t * (end[1] - start[1])
            self.paint(round(x), round(y), np.full((1, 1, 3), colour, np.uint8))

    def paint(self, left: int, top: int, rgb: ByteImage) -> None:
        """Draw opaque colours, shape (rows, columns, 3), with the corner at (left, top)."""
        rows, columns = rgb.shape[:2]
        self.rgb[top : top + rows, left : left + columns] = rgb
        self.alpha[top : top + rows, left : left + columns] = 255

    def over(self, frame: ByteImage) -> ByteImage:
        """Return a frame, grey or RGB, with the layer drawn over it."""
        alpha = self.alpha.astype(np.float32) / 255
        ink = self.rgb.astype(np.float32)
        if frame.ndim == 2:
            mixed = frame * (1 - alpha) + ink[..., 0] * alpha
        else:
            mixed = frame * (1 - alpha[..., None]) + ink * alpha[..., None]
        return np.asarray(np.rint(mixed), dtype=np.uint8)


def draw_ruler(ink: Ink, x: int, top: float, spacing: float, depth: float) -> None:
    """Draw a depth ruler: a tick every 5 mm, a longer one with its number every cm.

    Parameters
    ----------
    ink : Ink
    x, top : float
        Column of the ruler, and row of depth 0.
    spacing : float
        Pixel size, mm.
    depth : float
        Length of the ruler, mm.
    """
    for millimetres in range(0, int(depth) + 1, 5):
        y = top + millimetres / spacing
        is_centimetre = millimetres % 10 == 0
        ink.line([(x, y), (x + (8 if is_centimetre else 4), y)])
        if is_centimetre and millimetres:
            ink.text(str(millimetres // 10), x + 12, y + 5, size=0.4)


def draw_bar(
    ink: Ink, left: int, top: int, width: int, colours: ByteImage
) -> tuple[int, int, int, int]:
    """Draw a vertical bar of colours, shape (n, 3), the first at the top.

    Returns
    -------
    (int, int, int, int)
        Left, top, right and bottom of the bar; right and bottom are one past the end.
    """
    ink.paint(left, top, np.repeat(colours[:, None, :], width, axis=1))
    return left, top, left + width, top + len(colours)


def grey_scale(length: int) -> ByteImage:
    """Return greys from white to black, shape (length, 3)."""
    return np.repeat(np.linspace(255, 0, length).astype(np.uint8)[:, None], 3, axis=1)


def draw_calipers(ink: Ink, truth: Truth, *, colour: Colour = WHITE) -> None:
    """Measure the first mass with calipers across its width and its height.

    The crosses are joined by dots. The lengths are written at the lower left of the view.
    """
    if not truth.masses:
        return
    mass = truth.masses[0]
    y, x = np.nonzero(truth.mass_labels == mass.number)
    left, right, top, bottom = int(x.min()), int(x.max()), int(y.min()), int(y.max())
    middle_y, middle_x = float(y[x == left].mean()), float(x[y == top].mean())
    ends = [
        ((left, middle_y), (right, float(y[x == right].mean()))),
        ((middle_x, top), (float(x[y == bottom].mean()), bottom)),
    ]
    view = truth.views[mass.view]
    for number, (start, end) in enumerate(ends, start=1):
        ink.cross(*start, colour=colour)
        ink.cross(*end, colour=colour)
        ink.dots(start, end, colour=colour)
        ink.text(str(number), start[0] - 14, start[1] - 4, size=0.35, colour=colour)
        length = float(np.hypot(end[0] - start[0], end[1] - start[1])) * view.spacing_mm
        row = view.bottom - 30 + 16 * (number - 1)
        ink.text(f"{number} D {length:.1f} mm", view.left + 8, row, size=0.42, colour=colour)


def draw_body_mark(ink: Ink, x: int, y: int) -> None:
    """Draw a body mark: a breast with the position and orientation of the probe."""
    angles = np.linspace(0, 2 * np.pi, 40)
    ink.line(np.column_stack([x + 22 * np.cos(angles), y + 22 * np.sin(angles)]), closed=True)
    ink.line(np.column_stack([x + 4 * np.cos(angles), y + 4 * np.sin(angles)]), closed=True)
    ink.line([(x + 6, y - 16), (x + 18, y - 8)], colour=YELLOW)
