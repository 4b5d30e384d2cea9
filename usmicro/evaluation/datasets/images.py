"""The images of the public data sets with their reference labels."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from usmicro.errors import UsageError
from usmicro.evaluation.targets import Target
from usmicro.model.findings import PosteriorFeature
from usmicro.model.scan import Spacing

BREAST_LESIONS_USG = "breast-lesions-usg"
"""Folder of BrEaST-Lesions-USG."""

BUS_BRA = "bus-bra"
"""Folder of BUS-BRA."""

ECHOGENIC_FOCI_MARKS = "echogenic-foci-marks"
"""Folder of the marks of echogenic foci, on images of BrEaST-Lesions-USG and BUSI."""

FOLDS = range(1, 6)
"""Numbers of the cross-validation folds. BUS-BRA is published with five folds."""

_CALCIFICATION = {"no": "none", "in a mass": "in a mass", "intraductal": "intraductal"}
"""Descriptor of usmicro for each value of the column `Calcifications` of BrEaST-Lesions-USG."""

_POSTERIOR_FEATURES: Mapping[str, PosteriorFeature] = {
    "no": "none",
    "shadowing": "shadowing",
    "enhancement": "enhancement",
    "combined": "combined",
}
"""Term of usmicro for each value of the column `Posterior_features` of BrEaST-Lesions-USG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImage:
    """One image of a data set with its reference labels. A label is None where none was given."""

    dataset: str
    """Name of the folder of the data set."""
    name: str
    """Name of the image within the data set."""
    path: Path
    spacing: Spacing = field(default_factory=Spacing)
    """Pixel size; unknown where the data set does not give it."""
    fold: int | None = None
    """Cross-validation fold, 1 to 5. All images of a patient are in the same fold."""
    mass_masks: tuple[Path, ...] | None = None
    """One mask file per mass; empty if the image shows no mass."""
    other_masks: tuple[Path, ...] = ()
    """Mask files of findings that are not masses."""
    calcification: str | None = None
    """Place of calcifications: "none", "in a mass" or "intraductal"."""
    posterior: PosteriorFeature | None = None
    """Posterior feature of the lesion."""
    foci: tuple[Target, ...] | None = None
    """Foci that both readers marked."""
    uncertain_foci: tuple[Target, ...] = ()
    """All other marks. A detection there counts neither as a hit nor as false."""


def read_breast_lesions_usg(data: Path) -> list[LabelledImage]:
    """List the images of BrEaST-Lesions-USG, in the order of its table.

    The table has the values "not applicable" (no lesion) and "indefinable"; both are read as None.
    The data set has one image per patient and no folds. Here the folds are dealt out in the order
    of the table.

    Parameters
    ----------
    data : Path
        Folder that contains `breast-lesions-usg`, with `cases.csv`, `images` and `masks`.

    Raises
    ------
    UsageError
        If the table of the images is missing.

    References
    ----------
    Pawlowska et al., Scientific Data 11 (2024) 148.
    """
    folder = data / BREAST_LESIONS_USG
    images: list[LabelledImage] = []
    for row in _read_table(folder / "cases.csv"):
        path = folder / "images" / row["Image_filename"]
        if not path.is_file():
            continue
        pixel_mm = 10 * float(row["Pixel_size"])  # the table has cm
        images.append(
            LabelledImage(
                dataset=BREAST_LESIONS_USG,
                name=path.name,
                path=path,
                spacing=Spacing(pixel_mm, pixel_mm, "given"),
                fold=FOLDS[len(images) % len(FOLDS)],
                mass_masks=tuple(sorted((folder / "masks").glob(f"{path.stem}_tumor*.png"))),
                other_masks=tuple(sorted((folder / "masks").glob(f"{path.stem}_other*.png"))),
                calcification=_CALCIFICATION.get(row["Calcifications"]),
                posterior=_POSTERIOR_FEATURES.get(row["Posterior_features"]),
            )
        )
    return images


def read_bus_bra(data: Path) -> list[LabelledImage]:
    """List the images of BUS-BRA that have a mask, in the order of their names.

    The pixel size is unknown. The folds are the published ones; they are None if the file
    `5-fold-cv.csv` is missing.

    Parameters
    ----------
    data : Path
        Folder that contains `bus-bra`, with `images`, `masks` and `5-fold-cv.csv`.

    References
    ----------
    Gomez-Flores et al., Medical Physics 51 (2024) 3110.
    """
    folder = data / BUS_BRA
    table = folder / "5-fold-cv.csv"
    folds = {row["ID"]: int(row["kFold"]) for row in _read_table(table)} if table.is_file() else {}
    images = []
    for path in sorted((folder / "images").iterdir()):
        mask = folder / "masks" / f"mask_{path.stem.removeprefix('bus_')}.png"
        if mask.is_file():
            images.append(
                LabelledImage(
                    dataset=BUS_BRA,
                    name=path.name,
                    path=path,
                    fold=folds.get(path.stem),
                    mass_masks=(mask,),
                )
            )
    return images


def read_echogenic_foci_marks(data: Path) -> list[LabelledImage]:
    """List the images on which two readers marked echogenic foci, in the order of `marks.json`.

    Pixel size and masks are those of BrEaST-Lesions-USG if `data` contains that data set too. A
    normal image of BUSI has no mass.

    Parameters
    ----------
    data : Path
        Folder that contains `echogenic-foci-marks`, with `marks.json` and `images`.
    """
    table = data / BREAST_LESIONS_USG / "cases.csv"
    breast_images = (
        {image.name: image for image in read_breast_lesions_usg(data)} if table.is_file() else {}
    )
    entries = json.loads((data / ECHOGENIC_FOCI_MARKS / "marks.json").read_text(encoding="utf-8"))
    images = []
    for name, entry in entries.items():
        path = data / entry["path"]
        if not path.is_file():
            continue
        if breast_image := breast_images.get(path.name):
            spacing, mass_masks = breast_image.spacing, breast_image.mass_masks
        else:
            spacing = Spacing()
            mass_masks = () if path.name.startswith("busi_normal_") else None
        images.append(
            LabelledImage(
                dataset=ECHOGENIC_FOCI_MARKS,
                name=name,
                path=path,
                spacing=spacing,
                mass_masks=mass_masks,
                foci=_targets(entry["both"]),
                uncertain_foci=_targets(entry["one"]),
            )
        )
    return images


def _targets(marks: Iterable[Mapping[str, float]]) -> tuple[Target, ...]:
    """Return the marks of a reader, whose centre `x`, `y` and diameter `d` are in pixels."""
    return tuple(Target(x=(mark["x"],), y=(mark["y"],), diameter=mark["d"]) for mark in marks)


def _read_table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise UsageError(
            f"{path}: no such file; expected the table of the data set as it is distributed"
        ) from error
