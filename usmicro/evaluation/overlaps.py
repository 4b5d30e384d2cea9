"""How areas that were found compare with the true ones."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from usmicro.evaluation.metrics import dice
from usmicro.model.arrays import LabelImage

FOUND = 0.5
"""A true mass is found by a mass that overlaps it with more than this Dice; the Jaccard index is then above 1/3."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How the areas found compare with the true ones."""

    union: float
    """Dice of all that is found with all that is true."""
    pairs: dict[int, int]
    """Index of each true area that is found, and of the area that finds it."""
    each: tuple[float | None, ...]
    """For each true area the Dice of the area that finds it; None if it is missed."""
    extra: int
    """Areas that find no true one."""


def overlap(found: LabelImage, true: LabelImage) -> Overlap:
    """Match the areas of two label images one to one, so that their Dice overlaps sum up to most.

    Parameters
    ----------
    found, true : array, shape (rows, columns)
        0 nothing; every other value is an area. Those of `found` are numbered from 1 without gaps, as `components` does.
    """
    numbers = [number for number in np.unique(true) if number > 0]
    count = int(found.max(initial=0))
    scores = np.array(
        [[dice(true == a, found == b) for b in range(1, count + 1)] for a in numbers]
    ).reshape(len(numbers), count)
    pairs = {
        int(a): int(b)
        for a, b in zip(*linear_sum_assignment(-scores), strict=True)
        if scores[a, b] > FOUND
    }
    each = tuple(float(scores[a, pairs[a]]) if a in pairs else None for a in range(len(numbers)))
    return Overlap(dice(true > 0, found > 0), pairs, each, count - len(pairs))


def components(mask: ArrayLike) -> NDArray[np.int32]:
    """Connected parts of a mask, numbered from 1."""
    return np.asarray(cv2.connectedComponents(np.asarray(mask, dtype=np.uint8))[1], dtype=np.int32)
