"""Fit the confidence of masses and ducts.

Run
    python -m training.regions WORK
Needs
    WORK with the pictures of `training.pictures` and the network that `training.masses` fitted
    without some of the scans.
Takes
    About 3 minutes on one core (extrapolated from a few scans).
Writes
    The models `masses` and `ducts` in usmicro/anatomy/regions.json. It prints sensitivity and
    false positives of both.

The models learn from the regions that the networks find on scans on which they were not trained.
The printed figures are of the same scans: these are divided by patient into two halves, and the
confidence of each half is from a model fitted to the other.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from training.ducts import HELD_OUT_FOLD as DUCTS_HELD_OUT_FOLD
from training.ducts import with_ducts
from training.held_out import HELD_OUT_NETWORK, is_held_out
from training.logistic import fit_logistic
from training.outlines import PHANTOM
from training.pictures import Picture, read_pictures, view_of
from usmicro.anatomy.ducts import FEATURES as DUCT_FEATURES
from usmicro.anatomy.ducts import predict_ducts, tubes
from usmicro.anatomy.masses import BORDER, REGION_MODELS, SIZE, regions
from usmicro.anatomy.masses import FEATURES as MASS_FEATURES
from usmicro.anatomy.network import predict
from usmicro.evaluation.datasets import (
    BREAST_LESIONS_USG,
    BUS_BRA,
    LESION_MARGIN_MM,
    largest_free_part,
)
from usmicro.evaluation.metrics import dice
from usmicro.model.arrays import BoolImage
from usmicro.numerics.logistic import Logistic, write_models
from usmicro.settings import AnatomySettings

WITH_DUCTS = " with ducts"
"""Ending of the source of a real scan into which ducts are drawn."""

MASS_WEIGHT = {BUS_BRA: 0.7, BREAST_LESIONS_USG: 2.0, PHANTOM: 0.7}
"""Weight of a region by source.

Chosen by judgement; no measurement is recorded. BrEaST has few scans, but they are from a
hospital on which the network was not trained.
"""

MASS_MATCH = 0.4
"""A region is a mass for the fit if its Dice coefficient with an outline is above this.

Chosen by judgement; no measurement is recorded.
"""

MASS_FOUND = 0.5
"""A mass is found, in the printed figures, if its Dice coefficient with a region is above this.

The Jaccard index is then above 1/3; the same criterion as `usmicro.evaluation.overlaps`.
"""

DUCT_WEIGHT = {
    BUS_BRA: 1.0,
    BUS_BRA + WITH_DUCTS: 0.5,
    BREAST_LESIONS_USG: 4.0,
    BREAST_LESIONS_USG + WITH_DUCTS: 1.0,
    PHANTOM: 1.0,
}
"""Weight of a tube by source.

Chosen by judgement; no measurement is recorded. A false duct on a real scan of good quality is
worse than a missed duct on a simulated scan.
"""

DUCT_MATCH = 0.4
"""A tube is a duct if more than this fraction of it lies in a true duct.

Chosen by judgement; no measurement is recorded.
"""

COVERED = 0.3
"""A true area is found, in the printed figures, if more than this fraction of it is covered.

The same fraction as in `benchmarks.accuracy`.
"""

COMMON_CONFIDENCE = 0.5
"""Confidence for which the figures are printed, besides the default threshold."""


@dataclass(frozen=True)
class FoundRegions:
    """The regions that a network finds on one scan. The masks have the shape of `truth`."""

    source: str
    features: list[dict[str, float]]
    """Features of each region."""
    match: list[float]
    """Agreement of each region with the truth, 0 to 1."""
    masks: list[tuple[tuple[slice, slice], BoolImage]]
    """Box of each region, and its mask within the box."""
    truth: BoolImage
    """True inside a mass, or a duct."""
    half: int
    """0 or 1: the half of the patients to which the scan belongs."""


def half_of(picture: Picture) -> int:
    """Return 0 or 1, the same for all scans of a patient.

    The first number in the name of an image is that of the patient.
    """
    return int(re.findall(r"\d+", picture.image)[0]) % 2


def masses_on(picture: Picture, network: Path) -> FoundRegions:
    """Find mass regions; the match is the largest Dice coefficient with one outline."""
    view = view_of(picture)
    count, outlines = cv2.connectedComponents(picture.outline.astype(np.uint8))
    prediction = predict(view, network, SIZE, border=BORDER)
    candidates = regions(view, prediction, prediction.probability_on(view))
    match = []
    for region in candidates:
        mask = np.zeros(view.shape, np.bool_)
        mask[region.box] = region.inside
        scores = (dice(mask, outlines == number) for number in range(1, count))
        match.append(max(scores, default=0.0))
    return FoundRegions(
        source=picture.source,
        features=[region.features for region in candidates],
        match=match,
        masks=[(region.box, region.inside) for region in candidates],
        truth=picture.outline,
        half=half_of(picture),
    )


def away_from_masses(picture: Picture) -> Picture | None:
    """Return the largest part of a real scan without mass, or None if there is none.

    Nearly every scan of the data sets shows a lesion, so such parts are needed to learn what is not
    a mass. Simulated scans include scans without mass.
    """
    if picture.source == PHANTOM or not picture.outline.any():
        return None
    margin = round(LESION_MARGIN_MM / picture.pixel_mm)
    part = largest_free_part(picture.outline, (margin, margin))
    if part is None:
        return None
    left, top, right, bottom = part
    arrays = {
        name: getattr(picture, name)[top:bottom, left:right]
        for name in ("grey", "tissue", "outline", "ducts")
    }
    return replace(picture, **arrays) if arrays["tissue"].any() else None


def ducts_on(picture: Picture, network: Path, source: str) -> FoundRegions:
    """Find tubes with the shipped duct network and the mass network in the file `network`.

    The match is the fraction of a tube that lies in a true duct.
    """
    view = view_of(picture)
    prediction = predict_ducts(view)
    size = prediction.rank.shape[::-1]
    covered = cv2.resize(picture.ducts.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    truth = np.asarray(covered > 0.5)
    mass_probability = predict(view, network, SIZE, border=BORDER).probability_on(view)
    candidates = tubes(view, prediction, mass_probability)
    return FoundRegions(
        source=source,
        features=[tube.features for tube in candidates],
        match=[float(truth[tube.box][tube.inside].mean()) for tube in candidates],
        masks=[(tube.box, tube.inside) for tube in candidates],
        truth=truth,
        half=half_of(picture),
    )


def fit_confidence(
    scans: Sequence[FoundRegions],
    names: tuple[str, ...],
    weight: dict[str, float],
    least_match: float,
    left_out_half: int | None = None,
) -> Logistic:
    """Fit the probability that the match of a region is above `least_match`.

    Parameters
    ----------
    scans : sequence of FoundRegions
    names : tuple of str
        Features that the model uses.
    weight : dict
        Weight of a region by source.
    least_match : float
    left_out_half : int, optional
        Half of the patients to which the model is not fitted.
    """
    chosen = [scan for scan in scans if scan.half != left_out_half]
    rows = [row for scan in chosen for row in scan.features]
    target = [match > least_match for scan in chosen for match in scan.match]
    weights = [weight[scan.source] for scan in chosen for _ in scan.match]
    return fit_logistic({name: [row[name] for row in rows] for name in names}, target, weights)


def report_masses(
    scans: Sequence[FoundRegions], models: Sequence[Logistic], threshold: float
) -> None:
    """Print the figures of the masses with a confidence of at least `threshold`."""
    for source in MASS_WEIGHT:
        scores, lesions, matched, false_masses = [], 0, 0, 0
        source_scans = [scan for scan in scans if scan.source == source]
        if not source_scans:
            continue
        for scan in source_scans:
            union = np.zeros(scan.truth.shape, np.bool_)
            for features, match, (box, inside) in zip(
                scan.features, scan.match, scan.masks, strict=True
            ):
                if models[scan.half].probability(features) >= threshold:
                    union[box] |= inside
                    matched += match > MASS_FOUND
                    false_masses += not (scan.truth[box] & inside).any()
            if scan.truth.any():
                lesions += cv2.connectedComponents(scan.truth.astype(np.uint8))[0] - 1
                scores.append(dice(union, scan.truth))
        print(
            f"{source}, confidence {threshold}: "
            f"Dice mean {np.mean(scores):.3f} median {np.median(scores):.3f} "
            f"on {len(scores)} scans, sensitivity {matched / lesions:.3f} for {lesions} masses, "
            f"{false_masses / len(source_scans):.3f} false-positive masses per scan",
            flush=True,
        )


def report_parts_without_mass(
    parts: Sequence[FoundRegions], models: Sequence[Logistic], threshold: float
) -> None:
    """Print the number of masses found on parts of scans that show none."""
    for source in MASS_WEIGHT:
        counts = [
            sum(models[part.half].probability(row) >= threshold for row in part.features)
            for part in parts
            if part.source == source
        ]
        if counts:
            print(
                f"{source}, {len(counts)} parts without mass, confidence {threshold}: "
                f"{np.mean(counts):.3f} false-positive masses per part",
                flush=True,
            )


def count_covered(found: BoolImage, truth: BoolImage) -> tuple[int, int]:
    """Return the number of true areas that `found` covers, and the number of all true areas."""
    count, areas = cv2.connectedComponents(truth.astype(np.uint8))
    covered = sum(
        bool((found & (areas == number)).sum() > COVERED * (areas == number).sum())
        for number in range(1, count)
    )
    return covered, count - 1


def report_ducts(
    scans: Sequence[FoundRegions], models: Sequence[Logistic], threshold: float
) -> None:
    """Print the figures of the ducts with a confidence of at least `threshold`."""
    for source in DUCT_WEIGHT:
        source_scans = [scan for scan in scans if scan.source == source]
        true_ducts = found_ducts = false_ducts = 0
        for scan in source_scans:
            lumens = np.zeros(scan.truth.shape, np.bool_)
            for features, match, (box, inside) in zip(
                scan.features, scan.match, scan.masks, strict=True
            ):
                if models[scan.half].probability(features) >= threshold:
                    lumens[box] |= inside
                    false_ducts += match <= DUCT_MATCH
            covered, count = count_covered(lumens, scan.truth)
            found_ducts += covered
            true_ducts += count
        print(
            f"{source}, confidence {threshold}: {found_ducts} of {true_ducts} ducts found, "
            f"{false_ducts / max(len(source_scans), 1):.3f} false-positive ducts per scan",
            flush=True,
        )


def main() -> None:
    """Fit the models, print their figures and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "work", type=Path, help="folder that training.pictures and training.masses filled"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)
    pictures, settings = read_pictures(options.work), AnatomySettings()
    network = options.work / HELD_OUT_NETWORK

    held_out = [picture for picture in pictures if is_held_out(picture)]
    masses = [masses_on(picture, network) for picture in held_out]
    parts = [part for picture in held_out if (part := away_from_masses(picture)) is not None]
    without_mass = [masses_on(part, network) for part in parts]
    mass_examples = masses + without_mass
    models = [
        fit_confidence(mass_examples, MASS_FEATURES, MASS_WEIGHT, MASS_MATCH, half)
        for half in (0, 1)
    ]
    for threshold in (settings.mass_threshold, COMMON_CONFIDENCE):
        report_masses(masses, models, threshold)
        report_parts_without_mass(without_mass, models, threshold)

    generator = np.random.default_rng(1)
    ducts = []
    for picture in pictures:
        if picture.fold != DUCTS_HELD_OUT_FOLD:
            continue
        ducts.append(ducts_on(picture, network, picture.source))
        if picture.source != PHANTOM:
            drawn = with_ducts(picture, generator)
            ducts.append(ducts_on(drawn, network, picture.source + WITH_DUCTS))
    models = [
        fit_confidence(ducts, DUCT_FEATURES, DUCT_WEIGHT, DUCT_MATCH, half) for half in (0, 1)
    ]
    for threshold in (settings.duct_threshold, COMMON_CONFIDENCE):
        report_ducts(ducts, models, threshold)

    write_models(
        {
            "masses": fit_confidence(mass_examples, MASS_FEATURES, MASS_WEIGHT, MASS_MATCH),
            "ducts": fit_confidence(ducts, DUCT_FEATURES, DUCT_WEIGHT, DUCT_MATCH),
        },
        REGION_MODELS,
    )


if __name__ == "__main__":
    main()
