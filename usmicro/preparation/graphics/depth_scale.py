"""Depth rulers on the tissue: ticks at equal steps along its left or right side, with figures beside some."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import ByteImage

TICK = 20
"""Grey levels by which a tick stands out above and below; many echoes do too, but not at equal steps."""
TICK_LENGTH = 4
"""Columns that a tick is long at least."""
STRIP = 9
"""Columns at the side in which ticks end."""
FIGURES = (7, 20)
"""Rows above and below a tick, and columns from the side, in which its figure may lie."""
STEP = (12.0, 120.0)
"""Smallest and largest step between ticks in pixels."""
TOLERANCE = 1.2
"""Pixels by which a tick may lie off its place."""
MOST_PEAKS = 40
"""Strongest ridges at a side that are tried as ticks."""
CHANCE = 0.03
"""Equal steps by chance must be rarer than this."""


def find_depth_scales(grey: ByteImage, thin: ByteImage) -> ByteImage:
    """Over the ticks and figures of rulers: the grey levels by which they stand out; 0 elsewhere.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8
        The tissue, cut out.
    thin : array, shape (rows, columns), uint8
        Grey levels by which each pixel exceeds its wider surroundings.
    """
    level = np.zeros(grey.shape, np.uint8)
    if grey.shape[1] < 2 * FIGURES[1]:
        return level
    for side in (slice(0, STRIP), slice(-STRIP, None)):
        strength = cv2.erode(_ridges(grey[:, side]), np.ones((1, TICK_LENGTH), np.uint8)).max(
            axis=1
        )
        highest = cv2.dilate(strength[:, None], np.ones((5, 1), np.uint8))[:, 0]
        peaks = np.flatnonzero((strength >= TICK) & (strength == highest))
        strongest = peaks[np.argsort(-strength[peaks].astype(int), kind="stable")[:MOST_PEAKS]]
        ticks = _equal_steps(np.sort(strongest), grey.shape[0])
        beside = slice(0, FIGURES[1]) if side.start == 0 else slice(-FIGURES[1], None)
        for tick in ticks:
            zone = level[max(0, tick - FIGURES[0]) : tick + FIGURES[0] + 1, beside]
            np.maximum(zone, thin[tick, side].max(), out=zone)
    return level


def _ridges(strip: ByteImage) -> ByteImage:
    """Grey levels by which each pixel exceeds those two rows above and below it; 0 if it does not."""
    padded = cv2.copyMakeBorder(strip, 2, 2, 0, 0, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.subtract(strip, cv2.max(padded[4:], padded[:-4])))


def _equal_steps(peaks: NDArray[np.intp], rows: int) -> list[int]:
    """The longest run of peaks at equal steps, if it is longer than chance would make it; else none."""
    if peaks.size < 4:
        return []
    share = min(0.95, peaks.size * (1 + 2 * int(TOLERANCE)) / rows)
    trials = peaks.size * (STEP[1] - STEP[0])
    needed = 2 + math.ceil(math.log(CHANCE / trials) / math.log(share))
    best: list[int] = []
    for index, first in enumerate(peaks):
        for second in peaks[index + 1 :]:
            step = float(second - first)
            if not STEP[0] <= step <= STEP[1] or (needed - 1) * step > rows - first:
                continue
            run, steps, missed = [int(first), int(second)], 1, 0
            ahead = 1
            while ahead <= 2:  # an echo may hide one tick
                expected = run[-1] + ahead * (run[-1] - run[0]) / steps
                nearest = int(peaks[np.argmin(np.abs(peaks - expected))])
                if nearest > run[-1] and abs(nearest - expected) <= TOLERANCE:
                    run.append(nearest)
                    steps, missed, ahead = steps + ahead, missed + ahead - 1, 1
                else:
                    ahead += 1
            if len(run) - missed > max(len(best), needed - 1):
                best = run
    return best
