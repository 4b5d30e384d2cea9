"""Agreement of detected areas with true areas."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from usmicro.evaluation.metrics import dice
from usmicro.model.arrays import LabelImage

MIN_DICE = 0.5
"""A detected area finds a true area if their Dice coefficient is above this.

A Dice coefficient of 0.5 is a Jaccard index of 1/3. Chosen by judgement; no measurement is
recorded.
"""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Agreement of the detected areas of one image with its true areas."""

    total_dice: float
    """Dice coefficient of the union of all detected areas with the union of all true areas."""
    pairs: dict[int, int]
    """For each true area that is found: its index, and the index of the area that finds it."""
    dice_of_true: tuple[float | None, ...]
    """Dice coefficient of each true area with the area that finds it; None if it is missed."""
    false_positives: int
    """Number of detected areas that find no true area."""


def match_areas(detected: LabelImage, true: LabelImage) -> Overlap:
    """Match detected areas with true areas one to one, so that the sum of their Dice is maximal.

    Parameters
    ----------
    detected, true : array, shape (rows, columns)
        0 is background, every other value an area. The areas of `detected` are numbered from 1
        without gaps, as by `connected_parts`.

    Returns
    -------
    Overlap
        Indices of areas start at 0, in the order of their numbers.
    """
    numbers = numbers_in(true)
    count = int(detected.max(initial=0))
    scores = np.array(
        [[dice(true == a, detected == b) for b in range(1, count + 1)] for a in numbers]
    ).reshape(len(numbers), count)
    pairs = {
        int(a): int(b)
        for a, b in zip(*linear_sum_assignment(-scores), strict=True)
        if scores[a, b] > MIN_DICE
    }
    dice_of_true = tuple(
        float(scores[a, pairs[a]]) if a in pairs else None for a in range(len(numbers))
    )
    return Overlap(dice(true > 0, detected > 0), pairs, dice_of_true, count - len(pairs))


def numbers_in(areas: LabelImage) -> list[int]:
    """Return the numbers of the areas of a label image, in order; 0 is background."""
    inside = areas[areas > 0]  # sorting the whole image would take ten times as long
    return [int(number) for number in np.unique(inside)]


def connected_parts(mask: ArrayLike) -> NDArray[np.int32]:
    """Number the connected parts of a mask from 1; 0 is background."""
    return np.asarray(cv2.connectedComponents(np.asarray(mask, dtype=np.uint8))[1], dtype=np.int32)
