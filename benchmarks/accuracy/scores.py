"""Turn the outcomes into rows of results. Each measure uses the cases whose truth it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.accuracy.anatomy import (
    measure_anatomy_time,
    measure_boxes,
    measure_ducts,
    measure_images_without_mass,
    measure_masses,
)
from benchmarks.accuracy.foci import (
    measure_foci,
    measure_foci_by_group,
    measure_foci_in_outlines,
    measure_hits,
    measure_twinkling,
)
from benchmarks.accuracy.runs import Outcome
from usmicro.evaluation.measures import CalcificationRating, calcification_results
from usmicro.evaluation.metrics import auc, kappa
from usmicro.evaluation.rows import Result, Row, result_over_images, without_interval


def score(outcomes: Sequence[Outcome], *, listed: float) -> list[Row]:
    """Compute all measures, data set by data set.

    Parameters
    ----------
    outcomes : sequence of Outcome
    listed : float
        Confidence from which a focus is listed by default.

    Returns
    -------
    list of Row
        Only measures that could be computed. Twinkling is measured on the colour clips of all sets
        together, and the time of the anatomy stage on all images.
    """
    rows = []
    for dataset in dict.fromkeys(outcome.case.dataset for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.case.dataset == dataset]
        failed = without_interval(sum(bool(outcome.error) for outcome in own))
        rows.append(Row(dataset, "failed images", failed, len(own)))
        analysed = [outcome for outcome in own if not outcome.error]
        for measure in MEASURES:
            rows += [Row(dataset, *result) for result in measure(analysed, listed)]
    clips = [
        outcome
        for outcome in outcomes
        if any(target.twinkling is not None for target in outcome.targets or ())
    ]
    rows += [Row("phantom colour clips", *result) for result in measure_twinkling(clips, listed)]
    analysed = [outcome for outcome in outcomes if not outcome.error]
    rows += [Row("all images", *result) for result in measure_anatomy_time(analysed)]
    return [row for row in rows if np.isfinite(row.estimate.value)]


def measure_calcification(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Measure the calcification score and the descriptor of the image."""
    return calcification_results(
        [
            CalcificationRating(outcome.case.calcification, outcome.calcification, outcome.score)
            for outcome in outcomes
            if outcome.case.calcification is not None
        ]
    )


def measure_posterior_features(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Measure the posterior feature of the largest true mass or lesion.

    A mass that is missed or not assessable has score 0, and its class counts as wrong.
    """
    assessed = [outcome for outcome in outcomes if outcome.case.posterior is not None]
    if not assessed:
        return []

    def posterior_score(outcome: Outcome) -> float:
        mass = outcome.largest_mass
        if mass is None or mass.posterior_score is None:
            return 0.0
        return mass.posterior_score

    def shadowing_auc(drawn: list[Outcome]) -> float:
        return auc(
            [-posterior_score(outcome) for outcome in drawn],
            [outcome.case.posterior == "shadowing" for outcome in drawn],
        )

    def enhancement_auc(drawn: list[Outcome]) -> float:
        kept = [outcome for outcome in drawn if outcome.case.posterior != "combined"]
        return auc(
            [posterior_score(outcome) for outcome in kept],
            [outcome.case.posterior == "enhancement" for outcome in kept],
        )

    def agreement(drawn: list[Outcome]) -> float:
        return kappa(
            [str(outcome.case.posterior) for outcome in drawn],
            [
                "not assessable" if outcome.largest_mass is None else outcome.largest_mass.posterior
                for outcome in drawn
            ],
        )

    return [
        result_over_images(assessed, statistic, name)
        for name, statistic in (
            ("posterior shadowing against the rest, AUC", shadowing_auc),
            ("posterior enhancement against none and shadowing, AUC", enhancement_auc),
            ("posterior feature (four classes), kappa", agreement),
        )
    ]


def measure_time(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Measure the time of an analysis."""
    if not outcomes:
        return []
    median = float(np.median([outcome.seconds for outcome in outcomes]))
    return [("analysis, median seconds per scan", without_interval(median), len(outcomes))]


MEASURES: tuple[Callable[[Sequence[Outcome], float], list[Result]], ...] = (
    measure_calcification,
    measure_posterior_features,
    measure_masses,
    measure_boxes,
    measure_images_without_mass,
    measure_ducts,
    measure_foci,
    measure_foci_by_group,
    measure_foci_in_outlines,
    measure_hits,
    measure_time,
)
"""Measures of each data set, in the order of the tables."""
