"""Measures that hold for any labelled images: free response, calcification of the image, agreement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usmicro.evaluation.metrics import (
    Detections,
    Estimate,
    Indices,
    auc,
    bootstrap,
    free_response,
    kappa,
)
from usmicro.evaluation.rows import Result, fraction, over

DESCRIPTORS = ("in a mass", "intraductal", "outside a mass")
"""Order in which one descriptor is taken of several."""
PRESENT = "present"
"""What is said of an image whose calcification is labelled without its place."""


@dataclass(frozen=True, slots=True)
class Called:
    """What is true of the calcification of one image, and what was said of it."""

    true: str
    """A descriptor, several joined by `+`, "none", or "present"."""
    called: str
    score: float


def calcification_results(
    images: Sequence[Called], groups: Sequence[Indices] | None = None
) -> list[Result]:
    """Image-level calcification: ranking by score, agreement of the descriptor where the truth has any."""
    if not images:
        return []

    def presence(drawn: list[Called]) -> float:
        return kappa(
            [str(image.true != "none") for image in drawn],
            [str(image.called != "none") for image in drawn],
        )

    def agreement(drawn: list[Called]) -> float:
        return kappa(
            [one_descriptor(image.true) for image in drawn],
            [one_descriptor(image.called) for image in drawn],
        )

    def called(present: bool) -> Callable[[list[Called]], float]:
        return lambda drawn: fraction(
            [image.called != "none" for image in drawn if (image.true != "none") is present]
        )

    measures: list[tuple[str, Callable[[list[Called]], float]]] = [
        (
            "calcification score, AUC",
            lambda drawn: auc([i.score for i in drawn], [i.true != "none" for i in drawn]),
        ),
        ("calcification present, kappa", presence),
        ("calcification descriptor, kappa", agreement),
        ("calcified images called calcified", called(True)),
        ("other images called calcified", called(False)),
    ]
    if any(image.true == PRESENT for image in images):
        measures = [measure for measure in measures if measure[1] is not agreement]
    return [over(images, statistic, name, groups) for name, statistic in measures]


def one_descriptor(text: str) -> str:
    """One descriptor of those that are joined by `+`: the lesion's own first."""
    given = text.split("+")
    return next((name for name in DESCRIPTORS if name in given), text)


def free_response_results(
    images: Sequence[Detections],
    listed: float | None,
    where: str = "",
    *,
    rates: Sequence[float],
    groups: Sequence[Indices] | None = None,
) -> list[Result]:
    """Sensitivity along the free-response curve, and at the confidence from which foci are listed.

    Parameters
    ----------
    images : sequence of Detections
    listed : float, optional
        Confidence from which foci are listed; nothing is said of it if not given.
    where : str
        For the names of the measures, such as " in true outlines".
    rates : sequence of float
        False positives an image at which sensitivity is read.
    groups : sequence of arrays, optional
        Images that belong together, as in `bootstrap`.
    """
    count, targets = len(images), sum(image.targets for image in images)

    def sensitivity(rate: float) -> Callable[[NDArray[np.intp]], float]:
        return lambda drawn: free_response(
            images, np.bincount(drawn, minlength=count)
        ).sensitivity_at(rate)

    def counted(drawn: NDArray[np.intp]) -> tuple[int, int, int]:
        """Foci that are listed and hit a target, those that are false, and targets."""
        shown = [(images[i], images[i].confidence >= listed) for i in drawn]
        hit = sum(int(((image.target >= 0) & kept).sum()) for image, kept in shown)
        return (
            hit,
            sum(int((image.counts & kept).sum()) for image, kept in shown),
            sum(image.targets for image, _ in shown),
        )

    def false(drawn: NDArray[np.intp]) -> float:
        return counted(drawn)[1] / len(drawn)

    def recall(drawn: NDArray[np.intp]) -> float:
        hit, _, total = counted(drawn)
        return hit / total if total else float("nan")

    def f1(drawn: NDArray[np.intp]) -> float:
        hit, wrong, total = counted(drawn)
        return 2 * hit / (total + hit + wrong) if total else float("nan")

    def estimate(statistic: Callable[[Indices], float]) -> Estimate:
        return bootstrap(statistic, count, groups=groups)

    results = []
    if targets:
        name = f"foci{where}, sensitivity at"
        results += [
            (f"{name} {rate:g} false an image", estimate(sensitivity(rate)), count)
            for rate in rates
        ]
    if listed is not None:
        if targets:
            results.append((f"foci listed{where}, sensitivity", estimate(recall), count))
            results.append((f"foci listed{where}, F1", estimate(f1), count))
        results.append((f"foci listed{where}, false an image", estimate(false), count))
    return results
