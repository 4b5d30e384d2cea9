"""Train the duct model: `python -m training.ducts WORK`, with WORK as `python -m training.pictures DATA WORK` fills it.

No public data set outlines ducts. So ducts are drawn into real scans, in whose tissue the network must tell them from fat, clefts and
fascia, and simulated scans bring their own. The network learns from four folds of five; the confidence of a tube is fitted to what it finds
on the fifth: on real scans as they are, where a duct is rare and what is found counts as false, on the same with ducts drawn in, and on
simulated scans. Some 30 minutes on one core; a run that is stopped goes on from its last epoch. The seeds are fixed.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from training.augmentation import Geometry
from training.fitting import Plan, Sample, fit
from training.pictures import Picture, read_pictures
from training.unet import UNet
from usmicro.anatomy.ducts import DUCT_PIXEL_MM, NETWORK, WALL_MM
from usmicro.phantom.random_objects import random_duct

PLAN = Plan(
    sizes=((160, 160),),
    epochs=(24,),
    batch=16,
    rate=4e-3,
    geometry=Geometry(
        pixel_mm=DUCT_PIXEL_MM, zoom=(-0.25, 0.25), stretch=0.1, tilt=0.2, elsewhere=0.0
    ),
    network=UNet,
)
HELD_OUT_FOLD = 1
"""Left out by the network; the confidence of tubes is fitted on it."""
COPIES = {"bus-bra": 0.5, "breast-lesions-usg": 3, "phantom": 2}
"""How often a scan is seen in an epoch; half of BUS-BRA is enough."""
GREY_PER_DB = 255 / 60
LUMEN_DB = (5.0, 15.0)
"""How much darker than its surroundings a drawn lumen is."""
WALL_DB = (0.0, 6.0)
DARKEST = 25.0
"""Where the mean grey level is lower, a duct would not be seen."""


def with_ducts(picture: Picture, generator: np.random.Generator) -> Picture:
    """The picture with up to three ducts drawn into it."""
    mm = picture.pixel_mm
    grey, known = picture.grey.astype(np.float32), np.zeros(picture.grey.shape, np.bool_)
    taken = ndimage.binary_dilation(picture.outline, iterations=5) | ~picture.tissue
    y, x = (axis * mm for axis in np.mgrid[: grey.shape[0], : grey.shape[1]])
    for _ in range(int(generator.integers(0, 4))):
        duct = random_duct(
            generator, generator.uniform(0, x.max()), generator.uniform(2, 0.8 * y.max())
        )
        distance = duct.distance(x, y).astype(np.float32)
        inside = distance < 0
        if inside.sum() < 3 / mm**2 or taken[inside].mean() > 0.02 or grey[inside].mean() < DARKEST:
            continue
        lumen = np.clip(0.5 - distance / 0.15, 0, 1)
        wall = np.clip(1 - np.abs(distance - duct.wall / 2 - 0.1) / duct.wall, 0, 1)
        grey += GREY_PER_DB * (
            generator.uniform(*WALL_DB) * wall - generator.uniform(*LUMEN_DB) * lumen
        )
        taken |= distance < 2
        known |= distance < duct.wall
    return replace(picture, grey=np.clip(np.rint(grey), 0, 255).astype(np.uint8), ducts=known)


def sample(picture: Picture) -> Sample:
    """The picture with the lumen of its ducts."""
    return picture, (
        ndimage.distance_transform_edt(picture.ducts) * picture.pixel_mm > WALL_MM / 2
    ).astype(np.float32)


def main() -> None:
    """Train the network and write it into the package."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "work", type=Path, help="folder that training.pictures filled; checkpoints go there too"
    )
    parser.add_argument(
        "--threads", type=int, default=0, help="threads that the run may use; 0: all"
    )
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    samples, unseen = [], []
    for picture in read_pictures(options.work):
        if picture.fold == HELD_OUT_FOLD:
            if picture.source == "phantom":
                unseen.append(sample(picture))
            continue
        copies = COPIES[picture.source]
        for _ in range(int(copies) + int(generator.random() < copies % 1)):
            samples.append(
                sample(picture if picture.source == "phantom" else with_ducts(picture, generator))
            )
    fit(samples, PLAN, NETWORK, options.work / "ducts.pt", unseen=unseen, threads=options.threads)


if __name__ == "__main__":
    main()
