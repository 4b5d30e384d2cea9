"""Train the network of nonmass areas, and fit the confidence of an area.

Run
    python -m training.nonmass WORK
Needs
    WORK with the pictures of `training.pictures`.
Takes
    About 15 minutes on one core. A run that was stopped continues from its last epoch.
Writes
    usmicro/anatomy/nonmass.onnx, the model `nonmass` in usmicro/anatomy/regions.json, and the
    checkpoint WORK/nonmass.pt. It prints sensitivity and false positives.

No public data set has outlines of nonmass findings. The network learns from simulated ones, and
from real scans, which rarely have any, as examples without. It learns from four folds of five; the
confidence of an area is fitted to what the network finds on the fifth. Seeds are fixed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.augmentation import CropSettings
from training.fitting import Plan, Sample, fit
from training.logistic import fit_logistic
from training.outlines import PHANTOM
from training.pictures import NONMASS_PARTS, PARTS, Picture, read_pictures, view_of
from training.regions import count_covered
from training.unet import UNet
from usmicro.anatomy.masses import REGION_MODELS
from usmicro.anatomy.network import Region
from usmicro.anatomy.nonmass import FEATURES, NETWORK, NONMASS_PIXEL_MM, areas, predict_nonmass
from usmicro.evaluation.datasets import BREAST_LESIONS_USG, BUS_BRA
from usmicro.model.arrays import BoolImage
from usmicro.numerics.logistic import Logistic, write_models

PLAN = Plan(
    sizes=((96, 96),),
    epochs=(40,),
    batch=16,
    rate=4e-3,
    crop=CropSettings(
        pixel_mm=NONMASS_PIXEL_MM, zoom=(-0.2, 0.3), stretch=0.1, tilt=0.1, without_mass=0.0
    ),
    network=UNet,
)

HELD_OUT_FOLD = 1
"""Fold from which the network does not learn; the confidence of areas is fitted to it."""

BUS_BRA_STEP = 4
"""One of this many scans of BUS-BRA is used; more would take longer.

Chosen by judgement; no measurement is recorded.
"""

COPIES = {BUS_BRA: 1, BREAST_LESIONS_USG: 1, PHANTOM: 3}
"""Number of copies of a scan in an epoch, by source, because few scans show an area.

Chosen by judgement; no measurement is recorded.
"""

MATCH = 0.4
"""A region is a nonmass area if more than this fraction of it lies in a true one.

Chosen by judgement; no measurement is recorded.
"""

REAL_WEIGHT = 2.0
"""Weight of a region on a real scan, where it is false; one on a simulated scan has the weight 1.

Chosen by judgement; no measurement is recorded.
"""

REPORTED_CONFIDENCES = (0.3, 0.5, 0.7)
"""Confidences for which the figures are printed."""


@dataclass(frozen=True)
class FoundAreas:
    """The regions that the network finds on one scan, on its pixels."""

    source: str
    areas: list[Region]
    truth: BoolImage
    """True in a nonmass area."""

    def match(self, area: Region) -> bool:
        """Return True if a region is a nonmass area."""
        return bool(self.truth[area.box][area.inside].mean() > MATCH)


def sample(picture: Picture) -> Sample:
    """Return a picture with its nonmass areas as the target."""
    nothing = np.zeros(picture.grey.shape, np.float32)
    return picture, nothing if picture.nonmass is None else picture.nonmass.astype(np.float32)


def areas_on(picture: Picture) -> FoundAreas:
    """Find the regions on a picture with the network that was just written."""
    view = view_of(picture)
    prediction = predict_nonmass(view)
    _, target = sample(picture)
    size = prediction.rank.shape[::-1]
    covered = cv2.resize(target, size, interpolation=cv2.INTER_AREA)
    return FoundAreas(picture.source, areas(view, prediction), np.asarray(covered > 0.5))


def fit_confidence(scans: Sequence[FoundAreas]) -> Logistic:
    """Fit the probability that a region is a nonmass area."""
    pairs = [(scan, area) for scan in scans for area in scan.areas]
    return fit_logistic(
        {name: [area.features[name] for _, area in pairs] for name in FEATURES},
        [scan.match(area) for scan, area in pairs],
        [1.0 if scan.source == PHANTOM else REAL_WEIGHT for scan, _ in pairs],
    )


def report(scans: Sequence[FoundAreas], model: Logistic, threshold: float) -> None:
    """Print the figures of the areas with a confidence of at least `threshold`."""
    for source in (PHANTOM, BUS_BRA, BREAST_LESIONS_USG):
        source_scans = [scan for scan in scans if scan.source == source]
        true_areas = found_areas = false_areas = 0
        for scan in source_scans:
            union = np.zeros(scan.truth.shape, np.bool_)
            for area in scan.areas:
                if model.probability(area.features) >= threshold:
                    union[area.box] |= area.inside
                    false_areas += not scan.match(area)
            covered, count = count_covered(union, scan.truth)
            found_areas += covered
            true_areas += count
        print(
            f"{source}, confidence {threshold}: {found_areas} of {true_areas} areas found, "
            f"{false_areas / max(len(source_scans), 1):.3f} false-positive areas per scan",
            flush=True,
        )


def main() -> None:
    """Train the network, fit the confidence, print figures and write both into the package."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "work", type=Path, help="folder that training.pictures filled; the checkpoint goes there"
    )
    parser.add_argument("--threads", type=int, default=0, help="number of threads; 0: all")
    options = parser.parse_args()
    real_parts = [name for name in PARTS if not name.startswith(PHANTOM)]
    real = [
        picture
        for i, picture in enumerate(read_pictures(options.work, real_parts))
        if picture.source != BUS_BRA or i % BUS_BRA_STEP == 0
    ]
    pictures = real + read_pictures(options.work, NONMASS_PARTS)
    samples = [
        sample(picture)
        for picture in pictures
        if picture.fold != HELD_OUT_FOLD
        for _ in range(COPIES[picture.source])
    ]
    held_out = [picture for picture in pictures if picture.fold == HELD_OUT_FOLD]
    unseen = [sample(picture) for picture in held_out]
    fit(samples, PLAN, NETWORK, options.work / "nonmass.pt", unseen=unseen, threads=options.threads)
    scans = [areas_on(picture) for picture in held_out]
    model = fit_confidence(scans)
    write_models({"nonmass": model}, REGION_MODELS)
    for threshold in REPORTED_CONFIDENCES:
        report(scans, model, threshold)


if __name__ == "__main__":
    main()
