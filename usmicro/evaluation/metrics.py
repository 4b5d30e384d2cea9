"""The measures of accuracy: plain functions of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def auc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Area under the receiver operating characteristic: probability that a positive scores above a negative, ties half.

    NaN where there are no positives or no negatives.
    """
    scores, positive = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    positives, negatives = scores[positive], np.sort(scores[~positive])
    if len(positives) == 0 or len(negatives) == 0:
        return float("nan")
    below, upto = (
        np.searchsorted(negatives, positives, "left"),
        np.searchsorted(negatives, positives, "right"),
    )
    return float((below + upto).mean() / (2 * len(negatives)))


def kappa(one: Sequence[str], other: Sequence[str]) -> float:
    """Cohen's kappa of two raters; NaN where both use one and the same category throughout."""
    first, second = np.asarray(one), np.asarray(other)
    agreed = float((first == second).mean())
    chance = float(
        sum((first == name).mean() * (second == name).mean() for name in np.union1d(first, second))
    )
    return (agreed - chance) / (1 - chance) if chance < 1 else float("nan")


def dice(one: ArrayLike, other: ArrayLike) -> float:
    """Dice overlap of two masks; 1 for two empty ones."""
    one, other = np.asarray(one, dtype=bool), np.asarray(other, dtype=bool)
    total = int(one.sum() + other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


@dataclass(frozen=True)
class Detections:
    """How the detections of one image compare with its targets; one entry a detection, strongest first."""

    index: Indices
    """Which of the detections given it is."""
    confidence: Floats
    target: Indices
    """Index of the target that it hits; -1 for none."""
    counts: NDArray[np.bool_]
    """Neither ignored nor a hit: a false positive."""
    targets: int
    """How many targets the image has."""


def match(
    points: ArrayLike,
    confidence: ArrayLike,
    targets: ArrayLike,
    ignored: ArrayLike = (),
    *,
    least_distance: float = 6.0,
) -> Detections:
    """Match detections with targets one to one, strongest first, each with the nearest free target that is near enough.

    Parameters
    ----------
    points : array, shape (n, 2)
        Column and row of the detections.
    confidence : array, shape (n,)
    targets, ignored : array, shape (m, 3)
        Column, row and diameter. A detection that hits no free target but lies on an ignored one is neither hit nor false.
    least_distance : float
        A detection is near enough within half the diameter of the target, and always within this.
    """
    order = np.argsort(-np.asarray(confidence, dtype=float), kind="stable")
    points = np.asarray(points, dtype=float).reshape(-1, 2)[order]
    targets, ignored = (
        np.asarray(marks, dtype=float).reshape(-1, 3) for marks in (targets, ignored)
    )
    free = np.ones(len(targets), bool)
    hit, false = np.full(len(points), -1), np.zeros(len(points), bool)
    for i, point in enumerate(points):
        distance = np.where(free, _distance(point, targets), np.inf)
        near = np.flatnonzero(distance <= np.maximum(targets[:, 2] / 2, least_distance))
        if len(near):
            hit[i] = near[np.argmin(distance[near])]
            free[hit[i]] = False
        else:
            false[i] = not (
                _distance(point, ignored) <= np.maximum(ignored[:, 2] / 2, least_distance)
            ).any()
    return Detections(order, np.asarray(confidence, dtype=float)[order], hit, false, len(targets))


def _distance(point: Floats, marks: Floats) -> Floats:
    return np.asarray(np.hypot(marks[:, 0] - point[0], marks[:, 1] - point[1]))


@dataclass(frozen=True)
class FreeResponse:
    """Free-response curve over images; the threshold falls along the arrays."""

    threshold: Floats
    false_positives: Floats
    """False positives an image."""
    sensitivity: Floats

    def sensitivity_at(self, false_positives: float) -> float:
        """Best sensitivity with no more than so many false positives an image; 0 where no threshold keeps to that."""
        reached = self.sensitivity[self.false_positives <= false_positives]
        return float(reached.max()) if len(reached) else 0.0

    def threshold_at(self, false_positives: float) -> float:
        """Lowest threshold with no more than so many false positives an image; infinite where none keeps to that."""
        reached = self.threshold[self.false_positives <= false_positives]
        return float(reached.min()) if len(reached) else float("inf")


def free_response(images: Sequence[Detections], weights: ArrayLike | None = None) -> FreeResponse:
    """Free-response curve (FROC) of detections that are matched already; `weights` counts each image so many times."""
    weight = np.ones(len(images)) if weights is None else np.asarray(weights, dtype=float)
    confidence = np.concatenate([image.confidence for image in images]) if images else np.empty(0)
    order = np.argsort(-confidence, kind="stable")
    each = np.repeat(weight, [len(image.confidence) for image in images])[order]
    hits = np.cumsum(each * np.concatenate([image.target >= 0 for image in images])[order])
    false = np.cumsum(each * np.concatenate([image.counts for image in images])[order])
    confidence = confidence[order]
    # equal confidences cannot be told apart by any threshold
    last = (
        np.append(confidence[1:] != confidence[:-1], True) if len(confidence) else np.empty(0, bool)
    )
    targets = float(sum(w * image.targets for w, image in zip(weight, images, strict=True)))
    sensitivity = hits[last] / targets if targets else np.full(int(last.sum()), np.nan)
    return FreeResponse(confidence[last], false[last] / weight.sum(), sensitivity)


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % confidence interval."""

    value: float
    low: float
    high: float


def bootstrap(
    statistic: Callable[[Indices], float],
    count: int,
    *,
    groups: Sequence[Indices] | None = None,
    rounds: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Estimate with the percentile interval over images drawn with replacement.

    Parameters
    ----------
    statistic : function
        Takes indices of images; draws where it is NaN are left out.
    count : int
        How many images there are.
    groups : sequence of arrays, optional
        Indices of images that belong together, such as those of one patient, which are then drawn together.
    rounds, seed : int
        How many draws, and where they begin.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 17.
    """
    everything = np.arange(count)
    random = np.random.default_rng(seed)

    def draw() -> Indices:
        if groups is None:
            return random.integers(count, size=count)
        return np.concatenate([groups[i] for i in random.integers(len(groups), size=len(groups))])

    drawn = np.array([statistic(draw()) for _ in range(rounds)]) if count else np.empty(0)
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.percentile(drawn, (2.5, 97.5)) if len(drawn) else (np.nan, np.nan)
    return Estimate(
        float(statistic(everything)) if count else float("nan"), float(low), float(high)
    )
