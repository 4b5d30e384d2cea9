"""Read the labels of a user: marks of foci, labels of images, masks, or the truth of samples."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from usmicro.errors import ScanError, UsageError, reason_of
from usmicro.evaluation.measures import DESCRIPTORS, PRESENT
from usmicro.evaluation.review import is_review
from usmicro.evaluation.targets import Target
from usmicro.labelling.calcification import describe_calcification
from usmicro.model.scan import UserMasks

FOCI_COLUMNS = ("x_px", "y_px", "diameter_px", "label", "shadow", "twinkling", "ignore")
"""Columns that describe a mark, beside `image`."""

IMAGE_COLUMNS = ("calcification", "patient")
"""Columns that describe an image, beside `image`."""

SAMPLE_TRUTH_FILE = "truth.json"
"""File in which `usmicro sample` writes the truth of the sample scans."""

_YES = ("yes", "true", "1", "y", "present")
_NO = ("no", "false", "0", "n", "none", "absent")
_LABELS = ("intramass", "extramass", "intraductal")


@dataclass(slots=True)
class ImageTruth:
    """Labels of one image. A label is None if it was not given."""

    targets: list[Target] | None = None
    """True foci; empty if a reader found none."""
    ignored: list[Target] = field(default_factory=list)
    """Marks on which a detection is neither a hit nor a false positive."""
    calcification: str | None = None
    """A descriptor, several descriptors joined by `+`, "none", or "present" without its place."""
    patient: str | None = None
    """Name or number of the patient."""
    masks: UserMasks | None = None
    load_masks: Callable[[], UserMasks | None] | None = None
    """Makes the masks when they are needed, so that not those of all images are in memory."""
    decided: dict[int, int] = field(default_factory=dict)
    """Foci of the run on which a reader has decided: number, and index in `targets`, or -1 for a
    rejected focus."""


@dataclass(slots=True)
class Truth:
    """Labels of all images."""

    images: dict[str, ImageTruth]
    """Labels of each image, by the name that the labels use."""
    folder: Path | None = None
    """Folder that may contain masks."""
    remarks: list[str] = field(default_factory=list)
    """Remarks for the reader, such as tables and columns that were not used."""
    reviews: list[Path] = field(default_factory=list)
    """Reviews of a run; they can only be read together with the run."""

    def entry(self, name: str) -> ImageTruth:
        """Return the labels of an image; an empty entry is added if there is none."""
        return self.images.setdefault(name, ImageTruth())


def read_truth(path: Path) -> Truth:
    """Read the labels of a user.

    A table with the columns `image`, `x_px` and `y_px` marks one focus per row. It may also have
    the columns of FOCI_COLUMNS. A row without position means that the image was read and shows no
    focus. A table with `image` and `calcification` labels images. Both kinds may have the column
    `patient`, which tells which images belong together. A folder may contain several tables, masks
    named as for `--masks` (directly or in its folder `masks`), and the truth of sample scans. The
    names of reviews are returned, for `usmicro.evaluation.readings`.

    Parameters
    ----------
    path : Path
        A CSV table, or a folder.

    Raises
    ------
    UsageError
        If there is nothing at the path, or a table contains a value that is not expected.
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
            f"{path}: no such file or folder; "
            "expected a CSV table of labels, or a folder with tables and masks"
        )
    for file in files:
        _read_table(file, truth, is_only_file=files == [path])
    if path.is_dir() and (path / SAMPLE_TRUTH_FILE).is_file():
        _read_sample_truth(path / SAMPLE_TRUTH_FILE, truth)
    return truth


def read_image_masks(
    truth: Truth, name: str, shape: tuple[int, int], frames: int
) -> UserMasks | None:
    """Read the masks of an image, for all its frames.

    Parameters
    ----------
    truth : Truth
    name : str
        Name of the image in the tables of the run.
    shape : (int, int)
        Rows and columns of the image.
    frames : int
        Number of frames.

    Returns
    -------
    UserMasks or None
        None if there is no mask of the image.

    Raises
    ------
    UsageError
        If a mask does not fit its image.
    """
    from usmicro.loading.masks import read_masks

    labelled = truth.images.get(name)
    if labelled is not None and labelled.masks is not None:
        return labelled.masks
    if truth.folder is None:
        return None
    try:
        masks = read_masks(truth.folder, name, shape, frames=frames)
    except ScanError as error:
        raise UsageError(str(error)) from error
    if masks is None or (masks.masses is None and masks.ducts is None and masks.nonmass is None):
        return None
    return masks


def _read_table(file: Path, truth: Truth, *, is_only_file: bool) -> None:
    """Add the labels of one CSV table.

    A table without labels is an error if it is the only file, and a remark otherwise.
    """
    columns, rows = _read_csv(file)
    if is_review(columns):
        truth.reviews.append(file)
        return
    has_marks = {"image", "x_px", "y_px"} <= set(columns)
    if not (has_marks or {"image", "calcification"} <= set(columns)) and not (
        {"image", "patient"} <= set(columns)
    ):
        expected = (
            "expected the columns image, x_px, y_px (marks of foci) "
            "or image, calcification (labels of images)"
        )
        if is_only_file:
            found = ", ".join(columns) or "nothing"
            raise UsageError(f"{file}: {expected}; found {found}{_separator_hint(columns)}")
        truth.remarks.append(f"{file.name} contains no labels and is not used: {expected}")
        return
    used = {"image", *(FOCI_COLUMNS if has_marks else ()), *IMAGE_COLUMNS}
    if unused := [column for column in columns if column not in used]:
        truth.remarks.append(f"{file.name}: columns that are not used: {', '.join(unused)}")
    for number, row in enumerate(rows, start=2):
        _add_row(row, truth, f"{file}, line {number}", has_marks=has_marks)


def _read_csv(file: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Read the column names and the rows of a CSV table."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, skipinitialspace=True, restkey="")
            columns = [column.strip() for column in reader.fieldnames or ()]
            reader.fieldnames = columns
            return columns, list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{file}: cannot be read as a CSV table ({reason_of(error)}); "
            "expected UTF-8 text, separated by commas"
        ) from error


def _separator_hint(columns: Sequence[str]) -> str:
    """Return what to do if the columns seem to be separated by semicolons or tabs."""
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if any(separator in column for column in columns):
            return f"; separate them by commas, not by {name}"
    return ""


def _add_row(row: Mapping[str, Any], truth: Truth, where: str, *, has_marks: bool) -> None:
    """Add the labels of one row; `where` is its file and line, for errors."""
    cells = {name: (value or "").strip() for name, value in row.items() if name}
    if not cells["image"]:
        raise UsageError(
            f"{where}: names no image; "
            "expected its path below INPUT as in images.csv, or its file name"
        )
    image = truth.entry(cells["image"])
    if cells.get("patient"):
        image.patient = cells["patient"]
    if cells.get("calcification"):
        image.calcification = _calcification(cells["calcification"], where)
    if has_marks:
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
        found = cells[name] or "nothing"
        raise UsageError(f"{where}: expected a number of pixels in column {name}, found {found}")
    return value


def _yes_no(cells: Mapping[str, str], name: str, where: str) -> bool | None:
    text = cells.get(name, "").lower()
    if text not in ("", *_YES, *_NO):
        raise UsageError(
            f"{where}: expected yes, no or nothing in column {name}, found {cells[name]}"
        )
    return None if not text else text in _YES


def _calcification(text: str, where: str) -> str:
    """Return the calcification of an image in the words of `ImageTruth`."""
    words = [word.strip().lower() for word in text.split("+")]
    if words[0] in _NO:
        return "none"
    if words[0] in _YES:
        return PRESENT
    if unknown := [word for word in words if word not in DESCRIPTORS]:
        raise UsageError(
            f"{where}: expected the calcification none, present, or one or more of "
            f"{', '.join(DESCRIPTORS)} joined by +; found {unknown[0]}"
        )
    return "+".join(words)


def _read_sample_truth(file: Path, truth: Truth) -> None:
    """Add the truth of simulated scans, as `usmicro sample` writes it."""
    from usmicro.phantom import Truth as PhantomTruth

    try:
        for entry in json.loads(file.read_text(encoding="utf-8")):
            phantom_truth = PhantomTruth.from_dict(entry)
            image, pixel_mm = truth.entry(entry["image"]), float(entry["spacing_mm"])
            image.targets = [
                Target(
                    x=tuple(focus.x_px),
                    y=tuple(focus.y_px),
                    diameter=focus.diameter_mm / pixel_mm,
                    label=focus.label,
                    shadow=focus.shadow,
                    twinkling=None if phantom_truth.colour is None else focus.twinkling,
                )
                for focus in phantom_truth.foci
            ]
            image.calcification = describe_calcification(
                [focus.label for focus in phantom_truth.foci]
            )
            image.masks = UserMasks(
                np.asarray(phantom_truth.mass_labels),
                np.asarray(phantom_truth.duct_labels),
                phantom_truth.nonmass,
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{file}: cannot be read ({reason_of(error)}); "
            "expected the truth of sample scans as `usmicro sample` writes it"
        ) from error
