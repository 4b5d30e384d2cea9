"""What stays the same on the screen of a cine: found once, and anew when the pixels that show it change."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage
from usmicro.model.view import ColourBar
from usmicro.preparation.scan_area import ScanArea, find_scan_areas

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
RECENT = 24
"""Frames, about a second, for which the tint of the screen, caliper marks and a tinted colour box stay as they were found."""
GRAPHICS_FOR = 3
"""The same of text and bright strokes."""
SPECKLE_FRAMES = 96
"""Frames, about four seconds, after which the speckle size is measured again: often enough for a zoom in small steps."""
SAME_PICTURE = 0.5
"""Least correlation of the coarse grey levels of two successive frames that show the same part of the tissue at the same zoom.

Measured between frames of sample_data/colour_cine.dcm, of public colour cines and of simulated cines: 0.67 or more, but 0.4 if the
simulated tissue moves by 1 mm a frame; after a zoom by 1.25 or more 0.48 or less. A wrong alarm only costs one measurement."""
CLEARLY_DIFFERENT = 1.3
"""Ratio of two speckle sizes, geometric mean of both axes, from which the later one replaces the earlier one.

Measured on the same cines: the ratio of any two frames is at most 1.15, in a simulated cine of 100 frames 1.25; a zoom by 2 gives
1.36 to 1.94, one by 1.5 gives 1.20 to 1.57."""
T = TypeVar("T")
SpeckleSize = tuple[float, float]


@dataclass(slots=True)
class KnownBox:
    """A colour box that was found by its outline."""

    box: BoolImage
    outline: BoolImage
    drawn: NDArray[np.intp]
    """Pixels of the line itself, counted row by row."""
    levels: NDArray[np.int16]
    """Their darkest channel, which no colour beside them changes."""

    @classmethod
    def of(cls, frame: ByteImage, box: BoolImage, outline: BoolImage) -> KnownBox:
        """Remember a box of a frame (rows, columns, 3)."""
        darkest = frame.min(axis=2)
        drawn = np.flatnonzero(outline & (darkest >= np.quantile(darkest[outline], DRAWN)))
        return cls(box, outline, drawn, darkest.ravel()[drawn].astype(np.int16))

    def still_on(self, frame: ByteImage) -> bool:
        """Whether another frame shows the same line at the same place."""
        if frame.shape[:2] != self.box.shape:
            return False
        now = frame.reshape(-1, 3)[self.drawn].min(axis=1).astype(np.int16)
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
        pairs = [
            (_cut(frame, bar), strip) for bar, strip in zip(self.bars, self.strips, strict=True)
        ]
        return all(
            now.shape == strip.shape
            and np.mean(np.abs(now.astype(np.int16) - strip) <= CHANGE) >= SAME_BAR
            for now, strip in pairs
        )


def _cut(frame: ByteImage, bar: ColourBar) -> ByteImage:
    left, top, right, bottom = bar.box
    return frame[top:bottom, left:right]


@dataclass(slots=True)
class KnownAreas:
    """The scan areas of a screen, and where it showed anything at all."""

    areas: list[ScanArea]
    aspect: float
    """Height over width of an input pixel, for which they were found."""
    shown: BoolImage
    """In coarse pixels."""

    @classmethod
    def of(cls, grey: ByteImage, areas: list[ScanArea], aspect: float) -> KnownAreas:
        """Remember the areas of a frame (rows, columns)."""
        return cls(areas, aspect, _coarsely_shown(grey))

    def still_on(self, grey: ByteImage) -> bool:
        """Whether another frame shows something at the same places."""
        now = _coarsely_shown(grey)
        return now.shape == self.shown.shape and bool(np.mean(now != self.shown) <= MOVED)


@dataclass(slots=True)
class KnownSpeckle:
    """The speckle size of a view, and the picture of the last frame."""

    size: SpeckleSize | None
    """Across and along the beam in grid pixels; None if it could not be measured."""
    picture: ByteImage
    """Mean grey levels in coarse pixels."""
    age: int = 0
    """Frames since the last measurement."""

    def update(self, picture: ByteImage, measure: Callable[[], SpeckleSize | None]) -> None:
        """Take the next frame into account; measure the size anew if the picture has changed at once, or after SPECKLE_FRAMES frames."""
        if self.age >= SPECKLE_FRAMES or _correlation(picture, self.picture) < SAME_PICTURE:
            measured = measure()
            if measured is not None and (self.size is None or _differ(measured, self.size)):
                self.size = measured
            self.age = 0
        self.picture = picture
        self.age += 1


def _differ(first: SpeckleSize, second: SpeckleSize) -> bool:
    ratio = np.sqrt(first[0] * first[1] / (second[0] * second[1]))
    return bool(max(ratio, 1 / ratio) >= CLEARLY_DIFFERENT)


def _correlation(first: ByteImage, second: ByteImage) -> float:
    """Return the correlation of two pictures where either is not black; 0 if their shapes differ or one is uniform."""
    if first.shape != second.shape:
        return 0.0
    shown = (first > NOT_BLACK) | (second > NOT_BLACK)
    if not shown.any():
        return 0.0
    one, other = (picture[shown].astype(np.float32) for picture in (first, second))
    one -= one.mean()
    other -= other.mean()
    power = float(one @ one) * float(other @ other)
    return float(one @ other) / power**0.5 if power > 0 else 0.0


def _coarse_picture(grey: ByteImage) -> ByteImage:
    """Return the mean grey levels in coarse pixels, of every fourth row: whole rows and columns of them, which is fast."""
    import cv2

    rows, columns = (max(size // COARSE, 1) for size in grey.shape)
    part = np.ascontiguousarray(grey[: rows * COARSE : 4, : columns * COARSE])
    return np.asarray(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA))


def _coarsely_shown(grey: ByteImage) -> BoolImage:
    import cv2

    size = (max(grey.shape[1] // COARSE, 1), max(grey.shape[0] // COARSE, 1))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA) > NOT_BLACK)


@dataclass(slots=True)
class Found:
    """Something that was found on a frame."""

    value: Any
    age: int = 0
    """Frames since then."""


@dataclass(slots=True)
class ScreenCache:
    """What is known of the screen of one cine; its frames must be given in order."""

    box: KnownBox | None = None
    bars: KnownBars | None = None
    areas: dict[tuple[int, int, int, int], KnownAreas] = field(default_factory=dict)
    """By the part of the screen (left, top, right, bottom) that they were looked for in."""
    found: dict[Hashable, Found] = field(default_factory=dict)
    """What is only looked for now and then, by name."""
    graphics: dict[int, ByteImage] = field(default_factory=dict)
    """Grey levels of the bright pixels of graphics by view, 0 elsewhere."""
    speckle: dict[int, KnownSpeckle] = field(default_factory=dict)
    """Speckle sizes by view: those of a scanner at one setting do not change."""

    def scan_areas(
        self, grey: ByteImage, place: tuple[int, int, int, int], *, aspect: float, single: bool
    ) -> list[ScanArea]:
        """The scan areas of a part of the screen, whose image is given; those of a former frame if they still are there."""
        known = self.areas.get(place)
        if known is None or known.aspect != aspect or not known.still_on(grey):
            areas = find_scan_areas(grey, aspect=aspect, single=single)
            known = self.areas[place] = KnownAreas.of(grey, areas, aspect)
        return known.areas

    def recent(
        self,
        name: Hashable,
        find: Callable[[], T],
        fits: Callable[[T], bool] | None = None,
        frames: int = RECENT,
    ) -> T:
        """What was found under a name on one of the last frames, while it fits what is seen now, else what is found now."""
        known = self.found.get(name)
        if known is None or known.age >= frames or not (fits is None or fits(known.value)):
            known = self.found[name] = Found(find())
        known.age += 1
        return cast(T, known.value)

    def latest(self, name: Hashable, found: T | None) -> T | None:
        """What is found now, or, where that is nothing, what was found last under that name if that is recent enough."""
        known = self.found.get(name)
        if found is not None or known is None or known.age >= RECENT:
            known = self.found[name] = Found(found)
        known.age += 1
        return cast("T | None", known.value)

    def speckle_size(
        self, view: int, grey: ByteImage, measure: Callable[[], SpeckleSize | None]
    ) -> SpeckleSize | None:
        """Return the speckle size of a view, whose image is given, in grid pixels."""
        picture = _coarse_picture(grey)
        known = self.speckle.get(view)
        if known is None:
            known = self.speckle[view] = KnownSpeckle(measure(), picture, age=1)
        else:
            known.update(picture, measure)
        return known.size

    def graphics_on(self, view: int, grey: ByteImage, find: Callable[[], BoolImage]) -> BoolImage:
        """The graphics of a view, whose image is given, with those of former frames that are as bright as they were.

        Colours beside a dot may hide its shape. They are looked for anew on every third frame, or when one of them goes.
        """
        import cv2

        levels = self.graphics.get(view)
        if levels is None or levels.shape != grey.shape:
            levels = np.zeros_like(grey)
        still = (levels > 0) & (cv2.absdiff(grey, levels) <= CHANGE)
        stay = bool(np.count_nonzero(still) >= SAME * np.count_nonzero(levels))
        graphics = self.recent(("graphics", view, grey.shape), find, lambda _: stay, GRAPHICS_FOR)
        graphics = np.asarray(
            graphics | (cv2.dilate(still.view(np.uint8), np.ones((3, 3), np.uint8)) > 0)
        )
        self.graphics[view] = cv2.multiply(
            np.ascontiguousarray(grey), (graphics & (grey >= BRIGHT)).view(np.uint8)
        )
        return graphics
