"""Train the duct network.

Run
    python -m training.ducts WORK
Needs
    WORK with the pictures of `training.pictures`.
Takes
    About 30 minutes on one core. A run that was stopped continues from its last epoch.
Writes
    usmicro/anatomy/ducts.onnx, and the checkpoint WORK/ducts.pt.

No public data set has outlines of ducts. Ducts are therefore drawn into real scans, in whose tissue
the network must distinguish them from fat, clefts and fasciae; simulated scans have their own. The
network is trained on folds 2 to 5 of all hospitals, normal breasts included. Fold 1 is held out for
the confidence (`training.duct_confidence`). Seeds are fixed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import ndimage

from training.augmentation import CropSettings
from training.drawn_ducts import with_ducts
from training.fitting import fit
from training.held_out import HELD_OUT_FOLD
from training.outlines import PHANTOM
from training.pictures import Picture, read_pictures
from training.plan import Cycle, Plan, Sample
from training.unet import UNet
from usmicro.anatomy.ducts import DUCT_PIXEL_MM, NETWORK, WALL_MM
from usmicro.evaluation.datasets import BREAST_LESIONS_USG, BUS_BRA, BUS_UCLM, BUSI

SHARES = {BUS_BRA: 0.25, BUSI: 0.15, BUS_UCLM: 0.2, BREAST_LESIONS_USG: 0.12, PHANTOM: 0.28}
"""Share of each source in an epoch.

Simulated scans have true ducts, with all that surrounds them; the real ones teach what is not a
duct. Chosen by judgement; no measurement is recorded.
"""

COPIES = {BUS_BRA: 1, BUSI: 2, BUS_UCLM: 2, BREAST_LESIONS_USG: 3}
"""Number of times that other ducts are drawn into a scan, by source. Chosen by judgement."""

PLAN = Plan(
    cycles=(
        Cycle(
            sizes=((160, 160),),
            epochs=(20,),
            shares=SHARES,
            rate=4e-3,
            crop=CropSettings(
                pixel_mm=DUCT_PIXEL_MM, zoom=(-0.25, 0.25), stretch=0.1, tilt=0.2, without_mass=0.0
            ),
        ),
    ),
    epoch_size=2000,
    batch=16,
    network=UNet,
)


def sample(picture: Picture) -> Sample:
    """Return a picture with the lumen of its ducts as the target."""
    from_edge_mm = ndimage.distance_transform_edt(picture.ducts) * picture.pixel_mm
    return picture, (from_edge_mm > WALL_MM / 2).astype(np.float32)


def main() -> None:
    """Train the network and write it into the package."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "work", type=Path, help="folder that training.pictures filled; the checkpoint goes there"
    )
    parser.add_argument("--threads", type=int, default=0, help="number of threads; 0: all")
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    samples: list[Sample] = []
    unseen: list[Sample] = []
    for picture in read_pictures(options.work):
        if picture.source != PHANTOM:
            if picture.fold != HELD_OUT_FOLD:
                copies = COPIES[picture.source]
                samples += [sample(with_ducts(picture, generator)) for _ in range(copies)]
        else:
            (unseen if picture.fold == HELD_OUT_FOLD else samples).append(sample(picture))
    fit(samples, PLAN, NETWORK, options.work / "ducts.pt", unseen=unseen, threads=options.threads)


if __name__ == "__main__":
    main()
