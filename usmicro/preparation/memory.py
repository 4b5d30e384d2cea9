"""What stays the same on the screen of a cine: found once, and anew when the pixels that show it change."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from usmicro.arrays import BoolImage, ByteImage
from usmicro.preparation.tissue import ScanArea, find_scan_areas
from usmicro.view import ColourBar

DRAWN = 0.7
"""Quantile of the brightness of an outline's pixels from which they are the drawn line, not the rim beside it."""
CHANGE = 25
"""Grey levels by which a drawn pixel may change, as by lossy coding, and still be the same line."""
SAME = 0.9
"""Share of the drawn pixels that must be the same."""
SAME_BAR = 0.98
"""The same of the pixels of a colour bar."""
COARSE = 16
"""Pixels in one of the coarse ones in which areas are compared."""
NOT_BLACK = 6
"""Mean grey level from which a coarse pixel shows something."""
MOVED = 0.02
"""Share of them that may change while the scan area stays: an echo fades, or text is written."""
BRIGHT = 150
"""Grey level from which the pixels of a graphic are remembered: no echo stays as bright at one place."""
MARKS_FOR = 8
"""Frames for which caliper marks stay where they were found; text and bright strokes are looked for on every frame."""


@dataclass(slots=True)
class KnownBox:
    """A colour box that was found by its outline."""

    box: BoolImage
    outline: BoolImage
    drawn: BoolImage
    """Pixels of the line itself."""
    levels: NDArray[np.int16]
    """Their darkest channel, which no colour beside them changes."""

    @classmethod
    def of(cls, frame: ByteImage, box: BoolImage, outline: BoolImage) -> KnownBox:
        """Remember a box of a frame (rows, columns, 3)."""
        darkest = frame.min(axis=2)
        drawn = outline & (darkest >= np.quantile(darkest[outline], DRAWN))
        return cls(box, outline, drawn, darkest[drawn].astype(np.int16))

    def still_on(self, frame: ByteImage) -> bool:
        """Whether another frame shows the same line at the same place."""
        if frame.shape[:2] != self.box.shape:
            return False
        now = frame[self.drawn].min(axis=1).astype(np.int16)
        return bool(np.mean(np.abs(now - self.levels) <= CHANGE) >= SAME)


@dataclass(slots=True)
class KnownBars:
    """The colour bars of a screen."""

    bars: list[ColourBar]
    strips: list[ByteImage]
    """Their pixels."""

    @classmethod
    def of(cls, frame: ByteImage, bars: list[ColourBar]) -> KnownBars:
        """Remember the bars of a frame (rows, columns, 3)."""
        return cls(bars, [_cut(frame, bar).copy() for bar in bars])

    def still_on(self, frame: ByteImage) -> bool:
        """Whether another frame shows the same bars at the same places."""
        pairs = [(_cut(frame, bar), strip) for bar, strip in zip(self.bars, self.strips, strict=True)]
        return all(now.shape == strip.shape and np.mean(np.abs(now.astype(np.int16) - strip) <= CHANGE) >= SAME_BAR for now, strip in pairs)


def _cut(frame: ByteImage, bar: ColourBar) -> ByteImage:
    left, top, right, bottom = bar.box
    return frame[top:bottom, left:right]


@dataclass(slots=True)
class KnownAreas:
    """The scan areas of a screen, and where it showed anything at all."""

    areas: list[ScanArea]
    shown: BoolImage
    """In coarse pixels."""

    @classmethod
    def of(cls, grey: ByteImage, areas: list[ScanArea]) -> KnownAreas:
        """Remember the areas of a frame (rows, columns)."""
        return cls(areas, _coarsely_shown(grey))

    def still_on(self, grey: ByteImage) -> bool:
        """Whether another frame shows something at the same places."""
        now = _coarsely_shown(grey)
        return now.shape == self.shown.shape and bool(np.mean(now != self.shown) <= MOVED)


def _coarsely_shown(grey: ByteImage) -> BoolImage:
    import cv2

    size = (max(grey.shape[1] // COARSE, 1), max(grey.shape[0] // COARSE, 1))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA) > NOT_BLACK)


@dataclass(slots=True)
class KnownMarks:
    """Caliper marks of one view."""

    mask: BoolImage
    age: int = 0
    """Frames since they were found."""


@dataclass(slots=True)
class ScreenMemory:
    """What is known of the screen of one cine; its frames must be given in order."""

    box: KnownBox | None = None
    tinted: BoolImage | None = None
    """The part of the echoes that had a tint of its own."""
    bars: KnownBars | None = None
    areas: dict[tuple[int, int, int, int], KnownAreas] = field(default_factory=dict)
    """By the part of the screen (left, top, right, bottom) that they were looked for in."""
    marks: dict[int, KnownMarks] = field(default_factory=dict)
    """By view."""
    graphics: dict[int, NDArray[np.int16]] = field(default_factory=dict)
    """Grey levels of the bright pixels of graphics by view, -1 elsewhere."""
    cells: dict[int, tuple[float, float] | None] = field(default_factory=dict)
    """Speckle cells by view: those of a scanner at one setting do not change."""

    def scan_areas(self, grey: ByteImage, place: tuple[int, int, int, int], *, single: bool) -> list[ScanArea]:
        """The scan areas of a part of the screen, whose image is given; those of a former frame if they still are there."""
        known = self.areas.get(place)
        if known is None or not known.still_on(grey):
            known = self.areas[place] = KnownAreas.of(grey, find_scan_areas(grey, single=single))
        return known.areas

    def known_marks(self, view: int, shape: tuple[int, ...]) -> BoolImage | None:
        """The marks of a view while they are fresh enough, on an image of that shape."""
        known = self.marks.get(view)
        if known is None or known.mask.shape != shape or known.age >= MARKS_FOR:
            return None
        known.age += 1
        return known.mask

    def with_known_graphics(self, view: int, grey: ByteImage, graphics: BoolImage) -> BoolImage:
        """The graphics of a view, with those of former frames that are as bright as they were: colours beside a dot may hide its shape."""
        import cv2

        now = grey.astype(np.int16)
        levels = self.graphics.get(view)
        if levels is not None and levels.shape == now.shape:
            still = (levels >= 0) & (np.abs(now - levels) <= CHANGE)
            graphics = graphics | (cv2.dilate(still.view(np.uint8), np.ones((3, 3), np.uint8)) > 0)
        self.graphics[view] = np.where(graphics & (now >= BRIGHT), now, np.int16(-1)).astype(np.int16)
        return graphics
