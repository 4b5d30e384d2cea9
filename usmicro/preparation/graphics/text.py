"""Burned-in text, calipers and cursors, found because they are sharper than any echo.

The lateral resolution of a scan is several pixels. So no echo is a bright vertical stroke of one or
two pixels that stands out against both sides two pixels away. Letters, digits, crosses, cursors and
the dots between calipers have such strokes. They are the seeds. Thin bright pixels around a seed
belong to its graphic. `symbols` finds what has sharp edges but no such strokes.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from usmicro.kernels.graphics import fill_between_edges
from usmicro.model.arrays import BoolImage, ByteImage
from usmicro.preparation.graphics.calipers import find_calipers
from usmicro.preparation.graphics.depth_scale import find_depth_scales
from usmicro.preparation.graphics.on_black import find_graphics_on_black
from usmicro.preparation.graphics.panels import find_panels
from usmicro.preparation.graphics.symbols import find_symbols

LEAST_STROKE = 40
"""Smallest contrast, in grey levels, of a stroke of 1 to 2 pixels against both sides. Echoes on the
development scans reach 32."""
LEAST_DOT = 46
"""Smallest contrast, in grey levels, of a dot of 1 to 3 pixels against a ring of radius 2.
Echogenic foci that were marked by readers reach 33."""
SHARP_FRACTION = 0.47
"""Smallest fraction of its contrast that a stroke loses within two pixels. A round echo 4.5 pixels
wide loses 0.42 of it."""
LARGEST_BLUNT_FALL = np.floor(SHARP_FRACTION * np.arange(256)).astype(np.uint8)
"""Largest fall within two pixels, by contrast, of a stroke that is not sharp."""
LEAST_STROKE_IN_TEXT = 16
"""Smallest contrast, in grey levels, of a stroke in a line of text. Single echoes reach it, but not
several side by side."""
GRAIN_FACTORS = (2.0, 1.5)
"""Smallest contrast of a stroke, and of a stroke in a line of text, as multiples of the grain of
the image; the larger limit counts. Chosen by eye; no measurement is recorded."""
LEAST_EDGE = 80
"""Smallest difference, in grey levels, of the two lateral neighbours of a pixel on the edge of a
solid letter, logo, arrow or bar. Echogenic foci that were marked by readers reach 58."""
EDGE_GRAIN_FACTOR = 5.0
"""The same as a multiple of the grain. Chosen by eye; no measurement is recorded."""
WIDEST_SOLID = 24
"""Width of the widest solid in pixels. Chosen by eye; no measurement is recorded."""
TALLEST_TEXT = 40
"""Height of the tallest letters in pixels. Chosen by eye; no measurement is recorded."""
BLOCK = (4, 8)
"""Rows and columns of the blocks in which strokes are grouped: strokes in touching blocks belong
together."""
GRAPHIC_RADIUS = 6
"""Distance from a seed to the rim of its cross or letter, in pixels. Chosen by eye on the
development scans."""
LEAST_SIDE = 8
"""Rows and columns of the smallest image on which graphics are searched for."""


def _vertical(grey: ByteImage, distance: int, length: int) -> ByteImage:
    """Return the contrast of vertical strokes of a length against both sides at a distance."""
    padded = cv2.copyMakeBorder(grey, 0, 0, distance, distance, cv2.BORDER_REPLICATE)
    sides = cv2.max(padded[:, 2 * distance :], padded[:, : -2 * distance])
    return np.asarray(
        cv2.erode(cv2.subtract(grey, sides, dst=sides), np.ones((length, 1), np.uint8))
    )


def _dots(grey: ByteImage) -> ByteImage:
    """Return the contrast of each pixel against a ring of radius 2 around it, in grey levels."""
    ring = np.array(
        [[0, 1, 1, 1, 0], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [0, 1, 1, 1, 0]],
        np.uint8,
    )
    return np.asarray(cv2.subtract(grey, cv2.dilate(grey, ring)))


def _solids(grey: ByteImage, inside: ByteImage, level: float) -> ByteImage:
    """Return 1 between a rising edge and the falling edge to its right, 0 elsewhere.

    Both edges must be sharper than the lateral resolution.
    """
    rising, falling = np.zeros_like(grey), np.zeros_like(grey)
    rising[:, 1:-1] = cv2.subtract(grey[:, 2:], grey[:, :-2])
    falling[:, 1:-1] = cv2.subtract(grey[:, :-2], grey[:, 2:])
    # an edge continues through three rows, straight or slanted
    row, column = np.ones((1, 3), np.uint8), np.ones((3, 1), np.uint8)
    rise, fall = (
        cv2.multiply(cv2.min(cv2.erode(cv2.dilate(edge, row), column), edge), inside)
        for edge in (rising, falling)
    )
    solid = np.empty_like(grey)
    fill_between_edges(rise, fall, level, WIDEST_SOLID, solid)
    return solid


def _singles(seeds: BoolImage, thin: ByteImage) -> ByteImage:
    """Return the contrast of the seeds, spread as far as crosses and letters reach; 0 elsewhere."""
    strength = thin * seeds
    if not seeds.any():
        return strength
    level = cv2.dilate(
        strength, np.ones((2 * GRAPHIC_RADIUS - 1, 2 * GRAPHIC_RADIUS + 1), np.uint8)
    )
    # the horizontal arm of a cross is as long as the vertical one
    long = cv2.erode(strength, np.ones((GRAPHIC_RADIUS, 1), np.uint8))
    if long.any():
        level = cv2.max(
            level,
            cv2.dilate(long, np.ones((4 * GRAPHIC_RADIUS - 1, 4 * GRAPHIC_RADIUS + 1), np.uint8)),
        )
    return np.asarray(level)


def _lines(strokes: BoolImage, thin: ByteImage) -> ByteImage:
    """Return the contrast of the text over the lines of text that strokes form; 0 elsewhere.

    A line of text consists of three or more strokes, no further apart than letters, in a strip that
    is wider than high.
    """
    level = np.zeros_like(thin)
    points = np.flatnonzero(strokes)
    if len(points) < 3:
        return level
    rows, columns = np.divmod(points.astype(np.int32), np.int32(strokes.shape[1]))
    blocks = np.zeros(
        (strokes.shape[0] // BLOCK[0] + 1, strokes.shape[1] // BLOCK[1] + 1), np.uint8
    )
    blocks[rows // BLOCK[0], columns // BLOCK[1]] = 1
    count, labels = cv2.connectedComponents(blocks, connectivity=8)
    group = labels[rows // BLOCK[0], columns // BLOCK[1]]
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=count))
    for begin, end in itertools.pairwise(ends.tolist()):
        if end - begin < 3:
            continue
        y, x = rows[order[begin:end]], columns[order[begin:end]]
        left, top, right, bottom = int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1
        height = bottom - top
        if right - left > 1.5 * height and height <= TALLEST_TEXT and len(np.unique(x // 3)) >= 3:
            reach = max(GRAPHIC_RADIUS, height)
            line = level[max(0, top - 4) : bottom + 4, max(0, left - reach) : right + reach]
            np.maximum(line, np.uint8(np.median(thin[y, x])), out=line)
    return level


def find_graphics(
    grey: ByteImage, tissue: BoolImage, calipers: BoolImage | None = None
) -> BoolImage:
    """Find burned-in graphics on a frame, or on the part of it that shows the tissue.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8
        In the original pixels, since resampling blurs graphics.
    tissue : array, shape (rows, columns), bool
        Scan area; graphics outside it are ignored.
    calipers : array, shape (rows, columns), bool, optional
        Calipers, if they are known; else they are searched for.

    Returns
    -------
    array, shape (rows, columns), bool
        True where a graphic touches a pixel, with a rim of one pixel.
    """
    if min(grey.shape) < LEAST_SIDE:
        return np.zeros(grey.shape, dtype=bool)
    thin = np.asarray(cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((9, 9), np.uint8)))
    # the border of the scan area is as sharp as a stroke
    inside = cv2.erode(tissue.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1)
    grain = _grain(grey, tissue)
    strokes, faint, solid = _seeds(grey, inside, thin, grain)
    text = cv2.max(_lines(faint, thin), _lines(solid.view(np.bool_), thin))
    del faint  # arrays are freed early, since each needs as much memory as the image
    known = find_calipers(grey, tissue) if calipers is None else calipers
    solids = known | cv2.dilate(solid, np.ones((3, 5), np.uint8)).view(np.bool_)
    solids |= find_graphics_on_black(grey) | find_panels(grey)
    del solid
    level = cv2.max(cv2.max(_singles(strokes, thin), text), find_depth_scales(grey, thin))
    level = cv2.max(level, find_symbols(grey, tissue, inside, thin, known, grain))
    if not level.any():
        return np.asarray(solids)
    # a graphic has one grey level, so that its fainter parts are blurred edges
    drawn = ((level > 0) & (thin > level // 2)).astype(np.uint8)
    mask = cv2.dilate(drawn, np.ones((3, 3), np.uint8))
    # the gaps inside letters show too little tissue to be of use
    if text.any():
        mask |= cv2.morphologyEx(mask * (text > 0), cv2.MORPH_CLOSE, np.ones((5, 7), np.uint8))
    return np.asarray((mask > 0) | solids)


def _grain(grey: ByteImage, tissue: BoolImage) -> float:
    """Return how large the steps of the speckle are: 3 + the mean step over four pixels.

    It shows how sharp the echoes are: fine speckle has large steps.
    """
    step = cv2.absdiff(grey[:, 4:], grey[:, :-4])
    return 3 + float(cv2.mean(step, tissue[:, 4:].view(np.uint8))[0])


def _seeds(
    grey: ByteImage, inside: ByteImage, thin: ByteImage, grain: float
) -> tuple[BoolImage, BoolImage, ByteImage]:
    """Return the seeds of graphics.

    These are strokes and dots that are graphics anywhere, strokes that are graphics in a line of
    text, and solids (0 or 1).
    """
    vertical = _vertical(grey, 2, 3)
    vertical *= inside
    faint = vertical >= max(LEAST_STROKE_IN_TEXT, GRAIN_FACTORS[1] * grain)
    dots = cv2.subtract(_dots(grey), LEAST_DOT - LEAST_STROKE)
    dots *= inside
    sharpness = cv2.max(vertical, dots, dst=dots)
    strokes = (sharpness >= max(LEAST_STROKE, GRAIN_FACTORS[0] * grain)) & (
        sharpness > cv2.LUT(thin, LARGEST_BLUNT_FALL)
    )
    del vertical, dots, sharpness
    return strokes, faint, _solids(grey, inside, float(max(LEAST_EDGE, EDGE_GRAIN_FACTOR * grain)))
