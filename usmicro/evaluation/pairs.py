"""Match two lists of foci that are equals, such as those of two readers or of two runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from usmicro.evaluation.metrics import LEAST_DISTANCE_PX

Spot = tuple[float, float, float]
"""Column, row and diameter, pixels."""


def match_pairs(
    one: Sequence[Spot],
    other: Sequence[Spot],
    *,
    allowed: Sequence[Sequence[bool]] | None = None,
    least_distance: float = LEAST_DISTANCE_PX,
) -> list[tuple[int, int]]:
    """Match the spots of two lists one to one, the nearest pair first.

    Exchanging the lists exchanges the result: none of them is the truth.

    Parameters
    ----------
    one, other : sequence of (float, float, float)
        Column, row and diameter, pixels.
    allowed : (len(one), len(other)) bool, optional
        Pairs that may be matched; all if not given.
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
    reach = np.maximum(np.maximum(first[:, None, 2], second[None, :, 2]) / 2, least_distance)
    near = distance <= reach
    if allowed is not None:
        near &= np.asarray(allowed, dtype=bool).reshape(near.shape)
    rows, columns = np.nonzero(near)
    free_rows, free_columns = np.ones(len(first), bool), np.ones(len(second), bool)
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
