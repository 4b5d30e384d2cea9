"""Fit the confidence of foci to a site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from usmicro.calibration.labelled import Labelled, folds_of

Floats = NDArray[np.float64]

OFFSET_SPREAD, SLOPE_SPREAD = 1.6, 0.2
"""Standard deviation of offset and slope over eight sets of images of five hospitals, each with
models that have not seen it: offsets from -3.6 to 2.5, slopes from 0.6 to 1.2. A fit is pulled
towards 0 and 1 as much as this spread says (`python -m benchmarks.calibration`)."""

DISPERSION = 3.0
"""Number of candidates that say as much as one independent one; that of `rates.WEIGHT`."""

EDGE = 1e-9
"""Smallest confidence, and smallest distance from 1, whose log odds are computed."""


def fit_confidence(confidence: Floats, is_focus: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit offset and slope of the log odds of the confidence, pulled towards 0 and 1.

    Parameters
    ----------
    confidence : array, shape (n,)
        Confidence of each candidate by the models.
    is_focus : array, shape (n,), bool

    Returns
    -------
    (float, float)
        Offset and slope, rounded to three decimals. They are 0 and 1 without candidates.

    References
    ----------
    Cox, Biometrika 45 (1958) 562 (logistic recalibration); the penalty is the logarithm of a normal
    prior.
    """
    if not len(confidence):
        return 0.0, 1.0
    log_odds = _log_odds(confidence)
    true = is_focus.astype(np.float64)

    def loss(values: Floats) -> tuple[float, Floats]:
        offset, slope = values
        predicted = offset + slope * log_odds
        excess = 1 / (1 + np.exp(-predicted)) - true
        likelihood = float((np.logaddexp(0, predicted) - true * predicted).sum()) / DISPERSION
        penalty = (offset / OFFSET_SPREAD) ** 2 / 2 + ((slope - 1) / SLOPE_SPREAD) ** 2 / 2
        gradient = np.array([excess.sum(), (excess * log_odds).sum()]) / DISPERSION
        pull = np.array([offset / OFFSET_SPREAD**2, (slope - 1) / SLOPE_SPREAD**2])
        return likelihood + penalty, gradient + pull

    fitted = minimize(
        loss, np.array([0.0, 1.0]), jac=True, method="L-BFGS-B", bounds=[(-20, 20), (0.05, 20)]
    ).x
    return round(float(fitted[0]), 3), round(float(fitted[1]), 3)


@dataclass(frozen=True, slots=True)
class Fit:
    """Offset and slope of the log odds, and what they give on patients that they have not seen."""

    offset: float
    slope: float
    loss_before: float
    """Mean logarithmic loss of the confidence of a candidate, with the present scale."""
    loss_after: float
    """The same after calibration, cross-validated."""


def fit_cross_validated(
    images: Sequence[Labelled], present: tuple[float, float] = (0.0, 1.0)
) -> Fit:
    """Fit offset and slope, and cross-validate them.

    The present ones are kept if the fit is not better on patients that it has not seen.
    """
    folds = folds_of(images)
    before = after = 0.0
    for fold in np.unique(folds):
        inside = [image for image, own in zip(images, folds, strict=True) if own == fold]
        others = [image for image, own in zip(images, folds, strict=True) if own != fold]
        confidence, is_focus = candidates_of(inside)
        before += loss(confidence, is_focus, *present)
        after += loss(confidence, is_focus, *fit_confidence(*candidates_of(others)))
    confidence, is_focus = candidates_of(images)
    count = max(len(confidence), 1)
    offset, slope = fit_confidence(confidence, is_focus) if after < before else present
    return Fit(offset, slope, before / count, min(after, before) / count)


def candidates_of(images: Sequence[Labelled]) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the confidences of the candidates of images, and which of them are foci."""
    found = np.concatenate([np.empty(0), *(image.found for image in images)])
    false = np.concatenate([np.empty(0), *(image.false for image in images)])
    return np.concatenate([found, false]), np.arange(len(found) + len(false)) < len(found)


def loss(confidence: Floats, is_focus: NDArray[np.bool_], offset: float, slope: float) -> float:
    """Return the sum of the logarithmic loss of candidates with a changed confidence."""
    predicted = offset + slope * _log_odds(confidence)
    return float((np.logaddexp(0, predicted) - is_focus * predicted).sum())


def _log_odds(confidence: Floats) -> Floats:
    within = np.clip(confidence, EDGE, 1 - EDGE)
    return np.asarray(np.log(within) - np.log1p(-within))
