"""Rows about masses and ducts: how they agree with outlines, and what is found where there is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.accuracy.runs import Outcome
from usmicro.evaluation.rows import Result, fraction, over, plain


def masses(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Masses against their outlines, and those found on images that have none."""
    own = [outcome for outcome in outcomes if outcome.masses is not None]
    with_mass = [outcome for outcome in own if outcome.masses is not None and outcome.masses.found]
    without = [
        outcome for outcome in own if outcome.masses is not None and not outcome.masses.found
    ]

    def overlaps(drawn: list[Outcome]) -> list[float]:
        return [outcome.masses.union for outcome in drawn if outcome.masses is not None]

    def found(drawn: list[Outcome]) -> list[bool]:
        return [
            value is not None
            for outcome in drawn
            if outcome.masses is not None
            for value in outcome.masses.found
        ]

    def extra(drawn: list[Outcome]) -> float:
        return float(
            np.mean([outcome.masses.extra for outcome in drawn if outcome.masses is not None])
        )

    results = []
    if with_mass:
        results += [
            over(with_mass, lambda drawn: float(np.mean(overlaps(drawn))), "masses, mean Dice"),
            over(with_mass, lambda drawn: float(np.median(overlaps(drawn))), "masses, median Dice"),
            over(with_mass, lambda drawn: fraction(found(drawn)), "masses found (Dice above 0.5)"),
            over(own, extra, "other masses an image"),
        ]
    if without:
        results.append(over(without, extra, "masses on images without one, per image"))
    return results


def ducts(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Ducts against the true ones."""
    own = [outcome for outcome in outcomes if outcome.ducts is not None]
    with_duct = [outcome for outcome in own if outcome.ducts is not None and outcome.ducts.found]

    def found(drawn: list[Outcome]) -> float:
        return fraction(
            [
                value
                for outcome in drawn
                if outcome.ducts is not None
                for value in outcome.ducts.found
            ]
        )

    def false(drawn: list[Outcome]) -> float:
        return float(
            np.mean([outcome.ducts.false for outcome in drawn if outcome.ducts is not None])
        )

    results = [over(with_duct, found, "ducts found (30 % covered)")] if with_duct else []
    return results + ([over(own, false, "false ducts an image")] if own else [])


def anatomy_speed(outcomes: Sequence[Outcome]) -> list[Result]:
    """Time that masses, ducts and nonmass areas of one image take, over all data sets."""
    seconds = [
        outcome.anatomy_seconds for outcome in outcomes if np.isfinite(outcome.anatomy_seconds)
    ]
    return (
        [
            (
                "seconds an image of the anatomy stage, median",
                plain(float(np.median(seconds))),
                len(seconds),
            )
        ]
        if seconds
        else []
    )
