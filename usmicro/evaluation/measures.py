"""Measures of calcification and of foci, which the accuracy benchmark uses too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from usmicro.evaluation.metrics import (
    Detections,
    Indices,
    RankedDetections,
    auc,
    bootstrap,
    kappa,
)
from usmicro.evaluation.rows import Result, fraction

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

    # arrays, since each of a thousand draws of the bootstrap chooses among them
    scores = np.array([image.score for image in ratings], dtype=float)
    true = np.array([image.true != "none" for image in ratings])
    reported = np.array([image.reported != "none" for image in ratings])
    places = as_numbers(
        [main_descriptor(image.true) for image in ratings],
        [main_descriptor(image.reported) for image in ratings],
    )

    def ranking(drawn: Indices) -> float:
        return auc(scores[drawn], true[drawn])

    def agreement_on_presence(drawn: Indices) -> float:
        return kappa(true[drawn], reported[drawn])

    def agreement_on_descriptor(drawn: Indices) -> float:
        return kappa(places[0][drawn], places[1][drawn])

    def positive_rate(calcified: bool) -> Callable[[Indices], float]:
        return lambda drawn: fraction(reported[drawn][true[drawn] == calcified])

    measures: dict[str, Callable[[Indices], float]] = {
        "calcification score, AUC": ranking,
        "calcification present, kappa": agreement_on_presence,
        "calcification descriptor, kappa": agreement_on_descriptor,
        "calcification, sensitivity": positive_rate(True),
        "calcification, false-positive rate": positive_rate(False),
    }
    if any(image.true == PRESENT for image in ratings):
        del measures["calcification descriptor, kappa"]
    return [
        (name, bootstrap(statistic, len(ratings), groups=groups), len(ratings))
        for name, statistic in measures.items()
    ]


def as_numbers(*texts: Sequence[str]) -> list[NDArray[np.intp]]:
    """Return lists of texts as arrays of numbers, which are equal and sorted as the texts are."""
    number = {text: index for index, text in enumerate(sorted(set(chain(*texts))))}
    return [np.array([number[text] for text in some], dtype=np.intp) for some in texts]


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
    ranked = RankedDetections(images)

    def sensitivity(rate: float) -> Callable[[Indices], float]:
        return lambda drawn: ranked.free_response(
            np.bincount(drawn, minlength=len(images))
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
    is_listed = [image.confidence >= listed for image in images]
    pairs = list(zip(images, is_listed, strict=True))
    hit_counts = np.array([((image.target >= 0) & shown).sum() for image, shown in pairs])
    false_counts = np.array([(image.false_positive & shown).sum() for image, shown in pairs])
    target_counts = np.array([image.target_count for image in images])

    def total(counts: NDArray[np.intp], drawn: Indices) -> int:
        return int(counts[drawn].sum())

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
    if target_counts.any():
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
