"""Measure masses, ducts and nonmass areas: agreement with the truth, false positives, and time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from benchmarks.accuracy.boxes import LEAST_IOU, STRICT_IOU, BoxOverlap
from benchmarks.accuracy.foci import match_outcome
from benchmarks.accuracy.runs import Outcome, listed_from
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

    def share_with_false_positive(drawn: list[Outcome]) -> float:
        return fraction(
            [outcome.masses.false_positives > 0 for outcome in drawn if outcome.masses is not None]
        )

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
        name = "share of images without a mass on which one is found"
        results.append(result_over_images(without, share_with_false_positive, name))
    return results


def measure_boxes(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Measure masses on images on which two readers drew boxes around the lesions."""
    boxed = [outcome.boxes for outcome in outcomes if outcome.boxes is not None]
    with_lesion = [boxes for boxes in boxed if boxes.iou_of_lesions]

    def sensitivity(drawn: list[BoxOverlap], least: float) -> float:
        return fraction([iou >= least for boxes in drawn for iou in boxes.iou_of_lesions])

    def false_positives(drawn: list[BoxOverlap]) -> float:
        return float(np.mean([boxes.false_positives for boxes in drawn]))

    results = []
    if with_lesion:
        for least in (LEAST_IOU, STRICT_IOU):
            name = f"lesion boxes, sensitivity (IoU of boxes at least {least})"
            results.append(result_over_images(with_lesion, partial(sensitivity, least=least), name))
    if boxed:
        name = "masses outside every lesion box, per image"
        results.append(result_over_images(boxed, false_positives, name))
    return results


def measure_images_without_mass(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Measure foci, ducts and nonmass areas on whole real images on which nothing is outlined.

    Parts beside a lesion are left out, because ducts and altered tissue may really lie there. Foci
    that readers marked are not counted.
    """
    normal = [
        outcome
        for outcome in outcomes
        if outcome.case.outlines == ()
        and not outcome.case.other_outlines
        and outcome.case.part is None
    ]
    if not normal:
        return []

    def nonmass_areas(drawn: list[Outcome]) -> float:
        return float(np.mean([outcome.found_nonmass for outcome in drawn]))

    def ducts(drawn: list[Outcome]) -> float:
        return float(np.mean([outcome.found_ducts for outcome in drawn]))

    def foci(drawn: list[Outcome]) -> float:
        return float(np.mean([_listed_foci(outcome, listed) for outcome in drawn]))

    def calcified(drawn: list[Outcome]) -> float:
        return float(np.mean([outcome.calcification != "none" for outcome in drawn]))

    return [
        result_over_images(normal, foci, "listed foci per image without a mass"),
        result_over_images(normal, calcified, "images without a mass that are called calcified"),
        result_over_images(normal, nonmass_areas, "nonmass areas per image without a mass"),
        result_over_images(normal, ducts, "false-positive ducts per image without a mass"),
    ]


def _listed_foci(outcome: Outcome, listed: float) -> int:
    """Return the number of listed foci that lie on no mark."""
    least = listed_from(outcome, listed)
    if outcome.targets is None:
        return sum(focus.confidence >= least for focus in outcome.foci)
    detections = match_outcome(outcome)
    return int((detections.false_positive & (detections.confidence >= least)).sum())


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
