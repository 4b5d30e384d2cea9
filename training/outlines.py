"""Public breast-ultrasound scans with the outlines that radiologists drew."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from usmicro.anatomy.user_masks_on_grid import on_grid
from usmicro.model.arrays import BoolImage, Frame
from usmicro.model.scan import Spacing
from usmicro.model.view import View
from usmicro.phantom import random_settings, simulate
from usmicro.phantom.sets import SetKind
from usmicro.preparation import prepare

FOLDS = range(1, 6)


@dataclass(frozen=True)
class Outlined:
    """One scan, its largest tissue region as a view, and the union of its lesion outlines on the grid."""

    image: str
    source: str
    fold: int
    """1 to 5; all scans of a patient are in one fold."""
    view: View
    outline: BoolImage
    ducts: BoolImage | None = None
    """Lumen and wall of the ducts, where they are known."""
    nonmass: BoolImage | None = None
    """Nonmass areas, where they are known."""


def read_bus_bra(data: Path, folds: Iterable[int] = FOLDS) -> Iterator[Outlined]:
    """Yield scans of BUS-BRA (Gomez-Flores et al. 2024), whose spacing is unknown; the folds are those it is published with."""
    folder = data / "bus-bra"
    with open(folder / "5-fold-cv.csv", encoding="utf-8") as file:
        fold_of = {row["ID"]: int(row["kFold"]) for row in csv.DictReader(file)}
    for name, fold in sorted(fold_of.items()):
        if fold in folds:
            masks = [folder / "masks" / f"{name.replace('bus', 'mask')}.png"]
            yield _outlined(folder / "images" / f"{name}.jpg", masks, Spacing(), "bus-bra", fold)


def read_breast_lesions(data: Path) -> Iterator[Outlined]:
    """Yield scans of BrEaST-Lesions-USG (Pawlowska et al. 2024); it has one scan a patient."""
    folder = data / "breast-lesions-usg"
    with open(folder / "cases.csv", encoding="utf-8") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (folder / "images" / row["Image_filename"]).is_file()
        ]
    for number, row in enumerate(rows):
        path = folder / "images" / row["Image_filename"]
        pixel_mm = 10 * float(row["Pixel_size"])
        masks = sorted((folder / "masks").glob(f"{path.stem}_tumor*.png"))
        yield _outlined(
            path,
            masks,
            Spacing(pixel_mm, pixel_mm, "given"),
            "breast-lesions-usg",
            number % len(FOLDS) + 1,
        )


def phantoms(seeds: Iterable[int], kind: SetKind = "mixed", **changes: int) -> Iterator[Outlined]:
    """Yield simulated scans: several masses or none, ducts and nonmass areas beside them, none of which the data sets have much of.

    `kind` is that of `usmicro.phantom.random_settings`, `changes` are phantom settings that all of them share.
    """
    for seed in seeds:
        phantom = simulate(seed, replace(random_settings(seed, kind), **changes))
        scan = phantom.scan()
        for view in prepare(next(scan.frames()), spacing=scan.spacing, regions=scan.regions):
            outline = on_grid(phantom.truth.mass_labels, view) > 0
            ducts = on_grid(phantom.truth.duct_labels, view) > 0
            nonmass = on_grid(phantom.truth.nonmass.astype(np.int32), view) > 0
            yield Outlined(
                f"phantom-{seed}-{view.number}",
                "phantom",
                seed % len(FOLDS) + 1,
                view,
                outline,
                ducts,
                nonmass,
            )


def _outlined(path: Path, masks: list[Path], spacing: Spacing, source: str, fold: int) -> Outlined:
    frame = _read(path)
    outline = np.zeros(frame.shape[:2], bool)
    for mask in masks:
        outline |= np.atleast_3d(_read(mask)).max(axis=2) > 0
    views = prepare(frame, spacing=spacing)
    view = max(views, key=lambda view: int(view.tissue.sum()))
    return Outlined(path.stem, source, fold, view, on_grid(outline.astype(np.int32), view) > 0)


def _read(path: Path) -> Frame:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise FileNotFoundError(f"{path}: expected an image of the data set as it is distributed")
    return np.ascontiguousarray(image if image.ndim == 2 else image[..., 2::-1])
