"""Fit the distribution of the texture of breast scans, and count how often other scans deviate.

Run
    python -m training.texture DATA
Needs
    A folder DATA with `breast-lesions-usg` and its cases.csv, `bus-bra` and its bus_data.csv,
    `busi` and `bus-uclm`, each with `images`.
Takes
    About 3 minutes on two cores.
Writes
    `usmicro/preparation/texture.json`. It prints how many scans of each data set and of each device
    of BUS-BRA are beyond the limit of a model of the others, and the same for random halves of the
    patients.

The model is the mean and covariance of the measures of `usmicro.preparation.texture`. The limit is
`MARGIN` times the largest distance of a scan of the training data.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.errors import ImageError
from usmicro.evaluation.datasets import (
    BREAST_LESIONS_USG,
    BUS_BRA,
    BUS_UCLM,
    BUSI,
    read_breast_lesions_usg,
)
from usmicro.loading import load
from usmicro.model.scan import Spacing
from usmicro.preparation import prepare
from usmicro.preparation.texture import TextureModel, texture_measures, write_texture_model

DATA_SETS = (BREAST_LESIONS_USG, BUS_BRA, BUSI, BUS_UCLM)
"""Folders of the data sets in DATA."""

MARGIN = 1.1
"""Limit over the largest distance of the training data. With it a model of one half of the
patients warns about 0 or 1 of about 1,400 views of the other half; see docs/accuracy.md."""

SHRINKAGE = 0.01
"""Variance that is added to every standardised measure. It keeps nearly collinear measures from
dominating. Of the values tried, 0.0001 to 0.2, it gives the fewest warnings on scans of other
devices while 9 of 10 pictures that are no ultrasound are still warned about."""

HALVES = 5
"""Number of random halves of the patients."""


@dataclass(frozen=True, slots=True)
class TexturedScan:
    """Measures of a view of one image."""

    dataset: str
    patient: str
    """All images of a patient are in the same half; the image itself where patients are unknown."""
    device: str
    """Device of BUS-BRA; the data set elsewhere."""
    name: str
    measures: dict[str, float]


def measured(image: tuple[str, str, str, Path, Spacing]) -> list[TexturedScan]:
    """Return the measures of the views of an image: data set, patient, device, path, spacing."""
    dataset, patient, device, path, spacing = image
    frame = next(load(path, spacing=spacing if spacing.known else None).frames())
    try:
        views = prepare(frame, spacing=spacing)
    except ImageError:
        return []
    return [
        TexturedScan(dataset, patient, device, path.name, measures)
        for measures in map(texture_measures, views)
        if measures is not None
    ]


def images_of(data: Path) -> list[tuple[str, str, str, Path, Spacing]]:
    """List the images of all data sets with their data set, patient, device, path and spacing."""
    spacings = {image.name: image.spacing for image in read_breast_lesions_usg(data)}
    with (data / BUS_BRA / "bus_data.csv").open(newline="", encoding="utf-8") as file:
        devices = {row["ID"]: row["Device"].split("@")[0].strip() for row in csv.DictReader(file)}
    images = []
    for dataset in DATA_SETS:
        for path in sorted((data / dataset / "images").iterdir()):
            spacing = spacings.get(path.name, Spacing()) if dataset == BREAST_LESIONS_USG else None
            patient = path.stem
            if dataset == BUS_BRA:
                patient = path.stem.split("-")[0]
            elif dataset == "bus-uclm":
                patient = path.stem.split("_")[0]
            device = devices.get(path.stem, dataset)
            images.append((dataset, patient, device, path, spacing or Spacing()))
    return images


def fitted(measures: NDArray[np.float64], names: Sequence[str]) -> TextureModel:
    """Fit a model to measures, shape (scans, names)."""
    mean, scale = measures.mean(axis=0), measures.std(axis=0)
    covariance = np.cov(((measures - mean) / scale).T) + SHRINKAGE * np.eye(len(names))
    # the inverse of the Cholesky factor whitens
    whitening = np.linalg.inv(np.linalg.cholesky(covariance)) / scale
    model = TextureModel(dict(zip(names, mean.tolist(), strict=True)), whitening, np.inf)
    return TextureModel(model.mean, whitening, MARGIN * float(distances(model, measures).max()))


def distances(model: TextureModel, measures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of each scan, shape (scans,)."""
    centred = measures - np.array(list(model.mean.values()))
    return np.asarray(np.linalg.norm(centred @ model.whitening.T, axis=1))


def main() -> None:
    """Fit the model, write it and print how often it warns about others."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    one_thread = partial(cv2.setNumThreads, 1)
    with ProcessPoolExecutor(arguments.processes, initializer=one_thread) as pool:
        scans = [
            scan
            for views in pool.map(measured, images_of(arguments.data), chunksize=16)
            for scan in views
        ]
    names = list(scans[0].measures)
    table = np.array([[scan.measures[name] for name in names] for scan in scans])
    model = fitted(table, names)
    write_texture_model(model)
    farthest = distances(model, table)
    print(f"{len(scans)} views, limit {model.limit:.2f}; the farthest:")
    for index in np.argsort(-farthest)[:10]:
        print(f"  {farthest[index]:5.2f} {scans[index].dataset}/{scans[index].name}")
    for of in ("dataset", "device"):
        groups = np.array([getattr(scan, of) for scan in scans])
        for group in np.unique(groups):
            own = groups == group
            others = fitted(table[~own], names)
            beyond = np.count_nonzero(distances(others, table[own]) > others.limit)
            print(f"without {of} {group}: {beyond} of {own.sum()} of its views beyond the limit")
    random = np.random.default_rng(arguments.seed)
    patients = np.array([f"{scan.dataset}/{scan.patient}" for scan in scans])
    unique = np.unique(patients)
    for _ in range(HALVES):
        half = np.isin(patients, random.choice(unique, len(unique) // 2, replace=False))
        one = fitted(table[half], names)
        beyond = np.count_nonzero(distances(one, table[~half]) > one.limit)
        print(f"other half of the patients: {beyond} of {np.count_nonzero(~half)} views beyond")


if __name__ == "__main__":
    main()
