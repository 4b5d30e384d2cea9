"""Fit how sure a mass or a duct is: `python -m training.regions WORK` writes usmicro/anatomy/regions.json.

WORK is filled by `training.pictures`, and holds the network that `training.masses` fitted without some of the scans. The regions learnt
from are those that it finds on scans it has not seen. The figures printed are of such scans too, with a confidence of other patients.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.accuracy.parts import largest_free_part
from training.ducts import FOLD, with_ducts
from training.logistic import fit_logistic
from training.pictures import Picture, read_pictures
from training.unseen import UNSEEN_NETWORK, left_out
from usmicro.anatomy.ducts import FEATURES as DUCT_FEATURES
from usmicro.anatomy.ducts import predict_ducts, tubes
from usmicro.anatomy.masses import BORDER, REGION_MODELS, SIZE, regions
from usmicro.anatomy.masses import FEATURES as MASS_FEATURES
from usmicro.anatomy.network import predict
from usmicro.model.arrays import BoolImage
from usmicro.model.view import Grid, ScanLines, View
from usmicro.numerics.logistic import Logistic, write_models
from usmicro.settings import AnatomySettings

MASS_WEIGHT = {"bus-bra": 0.7, "breast-lesions-usg": 2.0, "phantom": 0.7}
"""Weight of a region."""
AWAY_MM = 2.0
"""Distance from all masses of the parts that teach what is none: nearly every scan of the data sets shows a lesion."""
MASS_MATCH = 0.4
"""A region is a mass if its Dice coefficient with an outline is higher."""
FOUND = 0.5
"""A mass is found, in the figures, if the Dice coefficient is higher."""
DUCT_WEIGHT = {
    "bus-bra": 1.0,
    "bus-bra with ducts": 0.5,
    "breast-lesions-usg": 4.0,
    "breast-lesions-usg with ducts": 1.0,
    "phantom": 1.0,
}
"""Weight of a tube; a false duct on a good real scan is worse than a missed simulated one."""
DUCT_MATCH = 0.4
"""A tube is a duct if more than this of it lies in one."""


@dataclass(frozen=True)
class Found:
    """What a network finds on one scan."""

    source: str
    features: list[dict[str, float]]
    match: list[float]
    """Of each region, how well it agrees with the truth."""
    masks: list[tuple[tuple[slice, slice], BoolImage]]
    truth: BoolImage
    part: int
    """0 or 1: the figures of one are from a confidence fitted to the other."""


def as_view(picture: Picture) -> View:
    """The picture as a view; its beams are taken to be straight."""
    scan_lines = ScanLines(
        "linear", float(picture.tissue.any(axis=1).argmax()), middle_x=picture.grey.shape[1] / 2
    )
    nothing = np.zeros(picture.grey.shape, np.bool_)
    cell = (0.5 / picture.pixel_mm, 0.25 / picture.pixel_mm)
    return View(
        picture.grey.astype(np.float32),
        picture.tissue,
        nothing,
        Grid(0, 0, 1, 1, picture.pixel_mm),
        scan_lines,
        cell,
    )


def overlap(one: BoolImage, other: BoolImage) -> float:
    """Dice coefficient."""
    return float(2 * (one & other).sum() / max(one.sum() + other.sum(), 1))


def part_of(picture: Picture) -> int:
    """0 or 1, the same for all scans of a patient, whose number is in their names."""
    return int(re.findall(r"\d+", picture.image)[0]) % 2


def masses_on(picture: Picture, network: Path) -> Found:
    """The regions that a network finds, each with its best overlap with one outline."""
    view = as_view(picture)
    count, outlines = cv2.connectedComponents(picture.outline.astype(np.uint8))
    prediction = predict(view, network, SIZE, border=BORDER)
    found = regions(view, prediction, prediction.probability_on(view))
    match = []
    for region in found:
        mask = np.zeros(view.shape, np.bool_)
        mask[region.box] = region.inside
        match.append(
            max((overlap(mask, outlines == number) for number in range(1, count)), default=0.0)
        )
    return Found(
        picture.source,
        [region.features for region in found],
        match,
        [(r.box, r.inside) for r in found],
        picture.outline,
        part_of(picture),
    )


def away_from_masses(picture: Picture) -> Picture | None:
    """The largest part of a real scan without any mass, if there is one; simulated scans bring their own."""
    if picture.source == "phantom" or not picture.outline.any():
        return None
    reach = round(AWAY_MM / picture.pixel_mm)
    part = largest_free_part(picture.outline, (reach, reach))
    if part is None:
        return None
    left, top, right, bottom = part
    arrays = {
        name: getattr(picture, name)[top:bottom, left:right]
        for name in ("grey", "tissue", "outline", "ducts")
    }
    return replace(picture, **arrays) if arrays["tissue"].any() else None


def ducts_on(picture: Picture, network: Path, name: str) -> Found:
    """The tubes that the shipped network finds beside a mass network, each with the part of it that lies in a duct."""
    view = as_view(picture)
    prediction = predict_ducts(view)
    size = prediction.rank.shape[::-1]
    known = cv2.resize(picture.ducts.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    mass = predict(view, network, SIZE, border=BORDER).probability_on(view)
    found = tubes(view, prediction, mass)
    match = [float(known[tube.box][tube.inside].mean()) for tube in found]
    return Found(
        name,
        [tube.features for tube in found],
        match,
        [(t.box, t.inside) for t in found],
        np.asarray(known),
        part_of(picture),
    )


def confidence(
    found: Sequence[Found],
    names: tuple[str, ...],
    weight: dict[str, float],
    match: float,
    part: int | None = None,
) -> Logistic:
    """The logistic of regions that agree with the truth, without those of `part`."""
    chosen = [scan for scan in found if scan.part != part]
    rows = [row for scan in chosen for row in scan.features]
    target = [value > match for scan in chosen for value in scan.match]
    weights = [weight[scan.source] for scan in chosen for _ in scan.match]
    return fit_logistic({name: [row[name] for row in rows] for name in names}, target, weights)


def report_masses(found: Sequence[Found], models: Sequence[Logistic], threshold: float) -> None:
    """Print what is found at a confidence."""
    for source in MASS_WEIGHT:
        dice, lesions, matched, extra = [], 0, 0, 0
        mine = [scan for scan in found if scan.source == source]
        if not mine:
            continue
        for scan in mine:
            union = np.zeros(scan.truth.shape, np.bool_)
            for features, match, (box, inside) in zip(
                scan.features, scan.match, scan.masks, strict=True
            ):
                if models[scan.part].probability(features) >= threshold:
                    union[box] |= inside
                    matched += match > FOUND
                    extra += not (scan.truth[box] & inside).any()
            if scan.truth.any():
                lesions += cv2.connectedComponents(scan.truth.astype(np.uint8))[0] - 1
                dice.append(overlap(union, scan.truth))
        print(
            f"{source}, confidence {threshold}: Dice mean {np.mean(dice):.3f} median {np.median(dice):.3f} on {len(dice)} scans, found "
            f"{matched / lesions:.3f} of {lesions} masses, {extra / len(mine):.3f} others a scan",
            flush=True,
        )


def report_away(found: Sequence[Found], models: Sequence[Logistic], threshold: float) -> None:
    """Print how many masses are found where there are none."""
    for source in MASS_WEIGHT:
        if counts := [
            sum(models[s.part].probability(row) >= threshold for row in s.features)
            for s in found
            if s.source == source
        ]:
            print(
                f"{source}, {len(counts)} parts without mass, confidence {threshold}: {np.mean(counts):.3f} masses a part",
                flush=True,
            )


def report_ducts(found: Sequence[Found], models: Sequence[Logistic], threshold: float) -> None:
    """Print what is found at a confidence."""
    for source in DUCT_WEIGHT:
        mine = [scan for scan in found if scan.source == source]
        known = hit = false = 0
        for scan in mine:
            count, ducts = cv2.connectedComponents(scan.truth.astype(np.uint8))
            sure = [
                models[scan.part].probability(features) >= threshold for features in scan.features
            ]
            lumens = np.zeros(scan.truth.shape, np.bool_)
            for (box, inside), kept in zip(scan.masks, sure, strict=True):
                lumens[box] |= inside & kept
            known += count - 1
            hit += sum(
                bool((lumens & (ducts == number)).sum() > 0.3 * (ducts == number).sum())
                for number in range(1, count)
            )
            false += sum(
                kept and match <= DUCT_MATCH for kept, match in zip(sure, scan.match, strict=True)
            )
        print(
            f"{source}, confidence {threshold}: {hit} of {known} ducts found, {false / max(len(mine), 1):.3f} others a scan",
            flush=True,
        )


def main() -> None:
    """Fit, print figures, write the models."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "work", type=Path, help="folder that training.pictures and training.masses filled"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)
    pictures, settings = read_pictures(options.work), AnatomySettings()
    network = options.work / UNSEEN_NETWORK
    masses = [masses_on(picture, network) for picture in pictures if left_out(picture)]
    parts = [
        part
        for picture in pictures
        if left_out(picture)
        if (part := away_from_masses(picture)) is not None
    ]
    away = [masses_on(part, network) for part in parts]
    models = [
        confidence(masses + away, MASS_FEATURES, MASS_WEIGHT, MASS_MATCH, part) for part in (0, 1)
    ]
    for threshold in (settings.mass_threshold, 0.5):
        report_masses(masses, models, threshold)
        report_away(away, models, threshold)
    generator = np.random.default_rng(1)
    ducts = []
    for picture in pictures:
        if picture.fold == FOLD:
            ducts.append(ducts_on(picture, network, picture.source))
            if picture.source != "phantom":
                ducts.append(
                    ducts_on(
                        with_ducts(picture, generator), network, f"{picture.source} with ducts"
                    )
                )
    models = [confidence(ducts, DUCT_FEATURES, DUCT_WEIGHT, DUCT_MATCH, part) for part in (0, 1)]
    for threshold in (settings.duct_threshold, 0.5):
        report_ducts(ducts, models, threshold)
    write_models(
        {
            "masses": confidence(masses + away, MASS_FEATURES, MASS_WEIGHT, MASS_MATCH),
            "ducts": confidence(ducts, DUCT_FEATURES, DUCT_WEIGHT, DUCT_MATCH),
        },
        REGION_MODELS,
    )


if __name__ == "__main__":
    main()
