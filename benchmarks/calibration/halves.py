"""Calibrate to some images of a hospital, and measure what that gives on the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.images import NETWORKS, ReadImage
from usmicro.calibration.confidence import Fit, candidates_of, fit_cross_validated, loss
from usmicro.calibration.labelled import Labelled
from usmicro.calibration.rates import expected_foci, threshold_for
from usmicro.evaluation.metrics import free_response
from usmicro.foci.models import read_focus_models
from usmicro.foci.operating_point import confidence_at

SPLITS = 40
"""Number of random splits into reviewed and other images."""

FACTOR = 1.5
"""A rate holds if it is within this factor of that asked for."""

NONE_FOUND = 0.5
"""Number of false foci that counts where there is none, for the logarithm of a rate."""

LEAST_OTHERS = 12
"""Smallest number of images on which a rate is measured."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures on the images that were not reviewed, one element per split."""

    before: NDArray[np.float64]
    """False foci per image at the default threshold for the rate asked for."""
    after: NDArray[np.float64]
    """False foci per image after calibration."""
    found_before: NDArray[np.float64]
    """Share of the foci found at the default threshold."""
    found_after: NDArray[np.float64]
    same_rate: NDArray[np.float64]
    """Change of the share found at 0.5 false foci per image by the calibrated confidence."""
    loss_before: NDArray[np.float64]
    """Mean logarithmic loss of the confidence."""
    loss_after: NDArray[np.float64]
    reviewed: float
    """Mean number of reviewed images."""
    others: float
    """Mean number of other images."""

    def error(self, rates: NDArray[np.float64], asked: float) -> float:
        """Return the mean magnitude of the logarithm of rate / asked."""
        least = NONE_FOUND / self.others
        return float(np.abs(np.log(np.maximum(rates, least) / asked)).mean())

    @staticmethod
    def within(rates: NDArray[np.float64], asked: float) -> float:
        """Return the share of the splits whose rate is within FACTOR."""
        return float(((rates <= asked * FACTOR) & (rates >= asked / FACTOR)).mean())


def measure(images: Sequence[ReadImage], asked: float, reviewed: int | None) -> Measured | None:
    """Calibrate to some images of one hospital and measure on the others, for random splits.

    Parameters
    ----------
    images : sequence of ReadImage
        Images of one hospital.
    asked : float
        False foci per image.
    reviewed : int, optional
        Number of reviewed images; half of the patients if not given.

    Returns
    -------
    Measured or None
        None if too few other images are left.
    """
    source = images[0].source
    curve = read_focus_models(str(NETWORKS / f"foci-without-{source}")).curve
    default = confidence_at(curve, asked)
    rows, sizes = [], []
    for seed in range(SPLITS):
        review, others = split(images, reviewed, seed)
        if len(others) < LEAST_OTHERS or (reviewed or 1) > len(review):
            return None
        sizes.append((len(review), len(others)))
        threshold = threshold_for(asked, _false(review), len(review), expected_foci(curve))
        fit = fit_cross_validated(_labelled(review))
        confidence, is_focus = candidates_of(_labelled(others))
        rows.append(
            (
                *(_rate(others, value) for value in (default, threshold)),
                *(_found(others, value) for value in (default, threshold)),
                _found_at(others, asked, fit) - _found_at(others, asked, None),
                loss(confidence, is_focus, 0.0, 1.0) / len(confidence),
                loss(confidence, is_focus, fit.offset, fit.slope) / len(confidence),
            )
        )
    before, after, found_before, found_after, same_rate, loss_before, loss_after = np.array(rows).T
    reviewed_mean, others_mean = np.mean(sizes, axis=0).tolist()
    return Measured(
        before=before,
        after=after,
        found_before=found_before,
        found_after=found_after,
        same_rate=same_rate,
        loss_before=loss_before,
        loss_after=loss_after,
        reviewed=reviewed_mean,
        others=others_mean,
    )


def split(
    images: Sequence[ReadImage], reviewed: int | None, seed: int
) -> tuple[list[ReadImage], list[ReadImage]]:
    """Divide images at random into reviewed ones and others, which share no patient."""
    groups = sorted({image.group for image in images})
    order = [groups[i] for i in np.random.default_rng(seed).permutation(len(groups))]
    if reviewed is None:
        chosen = set(order[: len(order) // 2])
    else:
        chosen = set()
        for group in order:
            if sum(image.group in chosen for image in images) >= reviewed:
                break
            chosen.add(group)
    inside = [image for image in images if image.group in chosen]
    return inside[:reviewed], [image for image in images if image.group not in chosen]


def _false(images: Sequence[ReadImage]) -> NDArray[np.float64]:
    return np.concatenate(
        [image.detections.confidence[image.detections.false_positive] for image in images]
    )


def _labelled(images: Sequence[ReadImage]) -> list[Labelled]:
    return [
        Labelled(
            group=image.group,
            false=image.detections.confidence[image.detections.false_positive],
            found=image.detections.confidence[image.detections.target >= 0],
            true=image.detections.target_count,
        )
        for image in images
    ]


def _rate(images: Sequence[ReadImage], threshold: float) -> float:
    return float((_false(images) >= threshold).sum() / len(images))


def _found(images: Sequence[ReadImage], threshold: float) -> float:
    hits = sum(
        int((image.detections.confidence[image.detections.target >= 0] >= threshold).sum())
        for image in images
    )
    return hits / max(sum(image.detections.target_count for image in images), 1)


def _found_at(images: Sequence[ReadImage], rate: float, fit: Fit | None) -> float:
    """Return the share of the foci found at a rate, with a calibrated confidence if `fit`."""
    offset, slope = (0.0, 1.0) if fit is None else (fit.offset, fit.slope)
    changed = [
        replace(
            image.detections,
            confidence=1 / (1 + np.exp(-offset - slope * _log_odds(image.detections.confidence))),
        )
        for image in images
    ]
    return free_response(changed).sensitivity_at(rate)


def _log_odds(confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    within = np.clip(confidence, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(within) - np.log1p(-within))
