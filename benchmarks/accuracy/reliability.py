"""Whether stated probabilities hold: reliability tables and Brier scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.runs import Outcome
from benchmarks.accuracy.scores import hits, matched
from usmicro.evaluation.metrics import Estimate, bootstrap
from usmicro.evaluation.rows import Row, fraction

BINS = 5
Statement = tuple[float, bool]
"""A stated probability, and whether what it is stated of is true."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The statements of one range of probabilities: what is stated on average against the share that is true."""

    dataset: str
    statement: str
    low: float
    high: float
    number: int
    stated: float
    right: Estimate


def labels_stated(outcome: Outcome, listed: float) -> list[Statement]:
    """`label_confidence` of the listed foci that hit a target: whether the label is right."""
    return [
        (focus.label_confidence, focus.label == target.label)
        for focus, target in hits(outcome, listed)
    ]


def foci_stated(outcome: Outcome, listed: float) -> list[Statement]:
    """`confidence` of every candidate: whether it hits a target; those on ignored marks are left out."""
    if outcome.targets is None:
        return []
    found = matched(outcome)
    real = found.target >= 0
    return [
        (float(found.confidence[i]), bool(real[i])) for i in np.flatnonzero(real | found.counts)
    ]


def masses_stated(outcome: Outcome, listed: float) -> list[Statement]:
    """`confidence` of the masses: whether it is one."""
    return [] if outcome.masses is None else list(outcome.masses.stated)


STATEMENTS: tuple[
    tuple[str, Callable[[Outcome, float], list[Statement]], float, tuple[str, ...]], ...
] = (
    (
        "label_confidence",
        labels_stated,
        1 / 3,
        ("phantom mixed",),
    ),  # the likeliest of three labels is at least that likely
    ("confidence", foci_stated, 0.0, ("phantom mixed", "echogenic-foci-marks")),
    (
        "confidence of masses",
        masses_stated,
        0.0,
        ("breast-lesions-usg", "bus-bra", "phantom mixed"),
    ),
)
"""Name of the probability, what is stated on one image, its least value, and the data sets on which it is examined."""


def reliability(outcomes: Sequence[Outcome], *, listed: float) -> tuple[list[Row], list[Bin]]:
    """Brier scores, and the bins of the reliability tables.

    Parameters
    ----------
    outcomes : sequence of Outcome
    listed : float
        Confidence from which a focus is listed by default.
    """
    rows, bins = [], []
    for name, stated, least, datasets in STATEMENTS:
        for dataset in datasets:
            own = [
                outcome
                for outcome in outcomes
                if outcome.case.dataset == dataset and not outcome.error
            ]
            images = [
                np.array(stated(outcome, listed), dtype=float).reshape(-1, 2) for outcome in own
            ]
            if sum(map(len, images)):
                rows.append(Row(dataset, f"{name}, Brier score", _over(images, brier), len(images)))
                bins += binned(images, dataset, name, least)
    return rows, bins


def brier(statements: NDArray[np.float64]) -> float:
    """Mean squared difference of what is stated and what is true (1) or not (0); NaN of nothing."""
    return (
        float(np.mean((statements[:, 0] - statements[:, 1]) ** 2))
        if len(statements)
        else float("nan")
    )


def binned(
    images: Sequence[NDArray[np.float64]], dataset: str, name: str, least: float
) -> list[Bin]:
    """Statements in equal ranges from the least value to 1; ranges in which nothing is stated are left out.

    Parameters
    ----------
    images : sequence of arrays, shape (n, 2)
        For each image what is stated, and whether it is true.
    dataset, name : str
        As the bins give them.
    least : float
    """
    edges = np.linspace(least, 1, BINS + 1)
    bins = []
    for number in range(BINS):
        # the inner edges alone decide, so that rounding loses nothing at the ends
        inside = [
            image[np.searchsorted(edges[1:-1], image[:, 0], "right") == number] for image in images
        ]
        together = np.concatenate(inside)
        if len(together):
            right = _over(inside, lambda statements: fraction(statements[:, 1] > 0))
            bins.append(
                Bin(
                    dataset,
                    name,
                    float(edges[number]),
                    float(edges[number + 1]),
                    len(together),
                    float(together[:, 0].mean()),
                    right,
                )
            )
    return bins


def _over(
    images: Sequence[NDArray[np.float64]], statistic: Callable[[NDArray[np.float64]], float]
) -> Estimate:
    """A statistic of statements, with its interval over images."""
    return bootstrap(
        lambda drawn: statistic(np.concatenate([images[i] for i in drawn])), len(images)
    )
