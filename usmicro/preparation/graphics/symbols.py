"""Hard-edged symbols: digits beside calipers, arrows, dots and the figures of a depth scale.

A scan blurs every echo across the beam, however bright it is, by its lateral resolution. So the
grey level beside an echo falls over several pixels. The edge of a symbol that the scanner draws
falls from one pixel to the next. Only edges across the beam count: along it, echoes are sharper.

The limits were chosen on 413 echogenic foci that were marked by readers on 180 images of BUSI,
BUS-UCLM, BUS-BRA, BrEaST and Multi-REZ, of which none may become a graphic, and by eye on 200
images of BUS-BRA and 100 of the visual readings.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.kernels.graphics import group_points, raise_boxes, sharp_steps
from usmicro.model.arrays import BoolImage, ByteImage

Steps = NDArray[np.int32]
"""Shape (n, 4): row and column of the left one of two touching pixels, the step between them, and
the contrast around it, in grey levels. The step is negative if the right pixel is darker."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How sharp an edge, and how many steps at edges, make a symbol."""

    fraction: float
    """Smallest step as a fraction of the contrast around it."""
    ratio: float
    """The same as a multiple of the lateral step ratio of the speckle."""
    step: float
    """Smallest step in grey levels. Ripples of lossy coding stay below 28 on most images."""
    grain: float
    """Smallest step as a multiple of the grain of the image. With a factor of 2.0, points of raw
    simulated speckle are symbols."""
    steps: int
    """Smallest number of rising steps, and of falling steps."""
    contrast: int
    """Smallest contrast of the symbol against its wider surroundings, in grey levels."""


SMALL = Limits(fraction=0.38, ratio=1.0, step=30, grain=2.5, steps=2, contrast=64)
"""Of any symbol, down to a dot of two pixels. The two sharpest steps of any
marked focus are at most 0.35."""
LARGE = Limits(fraction=0.30, ratio=0.75, step=30, grain=2.5, steps=4, contrast=90)
"""Of a symbol with long edges, such as a blurred digit. No marked focus has so many steps. Where
speckle is fine, the factor of the ratio keeps that of simulated scans from being a symbol."""
DIGIT = Limits(fraction=0.33, ratio=0.0, step=25, grain=1.5, steps=2, contrast=64)
"""Of a digit beside a caliper, which may touch it: steps of both count."""
LEAST_BESIDE = 3
"""Smallest number of steps of a digit outside the box of its caliper, and of the rows that they
span. With fewer, echoes that touch a caliper count as digits."""
BLOCK, REACH = 4, 4
"""Side of a block in pixels, and number of blocks beside a caliper in which its digit lies: digits
on BUS-BRA begin up to 12 pixels away."""
HEIGHT = 0.5
"""Smallest height of the brighter of the two pixels of a step above its surroundings, as a fraction
of the contrast: symbols are bright, while the sharpest edges of speckle are those of dark spots."""
WINDOW = 3
"""Rows and columns on each side of a step over which the contrast is measured: a stroke of two
pixels, and both of its sides."""
GAP = (2, 5)
"""Largest distance, in rows and columns, of two steps of one symbol. With 6 columns a marked focus
beside a dot is taken for a part of it."""
BAND = 64
"""Number of rows over which the lateral steps of the speckle are averaged."""
BORDER = 3
"""Further distance of a step from the border of the scan area, along both axes, in pixels: the mask
of a sector is that uncertain. Chosen by eye on simulated sectors."""
SIDE = 2
"""Number of columns at the sides of the image in which no steps count. Chosen by judgement: the
box of the tissue is exact to 2 pixels."""
RIM = 2
"""Distance from a step, in pixels, up to which bright pixels belong to its symbol."""
LARGEST = 40
"""Largest side of a symbol in pixels, that of the tallest letters. Echoes may lie inside a larger
drawing, of which only the surroundings of its steps are graphics."""


def find_symbols(
    grey: ByteImage,
    tissue: BoolImage,
    inside: ByteImage,
    thin: ByteImage,
    calipers: BoolImage,
    grain: float,
) -> ByteImage:
    """Return the contrast of hard-edged symbols over these symbols; 0 elsewhere.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8
        In the original pixels, since resampling blurs symbols.
    tissue : array, shape (rows, columns), bool
        Scan area.
    inside : array, shape (rows, columns), uint8
        Not 0 in the scan area without its border, which is as sharp as a symbol.
    thin : array, shape (rows, columns), uint8
        Contrast of each pixel against its wider surroundings, in grey levels.
    calipers : array, shape (rows, columns), bool
        Calipers that are known. Digits beside them may be less sharp than other symbols.
    grain : float
        How large the steps of the speckle are, in grey levels.

    Returns
    -------
    array, shape (rows, columns), uint8
    """
    level = np.zeros_like(grey)
    beside = _blocks_beside(calipers) if calipers.any() else None
    used = (SMALL, LARGE) if beside is None else (SMALL, LARGE, DIGIT)
    steps = np.empty((grey.size // 16, 4), np.int32)
    least = min(_least_step(limits, grain) for limits in used)
    fraction = min(limits.fraction for limits in used)
    steps = steps[: sharp_steps(grey, inside, least, fraction, HEIGHT, WINDOW, steps)]
    steps = steps[_off_the_border(steps, inside)]
    if len(steps) < 2 * SMALL.steps:
        return level
    # on fine speckle, single steps of echoes are as sharp as the edges of symbols
    ratio = _lateral_step_ratio(grey, tissue)[steps[:, 0]]
    hidden = calipers[steps[:, 0], steps[:, 1]]
    for limits in (SMALL, LARGE):
        sharp = ~hidden & _reach(steps, limits, ratio, grain)
        _draw(steps[sharp], limits, thin, level)
    if beside is not None:
        sharp = beside[steps[:, 0] // BLOCK, steps[:, 1] // BLOCK]
        sharp &= _reach(steps, DIGIT, ratio, grain)
        _draw(steps[sharp], DIGIT, thin, level, calipers)
    return level


def _least_step(limits: Limits, grain: float) -> int:
    return int(np.ceil(max(limits.step, limits.grain * grain)))


def _off_the_border(steps: Steps, inside: ByteImage) -> NDArray[np.bool_]:
    """Tell which steps lie in the scan area, together with the corners of a square around them."""
    # the first and the last columns of a crop may lie beside the tissue
    found = (steps[:, 1] >= SIDE) & (steps[:, 1] < inside.shape[1] - 1 - SIDE)
    for down in (-BORDER, BORDER):
        for over in (-BORDER, BORDER):
            row = np.clip(steps[:, 0] + down, 0, inside.shape[0] - 1)
            column = np.clip(steps[:, 1] + over, 0, inside.shape[1] - 1)
            found &= inside[row, column] > 0
    return np.asarray(found)


def _reach(
    steps: Steps, limits: Limits, ratio: NDArray[np.float32], grain: float
) -> NDArray[np.bool_]:
    """Tell which steps reach the limits; `ratio` is that of the lateral steps around each."""
    size = np.abs(steps[:, 2])
    fraction = np.maximum(limits.fraction, limits.ratio * ratio)
    return np.asarray((size >= fraction * steps[:, 3]) & (size >= _least_step(limits, grain)))


def _lateral_step_ratio(grey: ByteImage, tissue: BoolImage) -> NDArray[np.float32]:
    """Return the mean step to the next pixel as a fraction of the mean step over four pixels.

    It is about 0.3 on coarse speckle and 0.45 on speckle that is hardly wider than a pixel. It is
    given for each row, since the speckle of a sector is finer near the probe.
    """
    # a quarter of the rows is enough for a mean
    rows, within = grey[::4], np.ascontiguousarray(tissue[::4]).view(np.uint8)
    means = []
    for columns in (1, 4):
        step = cv2.absdiff(rows[:, columns:], rows[:, :-columns])
        step = cv2.multiply(step, within[:, columns:])
        total = cv2.reduce(step, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F)
        means.append(cv2.blur(total, (1, BAND // 4), borderType=cv2.BORDER_REPLICATE)[:, 0])
    near, far = means
    return np.asarray(np.repeat(near / np.maximum(far, 1), 4)[: len(grey)])


def _blocks_beside(calipers: BoolImage) -> BoolImage:
    """Return the blocks of BLOCK x BLOCK pixels in calipers and beside them."""
    # the box around a caliper is larger than a block, so that one pixel of each block is enough
    side = 2 * REACH + 1
    blocks = np.ascontiguousarray(calipers[::BLOCK, ::BLOCK]).view(np.uint8)
    return np.asarray(cv2.dilate(blocks, np.ones((side, side), np.uint8)) > 0)


def _draw(
    steps: Steps,
    limits: Limits,
    thin: ByteImage,
    level: ByteImage,
    calipers: BoolImage | None = None,
) -> None:
    """Set `level` to the contrast of each symbol over it; only outside `calipers` if given."""
    if len(steps) < 2 * limits.steps:
        return
    group = np.empty(len(steps), np.int32)
    count = group_points(steps, *GAP, group)
    rising = np.bincount(group[steps[:, 2] > 0], minlength=count)
    falling = np.bincount(group[steps[:, 2] < 0], minlength=count)
    # the sum of steps times columns is minus the sum of the brightness between the steps
    centre = np.bincount(group, weights=steps[:, 1], minlength=count) / (rising + falling)
    moment = np.bincount(group, weights=steps[:, 2] * (steps[:, 1] - centre[group]))
    own = ((np.minimum(rising, falling) >= limits.steps) & (moment < 0))[group]
    if calipers is not None:
        own &= ~calipers[steps[:, 0], steps[:, 1]]
    if not own.any():
        return
    # the steps of each symbol lie one behind the other from here on
    steps, group = steps[own], group[own]
    order = np.argsort(group, kind="stable")
    y, x = steps[order, 0], steps[order, 1]
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    lengths = np.diff(starts, append=len(y))
    contrast = np.maximum.reduceat(np.maximum(thin[y, x], thin[y, x + 1]), starts)
    lowest, highest = (
        np.column_stack([edge.reduceat(y, starts), edge.reduceat(x, starts)])
        for edge in (np.minimum, np.maximum)
    )
    sides = highest - lowest
    drawn = contrast >= limits.contrast
    if calipers is not None:
        drawn &= (lengths >= LEAST_BESIDE) & (sides[:, 0] >= LEAST_BESIDE)
    whole = drawn & (sides.max(axis=1) < LARGEST)
    rims = np.array([RIM, RIM + 1])  # a step lies between its pixel and the next
    raise_boxes(lowest[whole] - RIM, highest[whole] + rims, contrast[whole], level)
    part = np.repeat(drawn & ~whole, lengths)
    single = np.column_stack([y, x])[part]
    raise_boxes(single - RIM, single + rims, np.repeat(contrast, lengths)[part], level)
