"""Cache of what stays the same on the screen of a cine.

It is found once, and again when the pixels that show it change.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage
from usmicro.model.view import ColourBar
from usmicro.preparation.scan_area import find_scan_areas
from usmicro.preparation.scan_outline import Box, ScanArea

LINE_QUANTILE = 0.7
"""Quantile of the brightness of the pixels of an outline above which they are the drawn line, and
below which they are its rim. Chosen by eye; no measurement is recorded."""
MOST_CHANGE = 25
"""Largest change, in grey levels, of a pixel of an unchanged graphic, as lossy coding causes it.
Chosen by eye; no measurement is recorded."""
UNCHANGED_FRACTION = 0.9
"""Smallest fraction of the pixels of an unchanged graphic that do not change. Chosen by eye; no
measurement is recorded."""
UNCHANGED_BAR_FRACTION = 0.98
"""The same for the pixels of a colour bar. Chosen by eye; no measurement is recorded."""
BLOCK = 16
"""Side, in pixels, of the blocks over which frames are averaged before they are compared."""
LEAST_SHOWN = 6
"""Smallest mean grey level of a block that shows something. Chosen by eye; no measurement is
recorded."""
MOST_CHANGED_BLOCKS = 0.02
"""Largest fraction of the blocks that may change between black and shown while the scan area stays:
an echo fades, or text is written. Chosen by eye; no measurement is recorded."""
LEAST_BRIGHT = 150
"""Smallest grey level of a pixel of a graphic that is kept for later frames: no echo stays as
bright at one place. Chosen by eye; no measurement is recorded."""
RECENT_FRAMES = 24
"""Number of frames, about a second, for which the tint of the screen, calipers and a tinted colour
box are kept. Chosen by eye; no measurement is recorded."""
GRAPHICS_FRAMES = 3
"""Number of frames for which text and bright strokes are kept. Chosen by eye; no measurement is
recorded."""
SPECKLE_FRAMES = 96
"""Number of frames, about four seconds, after which the speckle size is measured again, which
notices a zoom in small steps. A measurement takes 8 ms on a simulated B-mode cine, which is 0.1 ms
per frame."""
LEAST_CORRELATION = 0.5
"""Smallest correlation of two successive frames, averaged over blocks, at an unchanged zoom. With
less the speckle size is measured again.

Measured on sample_data/colour_cine.dcm, two public colour cines and simulated cines: at least 0.66,
and 0.60 if the simulated tissue moves by 1 mm per frame. After a zoom by 1.5 or more it is at most
0.46, after a zoom by 1.25 0.25 to 0.62. A wrong alarm only costs one measurement."""
LEAST_SIZE_RATIO = 1.3
"""Smallest ratio of two speckle sizes, the geometric mean over both axes, at which the later one
replaces the earlier one.

Measured on the same cines: the ratio of any two frames is at most 1.15, in a simulated cine of 100
frames 1.25. A zoom by 2 gives 1.36 to 1.94, a zoom by 1.5 gives 1.20 to 1.57."""
T = TypeVar("T")
SpeckleSize = tuple[float, float]
"""Width across and along the beam in grid pixels."""


@dataclass(slots=True)
class CachedBox:
    """A colour box that was found by its outline."""

    box: BoolImage
    """True inside the outline, shape (rows, columns)."""
    outline: BoolImage
    """True on the outline and its rim, shape (rows, columns)."""
    line: NDArray[np.intp]
    """Indices of the pixels of the drawn line in the flattened frame."""
    levels: NDArray[np.int16]
    """Darkest channel of these pixels, which does not depend on the colours beside them."""

    @classmethod
    def of(cls, frame: ByteImage, box: BoolImage, outline: BoolImage) -> CachedBox:
        """Store a box of a frame, shape (rows, columns, 3)."""
        darkest = frame.min(axis=2)
        on_line = outline & (darkest >= np.quantile(darkest[outline], LINE_QUANTILE))
        line = np.flatnonzero(on_line)
        return cls(box, outline, line, darkest.ravel()[line].astype(np.int16))

    def is_still_on(self, frame: ByteImage) -> bool:
        """True if another frame shows the same line at the same place."""
        if frame.shape[:2] != self.box.shape:
            return False
        now = frame.reshape(-1, 3)[self.line].min(axis=1).astype(np.int16)
        return bool(np.mean(np.abs(now - self.levels) <= MOST_CHANGE) >= UNCHANGED_FRACTION)


@dataclass(slots=True)
class CachedBars:
    """The colour bars of a screen."""

    bars: list[ColourBar]
    strips: list[ByteImage]
    """Pixels of each bar, RGB."""

    @classmethod
    def of(cls, frame: ByteImage, bars: list[ColourBar]) -> CachedBars:
        """Store the bars of a frame, shape (rows, columns, 3)."""
        return cls(bars, [_strip(frame, bar).copy() for bar in bars])

    def is_still_on(self, frame: ByteImage) -> bool:
        """True if another frame shows the same bars at the same places."""
        pairs = [
            (_strip(frame, bar), strip) for bar, strip in zip(self.bars, self.strips, strict=True)
        ]
        return all(
            now.shape == strip.shape
            and np.mean(np.abs(now.astype(np.int16) - strip) <= MOST_CHANGE)
            >= UNCHANGED_BAR_FRACTION
            for now, strip in pairs
        )


def _strip(frame: ByteImage, bar: ColourBar) -> ByteImage:
    left, top, right, bottom = bar.box
    return frame[top:bottom, left:right]


@dataclass(slots=True)
class CachedAreas:
    """The scan areas of a screen, and the parts of it that are not black."""

    areas: list[ScanArea]
    aspect: float
    """Height over width of an input pixel for which the areas were found."""
    shown: BoolImage
    """True for blocks that are not black."""

    @classmethod
    def of(cls, grey: ByteImage, areas: list[ScanArea], aspect: float) -> CachedAreas:
        """Store the areas of an image, shape (rows, columns)."""
        return cls(areas, aspect, _shown_blocks(grey))

    def is_still_on(self, grey: ByteImage) -> bool:
        """True if the same parts of another frame are not black."""
        now = _shown_blocks(grey)
        if now.shape != self.shown.shape:
            return False
        return bool(np.mean(now != self.shown) <= MOST_CHANGED_BLOCKS)


def _shown_blocks(grey: ByteImage) -> BoolImage:
    """Return True for blocks that are not black; the blocks fill the image."""
    import cv2

    size = (max(grey.shape[1] // BLOCK, 1), max(grey.shape[0] // BLOCK, 1))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA) > LEAST_SHOWN)


@dataclass(slots=True)
class CachedSpeckleSize:
    """The speckle size of a view, and the last frame on which it was used."""

    size: SpeckleSize | None
    """None if it could not be measured."""
    blocks: ByteImage
    """Mean grey level of the blocks of the last frame."""
    age: int = 0
    """Number of frames since the last measurement."""

    def update(self, blocks: ByteImage, measure: Callable[[], SpeckleSize | None]) -> None:
        """Measure the size again if it is due and keep the new one if it clearly differs.

        It is due if the next frame, whose `blocks` are given, differs from the last one, or after
        SPECKLE_FRAMES. The size fluctuates from frame to frame; small differences are ignored.
        """
        if self.age >= SPECKLE_FRAMES or _correlation(blocks, self.blocks) < LEAST_CORRELATION:
            size = measure()
            if size is not None and (self.size is None or _clearly_differ(size, self.size)):
                self.size = size
            self.age = 0
        self.blocks = blocks
        self.age += 1


def _clearly_differ(first: SpeckleSize, second: SpeckleSize) -> bool:
    ratio = np.sqrt(first[0] * first[1] / (second[0] * second[1]))
    return bool(max(ratio, 1 / ratio) >= LEAST_SIZE_RATIO)


def _mean_blocks(grey: ByteImage) -> ByteImage:
    """Return the mean grey level of whole blocks.

    Every fourth row is used, and incomplete blocks are left out: 0.1 ms instead of 0.9 ms.
    """
    import cv2

    rows, columns = (max(size // BLOCK, 1) for size in grey.shape)
    part = np.ascontiguousarray(grey[: rows * BLOCK : 4, : columns * BLOCK])
    return np.asarray(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA))


def _correlation(first: ByteImage, second: ByteImage) -> float:
    """Return the correlation of the blocks of two frames where either is not black.

    It is 0 if the shapes differ or if one frame is uniform.
    """
    if first.shape != second.shape:
        return 0.0
    shown = (first > LEAST_SHOWN) | (second > LEAST_SHOWN)
    if not shown.any():
        return 0.0
    one, other = (blocks[shown].astype(np.float32) for blocks in (first, second))
    one -= one.mean()
    other -= other.mean()
    power = float(one @ one) * float(other @ other)
    return float(one @ other) / power**0.5 if power > 0 else 0.0


@dataclass(slots=True)
class CachedValue:
    """Something that was found on a frame."""

    value: Any
    age: int = 0
    """Number of frames since then."""


@dataclass(slots=True)
class ScreenCache:
    """What is known of the screen of one cine; its frames must be given in order."""

    box: CachedBox | None = None
    bars: CachedBars | None = None
    areas: dict[Box, CachedAreas] = field(default_factory=dict)
    """Scan areas by the part of the screen in which they were searched for."""
    values: dict[Hashable, CachedValue] = field(default_factory=dict)
    """What is only searched for on some frames, by name."""
    graphics: dict[int, ByteImage] = field(default_factory=dict)
    """Grey levels of the bright pixels of graphics by number of the view; 0 elsewhere."""
    speckle_sizes: dict[int, CachedSpeckleSize] = field(default_factory=dict)
    """Speckle sizes by number of the view."""

    def scan_areas(
        self, grey: ByteImage, part: Box, *, aspect: float, single: bool
    ) -> list[ScanArea]:
        """Return the scan areas of a part of the screen, those of an earlier frame if unchanged.

        Parameters
        ----------
        grey : array, shape (rows, columns), uint8
            Image of this part.
        part : tuple
            Place of the part on the screen.
        aspect : float
            Height over width of an input pixel.
        single : bool
            True if the part is known to show one area only.
        """
        cached = self.areas.get(part)
        if cached is None or cached.aspect != aspect or not cached.is_still_on(grey):
            areas = find_scan_areas(grey, aspect=aspect, single=single)
            cached = self.areas[part] = CachedAreas.of(grey, areas, aspect)
        return cached.areas

    def recent(
        self,
        name: Hashable,
        find: Callable[[], T],
        fits: Callable[[T], bool] | None = None,
        frames: int = RECENT_FRAMES,
    ) -> T:
        """Return the value of a name, which `find` is called for if there is none that is recent.

        A value is recent for a number of frames while it `fits` the current frame.
        """
        cached = self.values.get(name)
        if cached is None or cached.age >= frames or not (fits is None or fits(cached.value)):
            cached = self.values[name] = CachedValue(find())
        cached.age += 1
        return cast(T, cached.value)

    def once(self, name: Hashable, find: Callable[[], T]) -> T:
        """Return the value of a name, which `find` is called for on the first frame only."""
        if name not in self.values:
            self.values[name] = CachedValue(find())
        return cast(T, self.values[name].value)

    def latest(self, name: Hashable, found: T | None) -> T | None:
        """Return what was found on this frame, or if that is None, a recent value of the name."""
        cached = self.values.get(name)
        if found is not None or cached is None or cached.age >= RECENT_FRAMES:
            cached = self.values[name] = CachedValue(found)
        cached.age += 1
        return cast("T | None", cached.value)

    def speckle_size(
        self, view: int, grey: ByteImage, measure: Callable[[], SpeckleSize | None]
    ) -> SpeckleSize | None:
        """Return the speckle size of a view.

        Parameters
        ----------
        view : int
            Number of the view.
        grey : array, shape (rows, columns), uint8
            Its image on the frame.
        measure : function
            Measures the speckle size on this frame; None if that is not possible.
        """
        blocks = _mean_blocks(grey)
        cached = self.speckle_sizes.get(view)
        if cached is None:
            cached = self.speckle_sizes[view] = CachedSpeckleSize(measure(), blocks, age=1)
        else:
            cached.update(blocks, measure)
        return cached.size

    def graphics_on(self, view: int, grey: ByteImage, find: Callable[[], BoolImage]) -> BoolImage:
        """Return the graphics of a view, with those of earlier frames that are still as bright.

        The earlier ones are needed because colours beside a dot may hide its shape. Graphics are
        searched for on every third frame, and when one of them disappears.

        Parameters
        ----------
        view : int
            Number of the view.
        grey : array, shape (rows, columns), uint8
            Its image on the frame.
        find : function
            Finds the graphics on this frame.
        """
        import cv2

        levels = self.graphics.get(view)
        if levels is None or levels.shape != grey.shape:
            levels = np.zeros_like(grey)
        still = (levels > 0) & (cv2.absdiff(grey, levels) <= MOST_CHANGE)
        stay = bool(np.count_nonzero(still) >= UNCHANGED_FRACTION * np.count_nonzero(levels))
        name = ("graphics", view, grey.shape)
        graphics = self.recent(name, find, lambda _: stay, GRAPHICS_FRAMES)
        graphics = np.asarray(
            graphics | (cv2.dilate(still.view(np.uint8), np.ones((3, 3), np.uint8)) > 0)
        )
        bright = (graphics & (grey >= LEAST_BRIGHT)).view(np.uint8)
        self.graphics[view] = cv2.multiply(np.ascontiguousarray(grey), bright)
        return graphics
