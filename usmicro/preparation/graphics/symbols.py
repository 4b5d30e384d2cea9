"""Hard-edged symbols: digits beside calipers, arrows, dots and the figures of a depth scale.

A scan blurs every echo across the beam, however bright it is, by its lateral resolution. So the
grey level beside an echo falls over several pixels. The edge of a symbol that the scanner draws
falls from one pixel to the next. Only edges across the beam count: along it, echoes are sharper.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.kernels.graphics import group_points, sharp_steps
from usmicro.model.arrays import BoolImage, ByteImage

Steps = NDArray[np.int32]
"""Shape (n, 4): row, column of the left one of two pixels, step between them, and contrast around
it, in grey levels; the step is negative where the grey level falls to the right."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How sharp a group of steps must be to count as a symbol."""

    fraction: float
    """Smallest step as a fraction of the contrast around it."""
    step: float
    """Smallest step in grey levels."""
    grain: float
    """Smallest step as a multiple of the grain of the image."""
    steps: int
    """Smallest number of rising steps and of falling steps."""
    contrast: int
    """Smallest contrast of the symbol against its wider surroundings, in grey levels."""


SMALL = Rule(fraction=0.38, step=30.0, grain=2.0, steps=2, contrast=64)
LARGE = Rule(fraction=0.30, step=30.0, grain=2.0, steps=4, contrast=90)
DIGIT = Rule(fraction=0.33, step=25.0, grain=1.5, steps=2, contrast=64)
RULES = (SMALL, LARGE, DIGIT)

BLOCK, REACH_OF_CALIPER = 4, 4
"""Side of a block in pixels, and number of blocks beside a caliper in which its digit may lie."""
WINDOW = 3
"""Rows and columns on each side of a step over which the contrast is measured."""
GAP = (2, 5)
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
    level = np.zeros_like(grey)
    near = _near(calipers) if calipers.any() else None
    rules = RULES if near is not None else RULES[:2]
    steps = np.empty((grey.size // 16, 4), np.int32)
    least = min(_least_step(rule, grain) for rule in rules)
    fraction = min(rule.fraction for rule in rules)
    steps = steps[: sharp_steps(grey, inside, int(least), fraction, WINDOW, steps)]
    for rule in rules:
        sharp = np.abs(steps[:, 2]) >= np.maximum(
            _least_step(rule, grain),
            steps[:, 3]
            * (max(rule.fraction, _lateral_step_ratio(grey, tissue)) if rule is SMALL else rule.fraction),
        )
        if rule is DIGIT:
            sharp &= near[steps[:, 0] // BLOCK, steps[:, 1] // BLOCK] > 0
        elif near is not None:
            sharp &= ~calipers[steps[:, 0], steps[:, 1]]
        _draw(steps[sharp], rule, thin, level, calipers)
    return level


def _least_step(rule: Rule, grain: float) -> float:
    return max(rule.step, rule.grain * grain)


def _lateral_step_ratio(grey: ByteImage, tissue: BoolImage) -> float:
    """Return the mean step to the next pixel as a fraction of the mean step over four pixels."""
    near = cv2.mean(cv2.absdiff(grey[:, 1:], grey[:, :-1]), tissue[:, 1:].view(np.uint8))[0]
    far = cv2.mean(cv2.absdiff(grey[:, 4:], grey[:, :-4]), tissue[:, 4:].view(np.uint8))[0]
    return near / max(far, 1e-6)


def _near(calipers: BoolImage) -> ByteImage:
    rows, columns = (-(-n // BLOCK) for n in calipers.shape)
    blocks = np.zeros((rows * BLOCK, columns * BLOCK), bool)
    blocks[: calipers.shape[0], : calipers.shape[1]] = calipers
    blocks = blocks.reshape(rows, BLOCK, columns, BLOCK).any(axis=(1, 3)).view(np.uint8)
    side = 2 * REACH_OF_CALIPER + 1
    return cv2.dilate(blocks, np.ones((side, side), np.uint8))


def _draw(steps: Steps, rule: Rule, thin: ByteImage, level: ByteImage, calipers) -> None:
    if len(steps) < 2 * rule.steps:
        return
    group = np.empty(len(steps), np.int32)
    groups = group_points(steps, *GAP, group)
    rising = np.bincount(group, weights=steps[:, 2] > 0, minlength=groups)
    falling = np.bincount(group, weights=steps[:, 2] < 0, minlength=groups)
    for number in np.flatnonzero(np.minimum(rising, falling) >= rule.steps):
        own = steps[group == number]
        if rule is DIGIT:
            own = own[~calipers[own[:, 0], own[:, 1]]]
            if len(own) < 3 or np.ptp(own[:, 0]) < 3:
                continue
        y, x = own[:, 0], own[:, 1]
        contrast = max(int(thin[y, x].max()), int(thin[y, x + 1].max()))
        if contrast < rule.contrast:
            continue
        top, bottom, left, right = int(y.min()), int(y.max()) + 1, int(x.min()), int(x.max()) + 2
        if max(bottom - top, right - left) <= LARGEST:
            boxes = [(top, bottom, left, right)]
        else:
            boxes = [(r, r + 1, c, c + 2) for r, c in zip(y.tolist(), x.tolist(), strict=True)]
        for top, bottom, left, right in boxes:
            box = level[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2]
            np.maximum(box, np.uint8(contrast), out=box)
