"""Calibrate the thresholds of masses and of calcification on half of the images of a hospital."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.halves import FACTOR, SPLITS, split
from benchmarks.calibration.images import ReadImage
from usmicro.calibration.rates import WEIGHT_OF_OTHERS, Expected, threshold_for
from usmicro.settings import Settings

Floats = NDArray[np.float64]

MASS_POINTS, SCORE_POINTS = (0.9, 0.7, 0.45, 0.2), (0.9, 0.8, 0.65, 0.5, 0.3)
"""Thresholds at which the rates of the other hospitals are taken, as in `calibration.rates`."""

LEAST_RATE = 0.002
"""Rate that counts where the other hospitals have no false finding, as in `calibration.rates`."""

NONE_FOUND = 0.5
"""Number of false findings that counts where there is none, for the logarithm of a rate."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of one kind on one image."""

    image: ReadImage
    false: Floats
    """Confidences or scores of the false ones."""
    true: Floats
    """The same of the true ones."""
    counts: bool
    """True if the image counts among those on which false findings are counted."""


@dataclass(frozen=True, slots=True)
class Halves:
    """Means over the splits, on the images that were not used for the calibration."""

    used: float
    """Mean number of images on which false findings were counted for the calibration."""
    others: float
    threshold: float
    before: float
    """Rate of false findings at the default threshold."""
    after: float
    within_before: float
    """Share of the splits whose rate is within FACTOR of that asked for, or below it because the
    threshold cannot fall."""
    within_after: float
    error_before: float
    """Mean magnitude of the logarithm of rate / asked."""
    error_after: float
    found_before: float
    """Share of the true findings that reach the threshold."""
    found_after: float


def mass_findings(images: Sequence[ReadImage]) -> list[Findings]:
    """Return the masses that were found on the images whose masses are outlined."""
    return [
        Findings(
            image,
            np.array([value for value, is_true in image.masses if not is_true], dtype=float),
            np.array([value for value, is_true in image.masses if is_true], dtype=float),
            counts=True,
        )
        for image in images
        if image.masses is not None
    ]


def score_findings(images: Sequence[ReadImage]) -> list[Findings]:
    """Return the calcification scores of the images on whose calcification both readers agree."""
    nothing = np.empty(0)
    return [
        Findings(
            image,
            nothing if image.calcified else np.array([image.score]),
            np.array([image.score]) if image.calcified else nothing,
            counts=not image.calcified,
        )
        for image in images
        if image.calcified is not None
    ]


def expected_from(findings: Sequence[Findings], points: Sequence[float]) -> Expected:
    """Return the mean rates of hospitals, as `calibration.rates` has those of all of them."""
    sources = sorted({one.image.source for one in findings})
    rates = [
        np.mean([_rate([one for one in findings if one.image.source == s], least) for s in sources])
        for least in points
    ]
    falling = zip(points, np.maximum(rates, LEAST_RATE).tolist(), strict=True)
    return Expected(tuple(falling), WEIGHT_OF_OTHERS)


def measure_halves(
    findings: Sequence[Findings], source: str, points: Sequence[float], asked: float, least: float
) -> Halves:
    """Choose a threshold on half of the patients of a hospital and measure it on the others.

    What is expected comes from the other hospitals alone, so that this one has taught nothing.

    Parameters
    ----------
    findings : sequence of Findings
        Those of all hospitals.
    source : str
        The hospital.
    points : sequence of float
        Thresholds at which the rates of the other hospitals are taken.
    asked : float
        False findings per image.
    least : float
        Least threshold; also the default one, if it is above 0.
    """
    own = [one for one in findings if one.image.source == source]
    expected = expected_from([one for one in findings if one.image.source != source], points)
    by_name = {one.image.name: one for one in own}
    default = least or Settings().labels.calcification
    rows = []
    for seed in range(SPLITS):
        used, others = (
            [by_name[image.name] for image in part]
            for part in split([one.image for one in own], None, seed)
        )
        counted = [one for one in used if one.counts]
        false = np.concatenate([np.empty(0), *(one.false for one in counted)])
        threshold = max(threshold_for(asked, false, len(counted), expected), least)
        number = sum(one.counts for one in others)
        rates = [_rate(others, value) for value in (default, threshold)]
        # a threshold at its least cannot fall, so that a rate below that asked for is right
        is_free = [default > least, threshold > least]
        rows.append(
            (
                *(len(counted), number, threshold, *rates),
                *(
                    _is_within(rate, asked, is_free=free)
                    for rate, free in zip(rates, is_free, strict=True)
                ),
                *(abs(np.log(max(rate, NONE_FOUND / number) / asked)) for rate in rates),
                *(_found(others, value) for value in (default, threshold)),
            )
        )
    return Halves(*np.nanmean(np.array(rows, dtype=float), axis=0).tolist())


def _is_within(rate: float, asked: float, *, is_free: bool) -> bool:
    return rate <= asked * FACTOR and (rate >= asked / FACTOR or not is_free)


def _rate(findings: Sequence[Findings], threshold: float) -> float:
    counted = [one for one in findings if one.counts]
    return sum(int((one.false >= threshold).sum()) for one in counted) / len(counted)


def _found(findings: Sequence[Findings], threshold: float) -> float:
    """Return the share of the true findings that reach a threshold; NaN if there is none."""
    true = np.concatenate([np.empty(0), *(one.true for one in findings)])
    return float((true >= threshold).mean()) if len(true) else np.nan
