"""Measures of two runs against the same labels, and the intervals of their differences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from usmicro.errors import UsageError
from usmicro.evaluation.evaluate import default_listing, listed_from
from usmicro.evaluation.matching import Comparison, compare
from usmicro.evaluation.metrics import Estimate, free_response, percentile_interval
from usmicro.evaluation.rows import Result
from usmicro.evaluation.run_measures import (
    measure_areas,
    measure_calcification,
    measure_foci,
    measure_hits,
)
from usmicro.evaluation.sources import Labels, read_labels
from usmicro.evaluation.truth import Truth
from usmicro.writing.report.run import Run


@dataclass(frozen=True, slots=True)
class PairedMeasure:
    """One measure of both runs over the same images."""

    name: str
    a: float
    b: float
    difference: Estimate
    """B minus A, with its paired interval."""
    images: int


@dataclass(frozen=True, slots=True)
class PairedMeasures:
    """The measures of both runs, and what the reader should know about them."""

    measures: list[PairedMeasure]
    remarks: list[str]
    resampled: str


def measure_both(a: Run, b: Run, labels: Path, *, least_distance: float) -> PairedMeasures:
    """Measure two runs against the same labels, over the images that both have analysed.

    The draws of the bootstrap are the same images for both runs, so that the interval of the
    difference is a paired one.

    Raises
    ------
    UsageError
        If the labels cannot be read, or no image of both runs is labelled.
    """
    truth = _truth(a, b, labels, least_distance)
    compared = []
    for run in (a, b):
        confidence = listed_from(run.record)
        listed = confidence or default_listing(run.record)
        comparison = compare(
            run,
            replace(truth, remarks=[]),
            least_distance=least_distance,
            listed=listed if confidence < listed else None,
        )
        compared.append((comparison, listed, confidence == 0))
    shared = _shared_images(compared[0][0], compared[1][0])
    if not shared:
        raise UsageError(f"{labels}: labels no image that both runs have analysed")
    results = [
        _results(_only(comparison, shared), listed, complete=complete)
        for comparison, listed, complete in compared
    ]
    measures = [
        _paired(name, results[0][name], results[1][name])
        for name in results[0]
        if name in results[1]
    ]
    remarks = list(
        dict.fromkeys((*truth.remarks, *compared[0][0].remarks, *compared[1][0].remarks))
    )
    has_patients = compared[0][0].patient_groups(compared[0][0].images) is not None
    return PairedMeasures(measures, remarks, "patients" if has_patients else "images")


def _truth(a: Run, b: Run, path: Path, least_distance: float) -> Truth:
    """Read the labels; a review with the run that was reviewed, which has its outlines of masses.

    Foci hit the marks of a review by their position in both runs, although the numbers of one run
    are known: otherwise a focus that the reader moved would count for that run only.
    """

    def labels_of(run: Run) -> Labels:
        listed = default_listing(run.record)
        return read_labels(path, run, listed=listed, least_distance=least_distance)

    labels = labels_of(b)
    if labels.review is not None and not labels.review.fits:
        with_a = labels_of(a)
        if with_a.review is not None and with_a.review.fits:
            labels = with_a
    images = {name: replace(image, decided={}) for name, image in labels.truth.images.items()}
    return replace(labels.truth, images=images)


def _shared_images(a: Comparison, b: Comparison) -> set[str]:
    return {image.name for image in a.images} & {image.name for image in b.images}


def _only(comparison: Comparison, names: set[str]) -> Comparison:
    """Return the part of a comparison with some images, sorted by name."""
    images = sorted(
        (image for image in comparison.images if image.name in names),
        key=lambda image: image.name,
    )
    return Comparison(images, [], [])


def _results(comparison: Comparison, listed: float, *, complete: bool) -> Mapping[str, Result]:
    """Return the measures that have a value, by name."""
    detections = [image.detections for image in comparison.images if image.detections is not None]
    curve = free_response(detections) if detections else None
    results = [
        *measure_calcification(comparison),
        *measure_foci(comparison, curve, listed, complete=complete),
        *measure_hits(comparison, listed, all_marked=True),
        *measure_areas(comparison),
    ]
    return {result[0]: result for result in results if math.isfinite(result[1].value)}


def _paired(name: str, a: Result, b: Result) -> PairedMeasure:
    """Return a measure of both runs with the interval of its difference."""
    value = b[1].value - a[1].value
    draws_a, draws_b = a[1].draws, b[1].draws
    low = high = float("nan")
    # a measure over other images in each run, such as without scores in one, is not paired
    if draws_a is not None and draws_b is not None and a[2] == b[2]:
        low, high = percentile_interval(np.asarray(draws_b - draws_a))
    return PairedMeasure(name, a[1].value, b[1].value, Estimate(value, low, high), min(a[2], b[2]))
