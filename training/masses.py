"""Train the mass model: `python -m training.masses WORK`, with WORK as `python -m training.pictures DATA WORK` fills it.

One network is fitted to all scans and shipped. The other has seen neither a fifth of BUS-BRA and of the simulated scans nor any of BrEaST,
to see what such a network does on scans it has not seen, of the same hospital and of another; WORK/unseen.json names them.
Each takes some 50 minutes on one core; `--only` trains one of them. A run that is stopped goes on from its last epoch. Seeds are fixed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from training.augmentation import Geometry
from training.fitting import Plan, fit
from training.held_out import HELD_OUT_NETWORK, is_held_out, write_held_out
from training.pictures import Picture, read_pictures
from training.pretrained import PretrainedUNet
from usmicro.anatomy.masses import NETWORK, SIZE

PLAN = Plan(
    sizes=((128, 128), SIZE),
    epochs=(15, 7),
    batch=16,
    rate=2e-3,
    geometry=Geometry(elsewhere=0.15, zoom=(-0.5, 0.4), stretch=0.25),
    network=PretrainedUNet,
    weight_decay=0.05,
)
COPIES = {"bus-bra": 1, "breast-lesions-usg": 4, "phantom": 1}
"""How often a scan is seen in an epoch: the smaller sets would drown."""


NETWORKS: dict[str, Callable[[Picture], bool]] = {
    "all": lambda picture: True,
    "unseen": lambda picture: not is_held_out(picture),
}
"""By name, which scans a network learns from."""


def main() -> None:
    """Train the networks; the one fitted to all scans goes into the package."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "work",
        type=Path,
        help="folder that training.pictures filled; networks and checkpoints go there too",
    )
    parser.add_argument(
        "--only", choices=NETWORKS, action="append", help="which network to train; all if not given"
    )
    parser.add_argument("--threads", type=int, default=0, help="threads that a run may use; 0: all")
    options = parser.parse_args()
    pictures = read_pictures(options.work)
    write_held_out(options.work, pictures)
    for name in options.only or NETWORKS:
        known = [(picture, picture.outline.astype(np.float32)) for picture in pictures]
        samples = [
            sample
            for sample in known
            if NETWORKS[name](sample[0])
            for _ in range(COPIES[sample[0].source])
        ]
        unseen = [sample for sample in known if not NETWORKS[name](sample[0])]
        file = NETWORK if name == "all" else options.work / HELD_OUT_NETWORK
        fit(
            samples,
            PLAN,
            file,
            options.work / f"masses-{name}.pt",
            unseen=unseen,
            threads=options.threads,
        )


if __name__ == "__main__":
    main()
