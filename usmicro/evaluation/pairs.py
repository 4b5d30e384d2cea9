"""Match two lists of foci that are equals, such as those of two readers or of two runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from usmicro.evaluation.metrics import LEAST_DISTANCE_PX, Floats

Spot = tuple[float, float, float]
"""Column, row and diameter, pixels."""


def match_pairs(
    one: Sequence[Spot],
    other: Sequence[Spot],
    *,
    least_distance: float = LEAST_DISTANCE_PX,
) -> list[tuple[int, int]]:
    """Match the spots of two lists one to one, the nearest pair first.

    Exchanging the lists exchanges the result: none of them is the truth.

    Parameters
    ----------
    one, other : sequence of (float, float, float)
        Column, row and diameter, pixels.
    least_distance : float
        Two spots are within reach up to half the larger diameter, and always up to this distance
        in pixels.

    Returns
    -------
    list of (int, int)
        Indices in `one` and `other`, by rising index in `one`.
    """
    first = np.asarray(one, dtype=float).reshape(-1, 3)
    second = np.asarray(other, dtype=float).reshape(-1, 3)
    distance = np.hypot(
        first[:, None, 0] - second[None, :, 0], first[:, None, 1] - second[None, :, 1]
    )
    return match_nearest(distance, reach(first[:, 2], second[:, 2], least_distance))


def reach(one: ArrayLike, other: ArrayLike, least_distance: float) -> Floats:
    """Return up to which distance two spots are matched, for each pair of diameters.

    Parameters
    ----------
    one, other : array, shape (n,) and (m,)
        Diameters, pixels.
    least_distance : float
        Smallest reach, pixels.

    Returns
    -------
    array, shape (n, m)
    """
    larger = np.maximum(np.asarray(one)[:, None], np.asarray(other)[None, :])
    return np.asarray(np.maximum(larger / 2, least_distance), dtype=float)


def match_nearest(distance: Floats, most: Floats) -> list[tuple[int, int]]:
    """Match one to one, the nearest pair first.

    Parameters
    ----------
    distance : array, shape (n, m)
    most : array, shape (n, m)
        Largest distance at which a pair is matched.

    Returns
    -------
    list of (int, int)
        Row and column of each pair, by rising row.
    """
    rows, columns = np.nonzero(distance <= most)
    free_rows, free_columns = np.ones(distance.shape[0], bool), np.ones(distance.shape[1], bool)
    pairs = []
    # ties by the smaller and then the larger index, so that the order of the lists does not matter
    order = np.lexsort(
        (np.maximum(rows, columns), np.minimum(rows, columns), distance[rows, columns])
    )
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if free_rows[row] and free_columns[column]:
            free_rows[row] = free_columns[column] = False
            pairs.append((row, column))
    return sorted(pairs)
