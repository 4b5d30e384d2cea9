"""Measure masses and ducts: agreement with the true ones, false positives, and time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.accuracy.runs import Outcome
from usmicro.evaluation.rows import Result, fraction, result_over_images, without_interval


def measure_masses(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Measure masses on images with outlines, and false positives on images without a mass."""
    outlined = [outcome for outcome in outcomes if outcome.masses is not None]
    with_mass = [outcome for outcome in outlined if outcome.masses and outcome.masses.dice_of_true]
    without = [
        outcome for outcome in outlined if outcome.masses and not outcome.masses.dice_of_true
    ]

    def total_dice(drawn: list[Outcome]) -> list[float]:
        return [outcome.masses.total_dice for outcome in drawn if outcome.masses is not None]

    def sensitivity(drawn: list[Outcome]) -> float:
        return fraction(
            [
                dice is not None
                for outcome in drawn
                if outcome.masses is not None
                for dice in outcome.masses.dice_of_true
            ]
        )

    def false_positives(drawn: list[Outcome]) -> float:
        counts = [outcome.masses.false_positives for outcome in drawn if outcome.masses is not None]
        return float(np.mean(counts))

    results = []
    if with_mass:
        results += [
            result_over_images(
                with_mass, lambda drawn: float(np.mean(total_dice(drawn))), "masses, mean Dice"
            ),
            result_over_images(
                with_mass, lambda drawn: float(np.median(total_dice(drawn))), "masses, median Dice"
            ),
            result_over_images(with_mass, sensitivity, "masses, sensitivity (Dice above 0.5)"),
            result_over_images(outlined, false_positives, "false-positive masses per image"),
        ]
    if without:
        name = "false-positive masses per image without a mass"
        results.append(result_over_images(without, false_positives, name))
    return results


def measure_ducts(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Measure ducts on scans whose true ducts are known."""
    known = [outcome for outcome in outcomes if outcome.ducts is not None]
    with_duct = [outcome for outcome in known if outcome.ducts and outcome.ducts.is_found]

    def sensitivity(drawn: list[Outcome]) -> float:
        return fraction(
            [
                is_found
                for outcome in drawn
                if outcome.ducts is not None
                for is_found in outcome.ducts.is_found
            ]
        )

    def false_positives(drawn: list[Outcome]) -> float:
        counts = [outcome.ducts.false_positives for outcome in drawn if outcome.ducts is not None]
        return float(np.mean(counts))

    results = []
    if with_duct:
        name = "ducts, sensitivity (30 % covered)"
        results.append(result_over_images(with_duct, sensitivity, name))
    if known:
        name = "false-positive ducts per image"
        results.append(result_over_images(known, false_positives, name))
    return results


def measure_anatomy_time(outcomes: Sequence[Outcome]) -> list[Result]:
    """Measure the time of the anatomy stage, over all data sets."""
    seconds = [
        outcome.anatomy_seconds for outcome in outcomes if np.isfinite(outcome.anatomy_seconds)
    ]
    if not seconds:
        return []
    median = without_interval(float(np.median(seconds)))
    return [("anatomy stage, median seconds per image", median, len(seconds))]
