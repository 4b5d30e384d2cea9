"""Which colours on a screen are measured flow, and which are drawn: text, calipers, logos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage
from usmicro.preparation.connected_parts import ConnectedParts

INK_HUES = ((36.0, 192.0), (268.0, 332.0))
"""Ranges of hues, in degrees, in which no patch of flow lies as a whole: yellow, green and cyan;
magenta. Flow that reaches yellow or cyan has a rim of red or blue. The limits leave room for the
orange of (255, 90, 0) and the light blue of (0, 90, 255), through which colour bars run."""
INK_SHARE = 0.85
"""Smallest fraction of the pixels of a drawn graphic that have such a hue. Lossy coding and echoes
that shine through change some pixels. Chosen by eye on 351 images of BUS-UCLM."""
MOST_INK_SPREAD = 15.0
"""Largest mean deviation of the hue within a drawn graphic, degrees: ink of one colour, mixed with
grey, keeps its hue. Chosen by eye on the same images."""
BLACK = 14
"""Largest value of the brightest channel of a background pixel. Chosen by eye; no measurement is
recorded."""
LEAST_PATCH = 6
"""Smallest number of pixels in the core of a patch of flow; the core lies one pixel inside. Chosen
by eye; no measurement is recorded."""
LEAST_FLOW = 24
"""Smallest number of pixels in such cores on a frame with colour flow. Chosen by eye; no
measurement is recorded."""
ONE_COLOUR = 0.6
"""A patch is a graphic if more than this fraction of its core has one colour. Chosen by eye; no
measurement is recorded."""
DARK_FLOW = 130.0
"""Largest brightest channel of a patch of one saturated colour that is flow nevertheless: the
slowest flow of a small vessel has one dark red or blue, (0, 0, 89) on BUS-UCLM. Ink is brighter."""
LEAST_SATURATION = 0.65
"""Smallest mean saturation of a patch of flow, as evidence that a screen without a colour bar shows
flow. The lilac body marks of BUS-UCLM have 0.2 to 0.4, the blue logos of Multi-REZ 0.5 to 0.62,
patches of flow of at least 20 pixels on BUS-UCLM and BUSI 0.84 and more."""
MOST_INK = 0.75
"""Largest fraction of the core of a patch of flow that has a hue in INK_HUES, on a screen without a
colour bar. Calipers of two colours, dotted lines and text in cyan have 0.83 and more, vessels of
BUS-UCLM and BUSI 0.31 at most."""
DULL_HUES = 180.0, 210.0
"""Mean hues of light blue, degrees, which the blue side of a map reaches where it is brighter than
DARK_FLOW. Without a colour bar, a dark patch of such a hue is a logo, as on Multi-REZ."""
LARGEST_GRAPHIC = 400
"""Largest number of pixels in the core of a patch that is a graphic by its hue alone. Calipers,
words and logos of Multi-REZ have 264 at most. Some colour maps show a large vessel in green."""
OVER_ECHOES = 0.5
"""Smallest fraction of a patch of flow that lies over echoes. Chosen by eye; no measurement is
recorded."""
ECHO_BLOCK, ECHO_WINDOW, ECHO_DENSITY, ECHO_AREA = 4, 7, 0.4, 0.2
"""The field of echoes is found on blocks of this many pixels, over a window of this many blocks. At
least this fraction of it is not black. Its area is at least this fraction of the largest. Chosen by
eye; no measurement is recorded."""


def drawn_in_ink(frame: ByteImage, coloured: BoolImage) -> BoolImage:
    """Return the connected coloured pixels that have one hue, which flow alone does not have.

    These are calipers, dotted lines, text, logos and outlines in yellow, green, cyan or magenta.
    The hue does not depend on how much of the echo shines through, nor on the blur of lossy coding.

    Parameters
    ----------
    frame : array, shape (rows, columns, 3), uint8
        RGB.
    coloured : array, shape (rows, columns), bool
        Pixels that are not grey, without the colour bar.

    Returns
    -------
    array, shape (rows, columns), bool
    """
    drawn = np.zeros_like(coloured)
    where = np.flatnonzero(coloured)
    if not len(where):
        return drawn
    hue = _hues(frame.reshape(-1, 3)[where])
    inky = np.zeros(len(hue), dtype=bool)
    for first, last in INK_HUES:
        inky |= (hue >= first) & (hue <= last)
    if not inky.any():
        return drawn
    parts = ConnectedParts.of(coloured)
    number, area, count = parts.numbers(), parts.area, len(parts.area)
    # the mean direction on the circle of hues
    angle = np.deg2rad(hue)
    mean = np.arctan2(
        np.bincount(number, np.sin(angle), count), np.bincount(number, np.cos(angle), count)
    )
    away = np.abs(np.angle(np.exp(1j * (angle - mean[number]))))
    spread = np.rad2deg(np.bincount(number, away, count) / area)
    of_ink = np.bincount(number, inky, count) >= INK_SHARE * area
    return parts.drawn(of_ink & (spread <= MOST_INK_SPREAD))


def _hues(pixels: ByteImage) -> NDArray[np.float32]:
    """Return the hue of RGB pixels, shape (n, 3), in degrees."""
    import cv2

    hsv = cv2.cvtColor(pixels[None].astype(np.float32) / np.float32(255), cv2.COLOR_RGB2HSV)
    return np.ascontiguousarray(hsv[0, :, 0])


def echo_field(frame: ByteImage, drawn: BoolImage) -> BoolImage:
    """Return the large areas that are neither background nor graphics: the image on the screen."""
    import cv2

    rows, columns = frame.shape[:2]
    shown = (cv2.inRange(frame, (0, 0, 0), (BLACK, BLACK, BLACK)) == 0) & ~drawn
    small = cv2.resize(
        shown.astype(np.float32),
        (max(columns // ECHO_BLOCK, 1), max(rows // ECHO_BLOCK, 1)),
        interpolation=cv2.INTER_AREA,
    )
    dense = (cv2.blur(small, (ECHO_WINDOW, ECHO_WINDOW)) > ECHO_DENSITY).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(dense)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    large = (areas > 0) & (areas >= ECHO_AREA * areas.max())
    return np.asarray(
        cv2.resize(large[labels].astype(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST)
        > 0
    )


def _has_hue_of_graphics(
    pixels: ByteImage,
    number: NDArray[np.int64],
    area: NDArray[np.int64],
    brightness: NDArray[np.float64],
) -> BoolImage:
    """Return True for each patch whose hue is that of calipers, text or logos, not that of flow.

    `pixels`, shape (n, 3), are RGB values, and `number`, shape (n,), the patch of each. `area` and
    `brightness` have one value for each patch.
    """
    hue = _hues(pixels)
    inky = np.zeros(len(hue), dtype=bool)
    for first, last in INK_HUES:
        inky |= (hue >= first) & (hue <= last)
    of_ink = np.bincount(number, inky, len(area)) > MOST_INK * area
    # no patch crosses red, where hues wrap, and has a mean hue of light blue by that
    mean = np.bincount(number, hue, len(area)) / area
    light = np.bincount(number, (hue >= DULL_HUES[0]) & (hue <= DULL_HUES[1]), len(area))
    dull = (mean >= DULL_HUES[0]) & (mean <= DULL_HUES[1]) & (light > area / 2)
    return np.asarray((of_ink | (dull & (brightness <= DARK_FLOW))) & (area <= LARGEST_GRAPHIC))


def flow_patches(frame: ByteImage, coloured: BoolImage, *, anywhere: bool) -> BoolImage:
    """Return the patches of colour that are thick and uneven; empty if there are too few pixels.

    Measured colours are thick, saturated and uneven, drawn ones are not. Only patches over echoes
    count. If there are none, `anywhere` allows others, since flow may lie over a dark B-mode image.
    It also allows pale ones, since flow may be transparent, and those in the hues of drawn
    graphics, since the colour bar shows which colours are flow.
    """
    import cv2

    # the core of a drawn patch has one colour; its rim is blurred
    core = cv2.erode(coloured.view(np.uint8), np.ones((3, 3), np.uint8))
    where = np.flatnonzero(core.view(np.bool_))
    if not len(where):
        return np.zeros_like(coloured)
    parts = ConnectedParts.of(cv2.dilate(core, np.ones((3, 3), np.uint8)))
    count = len(parts.area)
    number = parts.numbers_at(where).astype(np.int64)
    area = np.bincount(number, minlength=count)
    pixels = frame.reshape(-1, 3)[where]
    coarse = (pixels >> 3).astype(np.int64) @ np.array([1024, 32, 1])
    kinds, shares = np.unique(number * 32768 + coarse, return_counts=True)
    one_colour = np.zeros(count, dtype=np.int64)
    np.maximum.at(one_colour, kinds // 32768, shares)
    brightest, darkest = pixels.max(axis=1), pixels.min(axis=1)
    brightness = np.bincount(number, brightest, count) / area
    saturation = np.bincount(number, 1 - darkest / np.maximum(brightest, 1), count) / area
    pale = saturation < LEAST_SATURATION
    drawn = (one_colour > ONE_COLOUR * area) & (pale | (brightness > DARK_FLOW))
    if not anywhere:
        drawn |= pale | _has_hue_of_graphics(pixels, number, area, brightness)
    patch = (area >= LEAST_PATCH) & ~drawn
    echoes = echo_field(frame, parts.drawn(drawn)).ravel()[where]
    over_echoes = np.bincount(number, echoes, count) >= OVER_ECHOES * area
    choices = [patch & over_echoes, patch] if anywhere else [patch & over_echoes]
    for chosen in choices:
        if area[chosen].sum() >= LEAST_FLOW:
            return parts.drawn(chosen)
    return np.zeros_like(coloured)
