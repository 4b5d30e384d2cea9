"""Colour Doppler on a screen: colour flow, colour box, colour bar and coloured interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage
from usmicro.model.scan import Region
from usmicro.model.view import ColourBar
from usmicro.preparation.cine_cache import CachedBars, CachedBox, ScreenCache
from usmicro.preparation.colour.bar import find_bars
from usmicro.preparation.colour.box import find_box
from usmicro.preparation.colour.flow import BLACK, drawn_in_ink, flow_patches
from usmicro.preparation.colour.tint import find_tinted_box

GREY_CHROMA = 14
"""Largest chroma of a grey frame, whatever its tint: JPEG adds as much to a grey image. Chosen by
eye; no measurement is recorded."""
LEAST_DEVIATION = 28
"""Smallest chroma deviation of a coloured pixel from the grey curve: above JPEG noise, below the
darkest red and blue of a colour map. Chosen by eye; no measurement is recorded."""
LEAST_CONTAMINATION = 20
"""Smallest chroma deviation of a pixel beside colour that is blurred with it. Chosen by eye; no
measurement is recorded."""
MOST_TINT = 90
"""Largest chroma of a tint: no display tints grey more strongly."""
MOST_COLOUR_CHANGE = 0.02
"""Largest change of the fraction of coloured pixels at which the tint of an earlier frame is used.
Chosen by eye; no measurement is recorded."""
TINT_WINDOW = 41
"""Number of grey levels over which the tint is smoothed, so that a single flat colour of the
interface does not count as a tint. Chosen by eye; no measurement is recorded."""
CHROMA_NOISE = 8
"""Largest deviation of the chroma of most pixels of a grey image from its tint. Chosen by eye; no
measurement is recorded."""
ONE_CHROMA = 0.6
"""Smallest fraction of the pixels of a grey level that have its chroma within CHROMA_NOISE. Chosen
by eye; no measurement is recorded."""
RARE_LEVEL = 1e-3
"""Fraction of the pixels that are not black below which a grey level is ignored. Chosen by eye; no
measurement is recorded."""
TINT_PIXELS = 400_000
"""Number of pixels from which the tint is estimated: rows of larger frames are subsampled."""
FLOW_FRACTION = 0.9
"""Smallest fraction of the flow that a colour box contains. Chosen by eye; no measurement is
recorded."""


@dataclass(frozen=True, slots=True)
class ScreenColour:
    """Colour on a screen, in pixels of the input image; masks have the shape (rows, columns)."""

    mask: BoolImage
    """True where colour flow is shown."""
    box: BoolImage
    """True inside the colour box; all False if there is none."""
    bar: ColourBar | None
    """The colour bar of the flow; None if none was found."""
    power: bool
    """True for power Doppler, whose colours have no sign."""
    interface: BoolImage
    """True in the coloured interface: colour bar, text, calipers, body marks, outline of the
    box."""
    contaminated: BoolImage
    """True in the colour box where colour has changed the grey level: flow, its blurred rim, and
    single pixels."""


def separate_colour(
    frame: ByteImage,
    regions: Sequence[Region] = (),
    cache: ScreenCache | None = None,
    *,
    aspect: float = 1.0,
) -> ScreenColour | None:
    """Separate colour flow and the coloured interface from grey echoes.

    A tinted grey image has one chroma at each grey level. Pixels that deviate from this curve are
    coloured. The colour bar is a strip of graded colours. The colour box is the drawn outline that
    contains the other colours. Without an outline it is the part of the echoes with another tint,
    or else the region that the file declares, or else the extent of thick, uneven patches of
    colour. The coloured pixels in the box are flow.

    Parameters
    ----------
    frame : array, shape (rows, columns, 3), uint8
        RGB.
    regions : sequence of Region
        Regions that the file declares; those of colour flow and of colour bars are used.
    cache : ScreenCache, optional
        Findings of earlier frames of the cine. A colour box whose outline has not changed is not
        searched for again.
    aspect : float
        Height over width of a pixel.

    Returns
    -------
    ScreenColour or None
        None if the frame shows only one tint of grey. An empty box means a coloured interface
        without colour flow.
    """
    frame = np.ascontiguousarray(frame)
    if is_grey(frame):
        return None
    known = (
        None
        if cache is None or cache.box is None or not cache.box.is_still_on(frame)
        else cache.box
    )
    tinted = None if known is not None else _tinted(frame, cache)
    deviation = chroma_deviation_from_grey(frame, tinted, cache)
    if not (coloured := without_specks(deviation >= LEAST_DEVIATION)).any():
        return None
    bars, elasticity = _bars(frame, coloured, regions, cache)
    bar = bars[0] if bars else None
    interface = np.zeros_like(coloured)
    for left, top, right, bottom in [*(found.box for found in bars), *elasticity]:
        interface[max(top - 2, 0) : bottom + 2, max(left - 2, 0) : right + 2] = True
    rest = coloured & ~interface
    rest &= ~drawn_in_ink(frame, rest)
    mask, box = np.zeros_like(coloured), np.zeros_like(coloured)
    # the colours are stiffness if the screen shows a scale of elastography and none of flow
    if known is not None and not elasticity:
        box, outline = known.box, known.outline
        mask = rest & box & ~outline
        interface |= outline
    elif bars or not elasticity:
        flow = flow_patches(frame, rest, anywhere=bar is not None)
        declared = np.zeros_like(coloured)
        for region in regions:
            if region.kind == "colour flow":
                declared[region.top : region.bottom, region.left : region.right] = True
        if bar is not None or flow.any() or (declared.any() and (rest & declared).any()):
            box, outline = _choose_box(frame, flow, tinted, declared, interface, aspect)
            mask = rest & box & ~outline
            interface |= outline
            if cache is not None:
                cache.box = CachedBox.of(frame, box, outline) if outline.any() else None
    contaminated = _grown(deviation >= LEAST_CONTAMINATION) & box | mask
    power = bar is not None and bar.kind == "power"
    return ScreenColour(mask, box, bar, power, interface | (coloured & ~mask), contaminated)


def _grown(mask: BoolImage) -> BoolImage:
    """Return a mask with a rim of one pixel."""
    import cv2

    return np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _bars(
    frame: ByteImage, coloured: BoolImage, regions: Sequence[Region], cache: ScreenCache | None
) -> tuple[list[ColourBar], list[tuple[int, int, int, int]]]:
    """Return the bars of a screen; those of the last frame if they still look the same."""
    if cache is not None and cache.bars is not None and cache.bars.is_still_on(frame):
        return cache.bars.bars, []
    bars, elasticity = find_bars(
        frame, coloured, [region for region in regions if region.kind == "colour bar"]
    )
    if cache is not None:
        cache.bars = CachedBars.of(frame, bars) if bars and not elasticity else None
    return bars, elasticity


def _tinted(frame: ByteImage, cache: ScreenCache | None) -> BoolImage | None:
    """Return the colour box by its tint; if colour hides the tint, the box of an earlier frame."""
    found = find_tinted_box(frame)
    return found if cache is None else cache.latest(("tinted box", frame.shape), found)


def _choose_box(
    frame: ByteImage,
    flow: BoolImage,
    tinted: BoolImage | None,
    declared: BoolImage,
    bars: BoolImage,
    aspect: float,
) -> tuple[BoolImage, BoolImage]:
    """Return the colour box and its drawn outline, which is empty if the box has none."""
    none = np.zeros_like(flow)
    found = find_box(frame, flow, bars, aspect=aspect)
    if found is not None:
        box, outline = found
        if (flow & box).sum() >= FLOW_FRACTION * flow.sum():
            return box, outline
    if tinted is not None and (flow & tinted).sum() >= FLOW_FRACTION * flow.sum():
        return tinted, none
    if declared.any() and (flow & declared).sum() >= FLOW_FRACTION * flow.sum():
        return declared, none
    if flow.any():
        rows, columns = np.flatnonzero(flow.any(axis=1)), np.flatnonzero(flow.any(axis=0))
        extent = np.zeros_like(flow)
        extent[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
        return extent, none
    return none, none


def is_grey(frame: ByteImage) -> bool:
    """True if a frame has no more chroma than lossy coding adds."""
    from usmicro.kernels.colour import has_chroma_above

    return not has_chroma_above(frame, GREY_CHROMA)


@dataclass(frozen=True, slots=True)
class Tints:
    """Tint of a grey image as a function of the green level."""

    red: NDArray[np.float32]
    """Red minus green at each green level, shape (256,)."""
    blue: NDArray[np.float32]
    """Blue minus green at each green level, shape (256,)."""
    coloured: float = 0.0
    """Fraction of the pixels that deviate from the tint; 0 if no later frame needs it."""

    @classmethod
    def of(cls, pixels: ByteImage) -> Tints:
        """Estimate the tint of RGB pixels, shape (rows, columns, 3)."""
        from usmicro.kernels.colour import chroma_histograms

        counts = np.zeros((2, 256, 2 * MOST_TINT + 1), dtype=np.int32)
        chroma_histograms(
            pixels[:: -(-pixels.shape[0] * pixels.shape[1] // TINT_PIXELS)],
            MOST_TINT,
            counts[0],
            counts[1],
        )
        return cls(grey_curve(counts[0]), grey_curve(counts[1]))

    @classmethod
    def for_later_frames(cls, pixels: ByteImage) -> Tints:
        """Estimate the tint of RGB pixels, and how often they deviate from it."""
        tints = cls.of(pixels)
        return replace(tints, coloured=tints.coloured_in(pixels))

    def deviation(self, pixels: ByteImage) -> ByteImage:
        """Return the deviation of the chroma of each pixel from the tint, 0 to 255."""
        from usmicro.kernels.colour import chroma_deviation

        out = np.empty(pixels.shape[:2], dtype=np.uint8)
        chroma_deviation(pixels, self.red, self.blue, out)
        return out

    def coloured_in(self, pixels: ByteImage) -> float:
        """Return the fraction of other pixels that deviate from this tint, from some rows."""
        return float(np.mean(self.deviation(pixels[::8]) >= LEAST_DEVIATION))

    def fits(self, pixels: ByteImage) -> bool:
        """True if other pixels deviate from the tint about as often."""
        return abs(self.coloured_in(pixels) - self.coloured) <= MOST_COLOUR_CHANGE


def chroma_deviation_from_grey(
    frame: ByteImage, tinted: BoolImage | None = None, cache: ScreenCache | None = None
) -> ByteImage:
    """Return the deviation of the chroma of each pixel from the tint of the grey image, 0 to 255.

    A part with another tint, `tinted`, is compared with its own tint. The tints of a cine, whose
    cache is given, may be those of a recent frame.
    """

    def deviation(part: str, pixels: ByteImage) -> ByteImage:
        if cache is None:
            return Tints.of(pixels).deviation(pixels)
        recent = cache.recent(
            ("tints", part, frame.shape),
            lambda: Tints.for_later_frames(pixels),
            lambda tints: tints.fits(pixels),
        )
        return recent.deviation(pixels)

    if tinted is None or not tinted.any() or tinted.all():
        return deviation("all", frame)
    out = np.empty(frame.shape[:2], dtype=np.uint8)
    for name, part in (("tinted", tinted), ("others", ~tinted)):
        # an index with a mask of pixels takes ten times as long
        pixels = np.compress(part.ravel(), frame.reshape(-1, 3), axis=0)
        out[part] = deviation(name, pixels[None])[0]
    return out


def grey_curve(counts: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the median chroma at each green level, shape (256,), smoothed by a running median.

    `counts` is the histogram, shape (256, 2 * most + 1), of the chroma from -most to most. Levels
    that are frequent and have one chroma belong to the grey image. The others may be flow or the
    colour bar and are interpolated.
    """
    from scipy.ndimage import median_filter  # grey frames do not need this slow import

    most = counts.shape[1] // 2
    before = counts.cumsum(axis=1)
    totals = before[:, -1]
    middle = (before * 2 < totals[:, None]).sum(axis=1)
    first, last = np.maximum(middle - CHROMA_NOISE, 0), np.minimum(middle + CHROMA_NOISE, 2 * most)
    near = np.take_along_axis(before, last[:, None], 1) - np.take_along_axis(
        before - counts, first[:, None], 1
    )
    levels = np.flatnonzero(
        (totals >= max(RARE_LEVEL * totals[BLACK:].sum(), 1)) & (near[:, 0] >= ONE_CHROMA * totals)
    )
    if not len(levels):
        return np.zeros(256, dtype=np.float32)
    filled = np.interp(np.arange(256), levels, middle[levels] - most)
    return np.asarray(median_filter(filled, TINT_WINDOW, mode="nearest"), dtype=np.float32)


def without_specks(mask: BoolImage) -> BoolImage:
    """Return the pixels of a mask that have at least two neighbours in it."""
    import cv2

    count = cv2.boxFilter(
        mask.view(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(mask & (count >= 3))
