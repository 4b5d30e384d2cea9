"""What a measure gives: a row of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from usmicro.evaluation.metrics import Estimate, Indices, bootstrap

Case = TypeVar("Case")


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


def over(
    cases: Sequence[Case],
    statistic: Callable[[list[Case]], float],
    name: str,
    groups: Sequence[Indices] | None = None,
) -> Result:
    """A statistic of cases, one an image, with its interval over images, or over `groups` of images as in `bootstrap`."""
    estimate = bootstrap(
        lambda drawn: statistic([cases[i] for i in drawn]), len(cases), groups=groups
    )
    return name, estimate, len(cases)


def fraction(hits: Sequence[bool] | NDArray[np.bool_]) -> float:
    """Share of hits; NaN of nothing."""
    return float(np.mean(hits)) if len(hits) else float("nan")
