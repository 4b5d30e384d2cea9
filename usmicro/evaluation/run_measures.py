"""Measures of a run that was compared with labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from usmicro.evaluation.matching import ComparedImage, Comparison
from usmicro.evaluation.measures import (
    CalcificationRating,
    as_numbers,
    calcification_results,
    free_response_results,
)
from usmicro.evaluation.metrics import FreeResponse, Indices, auc, bootstrap, kappa
from usmicro.evaluation.rows import Result, fraction, result_over_images
from usmicro.evaluation.targets import Target
from usmicro.model.findings import Focus

FALSE_POSITIVE_RATES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""False positives per image at which the sensitivity is read from the free-response curve."""

Hit = tuple[Focus, Target]
"""A focus and the target that it hits."""
Statistic = Callable[[Indices], float]
"""Computes a value from the indices of the drawn hits."""


def measure_calcification(comparison: Comparison) -> list[Result]:
    """Measure the calcification of images whose calcification is labelled and scored."""
    rated = comparison.rated
    ratings = [
        CalcificationRating(
            str(image.truth.calcification), image.calcification, float(image.score or 0)
        )
        for image in rated
    ]
    return calcification_results(ratings, comparison.patient_groups(rated))


def measure_foci(
    comparison: Comparison, curve: FreeResponse | None, listed: float, *, complete: bool
) -> list[Result]:
    """Measure the foci of images whose foci are marked.

    Parameters
    ----------
    comparison : Comparison
    curve : FreeResponse, optional
        Free-response curve of these images.
    listed : float
        Confidence from which foci are listed.
    complete : bool
        True if the run listed every candidate. Otherwise the sensitivity is not given beyond the
        end of the curve.
    """
    if curve is None:
        return []
    marked = [image for image in comparison.images if image.detections is not None]
    end = math.inf if complete else float(curve.false_positives.max(initial=0))
    return free_response_results(
        [image.detections for image in marked if image.detections is not None],
        listed,
        rates=[rate for rate in FALSE_POSITIVE_RATES if rate <= end],
        groups=comparison.patient_groups(marked),
    )


def measure_hits(
    comparison: Comparison, listed: float, *, all_marked: bool = False
) -> list[Result]:
    """Measure label, shadow and twinkling of the listed foci that hit a mark.

    Each is measured on the marks that state it.

    Parameters
    ----------
    comparison : Comparison
    listed : float
        Confidence from which foci are listed.
    all_marked : bool
        Draw from all images with marks for the intervals, as paired intervals need it, and not only
        from those on which a focus hits a mark that states the property.
    """

    def is_labelled(hit: Hit) -> bool:
        return hit[1].label is not None

    def shadow_is(present: bool) -> Callable[[Hit], bool]:
        return lambda hit: hit[1].shadow is present and hit[0].shadow != "not assessable"

    def twinkling_is_stated(hit: Hit) -> bool:
        return hit[1].twinkling is not None and hit[0].twinkling != "not assessable"

    def label_accuracy(hits: Sequence[Hit]) -> Statistic:
        is_right = np.array([focus.label == target.label for focus, target in hits])
        return lambda drawn: fraction(is_right[drawn])

    def label_kappa(hits: Sequence[Hit]) -> Statistic:
        true, found = as_numbers(
            [str(target.label) for _, target in hits], [focus.label for focus, _ in hits]
        )
        return lambda drawn: kappa(true[drawn], found[drawn])

    def shadow_rate(hits: Sequence[Hit]) -> Statistic:
        has_shadow = np.array([focus.shadow == "yes" for focus, _ in hits])
        return lambda drawn: fraction(has_shadow[drawn])

    def twinkling_auc(hits: Sequence[Hit]) -> Statistic:
        scores = np.array([focus.twinkling_score or 0.0 for focus, _ in hits])
        twinkles = np.array([bool(target.twinkling) for _, target in hits])
        return lambda drawn: auc(scores[drawn], twinkles[drawn])

    results: list[Result] = []
    for name, statistic, is_measured in (
        ("labels of foci, accuracy", label_accuracy, is_labelled),
        ("labels of foci, kappa", label_kappa, is_labelled),
        ("shadows of foci, sensitivity where assessable", shadow_rate, shadow_is(True)),
        ("shadows of foci, false-positive rate where assessable", shadow_rate, shadow_is(False)),
        ("twinkling score, AUC", twinkling_auc, twinkling_is_stated),
    ):
        results += _over_hits(
            comparison, listed, name, statistic, is_measured, all_marked=all_marked
        )
    return results


def _over_hits(
    comparison: Comparison,
    listed: float,
    name: str,
    statistic_of: Callable[[Sequence[Hit]], Statistic],
    is_measured: Callable[[Hit], bool],
    *,
    all_marked: bool,
) -> list[Result]:
    """Estimate a statistic of the hits that are measured; empty if there are none."""
    hits_by_image, images = [], []
    for image in comparison.images:
        hits = [hit for hit in _listed_hits(image, listed) if is_measured(hit)]
        if hits or (all_marked and image.detections is not None):
            hits_by_image.append(hits)
            images.append(image)
    if not any(hits_by_image):
        return []
    statistic = statistic_of([hit for hits in hits_by_image for hit in hits])
    ends = np.cumsum([len(hits) for hits in hits_by_image])
    places = [
        np.arange(end - len(hits), end) for end, hits in zip(ends, hits_by_image, strict=True)
    ]
    estimate = bootstrap(
        lambda drawn: statistic(np.concatenate([places[i] for i in drawn])),
        len(images),
        groups=comparison.patient_groups(images),
    )
    return [(name, estimate, len(images))]


def _listed_hits(image: ComparedImage, listed: float) -> list[Hit]:
    """Return the listed foci of an image that hit a mark, with that mark."""
    detections = image.detections
    if detections is None:
        return []
    chosen = np.flatnonzero((detections.target >= 0) & (detections.confidence >= listed))
    return [(image.foci[detections.index[i]], image.targets[detections.target[i]]) for i in chosen]


def measure_areas(comparison: Comparison) -> list[Result]:
    """Measure masses, ducts and nonmass areas on images that have masks of them."""
    results: list[Result] = []

    def add(
        name: str,
        images: Sequence[ComparedImage],
        statistic: Callable[[Sequence[ComparedImage]], float],
    ) -> None:
        if images:
            groups = comparison.patient_groups(images)
            results.append(result_over_images(images, statistic, name, groups))

    for kind in ("masses", "ducts", "nonmass areas"):
        present = [image for image in comparison.images if kind in image.dice]
        absent = [image for image in comparison.images if kind in image.false_areas]
        add(f"{kind}, mean Dice", present, _mean_dice(kind))
        add(f"{kind}, median Dice", present, _median_dice(kind))
        add(f"{kind}, false-positive rate on images without", absent, _false_area_rate(kind))
    outlined = [image for image in comparison.images if image.masses is not None]
    with_mass = [image for image in outlined if image.masses and image.masses.dice_of_true]
    add("masses, sensitivity (Dice above 0.5)", with_mass, _mass_sensitivity)
    add("false-positive masses per image", outlined, _false_positive_masses)
    return results


def _mean_dice(kind: str) -> Callable[[Sequence[ComparedImage]], float]:
    return lambda drawn: float(np.mean([image.dice[kind] for image in drawn]))


def _median_dice(kind: str) -> Callable[[Sequence[ComparedImage]], float]:
    return lambda drawn: float(np.median([image.dice[kind] for image in drawn]))


def _false_area_rate(kind: str) -> Callable[[Sequence[ComparedImage]], float]:
    return lambda drawn: float(np.mean([image.false_areas[kind] for image in drawn]))


def _mass_sensitivity(drawn: Sequence[ComparedImage]) -> float:
    return fraction(
        [
            dice is not None
            for image in drawn
            if image.masses is not None
            for dice in image.masses.dice_of_true
        ]
    )


def _false_positive_masses(drawn: Sequence[ComparedImage]) -> float:
    counts = [image.masses.false_positives for image in drawn if image.masses is not None]
    return float(np.mean(counts))
