"""The regions that a network finds on labelled pictures, to which the confidences are fitted.

This module is not a program.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import cv2
import numpy as np
from numpy.typing import NDArray

from training.held_out import network_file, network_without
from training.logistic import fit_logistic
from training.outlines import PHANTOM
from training.pictures import Picture, view_of
from training.tables import Row
from usmicro.anatomy.ducts import predict_ducts, tubes
from usmicro.anatomy.masses import predict_masses
from usmicro.anatomy.network import Prediction, Region
from usmicro.anatomy.nonmass import areas, predict_nonmass
from usmicro.evaluation.metrics import dice
from usmicro.model.arrays import BoolImage
from usmicro.numerics.logistic import Logistic

COVERED = 0.3
"""A true duct or nonmass area is found if at least this fraction of it is covered.

The same fraction as in `benchmarks.accuracy`.
"""


@dataclass(frozen=True)
class FoundRegions:
    """The regions that a network finds on one picture. The masks have the shape of `truth`."""

    source: str
    fold: int
    regions: list[Region]
    match: list[float]
    """Agreement of each region with the truth, 0 to 1."""
    matched: list[int]
    """Number of the true mass with which each region agrees best, from 1; 0 for other targets."""
    truth: BoolImage
    """True inside a mass, a duct or a nonmass area."""
    is_normal: bool
    """True if it is a real image of a breast without a mass."""


def masses_on(picture: Picture, network: str | None = None) -> FoundRegions:
    """Find the mass regions; the match is the largest Dice coefficient with one outline.

    Parameters
    ----------
    picture : Picture
    network : str, optional
        Name of the mass network; by default the one that has not seen the picture's hospital.
    """
    view = view_of(picture)
    _, _, candidates = predict_masses(
        view, network_file(network or network_without(picture.source))
    )
    count, outlines = cv2.connectedComponents(picture.outline.astype(np.uint8))
    match, matched = [], []
    for region in candidates:
        mask = np.zeros(view.shape, np.bool_)
        mask[region.box] = region.inside
        scores = [dice(mask, outlines == number) for number in range(1, count)]
        match.append(max(scores, default=0.0))
        matched.append(int(np.argmax(scores)) + 1 if scores else 0)
    return FoundRegions(
        source=picture.source,
        fold=picture.fold,
        regions=candidates,
        match=match,
        matched=matched,
        truth=picture.outline,
        is_normal=_is_normal(picture),
    )


def ducts_on(picture: Picture, source: str) -> FoundRegions:
    """Find tubes with the shipped duct network and the mass network for the picture.

    The match is the fraction of a tube that lies in a true duct.
    """
    view = view_of(picture)
    _, mass, _ = predict_masses(view, network_file(network_without(picture.source)))
    prediction = predict_ducts(view)
    truth = _reduced(picture.ducts, prediction)
    candidates = tubes(view, prediction, mass)
    return _found_in(picture, source, candidates, truth)


def nonmass_on(picture: Picture) -> FoundRegions:
    """Find areas with the shipped nonmass network.

    The match is the fraction of an area that lies in a true nonmass area.
    """
    view = view_of(picture)
    prediction = predict_nonmass(view)
    nothing = np.zeros(picture.grey.shape, np.bool_)
    truth = _reduced(nothing if picture.nonmass is None else picture.nonmass, prediction)
    return _found_in(picture, picture.source, areas(view, prediction), truth)


def _reduced(mask: BoolImage, prediction: Prediction) -> BoolImage:
    """Resample a mask to the pixels of a network."""
    size = prediction.rank.shape[::-1]
    return np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5)


def _found_in(
    picture: Picture, source: str, candidates: list[Region], truth: BoolImage
) -> FoundRegions:
    """Return the regions with the fraction of each that lies in the truth."""
    return FoundRegions(
        source=source,
        fold=picture.fold,
        regions=candidates,
        match=[float(truth[region.box][region.inside].mean()) for region in candidates],
        matched=[0] * len(candidates),
        truth=truth,
        is_normal=_is_normal(picture),
    )


def _is_normal(picture: Picture) -> bool:
    return not picture.outline.any() and picture.source != PHANTOM


def count_covered(found: BoolImage, truth: BoolImage) -> tuple[int, int]:
    """Return the number of true areas that `found` covers, and the number of all true areas."""
    count, numbered = cv2.connectedComponents(truth.astype(np.uint8))
    covered = sum(
        bool((found & (numbered == number)).sum() >= COVERED * (numbered == number).sum())
        for number in range(1, count)
    )
    return covered, count - 1


def confidences_of(model: Logistic, scan: FoundRegions) -> NDArray[np.float64]:
    """Return the confidence of each region of a picture."""
    return np.array([float(model.probability(region.features)) for region in scan.regions])


def union_of(scan: FoundRegions, confidence: NDArray[np.float64], threshold: float) -> BoolImage:
    """Return the union of the regions with at least this confidence."""
    union = np.zeros(scan.truth.shape, np.bool_)
    for region, value in zip(scan.regions, confidence, strict=True):
        if value >= threshold:
            union[region.box] |= region.inside
    return union


def covered_and_false(
    scans: Sequence[FoundRegions], model: Logistic, threshold: float, least_match: float
) -> Row:
    """Return how many true ducts or nonmass areas are found, and the false ones per image.

    Parameters
    ----------
    scans : sequence of FoundRegions
    model : Logistic
        Gives the confidence of a region.
    threshold : float
        Only regions with at least this confidence count.
    least_match : float
        A region is false if no more than this fraction of it lies in a true one.
    """
    true_areas = found = false = 0
    for scan in scans:
        confidence = confidences_of(model, scan)
        covered, count = count_covered(union_of(scan, confidence, threshold), scan.truth)
        found += covered
        true_areas += count
        false += int((np.array(scan.match)[confidence >= threshold] <= least_match).sum())
    return {
        "images": len(scans),
        "true": true_areas,
        "found": found,
        "false per image": false / max(len(scans), 1),
    }


def fit_confidence(
    scans: Sequence[FoundRegions],
    names: Sequence[str],
    shares: Mapping[str, float],
    least_match: float,
    group: Callable[[FoundRegions], str] = attrgetter("source"),
) -> Logistic:
    """Fit the probability that the match of a region is above `least_match`.

    Parameters
    ----------
    scans : sequence of FoundRegions
    names : sequence of str
        Features that the model uses.
    shares : mapping of str to float
        Share of each group of scans in the total weight; within a group all regions weigh the same.
    least_match : float
    group : callable
        Gives the group of a scan; by default its source.
    """
    rows = [region.features for scan in scans for region in scan.regions]
    target = [match > least_match for scan in scans for match in scan.match]
    groups = [group(scan) for scan in scans for _ in scan.regions]
    regions_of = Counter(groups)
    weights = [shares[name] / regions_of[name] for name in groups]
    return fit_logistic({name: [row[name] for row in rows] for name in names}, target, weights)
