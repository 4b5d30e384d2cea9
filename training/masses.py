"""Train the mass networks.

Run
    python -m training.masses WORK
Needs
    WORK with the pictures of `training.pictures`.
Takes
    About 50 minutes on one core for each of two networks; `--only` trains one of them. A run that
    was stopped continues from its last epoch.
Writes
    usmicro/anatomy/masses.onnx, WORK/masses-unseen.onnx, WORK/unseen.json, and the checkpoints
    WORK/masses-all.pt and WORK/masses-unseen.pt.

The network "all" learns from all scans and is shipped. The network "unseen" learns neither from a
fifth of BUS-BRA and of the simulated scans nor from BrEaST. It shows the accuracy on new scans of
the same hospital and of another one; WORK/unseen.json lists the scans on which it was not trained.
Seeds are fixed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from training.augmentation import CropSettings
from training.fitting import Plan, fit
from training.held_out import HELD_OUT_NETWORK, is_held_out, write_held_out
from training.outlines import PHANTOM
from training.pictures import Picture, read_pictures
from training.pretrained import PretrainedUNet
from usmicro.anatomy.masses import NETWORK, SIZE
from usmicro.evaluation.datasets import BREAST_LESIONS_USG, BUS_BRA

PLAN = Plan(
    sizes=((128, 128), SIZE),
    epochs=(15, 7),
    batch=16,
    rate=2e-3,
    crop=CropSettings(without_mass=0.15, zoom=(-0.5, 0.4), stretch=0.25),
    network=PretrainedUNet,
    weight_decay=0.05,
)

COPIES = {BUS_BRA: 1, BREAST_LESIONS_USG: 4, PHANTOM: 1}
"""Number of copies of a scan in an epoch, by source.

Without copies the small set would have little influence. Chosen by judgement; no measurement is
recorded.
"""

LEARNS_FROM: dict[str, Callable[[Picture], bool]] = {
    "all": lambda picture: True,
    "unseen": lambda picture: not is_held_out(picture),
}
"""A test for each network that is True if it learns from a picture."""


def main() -> None:
    """Train the networks and write them; the one that learns from all scans is shipped."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "work",
        type=Path,
        help="folder that training.pictures filled; networks and checkpoints go there too",
    )
    parser.add_argument(
        "--only", choices=LEARNS_FROM, action="append", help="network to train; by default both"
    )
    parser.add_argument("--threads", type=int, default=0, help="number of threads; 0: all")
    options = parser.parse_args()
    pictures = read_pictures(options.work)
    write_held_out(options.work, pictures)
    all_samples = [(picture, picture.outline.astype(np.float32)) for picture in pictures]
    for name in options.only or LEARNS_FROM:
        learns_from = LEARNS_FROM[name]
        samples = [
            sample
            for sample in all_samples
            if learns_from(sample[0])
            for _ in range(COPIES[sample[0].source])
        ]
        fit(
            samples,
            PLAN,
            NETWORK if name == "all" else options.work / HELD_OUT_NETWORK,
            options.work / f"masses-{name}.pt",
            unseen=[sample for sample in all_samples if not learns_from(sample[0])],
            threads=options.threads,
        )


if __name__ == "__main__":
    main()
