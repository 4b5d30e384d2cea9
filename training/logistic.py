"""Fit a logistic model of a few named features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from usmicro.anatomy.logistic import Logistic

RIDGE = 1e-3
"""Weight of the squared coefficients, in units of standardised features."""


def fit_logistic(rows: Sequence[Mapping[str, float]], names: Sequence[str], target: ArrayLike, weight: ArrayLike) -> Logistic:
    """Maximum penalised likelihood by Newton's method."""
    values = np.array([[row[name] for name in names] for row in rows])
    target, weight = np.asarray(target, float), np.asarray(weight, float) / np.sum(weight)
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-6
    design = np.column_stack([np.ones(len(values)), (values - mean) / scale])
    penalty = np.diag([0.0, *[RIDGE] * len(names)])
    solution = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ solution, -30, 30)))
        gradient = design.T @ (weight * (p - target)) + penalty @ solution
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design + penalty + 1e-9 * np.eye(len(solution))
        solution -= np.linalg.solve(curvature, gradient)
    slopes = solution[1:] / scale
    return Logistic(round(float(solution[0] - slopes @ mean), 4), {name: round(float(w), 4) for name, w in zip(names, slopes, strict=True)})
