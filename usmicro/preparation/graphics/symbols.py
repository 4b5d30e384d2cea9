"""Hard-edged symbols: digits beside calipers, arrows, dots and the figures of a depth scale.

A scan blurs every echo across the beam, however bright it is, by its lateral resolution. So the
grey level beside an echo falls over several pixels. The edge of a symbol that the scanner draws
falls from one pixel to the next. Only edges across the beam count: along it, echoes are sharper.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.kernels.graphics import group_points, sharp_steps
from usmicro.model.arrays import BoolImage, ByteImage

LEAST_FRACTION = 0.38
"""Smallest step from a pixel to the next as a fraction of the contrast around it. Echogenic foci
that were marked by readers reach 0.35 (TODO), symbols on development scans 0.38 to 1."""
LEAST_STEP = 30
"""Smallest such step in grey levels. Ripples of lossy coding reach 28."""
GRAIN_FACTOR = 2.0
"""The same as a multiple of the grain."""
BESIDE_CALIPER = (0.33, 25)
"""The same fraction and step beside a caliper."""
BLOCK, REACH_OF_CALIPER = 4, 5
"""Side of a block in pixels, and number of blocks beside a caliper in which its digit may lie."""
LEAST_CONTRAST = 64
"""Smallest contrast of a symbol against its wider surroundings in grey levels."""
WINDOW = 3
"""Rows and columns on each side of a step over which the contrast is measured."""
GAP = (2, 4)
"""Largest distance, in rows and columns, of two steps of one symbol."""
LARGEST = 40
"""Largest side of a symbol in pixels; of a larger drawing only the surroundings of its steps are
graphics."""


def find_symbols(
    grey: ByteImage,
    tissue: BoolImage,
    inside: ByteImage,
    thin: ByteImage,
    calipers: BoolImage,
    grain: float,
) -> ByteImage:
    """Return the contrast of hard-edged symbols over the symbols; 0 elsewhere."""
    level = np.zeros_like(grey)
    steps = np.empty((grey.size // 16, 4), np.int32)
    count = sharp_steps(
        grey,
        inside,
        min(LEAST_STEP, BESIDE_CALIPER[1]),
        min(LEAST_FRACTION, BESIDE_CALIPER[0]),
        WINDOW,
        steps,
    )
    steps = steps[:count]
    if count < 4:
        return level
    fraction = np.abs(steps[:, 2]) / steps[:, 3]
    strength = np.abs(steps[:, 2])
    sharp = (fraction >= max(LEAST_FRACTION, _lateral_step_ratio(grey, tissue))) & (
        strength >= max(LEAST_STEP, GRAIN_FACTOR * grain)
    )
    sharp |= _beside(calipers, steps)
    steps = steps[sharp]
    if len(steps) < 4:
        return level
    group = np.empty(len(steps), np.int32)
    groups = group_points(steps, *GAP, group)
    order = np.argsort(group, kind="stable")
    steps, ends = steps[order], np.cumsum(np.bincount(group, minlength=groups))
    begin = 0
    for end in ends.tolist():
        _draw(steps[begin:end], thin, level)
        begin = end
    return level


def _lateral_step_ratio(grey, tissue) -> float:
    """Return the mean step to the next pixel as a fraction of the mean step over four pixels."""
    near = cv2.mean(cv2.absdiff(grey[:, 1:], grey[:, :-1]), tissue[:, 1:].view(np.uint8))[0]
    far = cv2.mean(cv2.absdiff(grey[:, 4:], grey[:, :-4]), tissue[:, 4:].view(np.uint8))[0]
    return near / max(far, 1e-6)


def _beside(calipers, steps):
    if not calipers.any():
        return np.zeros(len(steps), dtype=bool)
    rows, columns = (-(-n // BLOCK) for n in calipers.shape)
    blocks = np.zeros((rows * BLOCK, columns * BLOCK), bool)
    blocks[: calipers.shape[0], : calipers.shape[1]] = calipers
    blocks = blocks.reshape(rows, BLOCK, columns, BLOCK).any(axis=(1, 3)).view(np.uint8)
    side = 2 * REACH_OF_CALIPER + 1
    near = cv2.dilate(blocks, np.ones((side, side), np.uint8))
    return near[steps[:, 0] // BLOCK, steps[:, 1] // BLOCK] > 0


def _draw(steps, thin, level) -> None:
    rising = int((steps[:, 2] > 0).sum())
    if rising < 2 or len(steps) - rising < 2:
        return
    y, x = steps[:, 0], steps[:, 1]
    contrast = max(int(thin[y, x].max()), int(thin[y, x + 1].max()))
    if contrast < LEAST_CONTRAST:
        return
    top, bottom, left, right = int(y.min()), int(y.max()) + 1, int(x.min()), int(x.max()) + 2
    if max(bottom - top, right - left) <= LARGEST:
        boxes = [(top, bottom, left, right)]
    else:
        boxes = [(r, r + 1, c, c + 2) for r, c in zip(y.tolist(), x.tolist(), strict=True)]
    for top, bottom, left, right in boxes:
        box = level[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2]
        np.maximum(box, np.uint8(contrast), out=box)
