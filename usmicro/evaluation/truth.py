"""What a user knows of images: marks of foci and labels of images in CSV tables, masks, or the truth of sample scans."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from usmicro.errors import ScanError, UsageError
from usmicro.evaluation.measures import DESCRIPTORS, PRESENT
from usmicro.evaluation.targets import Target
from usmicro.model.scan import UserMasks

FOCI_COLUMNS = ("x_px", "y_px", "diameter_px", "label", "shadow", "twinkling", "ignore")
IMAGE_COLUMNS = ("calcification", "patient")
SAMPLES = "truth.json"
_YES, _NO = ("yes", "true", "1", "y", "present"), ("no", "false", "0", "n", "none", "absent")
_LABELS = ("intramass", "extramass", "intraductal")


@dataclass(slots=True)
class ImageTruth:
    """What is known of one image; None where nothing is."""

    targets: list[Target] | None = None
    """Foci that are there; an empty list where a reader found none."""
    ignored: list[Target] = field(default_factory=list)
    """Marks that are neither to be found nor false."""
    calcification: str | None = None
    """A descriptor, several joined by `+`, "none", or "present" where the place is not told."""
    patient: str | None = None
    masks: UserMasks | None = None


@dataclass(slots=True)
class Truth:
    """What is known, by image as the truth calls it."""

    images: dict[str, ImageTruth]
    folder: Path | None = None
    """Where masks may lie."""
    remarks: list[str] = field(default_factory=list)

    def of(self, name: str) -> ImageTruth:
        """What is known of an image, to be added to."""
        return self.images.setdefault(name, ImageTruth())


def read_truth(path: Path) -> Truth:
    """Read what a user knows.

    A CSV table with the columns `image`, `x_px` and `y_px` marks foci, one a row; further columns may be `diameter_px`, `label`,
    `shadow`, `twinkling` (yes or no) and `ignore` (yes for marks that are neither to be found nor false). A row without position says
    that the image has been read and shows none. A table with `image` and `calcification` labels images; a column `patient` in either
    tells which images belong together. A folder may hold several tables, masks named as for `--masks` (in it or in its folder
    `masks`), and the truth.json of sample scans.

    Parameters
    ----------
    path : Path
        A table or a folder.

    Raises
    ------
    UsageError
        If there is no truth, or a table holds something else than is expected.
    """
    truth = Truth({})
    if path.is_dir():
        masks = path / "masks"
        truth.folder = masks if masks.is_dir() else path
        files = sorted(
            file
            for file in path.iterdir()
            if file.suffix.lower() == ".csv" and not file.name.startswith(".")
        )
    elif path.is_file():
        files = [path]
    else:
        raise UsageError(
            f"{path}: no such file or folder; expected a CSV table of labels, or a folder with tables and masks"
        )
    for file in files:
        _read_table(file, truth, alone=files == [path])
    if path.is_dir() and (path / SAMPLES).is_file():
        _read_samples(path / SAMPLES, truth)
    return truth


def read_image_masks(
    truth: Truth, name: str, shape: tuple[int, int], frames: int
) -> UserMasks | None:
    """The masks that the truth has of an image, on all its frames.

    Raises
    ------
    UsageError
        If a mask does not fit its image.
    """
    from usmicro.loading.masks import read_masks

    known = truth.images.get(name)
    if known is not None and known.masks is not None:
        return known.masks
    if truth.folder is None:
        return None
    try:
        found = read_masks(truth.folder, name, shape, frames=frames)
    except ScanError as error:
        raise UsageError(str(error)) from error
    return (
        None
        if found is None or (found.masses is None and found.ducts is None and found.nonmass is None)
        else found
    )


def _read_table(file: Path, truth: Truth, *, alone: bool) -> None:
    try:
        with open(file, encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, skipinitialspace=True, restkey="")
            columns = [column.strip() for column in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{file}: cannot be read as a CSV table ({error}); write it as UTF-8, separated by commas"
        ) from error
    marks, labels = (
        {"image", "x_px", "y_px"} <= set(columns),
        {"image", "calcification"} <= set(columns),
    )
    if not (marks or labels or {"image", "patient"} <= set(columns)):
        expected = "expected the columns image, x_px, y_px (marks of foci) or image, calcification (labels of images)"
        if alone:
            other = next(
                (
                    name
                    for mark, name in ((";", "semicolons"), ("\t", "tabs"))
                    if any(mark in column for column in columns)
                ),
                "",
            )
            hint = f"; separate them by commas, not by {other}" if other else ""
            raise UsageError(f"{file}: {expected}; found {', '.join(columns) or 'nothing'}{hint}")
        truth.remarks.append(f"{file.name} holds no labels and is not used: {expected}")
        return
    used = {"image", *(FOCI_COLUMNS if marks else ()), *IMAGE_COLUMNS}
    if unused := [column for column in columns if column not in used]:
        truth.remarks.append(f"{file.name}: columns that are not used: {', '.join(unused)}")
    for number, row in enumerate(rows, start=2):
        where = f"{file}, line {number}"
        cells = {name: (value or "").strip() for name, value in row.items() if name}
        if not cells["image"]:
            raise UsageError(
                f"{where}: names no image; expected its path below INPUT as in images.csv, or its file name"
            )
        image = truth.of(cells["image"])
        if cells.get("patient"):
            image.patient = cells["patient"]
        if cells.get("calcification"):
            image.calcification = _calcification(cells["calcification"], where)
        if marks:
            _add_mark(image, cells, where)


def _add_mark(image: ImageTruth, cells: Mapping[str, str], where: str) -> None:
    image.targets = [] if image.targets is None else image.targets
    if not cells["x_px"] and not cells["y_px"]:
        return
    label = cells.get("label", "").lower() or None
    if label is not None and label not in _LABELS:
        raise UsageError(
            f"{where}: expected the label {', '.join(_LABELS)} or nothing, found {cells['label']}"
        )
    target = Target(
        x=(_number(cells, "x_px", where),),
        y=(_number(cells, "y_px", where),),
        diameter=_number(cells, "diameter_px", where) if cells.get("diameter_px") else 0.0,
        label=label,
        shadow=_yes_no(cells, "shadow", where),
        twinkling=_yes_no(cells, "twinkling", where),
    )
    (image.ignored if _yes_no(cells, "ignore", where) else image.targets).append(target)


def _number(cells: Mapping[str, str], name: str, where: str) -> float:
    try:
        value = float(cells[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(
            f"{where}: expected a number of pixels in column {name}, found {cells[name] or 'nothing'}"
        )
    return value


def _yes_no(cells: Mapping[str, str], name: str, where: str) -> bool | None:
    text = cells.get(name, "").lower()
    if text not in ("", *_YES, *_NO):
        raise UsageError(
            f"{where}: expected yes, no or nothing in column {name}, found {cells[name]}"
        )
    return None if not text else text in _YES


def _calcification(text: str, where: str) -> str:
    words = [word.strip().lower() for word in text.split("+")]
    if words[0] in _NO:
        return "none"
    if words[0] in _YES:
        return PRESENT
    if unknown := [word for word in words if word not in DESCRIPTORS]:
        raise UsageError(
            f"{where}: expected the calcification none, present, or some of {', '.join(DESCRIPTORS)} with +; found {unknown[0]}"
        )
    return "+".join(words)


def _read_samples(file: Path, truth: Truth) -> None:
    """The truth of simulated scans, as `usmicro sample` writes it."""
    from usmicro.phantom import Truth as PhantomTruth

    places = {"intramass": "in a mass", "extramass": "outside a mass", "intraductal": "intraductal"}
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        for entry in entries:
            known, image, mm = (
                PhantomTruth.from_dict(entry),
                truth.of(entry["image"]),
                float(entry["spacing_mm"]),
            )
            colour = known.colour is not None
            image.targets = [
                Target(
                    x=tuple(focus.x_px),
                    y=tuple(focus.y_px),
                    diameter=focus.diameter_mm / mm,
                    label=focus.label,
                    shadow=focus.shadow,
                    twinkling=focus.twinkling if colour else None,
                )
                for focus in known.foci
            ]
            present = {places[focus.label] for focus in known.foci}
            image.calcification = (
                "+".join(name for name in places.values() if name in present) or "none"
            )
            image.masks = UserMasks(
                np.asarray(known.mass_labels), np.asarray(known.duct_labels), known.nonmass
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{file}: expected the truth of sample scans as `usmicro sample` writes it; it cannot be read ({error})"
        ) from error
