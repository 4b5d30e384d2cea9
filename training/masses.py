"""Train the mass networks.

Run
    python -m training.masses WORK
Needs
    WORK with the pictures of `training.pictures`.
Takes
    About an hour per network on one core; there are six. `--only` trains one. To use two cores, run
    two programs side by side, each with `--threads 1`. A run that was stopped continues from its
    last epoch.
Writes
    usmicro/anatomy/masses.onnx; the other networks, unseen.json and trained_on.json in
    training/networks; and the checkpoints WORK/masses-NAME.pt.

The network "all" learns from all scans and is shipped. Four networks each learn from all hospitals
but one, and show the accuracy in a hospital that the network has not seen. The network
"without-fold" does not learn from a fifth of the patients of every source, and shows the accuracy
on new patients of the same hospitals. Seeds are fixed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from training.augmentation import CropSettings
from training.fitting import fit
from training.held_out import NAMES, learns_from, network_file, write_held_out, write_trained_on
from training.outlines import PHANTOM
from training.pictures import Picture, read_pictures
from training.plan import Cycle, Plan
from training.pretrained import PretrainedUNet
from usmicro.anatomy.masses import SIZE
from usmicro.evaluation.datasets import BREAST_LESIONS_USG, BUS_BRA, BUS_UCLM, BUSI

NORMAL = "normal"
"""Group of the real pictures without a mass."""


def group_of(picture: Picture) -> str:
    """Return `NORMAL` for a real picture without a mass, otherwise the source."""
    return NORMAL if picture.source != PHANTOM and not picture.outline.any() else picture.source


FIRST = Cycle(
    sizes=((128, 128), SIZE),
    epochs=(12, 8),
    shares={
        BUS_BRA: 0.3,
        BUSI: 0.2,
        BUS_UCLM: 0.16,
        BREAST_LESIONS_USG: 0.12,
        NORMAL: 0.12,
        PHANTOM: 0.1,
    },
    rate=2e-3,
    crop=CropSettings(without_mass=0.15, zoom=(-0.5, 0.4), stretch=0.25),
)
"""The first cycle.

The small sets get more than their share of the scans, so that no hospital dominates. About a
quarter of the inputs show no mass: normal breasts, simulated scans without one, and crops beside
masses. Chosen by judgement; no measurement is recorded.
"""

SECOND = Cycle(
    sizes=(SIZE,),
    epochs=(8,),
    shares={
        BUS_BRA: 0.24,
        BUSI: 0.18,
        BUS_UCLM: 0.16,
        BREAST_LESIONS_USG: 0.1,
        NORMAL: 0.16,
        PHANTOM: 0.16,
    },
    rate=1e-3,
    crop=CropSettings(without_mass=0.15, zoom=(-0.5, 0.6), stretch=0.25, least_visible=0.5),
)
"""The second cycle shows smaller masses, masses cut by the edge of the crop, more normal breasts,
and more simulated scans.

On patients left out it finds the same share of real masses as the first cycle alone, more simulated
ones (0.96, before 0.92) and fewer false masses on normal breasts of BUS-UCLM (0.39 per image,
before 0.55; without a threshold on the confidence).
"""

PLAN = Plan(
    cycles=(FIRST, SECOND),
    epoch_size=2400,
    batch=16,
    network=PretrainedUNet,
    group=group_of,
    weight_decay=0.05,
)


def main() -> None:
    """Train the networks and write them; the one that learns from all scans is shipped."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "work",
        type=Path,
        help="folder that training.pictures filled; the checkpoints go there too",
    )
    parser.add_argument(
        "--only", choices=NAMES, action="append", help="network to train; by default all of them"
    )
    parser.add_argument("--threads", type=int, default=0, help="number of threads; 0: all")
    options = parser.parse_args()
    samples = [
        (picture, picture.outline.astype(np.float32)) for picture in read_pictures(options.work)
    ]
    for name in options.only or NAMES:
        fit(
            [sample for sample in samples if learns_from(name, sample[0])],
            PLAN,
            network_file(name),
            options.work / f"masses-{name}.pt",
            unseen=[sample for sample in samples if not learns_from(name, sample[0])],
            threads=options.threads,
        )
        write_held_out()
    write_trained_on(picture for picture, _ in samples)


if __name__ == "__main__":
    main()
