"""Measures of accuracy as plain functions of arrays, and their confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

LEAST_DISTANCE_PX = 6.0
"""Default radius around a target within which every detection hits it, pixels.

A larger value accepts detections beside a small target. A smaller value rejects detections whose
centre was marked by hand with an error of a few pixels. Chosen by judgement; no measurement is
recorded.
"""


def auc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Compute the area under the receiver operating characteristic (ROC) curve.

    It is the probability that a positive case has a higher score than a negative case. A tie
    counts one half.

    Parameters
    ----------
    scores : array, shape (n,)
    positive : array of bool, shape (n,)

    Returns
    -------
    float
        NaN without positive cases or without negative cases.

    References
    ----------
    Hanley and McNeil, Radiology 143 (1982) 29.
    """
    scores, positive = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    positives, negatives = scores[positive], np.sort(scores[~positive])
    if len(positives) == 0 or len(negatives) == 0:
        return float("nan")
    below = np.searchsorted(negatives, positives, "left")
    not_above = np.searchsorted(negatives, positives, "right")
    return float((below + not_above).mean() / (2 * len(negatives)))


def kappa(one: ArrayLike, other: ArrayLike) -> float:
    """Compute Cohen's kappa of two raters.

    Parameters
    ----------
    one, other : array of str, int or bool, shape (n,)
        Category of each case, by each rater.

    Returns
    -------
    float
        NaN without cases, or if both raters put every case into the same category.

    References
    ----------
    Cohen, Educational and Psychological Measurement 20 (1960) 37.
    """
    first, second = np.asarray(one), np.asarray(other)
    if not len(first):
        return float("nan")
    agreed = float((first == second).mean())
    chance = float(
        sum((first == name).mean() * (second == name).mean() for name in np.union1d(first, second))
    )
    return (agreed - chance) / (1 - chance) if chance < 1 else float("nan")


def dice(one: ArrayLike, other: ArrayLike) -> float:
    """Compute the Dice coefficient of two masks of the same shape; 1 if both are empty."""
    one, other = np.asarray(one, dtype=bool), np.asarray(other, dtype=bool)
    total = int(one.sum() + other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


@dataclass(frozen=True)
class Detections:
    """The detections of one image, matched with its targets.

    The arrays have shape (n,), one element per detection, by falling confidence.
    """

    index: Indices
    """Index of the detection in the input of `match`."""
    confidence: Floats
    target: Indices
    """Index of the target that the detection hits; -1 if it hits none."""
    false_positive: NDArray[np.bool_]
    """True if the detection hits no target and lies on no ignored mark."""
    target_count: int
    """Number of targets on the image."""


def match(
    points: ArrayLike,
    confidence: ArrayLike,
    targets: ArrayLike,
    ignored: ArrayLike = (),
    *,
    least_distance: float = LEAST_DISTANCE_PX,
    decided: Mapping[int, int] | None = None,
) -> Detections:
    """Match detections with targets one to one.

    The detection of highest confidence comes first. Each is matched with the nearest target within
    reach that is not matched yet.

    Parameters
    ----------
    points : array, shape (n, 2)
        Column and row of the detections, pixels.
    confidence : array, shape (n,)
    targets, ignored : array, shape (m, 3)
        Column, row and diameter, pixels. A detection that hits no target but lies on an ignored
        mark is neither a hit nor a false positive.
    least_distance : float
        A target is within reach up to half its diameter, and always up to this distance in pixels.
    decided : mapping of int to int, optional
        Detections on which a reader has decided: index of the detection, and index of the target
        that it hits wherever it lies, or -1 for a rejected one. That is a false positive, unless it
        hits a target that is left.

    Returns
    -------
    Detections
    """
    decided = decided or {}
    order = np.argsort(-np.asarray(confidence, dtype=float), kind="stable")
    points = np.asarray(points, dtype=float).reshape(-1, 2)[order]
    targets, ignored = (
        np.asarray(marks, dtype=float).reshape(-1, 3) for marks in (targets, ignored)
    )
    unmatched = np.ones(len(targets), bool)
    unmatched[[target for target in decided.values() if target >= 0]] = False
    hit, false_positive = np.full(len(points), -1), np.zeros(len(points), bool)
    for i, point in enumerate(points):
        decision = decided.get(int(order[i]))
        if decision is not None and decision >= 0:
            hit[i] = decision
            continue
        distance = np.where(unmatched, _distance(point, targets), np.inf)
        within_reach = np.flatnonzero(distance <= np.maximum(targets[:, 2] / 2, least_distance))
        if len(within_reach):
            hit[i] = within_reach[np.argmin(distance[within_reach])]
            unmatched[hit[i]] = False
        elif decision is not None:
            false_positive[i] = True
        else:
            reach = np.maximum(ignored[:, 2] / 2, least_distance)
            false_positive[i] = not (_distance(point, ignored) <= reach).any()
    return Detections(
        index=order,
        confidence=np.asarray(confidence, dtype=float)[order],
        target=hit,
        false_positive=false_positive,
        target_count=len(targets),
    )


def _distance(point: Floats, marks: Floats) -> Floats:
    """Distance of a point (column, row) from each mark (column, row, diameter), pixels."""
    return np.asarray(np.hypot(marks[:, 0] - point[0], marks[:, 1] - point[1]))


@dataclass(frozen=True)
class FreeResponse:
    """Free-response (FROC) curve. Each array has shape (n,), one element per threshold."""

    threshold: Floats
    """Thresholds of the confidence, falling."""
    false_positives: Floats
    """Mean number of false positives per image at each threshold."""
    sensitivity: Floats
    """Fraction of all targets that are hit at each threshold; NaN without targets."""

    def sensitivity_at(self, false_positives: float) -> float:
        """Return the highest sensitivity with at most this number of false positives per image.

        It is 0 if every threshold gives more.
        """
        allowed = self.sensitivity[self.false_positives <= false_positives]
        return float(allowed.max()) if len(allowed) else 0.0

    def threshold_at(self, false_positives: float) -> float:
        """Return the lowest threshold with at most this number of false positives per image.

        It is infinite if every threshold gives more.
        """
        allowed = self.threshold[self.false_positives <= false_positives]
        return float(allowed.min()) if len(allowed) else float("inf")


def free_response(images: Sequence[Detections], weights: ArrayLike | None = None) -> FreeResponse:
    """Compute the free-response (FROC) curve.

    Parameters
    ----------
    images : sequence of Detections
        The matched detections of each image.
    weights : array, shape (len(images),), optional
        Number of times that each image counts; 1 if not given.

    Returns
    -------
    FreeResponse
        One point per distinct confidence.

    References
    ----------
    Bunch, Hamilton, Sanderson and Simmons, Proceedings of SPIE 127 (1977) 124.
    """
    return RankedDetections(images).free_response(weights)


class RankedDetections:
    """The detections of all images, ranked by confidence once for many free-response curves."""

    def __init__(self, images: Sequence[Detections]) -> None:
        confidence = np.concatenate([np.empty(0), *(image.confidence for image in images)])
        order = np.argsort(-confidence, kind="stable")
        counts = [len(image.confidence) for image in images]
        self._confidence = confidence[order]
        self._image = np.repeat(np.arange(len(images)), counts)[order]
        nothing = np.empty(0, bool)
        self._is_hit = np.concatenate([nothing, *(image.target >= 0 for image in images)])[order]
        self._is_false = np.concatenate([nothing, *(i.false_positive for i in images)])[order]
        # a threshold cannot separate equal confidences, so only the last of them gives a point
        ranked = self._confidence
        self._is_last = np.append(ranked[1:] != ranked[:-1], np.ones(min(1, len(ranked)), bool))
        self._targets = np.array([image.target_count for image in images], dtype=float)

    def free_response(self, weights: ArrayLike | None = None) -> FreeResponse:
        """Compute the curve; `weights` is the number of times that each image counts."""
        count = len(self._targets)
        weight = np.ones(count) if weights is None else np.asarray(weights, dtype=float)
        counted = weight[self._image]
        hits, false = np.cumsum(counted * self._is_hit), np.cumsum(counted * self._is_false)
        last, targets = self._is_last, float((weight * self._targets).sum())
        sensitivity = hits[last] / targets if targets else np.full(int(last.sum()), np.nan)
        return FreeResponse(self._confidence[last], false[last] / weight.sum(), sensitivity)


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % confidence interval. `low` and `high` are NaN without interval."""

    value: float
    low: float
    high: float
    draws: Floats | None = field(default=None, compare=False, repr=False)
    """Value in each draw of the bootstrap, NaN where it has none. The draws of two estimates over
    the same images are the same images, so that their difference is a paired one."""


def bootstrap(
    statistic: Callable[[Indices], float],
    count: int,
    *,
    groups: Sequence[Indices] | None = None,
    rounds: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Estimate a statistic with its percentile bootstrap interval.

    Parameters
    ----------
    statistic : function
        Computes the statistic from the indices of the drawn images. Draws for which it is NaN do
        not enter the interval.
    count : int
        Number of images.
    groups : sequence of arrays, optional
        Indices of the images of each group, such as those of one patient. Whole groups are then
        drawn.
    rounds : int
        Number of draws with replacement.
    seed : int
        Seed of the draws.

    Returns
    -------
    Estimate
        The statistic of all images, with the 2.5 and 97.5 % percentiles over the draws. All three
        are NaN without images.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 17.
    """
    random = np.random.default_rng(seed)

    def draw() -> Indices:
        if groups is None:
            return random.integers(count, size=count)
        return np.concatenate([groups[i] for i in random.integers(len(groups), size=len(groups))])

    drawn = np.array([statistic(draw()) for _ in range(rounds)]) if count else np.empty(0)
    value = float(statistic(np.arange(count))) if count else float("nan")
    return Estimate(value, *percentile_interval(drawn), drawn)


def percentile_interval(drawn: Floats) -> tuple[float, float]:
    """Return the 2.5 and 97.5 % percentiles of the draws that are finite; NaN without any."""
    finite = drawn[np.isfinite(drawn)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.percentile(finite, (2.5, 97.5))
    return float(low), float(high)
