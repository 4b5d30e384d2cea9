"""Quantiles of grey values as NumPy gives them, to the last digit, in a fraction of its time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels import levels as kernels
from usmicro.model.arrays import BoolImage, FloatImage


def quantile(values: NDArray[np.floating], share: float) -> float:
    """`np.quantile(values, share)` of a few ten thousand values: NumPy sorts them faster than it finds those that it needs."""
    index, fraction = _place(len(values), share)
    ordered = np.sort(values)
    return _between(ordered[index], ordered[min(index + 1, len(values) - 1)], fraction)


def masked_quantile(grey: FloatImage, mask: BoolImage, share: float) -> float:
    """`np.quantile(grey[mask], share)`: only the values of the one or two whole grey levels that hold it are sorted."""
    grey, mask = np.ascontiguousarray(grey), np.ascontiguousarray(mask)
    count = int(np.count_nonzero(mask))
    index, fraction = _place(count, share)
    following = min(index + 1, count - 1)
    values, below = kernels.values_around_ranks(grey, mask, index, following)
    values.sort()
    return _between(values[index - below], values[following - below], fraction)


def _place(count: int, share: float) -> tuple[int, float]:
    """Rank of the value below a quantile, and how far the quantile lies towards the next one."""
    place = (count - 1) * share
    return int(place), place - int(place)


def _between(lower: np.floating, upper: np.floating, fraction: float) -> float:
    return float(
        lower + (upper - lower) * fraction
        if fraction < 0.5
        else upper - (upper - lower) * (1 - fraction)
    )
