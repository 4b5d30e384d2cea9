"""Colour Doppler on a screen: coloured pixels told from tinted grey, and sorted into flow, colour box, colour bar and interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage
from usmicro.model.scan import Region
from usmicro.model.view import ColourBar
from usmicro.preparation.cine_cache import KnownBars, KnownBox, ScreenCache
from usmicro.preparation.colour.bar import find_bars
from usmicro.preparation.colour.box import find_box
from usmicro.preparation.colour.tint import find_tinted_box

GREY_CHROMA = 14
"""Up to this chroma a frame is grey whatever its tint: what JPEG adds to a grey image."""
DEPARTURE = 28
"""From this departure from the grey curve a pixel is coloured: over JPEG noise, under the darkest red and blue of a colour map."""
STAINED = 20
"""From this departure a pixel beside colour is blurred with it."""
TINT_CHROMA = 90
"""No display tints grey more strongly than this."""
MORE_COLOURED = 0.02
"""Fraction of the pixels by which the coloured part may change while the tint of a former frame is believed."""
TINT_WINDOW = 41
"""Grey levels over which the tint is smoothed, so that one flat colour of the interface cannot pass for it."""
CHROMA_NOISE = 8
"""The chroma of a grey image stays this near to its tint, mostly."""
RARE = 1e-3
"""Fraction of the pixels that are not black below which a grey level says nothing of the tint."""
ENOUGH = 400_000
"""Pixels that tell the tint: of larger frames every second row is looked at, or fewer."""
BLACK = 14
"""Brightest channel up to which a pixel is background."""
LEAST_PATCH = 6
"""Pixels that the core of a patch of flow has at least; the core lies one pixel inside."""
LEAST_FLOW = 24
"""Pixels in such cores that make a frame one with colour flow."""
FLAT = 0.6
"""A patch of whose core this fraction has one colour is drawn, not measured."""
HELD = 0.9
"""Fraction of the flow that a colour box must hold."""


@dataclass(frozen=True, slots=True)
class ScreenColour:
    """What is coloured on a screen, in pixels of the input image."""

    mask: BoolImage
    """Pixels that show colour flow."""
    box: BoolImage
    """Pixels inside the colour box; all False where the screen has none."""
    bar: ColourBar | None
    power: bool
    """Power Doppler: no sign."""
    interface: BoolImage
    """Coloured pixels that are not flow: colour bar, coloured text, calipers, body marks; and the outline of the colour box."""
    contaminated: BoolImage
    """Pixels in the colour box whose grey level colour has changed: flow, its blurred rim and lone pixels."""


def separate_colour(
    frame: ByteImage,
    regions: Sequence[Region] = (),
    cache: ScreenCache | None = None,
    *,
    aspect: float = 1.0,
) -> ScreenColour | None:
    """Tell colour flow and coloured parts of the interface from grey echoes.

    A tinted grey image has one chroma at each grey level; what departs from that curve is coloured. Of the coloured pixels the colour
    bar is a strip of graded colours; the colour box is the drawn outline that holds the rest, else the part of the echoes that has a
    tint of its own, else the region that the file declares, else how far thick, uneven patches of colour reach; and the flow is what
    is coloured in the box.

    Parameters
    ----------
    frame : array, shape (rows, columns, 3), uint8
        RGB.
    regions : sequence of Region
        Rectangles that the file declares; those of colour flow and of a colour bar are used.
    memory : ScreenCache, optional
        What former frames of the cine showed; a colour box whose outline has not changed is not looked for again.
    aspect : float
        Height over width of a pixel.

    Returns
    -------
    ScreenColour or None
        None where nothing is coloured beyond one tint of grey. With an empty box there is no colour flow, but a coloured interface.
    """
    frame = np.ascontiguousarray(frame)
    if is_grey(frame):
        return None
    known = (
        None if cache is None or cache.box is None or not cache.box.still_on(frame) else cache.box
    )
    tinted = None if known is not None else _tinted(frame, cache)
    departs = departure_from_grey(frame, tinted, cache)
    if not (coloured := without_specks(departs >= DEPARTURE)).any():
        return None
    bars, elasticity = _bars(frame, coloured, regions, cache)
    bar = bars[0] if bars else None
    interface = np.zeros_like(coloured)
    for left, top, right, bottom in [*(found.box for found in bars), *elasticity]:
        interface[max(top - 2, 0) : bottom + 2, max(left - 2, 0) : right + 2] = True
    rest = coloured & ~interface
    mask, box = np.zeros_like(coloured), np.zeros_like(coloured)
    # with the scale of an elastogram on the screen, and none of a flow, the colours are stiffness
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
                cache.box = KnownBox.of(frame, box, outline) if outline.any() else None
    contaminated = _grown(departs >= STAINED) & box | mask
    power = bar is not None and bar.kind == "power"
    return ScreenColour(mask, box, bar, power, interface | (coloured & ~mask), contaminated)


def _grown(mask: BoolImage) -> BoolImage:
    import cv2

    return np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _bars(
    frame: ByteImage, coloured: BoolImage, regions: Sequence[Region], cache: ScreenCache | None
) -> tuple[list[ColourBar], list[tuple[int, int, int, int]]]:
    """The bars of a screen; those of the former frame if they look as they did."""
    if cache is not None and cache.bars is not None and cache.bars.still_on(frame):
        return cache.bars.bars, []
    bars, elasticity = find_bars(
        frame, coloured, [region for region in regions if region.kind == "colour bar"]
    )
    if cache is not None:
        cache.bars = KnownBars.of(frame, bars) if bars and not elasticity else None
    return bars, elasticity


def _tinted(frame: ByteImage, cache: ScreenCache | None) -> BoolImage | None:
    """The colour box by its tint; where colour hides that, as in a flash, where it was before."""
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
    """Colour box and its drawn outline, which is empty if the box was found otherwise."""
    none = np.zeros_like(flow)
    found = find_box(frame, flow, bars, aspect=aspect)
    if found is not None:
        box, outline = found
        if (flow & box).sum() >= HELD * flow.sum():
            return box, outline
    if tinted is not None and (flow & tinted).sum() >= HELD * flow.sum():
        return tinted, none
    if declared.any() and (flow & declared).sum() >= HELD * flow.sum():
        return declared, none
    if flow.any():
        rows, columns = np.flatnonzero(flow.any(axis=1)), np.flatnonzero(flow.any(axis=0))
        extent = np.zeros_like(flow)
        extent[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
        return extent, none
    return none, none


def is_grey(frame: ByteImage) -> bool:
    """Whether a frame has no more chroma than lossy coding adds."""
    from usmicro.kernels.colour import has_chroma_above

    return not has_chroma_above(frame, GREY_CHROMA)


@dataclass(frozen=True, slots=True)
class Tints:
    """The tint of the grey image by green level."""

    red: NDArray[np.float32]
    blue: NDArray[np.float32]
    coloured: float = 0.0
    """Fraction of the pixels that depart from it."""

    @classmethod
    def of(cls, pixels: ByteImage) -> Tints:
        """Of RGB pixels (rows, columns, 3)."""
        from usmicro.kernels.colour import chroma_histograms

        counts = np.zeros((2, 256, 2 * TINT_CHROMA + 1), dtype=np.int32)
        chroma_histograms(
            pixels[:: -(-pixels.shape[0] * pixels.shape[1] // ENOUGH)],
            TINT_CHROMA,
            counts[0],
            counts[1],
        )
        tints = cls(grey_curve(counts[0]), grey_curve(counts[1]))
        return replace(tints, coloured=tints.coloured_in(pixels))

    def departure(self, pixels: ByteImage) -> ByteImage:
        """How far the chroma of each pixel lies from the tint, 0 to 255."""
        from usmicro.kernels.colour import chroma_deviation

        out = np.empty(pixels.shape[:2], dtype=np.uint8)
        chroma_deviation(pixels, self.red, self.blue, out)
        return out

    def coloured_in(self, pixels: ByteImage) -> float:
        """Fraction of other pixels that depart from this tint, of some of their rows."""
        return float(np.mean(self.departure(pixels[::8]) >= DEPARTURE))

    def fits(self, pixels: ByteImage) -> bool:
        """Whether other pixels look as those that it was found on."""
        return abs(self.coloured_in(pixels) - self.coloured) <= MORE_COLOURED


def departure_from_grey(
    frame: ByteImage, tinted: BoolImage | None = None, cache: ScreenCache | None = None
) -> ByteImage:
    """How far each pixel's chroma lies from the tint of the grey image, 0 to 255; a part that is tinted otherwise has its own.

    The tints of a cine, whose memory is given, may be those of a recent frame.
    """

    def departure(part: str, pixels: ByteImage) -> ByteImage:
        if cache is None:
            return Tints.of(pixels).departure(pixels)
        recent = cache.recent(
            ("tints", part, frame.shape), lambda: Tints.of(pixels), lambda tints: tints.fits(pixels)
        )
        return recent.departure(pixels)

    if tinted is None or not tinted.any() or tinted.all():
        return departure("all", frame)
    out = np.empty(frame.shape[:2], dtype=np.uint8)
    for name, part in (("tinted", tinted), ("others", ~tinted)):
        out[part] = departure(name, np.ascontiguousarray(frame[part][None]))[0]
    return out


def grey_curve(counts: NDArray[np.int32]) -> NDArray[np.float32]:
    """Median chroma by green level from a histogram (256, 2 * most + 1), smoothed by a running median.

    Only levels that are frequent and of one chroma are of the grey image; the others may be flow or the colour bar, and are interpolated.
    """
    from scipy.ndimage import median_filter  # grey frames do without what takes long to import

    most = counts.shape[1] // 2
    before = counts.cumsum(axis=1)
    totals = before[:, -1]
    middle = (before * 2 < totals[:, None]).sum(axis=1)
    first, last = np.maximum(middle - CHROMA_NOISE, 0), np.minimum(middle + CHROMA_NOISE, 2 * most)
    near = np.take_along_axis(before, last[:, None], 1) - np.take_along_axis(
        before - counts, first[:, None], 1
    )
    levels = np.flatnonzero(
        (totals >= max(RARE * totals[BLACK:].sum(), 1)) & (near[:, 0] >= 0.6 * totals)
    )
    if not len(levels):
        return np.zeros(256, dtype=np.float32)
    filled = np.interp(np.arange(256), levels, middle[levels] - most)
    return np.asarray(median_filter(filled, TINT_WINDOW, mode="nearest"), dtype=np.float32)


def without_specks(mask: BoolImage) -> BoolImage:
    """The pixels of a mask that have at least two neighbours in it."""
    import cv2

    count = cv2.boxFilter(
        mask.view(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(mask & (count >= 3))


def _brightest(frame: ByteImage) -> ByteImage:
    """The brightest channel of each pixel."""
    import cv2

    red, green, blue = cv2.split(frame)
    return np.asarray(cv2.max(cv2.max(red, green), blue))


def echo_field(frame: ByteImage, drawn: BoolImage) -> BoolImage:
    """Large areas that are neither background nor drawn: where the image is, not the text and icons around it."""
    import cv2

    rows, columns = frame.shape[:2]
    shown = _brightest(frame) > BLACK
    shown &= ~drawn
    small = cv2.resize(
        shown.astype(np.float32),
        (max(columns // 4, 1), max(rows // 4, 1)),
        interpolation=cv2.INTER_AREA,
    )
    dense = (cv2.blur(small, (7, 7)) > 0.4).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(dense)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    large = (areas > 0) & (areas >= 0.2 * areas.max())
    return np.asarray(
        cv2.resize(large[labels].astype(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST)
        > 0
    )


def flow_patches(frame: ByteImage, coloured: BoolImage, *, anywhere: bool) -> BoolImage:
    """Patches of colour that are thick and uneven, as measured colours are and drawn ones are not; empty where they are too few.

    Only those over echoes count, unless there are none there and `anywhere` allows others: over a dark B-mode image flow may lie in black.
    """
    import cv2

    # of a thin stroke only the blurred rim would be left; the core shows its one colour
    core = cv2.erode(coloured.view(np.uint8), np.ones((3, 3), np.uint8))
    where = np.nonzero(core)
    if not len(where[0]):
        return np.zeros_like(coloured)
    count, labels = cv2.connectedComponents(cv2.dilate(core, np.ones((3, 3), np.uint8)))
    number = labels[where].astype(np.int64)
    area = np.maximum(np.bincount(number, minlength=count), 1)
    coarse = (frame[where] >> 3).astype(np.int64) @ np.array([1024, 32, 1])
    kinds, pixels = np.unique(number * 32768 + coarse, return_counts=True)
    one_colour = np.zeros(count, dtype=np.int64)
    np.maximum.at(one_colour, kinds // 32768, pixels)
    drawn = one_colour > FLAT * area
    patch = (area >= LEAST_PATCH) & ~drawn
    drawn[0] = patch[0] = False
    over_echoes = np.bincount(number, echo_field(frame, drawn[labels])[where], count) >= 0.5 * area
    for chosen in [patch & over_echoes, patch] if anywhere else [patch & over_echoes]:
        if area[chosen].sum() >= LEAST_FLOW:
            return chosen[labels]
    return np.zeros_like(coloured)
