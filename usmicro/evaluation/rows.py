"""Rows of the tables of measures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from usmicro.evaluation.metrics import Estimate, Indices, bootstrap

Case = TypeVar("Case")


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one data set."""

    dataset: str
    """Name of the data set; empty in `usmicro evaluate`, which has only one."""
    measure: str
    """Name of the measure."""
    estimate: Estimate
    images: int
    """Number of images that enter the measure and are drawn for its interval."""


Result = tuple[str, Estimate, int]
"""A row without its data set: name of the measure, estimate, number of images."""


def without_interval(value: float) -> Estimate:
    """Return an estimate without interval, such as a count or a time."""
    return Estimate(float(value), float("nan"), float("nan"))


def result_over_images(
    cases: Sequence[Case],
    statistic: Callable[[list[Case]], float],
    name: str,
    groups: Sequence[Indices] | None = None,
) -> Result:
    """Estimate a statistic with its interval over images.

    Parameters
    ----------
    cases : sequence
        One case per image.
    statistic : function
        Computes the statistic from a list of cases.
    name : str
        Name of the measure.
    groups : sequence of arrays, optional
        Indices of cases that are drawn together, as in `bootstrap`.
    """
    estimate = bootstrap(
        lambda drawn: statistic([cases[i] for i in drawn]), len(cases), groups=groups
    )
    return name, estimate, len(cases)


def fraction(facts: Sequence[bool] | NDArray[np.bool_]) -> float:
    """Return the fraction that is true; NaN if `facts` is empty."""
    return float(np.mean(facts)) if len(facts) else float("nan")


def finite(value: float) -> float | None:
    """Return the number as it is written to JSON and CSV; None if it is NaN or infinite."""
    return value if math.isfinite(value) else None
