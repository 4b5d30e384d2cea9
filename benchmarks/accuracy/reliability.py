"""Test whether stated probabilities are right: reliability tables and Brier scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.foci import listed_hits, match_outcome
from benchmarks.accuracy.runs import Outcome, listed_from
from usmicro.evaluation.metrics import Estimate, bootstrap
from usmicro.evaluation.rows import Row, fraction

BINS = 5
"""Number of ranges of a reliability table.

More ranges leave too few statements in the middle ones; these have about ten on the data sets of
docs/accuracy.md.
"""

Statement = tuple[float, bool]
"""A stated probability, and True if the statement is right."""

Statements = NDArray[np.float64]
"""Statements as an array, shape (n, 2): the stated probability, and 1 if it is right, else 0."""


@dataclass(frozen=True, slots=True)
class Bin:
    """One range of a reliability table."""

    dataset: str
    statement: str
    """Name of the probability."""
    low: float
    """Lower end of the range of probabilities."""
    high: float
    """Upper end of the range."""
    number: int
    """Number of statements."""
    mean_stated: float
    """Mean stated probability."""
    fraction_right: Estimate
    """Fraction of the statements that are right; for a reliable probability about the mean."""


def label_statements(outcome: Outcome, listed: float) -> list[Statement]:
    """Return `label_confidence` of the listed foci that hit a target."""
    return [
        (focus.label_confidence, focus.label == target.label)
        for focus, target in listed_hits(outcome, listed_from(outcome, listed))
    ]


def focus_statements(outcome: Outcome, listed: float) -> list[Statement]:
    """Return `confidence` of every candidate, without those on ignored marks."""
    if outcome.targets is None:
        return []
    detections = match_outcome(outcome)
    is_hit = detections.target >= 0
    return [
        (float(detections.confidence[i]), bool(is_hit[i]))
        for i in np.flatnonzero(is_hit | detections.false_positive)
    ]


def mass_statements(outcome: Outcome, listed: float) -> list[Statement]:
    """Return `confidence` of the masses."""
    return [] if outcome.masses is None else list(outcome.masses.confidences)


@dataclass(frozen=True, slots=True)
class Probability:
    """A probability that usmicro states."""

    name: str
    statements_of: Callable[[Outcome, float], list[Statement]]
    """Returns the statements on one case; the second argument is the confidence for listing."""
    least: float
    """Smallest value that the probability can have."""
    datasets: tuple[str, ...]
    """Data sets whose truth tells whether a statement is right."""


PROBABILITIES = (
    # the most probable of three labels has a probability of at least 1/3
    Probability("label_confidence", label_statements, 1 / 3, ("phantom mixed",)),
    Probability(
        "confidence",
        focus_statements,
        0.0,
        ("phantom mixed", "echogenic-foci-marks", "visual-readings multirez"),
    ),
    Probability(
        "confidence of masses",
        mass_statements,
        0.0,
        ("breast-lesions-usg", "bus-bra", "busi", "bus-uclm", "phantom mixed"),
    ),
)
"""Probabilities that are tested."""


def measure_reliability(
    outcomes: Sequence[Outcome], *, listed: float
) -> tuple[list[Row], list[Bin]]:
    """Compute Brier scores and reliability tables.

    Parameters
    ----------
    outcomes : sequence of Outcome
    listed : float
        Confidence from which a focus is listed by default.

    Returns
    -------
    rows : list of Row
        Brier scores.
    bins : list of Bin
        Ranges of the reliability tables.
    """
    rows, bins = [], []
    for probability in PROBABILITIES:
        for dataset in probability.datasets:
            images = [
                np.array(probability.statements_of(outcome, listed), dtype=float).reshape(-1, 2)
                for outcome in outcomes
                if outcome.case.dataset == dataset and not outcome.error
            ]
            if sum(map(len, images)):
                estimate = _over_images(images, brier_score)
                rows.append(Row(dataset, f"{probability.name}, Brier score", estimate, len(images)))
                bins += reliability_bins(images, dataset, probability.name, probability.least)
    return rows, bins


def brier_score(statements: Statements) -> float:
    """Compute the mean squared difference between stated probability and 1 (right) or 0 (wrong).

    It is NaN without statements.

    References
    ----------
    Brier, Monthly Weather Review 78 (1950) 1.
    """
    if not len(statements):
        return float("nan")
    return float(np.mean((statements[:, 0] - statements[:, 1]) ** 2))


def reliability_bins(
    images: Sequence[Statements], dataset: str, name: str, least: float
) -> list[Bin]:
    """Divide the statements into equal ranges of the probability.

    Parameters
    ----------
    images : sequence of arrays, shape (n, 2)
        Statements on each image.
    dataset, name : str
        Data set and name of the probability, for the bins.
    least : float
        Start of the first range; the last ends at 1.

    Returns
    -------
    list of Bin
        Ranges with at least one statement.
    """
    edges = np.linspace(least, 1, BINS + 1)
    bins = []
    for number in range(BINS):
        # only the inner edges are compared, so that rounding loses no statement at the ends
        in_bin = [
            image[np.searchsorted(edges[1:-1], image[:, 0], "right") == number] for image in images
        ]
        statements = np.concatenate(in_bin)
        if len(statements):
            bins.append(
                Bin(
                    dataset=dataset,
                    statement=name,
                    low=float(edges[number]),
                    high=float(edges[number + 1]),
                    number=len(statements),
                    mean_stated=float(statements[:, 0].mean()),
                    fraction_right=_over_images(in_bin, _fraction_right),
                )
            )
    return bins


def _fraction_right(statements: Statements) -> float:
    return fraction(statements[:, 1] > 0)


def _over_images(
    images: Sequence[Statements], statistic: Callable[[Statements], float]
) -> Estimate:
    """Estimate a statistic of statements with its interval over images."""
    return bootstrap(
        lambda drawn: statistic(np.concatenate([images[i] for i in drawn])), len(images)
    )
