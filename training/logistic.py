"""Fit a logistic model of a few named features. This module is not a program."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from usmicro.numerics.logistic import Logistic

RIDGE = 1e-3
"""Default weight of the squared coefficients of the standardised features.

Chosen by judgement; no measurement is recorded.
"""

NEWTON_STEPS = 50
"""Largest number of Newton steps."""

CONVERGED = 1e-6
"""Largest change of a standardised coefficient at which the Newton steps end."""


def fit_logistic(
    features: Mapping[str, ArrayLike],
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    ridge: float = RIDGE,
) -> Logistic:
    """Fit a logistic model by penalised maximum likelihood, with Newton's method.

    Parameters
    ----------
    features : mapping of str to array, shape (n,)
    target : array, shape (n,)
        0 or 1, or a probability.
    weight : array, shape (n,), optional
        Weight of each row; by default all are equal.
    ridge : float
        Weight of the squared coefficients of the standardised features; the likelihood is the mean
        over the rows.

    Returns
    -------
    Logistic
        Its coefficients are rounded to four decimal places.
    """
    values = np.column_stack([np.asarray(column, float) for column in features.values()])
    y = np.asarray(target, float)
    w = np.ones(len(y)) if weight is None else np.asarray(weight, float)
    w = w / w.sum()
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-6
    design = np.column_stack([np.ones(len(values)), (values - mean) / scale])
    penalty = np.diag([0.0, *[ridge] * len(mean)])
    solution = np.zeros(design.shape[1])
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ solution, -30, 30)))
        gradient = design.T @ (w * (p - y)) + penalty @ solution
        curvature = (
            (design * (w * p * (1 - p))[:, None]).T @ design
            + penalty
            + 1e-9 * np.eye(len(solution))
        )
        step = np.linalg.solve(curvature, gradient)
        solution -= step
        if np.abs(step).max() < CONVERGED:
            break
    slopes = solution[1:] / scale
    weights = {name: round(float(slope), 4) for name, slope in zip(features, slopes, strict=True)}
    return Logistic(round(float(solution[0] - slopes @ mean), 4), weights)
