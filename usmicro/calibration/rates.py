"""From labelled findings to the threshold that gives a rate of false ones per image.

The rate at a threshold is estimated from the false findings of the site and from the rate that was
measured in other hospitals. The latter counts like a number of further false findings, so that it
decides at sites with few images and hardly matters at others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LOG_ODDS = np.round(np.arange(12.0, -12.0, -0.01), 2)
"""Log odds of the thresholds that are tried, falling. A step of 0.01 changes the odds by 1 %."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Rate of false findings per image in other hospitals, and how much it counts."""

    points: tuple[tuple[float, float], ...]
    """Threshold and rate, by falling threshold."""
    weight: float
    """Number of false findings like which the rate counts."""

    def rate(self, log_odds: Floats) -> Floats:
        """Return the rate per image at thresholds, given as log odds.

        The logarithm of the rate is interpolated. Below the lowest threshold it is extrapolated;
        above the highest it stays, so that false findings of a high confidence keep their weight.
        """
        thresholds, rates = (np.array(values) for values in zip(*self.points, strict=True))
        x, y = -_log_odds(thresholds), np.log(rates)
        inside = np.interp(-log_odds, x, y)
        behind = y[-1] + (-log_odds - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2])
        return np.asarray(np.exp(np.where(-log_odds > x[-1], behind, inside)))


WEIGHT = 2.0
"""Weight of the rate of foci in other hospitals. Where 0.5 false foci per image were asked for, the
rates found in hospitals that the models had not seen differ by a factor exp(0.95) (one standard
deviation, eight sets of images of five hospitals), which a gamma distribution of shape 1.3 has. The
numbers on images scatter more than Poisson counts, which raises the weight. With 20 images, weights
of 0.5, 1, 2 and 4 gave mean errors of the logarithm of the rate of 0.50, 0.50, 0.49 and 0.49, with
half of the images 0.42 from 2 on; chosen on the images of docs/accuracy.md."""

WEIGHT_OF_OTHERS = 2.0
"""The same for false masses and for images that are called calcified, not measured on
its own."""

EXPECTED_MASSES = Expected(
    ((0.9, 0.002), (0.7, 0.026), (0.45, 0.064), (0.2, 0.0875)), WEIGHT_OF_OTHERS
)
"""False masses per image by `anatomy.mass_threshold`: mean over BrEaST, BUS-BRA, BUSI and BUS-UCLM,
each with a network that has not seen the hospital (`python -m benchmarks.calibration`)."""

EXPECTED_CALCIFIED = Expected(
    ((0.9, 0.028), (0.8, 0.075), (0.65, 0.147), (0.5, 0.265), (0.3, 0.476)), WEIGHT_OF_OTHERS
)
"""Share of the images without calcifications that reach a calcification score: mean over five
hospitals, each with models that have not seen it (`python -m benchmarks.calibration`)."""


def expected_foci(curve: Sequence[tuple[float, float]]) -> Expected:
    """Return the expected rate of false foci from the curve of the models: rate and confidence."""
    return Expected(tuple((confidence, rate) for rate, confidence in curve), WEIGHT)


def threshold_for(asked: float, false: ArrayLike, images: int, expected: Expected) -> float:
    """Choose the lowest threshold at which the estimated rate is at most that asked for.

    With k false findings on n images, and r expected on an image, the estimate is
    r (k + w) / (n r + w), the mean of a rate with a gamma distribution, where w is the weight.

    Parameters
    ----------
    asked : float
        False findings per image.
    false : array, shape (k,)
        Confidences of all false findings.
    images : int
        Number of images.
    expected : Expected

    Returns
    -------
    float
        A confidence, with four significant digits.
    """
    highest_first = np.sort(_log_odds(np.asarray(false, dtype=float)))
    count = len(highest_first) - np.searchsorted(highest_first, LOG_ODDS, side="left")
    rate, weight = expected.rate(LOG_ODDS), expected.weight
    estimate = rate * (count + weight) / (images * rate + weight)
    allowed = np.flatnonzero(estimate <= asked)
    chosen = LOG_ODDS[allowed[-1]] if len(allowed) else LOG_ODDS[0]
    return float(f"{1 / (1 + math.exp(-chosen)):.4g}")


def _log_odds(probability: Floats) -> Floats:
    within = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(within) - np.log1p(-within))


@dataclass(frozen=True, slots=True)
class Rate:
    """A number of findings per image with its 95 % interval."""

    value: float
    low: float
    high: float


def rate_per_image(counts: ArrayLike, groups: Sequence[str]) -> Rate:
    """Estimate a rate per image with an interval that holds for counts that scatter.

    The interval is the exact one of a Poisson count, after the count was divided by its dispersion:
    the variance of the counts of the groups, relative to that of a Poisson process.

    Parameters
    ----------
    counts : array, shape (n,)
        Number of findings on each image.
    groups : sequence of str, length n
        Group of each image, such as its patient.

    References
    ----------
    Garwood, Biometrika 28 (1936) 437; McCullagh and Nelder, Generalized Linear Models (1989), 6.2.
    """
    from scipy.special import gammaincinv

    counts = np.asarray(counts, dtype=float)
    value = float(counts.mean())
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    sizes, sums = np.bincount(group), np.bincount(group, counts)
    dispersion = 1.0
    if value > 0 and len(sizes) > 1:
        variance = ((sums - sizes * value) ** 2 / (sizes * value)).sum() / (len(sizes) - 1)
        dispersion = max(1.0, float(variance))
    effective = counts.sum() / dispersion
    per_image = dispersion / len(counts)
    low = float(gammaincinv(effective, 0.025)) * per_image if effective else 0.0
    return Rate(value, low, float(gammaincinv(effective + 1, 0.975)) * per_image)
