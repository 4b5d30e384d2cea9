"""The images of the public data sets with their reference labels."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from usmicro.errors import UsageError
from usmicro.evaluation.datasets.masks import Rectangle
from usmicro.evaluation.datasets.twins import twin_groups
from usmicro.evaluation.targets import Target
from usmicro.model.findings import PosteriorFeature
from usmicro.model.scan import Spacing

BREAST_LESIONS_USG = "breast-lesions-usg"
"""Folder of BrEaST-Lesions-USG."""

BUS_BRA = "bus-bra"
"""Folder of BUS-BRA."""

BUSI = "busi"
"""Folder of BUSI."""

BUS_UCLM = "bus-uclm"
"""Folder of BUS-UCLM."""

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
    source: str | None = None
    """Data set from which the image comes; None if that is `dataset` itself."""
    patient: str | None = None
    """Identifier of the patient within the data set from which the image comes."""
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
    calcified: bool | None = None
    """True if both readers saw calcifications, False if neither did; None if they disagree."""
    posterior: PosteriorFeature | None = None
    """Posterior feature of the lesion; of the largest one if there are several."""
    doppler: bool = False
    """True if the image is known to show colour Doppler."""
    foci: tuple[Target, ...] | None = None
    """Foci that both readers marked."""
    uncertain_foci: tuple[Target, ...] = ()
    """All other marks. A detection there counts neither as a hit nor as false."""
    lesion_boxes: tuple[Rectangle, ...] | None = None
    """Boxes around the lesions that both readers saw."""
    lesion_posteriors: tuple[PosteriorFeature | None, ...] = ()
    """Posterior feature of each of these lesions; None if the readers disagree on it."""
    uncertain_lesion_boxes: tuple[Rectangle, ...] = ()
    """Boxes of only one reader. A mass there counts neither as a hit nor as false."""


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


def read_busi(data: Path) -> list[LabelledImage]:
    """List the images of BUSI, in the order of its table.

    The pixel size and the patients are unknown. The set holds several images of one lesion, so that
    the folds are dealt out to groups of near twins (`twin_groups`).

    Parameters
    ----------
    data : Path
        Folder that contains `busi`, with `cases.csv`, `images` and `masks`.

    Raises
    ------
    UsageError
        If the table of the images is missing, or an image cannot be read.

    References
    ----------
    Al-Dhabyani et al., Data in Brief 28 (2020) 104863.
    """
    folder = data / BUSI
    paths = [folder / "images" / row["image"] for row in _read_table(folder / "cases.csv")]
    paths = [path for path in paths if path.is_file()]
    folds = _deal_folds(twin_groups(paths))
    return [
        LabelledImage(
            dataset=BUSI,
            name=path.name,
            path=path,
            fold=fold,
            mass_masks=tuple(sorted((folder / "masks").glob(f"{path.stem}_mask*.png"))),
        )
        for path, fold in zip(paths, folds, strict=True)
    ]


def read_bus_uclm(data: Path) -> list[LabelledImage]:
    """List the images of BUS-UCLM, in the order of its table.

    The pixel size is unknown. An image whose mask has another size than the image has no
    `mass_masks`, because the masses are then unknown.

    Parameters
    ----------
    data : Path
        Folder that contains `bus-uclm`, with `cases.csv`, `images` and `masks`.

    Raises
    ------
    UsageError
        If the table of the images is missing.

    References
    ----------
    Vallez et al., Scientific Data 12 (2025) 242.
    """
    folder = data / BUS_UCLM
    rows = [
        row
        for row in _read_table(folder / "cases.csv")
        if (folder / "images" / row["image"]).is_file()
    ]
    images = []
    for row, fold in zip(rows, _deal_folds([row["patient"] for row in rows]), strict=True):
        path = folder / "images" / row["image"]
        masks = tuple(sorted((folder / "masks").glob(f"{path.stem}_mask*.png")))
        images.append(
            LabelledImage(
                dataset=BUS_UCLM,
                name=path.name,
                path=path,
                patient=row["patient"],
                fold=fold,
                mass_masks=masks if row["mask_fits"] == "yes" else None,
                doppler=row["doppler"] == "yes",
            )
        )
    return images


def _deal_folds(groups: Sequence[Hashable]) -> list[int]:
    """Return a fold for each image, the same for all images of a group.

    The largest groups are dealt out first, each to the fold with the fewest images so far.
    """
    sizes = Counter(groups)
    images_in = dict.fromkeys(FOLDS, 0)
    fold_of: dict[Hashable, int] = {}
    # most_common keeps the order of first appearance among groups of equal size
    for group, size in sizes.most_common():
        fold_of[group] = min(FOLDS, key=lambda fold: images_in[fold])
        images_in[fold_of[group]] += size
    return [fold_of[group] for group in groups]


def _read_table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise UsageError(
            f"{path}: no such file; expected the table of the data set as it is distributed"
        ) from error
