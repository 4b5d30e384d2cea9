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
network learns from four folds of five, of all hospitals and of normal breasts too.
`training.duct_confidence` fits the confidence of a tube to what the network finds on the fifth.
Seeds are fixed.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from training.augmentation import CropSettings
from training.fitting import fit
from training.outlines import PHANTOM
from training.pictures import Picture, read_pictures
from training.plan import Cycle, Plan, Sample
from training.unet import UNet
from usmicro.anatomy.ducts import DUCT_PIXEL_MM, NETWORK, WALL_MM
from usmicro.evaluation.datasets import BREAST_LESIONS_USG, BUS_BRA, BUS_UCLM, BUSI
from usmicro.phantom.random_objects import random_duct

HELD_OUT_FOLD = 1
"""Fold from which the network does not learn; the confidence of tubes is fitted to it."""

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

GREY_PER_DB = 255 / 60
"""Grey levels per dB of the usual dynamic range of 60 dB."""

LUMEN_DB = (5.0, 15.0)
"""Range by which a drawn lumen is darker than its surroundings, dB.

Chosen by eye on the development scans; no measurement is recorded.
"""

WALL_DB = (0.0, 6.0)
"""Range by which a drawn wall is brighter than its surroundings, dB.

Chosen by eye on the development scans; no measurement is recorded.
"""

DARKEST_GREY = 25.0
"""Mean grey level of the tissue below which no duct is drawn, because it would not be seen.

Chosen by eye on the development scans; no measurement is recorded.
"""

SMALLEST_MM2 = 3.0
"""Smallest area of a drawn lumen within the picture, mm2."""

MOST_COVERED = 0.02
"""Largest fraction of a drawn lumen that lies in a mass, in another duct or outside the tissue."""

GAP_MM = 2.0
"""Distance between drawn ducts, mm."""


def with_ducts(picture: Picture, generator: np.random.Generator) -> Picture:
    """Return a picture with up to three ducts drawn into it."""
    mm = picture.pixel_mm
    grey, ducts = picture.grey.astype(np.float32), np.zeros(picture.grey.shape, np.bool_)
    occupied = ndimage.binary_dilation(picture.outline, iterations=5) | ~picture.tissue
    y, x = (axis * mm for axis in np.mgrid[: grey.shape[0], : grey.shape[1]])
    for _ in range(int(generator.integers(0, 4))):
        middle_x = generator.uniform(0, x.max())
        middle_y = generator.uniform(2, 0.8 * y.max())
        duct = random_duct(generator, middle_x, middle_y)
        distance = duct.distance(x, y).astype(np.float32)
        inside = distance < 0
        if (
            inside.sum() < SMALLEST_MM2 / mm**2
            or occupied[inside].mean() > MOST_COVERED
            or grey[inside].mean() < DARKEST_GREY
        ):
            continue
        lumen = np.clip(0.5 - distance / 0.15, 0, 1)
        wall = np.clip(1 - np.abs(distance - duct.wall / 2 - 0.1) / duct.wall, 0, 1)
        wall_db = generator.uniform(*WALL_DB)
        lumen_db = generator.uniform(*LUMEN_DB)
        grey += GREY_PER_DB * (wall_db * wall - lumen_db * lumen)
        occupied |= distance < GAP_MM
        ducts |= distance < duct.wall
    return replace(picture, grey=np.clip(np.rint(grey), 0, 255).astype(np.uint8), ducts=ducts)


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
