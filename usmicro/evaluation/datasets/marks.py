"""The images on which two readers marked echogenic foci and lesions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from usmicro.errors import UsageError
from usmicro.evaluation.datasets.images import (
    BREAST_LESIONS_USG,
    BUS_BRA,
    BUS_UCLM,
    BUSI,
    LabelledImage,
    read_breast_lesions_usg,
    read_bus_bra,
    read_bus_uclm,
    read_busi,
)
from usmicro.evaluation.datasets.masks import Rectangle, rectangle_area
from usmicro.evaluation.targets import Target
from usmicro.model.findings import PosteriorFeature
from usmicro.model.scan import Spacing

ECHOGENIC_FOCI_MARKS = "echogenic-foci-marks"
"""Folder of the marks of echogenic foci, on images of BrEaST-Lesions-USG and BUSI."""

VISUAL_READINGS = "visual-readings"
"""Folder of the readings of foci and lesions, on images of Multi-REZ and of other data sets."""

_SOURCES = {"uclm": BUS_UCLM}
"""Data set for each value of `set` in `readings.json` that is not the name of its folder."""


def read_echogenic_foci_marks(data: Path) -> list[LabelledImage]:
    """List the images on which two readers marked echogenic foci, in the order of `marks.json`.

    Pixel size and masks are those of BrEaST-Lesions-USG if `data` contains that data set too. A
    normal image of BUSI has no mass.

    Parameters
    ----------
    data : Path
        Folder that contains `echogenic-foci-marks`, with `marks.json` and `images`.

    Raises
    ------
    UsageError
        If the file of the marks is missing.
    """
    entries = _read_entries(data / ECHOGENIC_FOCI_MARKS / "marks.json")
    table = data / BREAST_LESIONS_USG / "cases.csv"
    breast_images = (
        {image.name: image for image in read_breast_lesions_usg(data)} if table.is_file() else {}
    )
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
                source=BUSI if path.name.startswith("busi_") else BREAST_LESIONS_USG,
                spacing=spacing,
                mass_masks=mass_masks,
                foci=_targets(entry["both"]),
                uncertain_foci=_targets(entry["one"]),
            )
        )
    return images


def read_visual_readings(data: Path) -> list[LabelledImage]:
    """List the images that two readers read, in the order of `readings.json`.

    The pixel size is unknown. Some images lie in the folders of other data sets, which `source`
    names; those of a data set that `data` lacks are left out. Their patients and the outlines of
    their masses come from that data set.

    Parameters
    ----------
    data : Path
        Folder that contains `visual-readings`, with `readings.json` and `images`.

    Raises
    ------
    UsageError
        If the file of the readings is missing.
    """
    entries = _read_entries(data / VISUAL_READINGS / "readings.json")
    outlined = _outlined_images(data)
    return [
        _read_image(
            name,
            data / entry["path"],
            entry,
            source=_SOURCES.get(entry["set"], entry["set"]),
            outlined=outlined.get(data / entry["path"]),
        )
        for name, entry in entries.items()
        if (data / entry["path"]).is_file()
    ]


def read_readings(file: Path, data: Path) -> list[LabelledImage]:
    """List the images of a further file of readings, such as `training/readings.json`.

    Its entries are those of `visual-readings` by the path of the image below `data`. The first
    folder of the path is the source of the image. Images that `data` lacks are left out.

    Parameters
    ----------
    file : Path
        JSON file.
    data : Path
        Folder with the data sets.

    Raises
    ------
    UsageError
        If the file is missing.
    """
    outlined = _outlined_images(data)
    return [
        _read_image(
            path,
            data / path,
            entry,
            source=Path(path).parts[0],
            outlined=outlined.get(data / path),
        )
        for path, entry in _read_entries(file)["images"].items()
        if (data / path).is_file()
    ]


def _outlined_images(data: Path) -> dict[Path, LabelledImage]:
    """Return the images of the data sets of `data` that have outlines or patients, by path."""
    readers = {
        BREAST_LESIONS_USG: ("cases.csv", read_breast_lesions_usg),
        BUS_BRA: ("bus_data.csv", read_bus_bra),
        BUSI: ("cases.csv", read_busi),
        BUS_UCLM: ("cases.csv", read_bus_uclm),
    }
    return {
        image.path: image
        for folder, (table, read) in readers.items()
        if (data / folder / table).is_file()
        for image in read(data)
    }


def _read_image(
    name: str,
    path: Path,
    entry: Mapping[str, Any],
    *,
    source: str,
    outlined: LabelledImage | None,
) -> LabelledImage:
    """Return an image with what its two readers saw, and with the labels of its own data set."""
    return LabelledImage(
        dataset=VISUAL_READINGS,
        name=name,
        path=path,
        source=source,
        patient=entry.get("patient") or (outlined.patient if outlined else None),
        fold=outlined.fold if outlined else None,
        mass_masks=outlined.mass_masks if outlined else None,
        calcified=_both_or_neither(entry["calcified"]),
        posterior=_posterior_of_largest(entry["lesions"]),
        lesion_posteriors=tuple(map(_agreed_posterior, entry["lesions"])),
        foci=_targets(entry["both"]),
        uncertain_foci=_targets(entry["one"]),
        lesion_boxes=tuple(map(_rectangle, entry["lesions"])),
        uncertain_lesion_boxes=tuple(map(_rectangle, entry["lesions_one"])),
    )


def _both_or_neither(answers: Sequence[str]) -> bool | None:
    """Return True if no reader answered "no", False if all did, else None.

    The other answers are places: "in a mass", "outside a mass", or both joined by `+`.
    """
    saw = {answer != "no" for answer in answers}
    return saw.pop() if len(saw) == 1 else None


def _posterior_of_largest(lesions: Sequence[Mapping[str, Any]]) -> PosteriorFeature | None:
    """Return the posterior feature of the largest lesion if both readers agree on it."""
    if not lesions:
        return None
    return _agreed_posterior(max(lesions, key=lambda lesion: rectangle_area(_rectangle(lesion))))


def _agreed_posterior(lesion: Mapping[str, Any]) -> PosteriorFeature | None:
    """Return the posterior feature of a lesion if its readers named one and agree on it."""
    answers: Sequence[PosteriorFeature] = lesion.get("posterior", ())
    return answers[0] if len(set(answers)) == 1 else None


def _rectangle(lesion: Mapping[str, float]) -> Rectangle:
    """Return the box of a lesion, whose edges `x0`, `y0`, `x1`, `y1` are in pixels."""
    return round(lesion["x0"]), round(lesion["y0"]), round(lesion["x1"]), round(lesion["y1"])


def _targets(marks: Iterable[Mapping[str, float]]) -> tuple[Target, ...]:
    """Return the marks of a reader, whose centre `x`, `y` and diameter `d` are in pixels."""
    return tuple(Target(x=(mark["x"],), y=(mark["y"],), diameter=mark["d"]) for mark in marks)


def _read_entries(path: Path) -> dict[str, Any]:
    """Read the file of the marks: one entry per image, by its name."""
    try:
        entries: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            f"{path}: no such file; expected the marks of the data set as it is distributed"
        ) from error
    return entries
