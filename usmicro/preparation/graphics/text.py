"""Burned-in text, calipers and cursors: graphics, drawn sharper than any scanner resolves.

The lateral resolution of a scan is several pixels, so no echo is a bright vertical stroke, one or two pixels wide, that
stands out against both sides two pixels away. Letters, digits, crosses, cursors and the dots between calipers all are as sharp.
They are the seeds; what is thin and bright around a seed belongs to its graphic.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from usmicro.kernels.graphics import fill_between_edges
from usmicro.model.arrays import BoolImage, ByteImage
from usmicro.preparation.graphics.calipers import find_calipers
from usmicro.preparation.graphics.depth_scale import find_depth_scales

STROKE = 40
"""Grey levels by which a stroke of 1 to 2 pixels stands out against both sides; echoes reach 32."""
DOT = 46
"""Grey levels by which a dot of 1 to 3 pixels stands out against a ring of radius 2; marked echogenic foci reach 33."""
SHARP_SHARE = 0.47
"""Share of its contrast that a stroke loses within two pixels; a round echo 4.5 pixels wide loses 0.42 of it."""
BLUNT = np.floor(SHARP_SHARE * np.arange(256)).astype(np.uint8)
"""What a stroke of each contrast loses at most if it is not sharp."""
FAINT = 16
"""Grey levels by which a stroke in a line of text stands out; echoes reach it too, but not side by side."""
GRAIN = (2.0, 1.5)
"""A stroke, and one in a line of text, stands out by this many times the grain of the image, where that is more."""
EDGE = 80
"""Grey levels between the two lateral neighbours of a pixel on the edge of a solid letter, logo, arrow or bar; marked foci reach 58."""
EDGE_GRAIN = 5.0
"""Such an edge has at least this many times the grain."""
WIDEST = 24
"""Width of the widest solid in pixels."""
TALLEST = 40
"""Height of the largest letters, in pixels."""
BLOCK = (4, 8)
"""Rows and columns of the blocks in which strokes are grouped: strokes in touching blocks belong together."""
REACH = 6
"""Pixels from a seed to the rim of its cross or letter."""
SMALLEST = 8
"""Rows and columns of the smallest part of a frame on which graphics are looked for."""


def _vertical(grey: ByteImage, distance: int, length: int) -> ByteImage:
    """Strength of vertical strokes `length` pixels long against both sides at a distance."""
    padded = cv2.copyMakeBorder(grey, 0, 0, distance, distance, cv2.BORDER_REPLICATE)
    sides = cv2.max(padded[:, 2 * distance :], padded[:, : -2 * distance])
    return np.asarray(
        cv2.erode(cv2.subtract(grey, sides, dst=sides), np.ones((length, 1), np.uint8))
    )


def _dots(grey: ByteImage) -> ByteImage:
    """Grey levels by which each pixel exceeds a ring of radius 2 around it."""
    ring = np.array(
        [[0, 1, 1, 1, 0], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [0, 1, 1, 1, 0]],
        np.uint8,
    )
    return np.asarray(cv2.subtract(grey, cv2.dilate(grey, ring)))


def _solids(grey: ByteImage, inside: ByteImage, level: float) -> ByteImage:
    """Pixels between a rising edge and the falling edge to its right, both sharper than the lateral resolution: 0 or 1."""
    rising, falling = np.zeros_like(grey), np.zeros_like(grey)
    rising[:, 1:-1] = cv2.subtract(grey[:, 2:], grey[:, :-2])
    falling[:, 1:-1] = cv2.subtract(grey[:, :-2], grey[:, 2:])
    # an edge goes on through three rows, straight or slanted
    row, column = np.ones((1, 3), np.uint8), np.ones((3, 1), np.uint8)
    rise, fall = (
        cv2.multiply(cv2.min(cv2.erode(cv2.dilate(edge, row), column), edge), inside)
        for edge in (rising, falling)
    )
    solid = np.empty_like(grey)
    fill_between_edges(rise, fall, level, WIDEST, solid)
    return solid


def _singles(seeds: BoolImage, thin: ByteImage) -> ByteImage:
    """Around the seeds, where marks and letters may reach: the grey levels by which the seed stands out; 0 elsewhere."""
    strength = thin * seeds
    if not seeds.any():
        return strength
    level = cv2.dilate(strength, np.ones((2 * REACH - 1, 2 * REACH + 1), np.uint8))
    # an arm across is as long as the arm down
    long = cv2.erode(strength, np.ones((REACH, 1), np.uint8))
    if long.any():
        level = cv2.max(level, cv2.dilate(long, np.ones((4 * REACH - 1, 4 * REACH + 1), np.uint8)))
    return np.asarray(level)


def _lines(strokes: BoolImage, thin: ByteImage) -> ByteImage:
    """Over the lines of text that strokes form: the grey levels by which the text stands out; 0 elsewhere.

    A line of text is three or more strokes, no further apart than letters are, in a strip wider than high.
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
        y, x = rows[order[begin:end]], columns[order[begin:end]]
        left, top, right, bottom = int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1
        height = bottom - top
        if right - left > 1.5 * height and height <= TALLEST and len(np.unique(x // 3)) >= 3:
            reach = max(REACH, height)
            line = level[max(0, top - 4) : bottom + 4, max(0, left - reach) : right + reach]
            np.maximum(line, np.uint8(np.median(thin[y, x])), out=line)
    return level


def find_graphics(grey: ByteImage, tissue: BoolImage, marks: BoolImage | None = None) -> BoolImage:
    """Find burned-in graphics on a frame, or on the part of it that holds the tissue.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8
        In the pixels that the graphics were drawn in: resampling blurs them.
    tissue : array, shape (rows, columns), bool
        Scan area; graphics outside are of no concern.
    marks : array, shape (rows, columns), bool, optional
        Caliper marks that are known already; else they are looked for.

    Returns
    -------
    array, shape (rows, columns), bool
        Pixels that a graphic touches, with a rim of one pixel.
    """
    if min(grey.shape) < SMALLEST:
        return np.zeros(grey.shape, dtype=bool)
    thin = np.asarray(cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((9, 9), np.uint8)))
    strokes, faint, solid = _seeds(grey, tissue, thin)
    text = cv2.max(_lines(faint, thin), _lines(solid.view(np.bool_), thin))
    del faint  # of a large image each array takes as much as the image
    marks = (find_calipers(grey, tissue) if marks is None else marks) | cv2.dilate(
        solid, np.ones((3, 5), np.uint8)
    ).view(np.bool_)
    del solid
    level = cv2.max(cv2.max(_singles(strokes, thin), text), find_depth_scales(grey, thin))
    if not level.any():
        return np.asarray(marks)
    # a graphic is drawn in one grey level, so its faint parts are blurred edges, not dimmer strokes
    drawn = ((level > 0) & (thin > level // 2)).astype(np.uint8)
    mask = cv2.dilate(drawn, np.ones((3, 3), np.uint8))
    # inside letters little tissue is left to judge
    if text.any():
        mask |= cv2.morphologyEx(mask * (text > 0), cv2.MORPH_CLOSE, np.ones((5, 7), np.uint8))
    return np.asarray((mask > 0) | marks)


def _seeds(
    grey: ByteImage, tissue: BoolImage, thin: ByteImage
) -> tuple[BoolImage, BoolImage, ByteImage]:
    """Strokes and dots that are a graphic wherever they stand, strokes that are one in a line of text, and solids (0 or 1)."""
    # the border of the scan area is as sharp as a stroke
    inside = cv2.erode(tissue.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1)
    # coarse pixels on fine speckle: the mean step over four pixels tells how sharp the echoes themselves are
    grain = 3 + float(
        cv2.mean(cv2.absdiff(grey[:, 4:], grey[:, :-4]), tissue[:, 4:].view(np.uint8))[0]
    )
    vertical = _vertical(grey, 2, 3)
    vertical *= inside
    faint = vertical >= max(FAINT, GRAIN[1] * grain)
    dots = cv2.subtract(_dots(grey), DOT - STROKE)
    dots *= inside
    sharpness = cv2.max(vertical, dots, dst=dots)
    strokes = (sharpness >= max(STROKE, GRAIN[0] * grain)) & (sharpness > cv2.LUT(thin, BLUNT))
    del vertical, dots, sharpness
    return strokes, faint, _solids(grey, inside, float(max(EDGE, EDGE_GRAIN * grain)))
