"""Measures of calcification and of foci, which the accuracy benchmark uses too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from usmicro.evaluation.metrics import (
    Detections,
    Indices,
    auc,
    bootstrap,
    free_response,
    kappa,
)
from usmicro.evaluation.rows import Result, fraction, result_over_images

DESCRIPTORS = ("in a mass", "intraductal", "outside a mass")
"""Calcification descriptors. The first of these that applies is the main descriptor of an image.

A reader who labels a lesion describes the calcifications of that lesion, so those in a mass come
first.
"""

PRESENT = "present"
"""Label of an image with calcifications whose place is not labelled."""


@dataclass(frozen=True, slots=True)
class CalcificationRating:
    """True and reported calcification of one image."""

    true: str
    """A descriptor, several descriptors joined by `+`, "none" or "present"."""
    reported: str
    """Likewise, but not "present"."""
    score: float
    """Calcification score, 0 to 1."""


def calcification_results(
    ratings: Sequence[CalcificationRating], groups: Sequence[Indices] | None = None
) -> list[Result]:
    """Measure how well images with calcifications are told from images without.

    The agreement of the descriptors is measured only if every true descriptor gives the place.

    Parameters
    ----------
    ratings : sequence of CalcificationRating
        One per image.
    groups : sequence of arrays, optional
        Indices of images that are drawn together, as in `bootstrap`.
    """
    if not ratings:
        return []

    def ranking(drawn: list[CalcificationRating]) -> float:
        return auc([image.score for image in drawn], [image.true != "none" for image in drawn])

    def agreement_on_presence(drawn: list[CalcificationRating]) -> float:
        return kappa(
            [str(image.true != "none") for image in drawn],
            [str(image.reported != "none") for image in drawn],
        )

    def agreement_on_descriptor(drawn: list[CalcificationRating]) -> float:
        return kappa(
            [main_descriptor(image.true) for image in drawn],
            [main_descriptor(image.reported) for image in drawn],
        )

    def positive_rate(calcified: bool) -> Callable[[list[CalcificationRating]], float]:
        return lambda drawn: fraction(
            [image.reported != "none" for image in drawn if (image.true != "none") is calcified]
        )

    measures: dict[str, Callable[[list[CalcificationRating]], float]] = {
        "calcification score, AUC": ranking,
        "calcification present, kappa": agreement_on_presence,
        "calcification descriptor, kappa": agreement_on_descriptor,
        "calcification, sensitivity": positive_rate(True),
        "calcification, false-positive rate": positive_rate(False),
    }
    if any(image.true == PRESENT for image in ratings):
        del measures["calcification descriptor, kappa"]
    return [
        result_over_images(ratings, statistic, name, groups) for name, statistic in measures.items()
    ]


def main_descriptor(text: str) -> str:
    """Return one of the descriptors joined by `+`: the first of DESCRIPTORS that is among them."""
    descriptors = text.split("+")
    return next((name for name in DESCRIPTORS if name in descriptors), text)


def free_response_results(
    images: Sequence[Detections],
    listed: float | None,
    where: str = "",
    *,
    rates: Sequence[float],
    groups: Sequence[Indices] | None = None,
) -> list[Result]:
    """Measure foci along the free-response curve and at the confidence from which they are listed.

    Parameters
    ----------
    images : sequence of Detections
        The matched foci of each image.
    listed : float, optional
        Confidence from which foci are listed. If not given, only the curve is measured.
    where : str
        Added to the names of the measures, for example " in true outlines".
    rates : sequence of float
        False positives per image at which the sensitivity is read from the curve.
    groups : sequence of arrays, optional
        Indices of images that are drawn together, as in `bootstrap`.
    """
    results = []
    if any(image.target_count for image in images):
        results += _curve_results(images, where, rates, groups)
    if listed is not None:
        results += listed_results(images, listed, where, groups)
    return results


def per_image(rate: float) -> str:
    """Return a rate of false positives as words, such as "1 false positive per image"."""
    return f"{rate:g} false positive{'' if rate == 1 else 's'} per image"


def _curve_results(
    images: Sequence[Detections],
    where: str,
    rates: Sequence[float],
    groups: Sequence[Indices] | None,
) -> list[Result]:
    def sensitivity(rate: float) -> Callable[[Indices], float]:
        return lambda drawn: free_response(
            images, np.bincount(drawn, minlength=len(images))
        ).sensitivity_at(rate)

    return [
        (
            f"foci{where}, sensitivity at {per_image(rate)}",
            bootstrap(sensitivity(rate), len(images), groups=groups),
            len(images),
        )
        for rate in rates
    ]


def listed_results(
    images: Sequence[Detections],
    listed: float,
    where: str = "",
    groups: Sequence[Indices] | None = None,
) -> list[Result]:
    """Measure foci at the confidence from which they are listed.

    Parameters
    ----------
    images : sequence of Detections
        The matched foci of each image.
    listed : float
        Confidence from which foci are listed.
    where : str
        Added to the names of the measures.
    groups : sequence of arrays, optional
        Indices of images that are drawn together, as in `bootstrap`.
    """
    hit_counts, false_counts = [], []
    for image in images:
        is_listed = image.confidence >= listed
        hit_counts.append(int(((image.target >= 0) & is_listed).sum()))
        false_counts.append(int((image.false_positive & is_listed).sum()))
    target_counts = [image.target_count for image in images]

    def total(counts: Sequence[int], drawn: Indices) -> int:
        return sum(counts[i] for i in drawn)

    def sensitivity(drawn: Indices) -> float:
        targets = total(target_counts, drawn)
        return total(hit_counts, drawn) / targets if targets else float("nan")

    def f1(drawn: Indices) -> float:
        hits, false = total(hit_counts, drawn), total(false_counts, drawn)
        targets = total(target_counts, drawn)
        return 2 * hits / (targets + hits + false) if targets else float("nan")

    def false_positives(drawn: Indices) -> float:
        return total(false_counts, drawn) / len(drawn)

    measures = {}
    if any(target_counts):
        measures = {"sensitivity": sensitivity, "F1": f1}
    measures["false positives per image"] = false_positives
    return [
        (
            f"listed foci{where}, {name}",
            bootstrap(statistic, len(images), groups=groups),
            len(images),
        )
        for name, statistic in measures.items()
    ]
