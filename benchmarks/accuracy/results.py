"""What a measure gives: a row of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.metrics import Estimate, bootstrap
from benchmarks.accuracy.runs import Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """One result."""

    dataset: str
    measure: str
    estimate: Estimate
    images: int
    """Images that it rests on; those are drawn for the interval."""


Result = tuple[str, Estimate, int]
"""A row without its data set."""


def plain(value: float) -> Estimate:
    """A count or time, which has no interval."""
    return Estimate(float(value), float("nan"), float("nan"))


def over(outcomes: Sequence[Outcome], statistic: Callable[[list[Outcome]], float], name: str) -> Result:
    """A statistic of outcomes, with its interval over images."""
    estimate = bootstrap(lambda drawn: statistic([outcomes[i] for i in drawn]), len(outcomes))
    return name, estimate, len(outcomes)


def fraction(hits: Sequence[bool] | NDArray[np.bool_]) -> float:
    """Share of hits; NaN of nothing."""
    return float(np.mean(hits)) if len(hits) else float("nan")
