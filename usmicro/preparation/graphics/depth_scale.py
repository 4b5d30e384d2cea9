"""Depth scales on the tissue: ticks at equal steps on its left or right side, some with figures."""

from __future__ import annotations

import math
from bisect import bisect

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import ByteImage

LEAST_TICK = 20
"""Smallest contrast, in grey levels, of a tick against the rows above and below. Many echoes reach
it, but not at equal steps."""
TICK_LENGTH = 4
"""Smallest length of a tick in columns. Chosen by eye; no measurement is recorded."""
STRIP = 9
"""Width, in columns, of the strip at the side in which ticks end. Chosen by eye; no measurement is
recorded."""
FIGURES = (7, 20)
"""Rows above and below a tick, and columns from the side, in which its figure may lie."""
STEP_RANGE = (12.0, 120.0)
"""Smallest and largest step between ticks in pixels. Chosen by eye; no measurement is recorded."""
TOLERANCE = 1.2
"""Largest distance of a tick from its expected place in pixels: rounding of both."""
MOST_PEAKS = 40
"""Number of strongest ridges at a side that are tried as ticks; it limits the computing time."""
CHANCE = 0.03
"""Largest probability of equal steps by chance at which ticks are accepted."""


def find_depth_scales(grey: ByteImage, thin: ByteImage) -> ByteImage:
    """Return the contrast of depth scales over their ticks and figures; 0 elsewhere.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8
        The part of the frame that shows the tissue.
    thin : array, shape (rows, columns), uint8
        Contrast of each pixel against its wider surroundings, in grey levels.

    Returns
    -------
    array, shape (rows, columns), uint8
    """
    level = np.zeros(grey.shape, np.uint8)
    if grey.shape[1] < 2 * FIGURES[1]:
        return level
    for side in (slice(0, STRIP), slice(-STRIP, None)):
        strength = cv2.erode(_ridges(grey[:, side]), np.ones((1, TICK_LENGTH), np.uint8)).max(
            axis=1
        )
        highest = cv2.dilate(strength[:, None], np.ones((5, 1), np.uint8))[:, 0]
        peaks = np.flatnonzero((strength >= LEAST_TICK) & (strength == highest))
        strongest = peaks[np.argsort(-strength[peaks].astype(int), kind="stable")[:MOST_PEAKS]]
        ticks = _equal_steps(np.sort(strongest), grey.shape[0])
        beside = slice(0, FIGURES[1]) if side.start == 0 else slice(-FIGURES[1], None)
        for tick in ticks:
            zone = level[max(0, tick - FIGURES[0]) : tick + FIGURES[0] + 1, beside]
            np.maximum(zone, thin[tick, side].max(), out=zone)
    return level


def _ridges(strip: ByteImage) -> ByteImage:
    """Return the contrast of each pixel against the pixels two rows above and below it."""
    padded = cv2.copyMakeBorder(strip, 2, 2, 0, 0, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.subtract(strip, cv2.max(padded[4:], padded[:-4])))


def _equal_steps(peaks: NDArray[np.intp], rows: int) -> list[int]:
    """Return the longest run of peaks at equal steps; empty if it may be due to chance."""
    if peaks.size < 4:
        return []
    share = min(0.95, peaks.size * (1 + 2 * int(TOLERANCE)) / rows)
    trials = peaks.size * (STEP_RANGE[1] - STEP_RANGE[0])
    needed = 2 + math.ceil(math.log(CHANCE / trials) / math.log(share))
    best: list[int] = []
    places = peaks.tolist()
    for index, first in enumerate(places):
        for second in places[index + 1 :]:
            step = second - first
            if step < STEP_RANGE[0]:
                continue
            if step > STEP_RANGE[1] or (needed - 1) * step > rows - first:
                break
            run, steps, missed = [first, second], 1, 0
            ahead = 1
            while ahead <= 2:  # an echo may hide one tick
                expected = run[-1] + ahead * (run[-1] - run[0]) / steps
                nearest = _nearest(places, expected)
                if nearest > run[-1] and abs(nearest - expected) <= TOLERANCE:
                    run.append(nearest)
                    steps, missed, ahead = steps + ahead, missed + ahead - 1, 1
                else:
                    ahead += 1
            if len(run) - missed > max(len(best), needed - 1):
                best = run
    return best


def _nearest(places: list[int], expected: float) -> int:
    """Return the nearest of places in ascending order, the first of two."""
    after = bisect(places, expected)
    return min(places[max(after - 1, 0) : after + 1], key=lambda place: abs(place - expected))
