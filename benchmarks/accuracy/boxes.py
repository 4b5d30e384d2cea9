"""Compare the bounding boxes of the detected masses with the boxes of two readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.optimize import linear_sum_assignment

from usmicro.evaluation.datasets import Rectangle, intersection_over_union
from usmicro.model.arrays import LabelImage

LEAST_IOU = 0.3
"""A mass finds a lesion if the intersection over union (IoU) of their boxes is at least this.

It is the limit from which the boxes of the two readers were taken to be the same lesion.
"""

STRICT_IOU = 0.5
"""A second limit of the IoU, which is the usual one in publications on the detection of objects."""


@dataclass(frozen=True, slots=True)
class BoxOverlap:
    """Agreement of the detected masses of one image with the boxes of the lesions."""

    iou_of_lesions: tuple[float, ...]
    """For each box that both readers drew: its IoU with the mass that finds it; 0 if missed."""
    pairs: dict[int, int]
    """For each lesion that is found: its index, and the index of the mass that finds it."""
    false_positives: int
    """Number of masses whose IoU with every box of a reader is below LEAST_IOU."""


def bounding_boxes(areas: LabelImage) -> list[Rectangle]:
    """Return the bounding box of each area of a label image, numbered from 1 without gaps."""
    return [
        (columns.start, rows.start, columns.stop, rows.stop)
        for rows, columns in find_objects(areas)
    ]


def match_boxes(
    detected: Sequence[Rectangle], lesions: Sequence[Rectangle], uncertain: Sequence[Rectangle] = ()
) -> BoxOverlap:
    """Match masses with lesions one to one, so that the sum of their IoU is maximal.

    Parameters
    ----------
    detected : sequence of Rectangle
        Bounding boxes of the masses.
    lesions : sequence of Rectangle
        Boxes that both readers drew.
    uncertain : sequence of Rectangle
        Boxes of only one reader. A mass that finds no lesion but one of these is not false.
    """
    iou = _iou(lesions, detected)
    reachable = np.where(iou >= LEAST_IOU, iou, 0)
    pairs = {
        int(lesion): int(mass)
        for lesion, mass in zip(*linear_sum_assignment(-reachable), strict=True)
        if reachable[lesion, mass] > 0
    }
    is_somewhere = np.vstack([iou, _iou(uncertain, detected)]) >= LEAST_IOU
    return BoxOverlap(
        iou_of_lesions=tuple(
            float(iou[lesion, pairs[lesion]]) if lesion in pairs else 0.0
            for lesion in range(len(lesions))
        ),
        pairs=pairs,
        false_positives=int((~is_somewhere.any(axis=0)).sum()),
    )


def _iou(rows: Sequence[Rectangle], columns: Sequence[Rectangle]) -> NDArray[np.float64]:
    """Return the IoU of each of some rectangles with each of others."""
    values = [[intersection_over_union(one, other) for other in columns] for one in rows]
    return np.array(values, dtype=float).reshape(len(rows), len(columns))
