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
from real scans, which rarely have any, as negative examples. It is trained on folds 2 to 5. Fold 1
is held out for the confidence of an area. Seeds are fixed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from training.augmentation import CropSettings
from training.fitting import fit
from training.found_regions import covered_and_false, fit_confidence, nonmass_on
from training.held_out import HELD_OUT_FOLD, HOSPITALS
from training.outlines import PHANTOM
from training.pictures import NONMASS_PARTS, PARTS, Picture, read_pictures
from training.plan import Cycle, Plan, Sample
from training.tables import print_table
from training.unet import UNet
from usmicro.anatomy.masses import REGION_MODELS
from usmicro.anatomy.nonmass import FEATURES, NETWORK, NONMASS_PIXEL_MM
from usmicro.evaluation.datasets import BREAST_LESIONS_USG, BUS_BRA, BUS_UCLM, BUSI
from usmicro.numerics.logistic import write_models

SHARES = {BUS_BRA: 0.14, BUSI: 0.12, BUS_UCLM: 0.14, BREAST_LESIONS_USG: 0.1, PHANTOM: 0.5}
"""Share of each source in an epoch. Only simulated scans show a nonmass area.

Chosen by judgement; no measurement is recorded.
"""

PLAN = Plan(
    cycles=(
        Cycle(
            sizes=((96, 96),),
            epochs=(30,),
            shares=SHARES,
            rate=4e-3,
            crop=CropSettings(
                pixel_mm=NONMASS_PIXEL_MM, zoom=(-0.2, 0.3), stretch=0.1, tilt=0.1, without_mass=0.0
            ),
        ),
    ),
    epoch_size=1600,
    batch=16,
    network=UNet,
)

MATCH = 0.4
"""A region is a nonmass area if more than this fraction of it lies in a true one.

Chosen by judgement; no measurement is recorded.
"""

CONFIDENCE_SHARES = {**dict.fromkeys(HOSPITALS, 0.5), PHANTOM: 1.0}
"""Share of each source in the fit of the confidence; on real scans every area is false.

Chosen by judgement; no measurement is recorded.
"""

REPORTED_CONFIDENCES = (0.3, 0.5, 0.7)
"""Confidences for which the figures are printed."""


def sample(picture: Picture) -> Sample:
    """Return a picture with its nonmass areas as the target."""
    nothing = np.zeros(picture.grey.shape, np.float32)
    return picture, nothing if picture.nonmass is None else picture.nonmass.astype(np.float32)


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
    pictures = read_pictures(options.work, [*real_parts, *NONMASS_PARTS])
    samples = [sample(picture) for picture in pictures if picture.fold != HELD_OUT_FOLD]
    held_out = [picture for picture in pictures if picture.fold == HELD_OUT_FOLD]
    unseen = [sample(picture) for picture in held_out]
    fit(samples, PLAN, NETWORK, options.work / "nonmass.pt", unseen=unseen, threads=options.threads)
    scans = [nonmass_on(picture) for picture in held_out]
    model = fit_confidence(scans, FEATURES, CONFIDENCE_SHARES, MATCH)
    write_models({"nonmass": model}, REGION_MODELS)
    for threshold in REPORTED_CONFIDENCES:
        rows = {
            source: covered_and_false(
                [scan for scan in scans if scan.source == source], model, threshold, MATCH
            )
            for source in SHARES
        }
        rows["normal breasts"] = covered_and_false(
            [scan for scan in scans if scan.is_normal], model, threshold, MATCH
        )
        print_table(f"Nonmass areas of fold {HELD_OUT_FOLD}, confidence from {threshold} on", rows)


if __name__ == "__main__":
    main()
