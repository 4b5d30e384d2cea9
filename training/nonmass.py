"""Train the model of nonmass areas: `python -m training.nonmass WORK`, with WORK as `python -m training.pictures DATA WORK` fills it.

No public data set outlines nonmass findings. The network learns from simulated ones, and that real scans, which rarely have any, show none.
It learns from four folds of five; how sure an area is, is fitted to what it finds on the fifth. Some 15 minutes on one core; a run that is
stopped goes on from its last epoch. The seeds are fixed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from training.augmentation import Geometry
from training.fitting import Plan, Sample, fit
from training.logistic import fit_logistic
from training.pictures import NONMASS_PARTS, PARTS, Picture, read_pictures, view_of
from training.unet import UNet
from usmicro.anatomy.masses import REGION_MODELS
from usmicro.anatomy.nonmass import FEATURES, NETWORK, NONMASS_PIXEL_MM, areas, predict_nonmass
from usmicro.numerics.logistic import write_models

PLAN = Plan(
    sizes=((96, 96),),
    epochs=(40,),
    batch=16,
    rate=4e-3,
    geometry=Geometry(
        pixel_mm=NONMASS_PIXEL_MM, zoom=(-0.2, 0.3), stretch=0.1, tilt=0.1, elsewhere=0.0
    ),
    network=UNet,
)
FOLD = 1
"""Left out by the network."""
BUS_BRA_EVERY = 4
"""One in so many scans of BUS-BRA is enough."""
COPIES = {"bus-bra": 1, "breast-lesions-usg": 1, "phantom": 3}
"""How often a scan is seen in an epoch: few scans show an area."""
MATCH = 0.4
"""A region is a nonmass area if more than this of it lies in one."""
REAL_WEIGHT = 2.0
"""Of a region on a real scan, where it is false, against one on a simulated scan."""


def sample(picture: Picture) -> Sample:
    """The picture with its nonmass areas."""
    nothing = np.zeros(picture.grey.shape, np.float32)
    return picture, nothing if picture.nonmass is None else picture.nonmass.astype(np.float32)


def fit_areas(pictures: list[Picture]) -> None:
    """Fit and write how sure an area is, and print what is found."""
    features: list[dict[str, float]] = []
    right: list[bool] = []
    weight: list[float] = []
    for picture in pictures:
        view = view_of(picture)
        prediction = predict_nonmass(view)
        _, known = sample(picture)
        small = cv2.resize(known, prediction.rank.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
        for area in areas(view, prediction):
            features.append(area.features)
            right.append(bool(small[area.box][area.inside].mean() > MATCH))
            weight.append(1.0 if picture.source == "phantom" else REAL_WEIGHT)
    model = fit_logistic(
        {name: [row[name] for row in features] for name in FEATURES}, right, weight
    )
    write_models({"nonmass": model}, REGION_MODELS)
    for threshold in (0.3, 0.5, 0.7):
        for source in ("phantom", "bus-bra", "breast-lesions-usg"):
            mine = [picture for picture in pictures if picture.source == source]
            true_areas = hit = false = 0
            for picture in mine:
                view = view_of(picture)
                prediction = predict_nonmass(view)
                truth = (
                    cv2.resize(
                        sample(picture)[1],
                        prediction.rank.shape[::-1],
                        interpolation=cv2.INTER_AREA,
                    )
                    > 0.5
                )
                count, numbered = cv2.connectedComponents(truth.astype(np.uint8))
                found = np.zeros(truth.shape, np.bool_)
                for area in areas(view, prediction):
                    if model.probability(area.features) >= threshold:
                        found[area.box] |= area.inside
                        false += bool(truth[area.box][area.inside].mean() <= MATCH)
                true_areas += count - 1
                hit += sum(
                    bool((found & (numbered == i)).sum() > 0.3 * (numbered == i).sum())
                    for i in range(1, count)
                )
            print(
                f"{source}, confidence {threshold}: {hit} of {true_areas} areas found, {false / max(len(mine), 1):.3f} others a scan",
                flush=True,
            )


def main() -> None:
    """Train the network, write it and its model of confidence into the package."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "work", type=Path, help="folder that training.pictures filled; checkpoints go there too"
    )
    parser.add_argument(
        "--threads", type=int, default=0, help="threads that the run may use; 0: all"
    )
    options = parser.parse_args()
    real = read_pictures(options.work, [name for name in PARTS if not name.startswith("phantom")])
    real = [
        picture
        for i, picture in enumerate(real)
        if picture.source != "bus-bra" or i % BUS_BRA_EVERY == 0
    ]
    pictures = real + read_pictures(options.work, NONMASS_PARTS)
    samples = [
        sample(picture)
        for picture in pictures
        if picture.fold != FOLD
        for _ in range(COPIES[picture.source])
    ]
    unseen = [sample(picture) for picture in pictures if picture.fold == FOLD]
    fit(samples, PLAN, NETWORK, options.work / "nonmass.pt", unseen=unseen, threads=options.threads)
    fit_areas([picture for picture, _ in unseen])


if __name__ == "__main__":
    main()
