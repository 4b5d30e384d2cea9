"""Fit a logistic model of a few named features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from usmicro.numerics.logistic import Logistic

RIDGE = 1e-3
"""Weight of the squared coefficients, in units of standardised features."""


def fit_logistic(
    features: Mapping[str, ArrayLike],
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    ridge: float = RIDGE,
) -> Logistic:
    """Maximum penalised likelihood by Newton's method.

    Parameters
    ----------
    features : mapping of str to array, shape (n,)
    target : array, shape (n,)
        0 or 1, or a probability.
    weight : array, shape (n,), optional
        Alike if not given.
    """
    values = np.column_stack([np.asarray(column, float) for column in features.values()])
    wanted = np.asarray(target, float)
    share = np.ones(len(wanted)) if weight is None else np.asarray(weight, float)
    share = share / share.sum()
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-6
    design = np.column_stack([np.ones(len(values)), (values - mean) / scale])
    penalty = np.diag([0.0, *[ridge] * len(mean)])
    solution = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ solution, -30, 30)))
        gradient = design.T @ (share * (p - wanted)) + penalty @ solution
        curvature = (
            (design * (share * p * (1 - p))[:, None]).T @ design
            + penalty
            + 1e-9 * np.eye(len(solution))
        )
        solution -= np.linalg.solve(curvature, gradient)
    slopes = solution[1:] / scale
    weights = {name: round(float(slope), 4) for name, slope in zip(features, slopes, strict=True)}
    return Logistic(round(float(solution[0] - slopes @ mean), 4), weights)
