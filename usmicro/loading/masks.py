"""Search for the masks of a scan, and reading of masks, label images and segmentations."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from usmicro.errors import ScanError
from usmicro.loading.dicom.references import read_image_uid, read_summary
from usmicro.loading.dicom.segmentation import Segmentation, Structure, read_segmentation
from usmicro.loading.discover import is_result
from usmicro.loading.formats import (
    DICOM_SUFFIXES,
    SCAN_SUFFIXES,
    STILL_FORMATS,
    UNSUPPORTED_SUFFIXES,
    detect_format,
    scan_errors,
)
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage
from usmicro.model.scan import UserMasks
from usmicro.numerics.components import label_components

LABELS: dict[Structure, int] = {
    "mass": AreaLabel.MASS,
    "duct": AreaLabel.DUCT,
    "nonmass": AreaLabel.NONMASS,
}
"""Values of the structures in the label images that a run writes; 0 is tissue."""
_NAME_STRUCTURES: dict[str, Structure] = {
    "mask": "any",
    "tumor": "mass",
    "tumour": "mass",
    "mass": "mass",
    "duct": "duct",
    "nonmass": "nonmass",
    "other": "other",
}
"""Structure that a mask outlines, by the word at the end of its file name."""
_NAME_ENDING = re.compile(rf"_({'|'.join(_NAME_STRUCTURES)})(?:_?\d+)?", re.IGNORECASE)
_PICTURE_SUFFIXES = frozenset((".png", ".bmp", ".tif", ".tiff"))
_NOT_DICOM_SUFFIXES = SCAN_SUFFIXES - DICOM_SUFFIXES | UNSUPPORTED_SUFFIXES
"""Suffixes of files that are not opened in the search for segmentations."""
_CACHED_FOLDERS = 256
"""Number of folders whose file names are kept in memory. Chosen by judgement; no measurement is
recorded."""
_MOST_VALUES_SHOWN = 8
"""Largest number of pixel values of an invalid mask that its error message lists. Chosen by eye."""


def find_masks(folder: Path, name: str, scan: Path | None = None) -> list[Path]:
    """Find the masks of an image in a folder.

    For `left/case1.png` the search looks first in `FOLDER/left`, then in `FOLDER`, for

    - `case1.png`: a label image as a run writes it, or a binary mask;
    - `case1_mask.png`, `case1_mask_1.png`: a mask of any structure;
    - `case1_tumor.png`, `case1_mass2.png`, `case1_duct.png`, `case1_nonmass.png`;
    - `mask_case1.png`, or `mask_1.png` for `case_1.png`, as BUS-BRA names its masks;
    - `case1_other.png`: a mask of another structure, which is found but not used.

    DICOM Segmentation objects have the same names with the suffix .dcm or .seg.dcm, or without a
    suffix. If no mask has the name of a DICOM scan, the search takes all segmentations below
    `FOLDER` that refer to the scan's SOPInstanceUID. Other DICOM files are not taken.

    Parameters
    ----------
    folder : Path
    name : str
        Path of the image below INPUT.
    scan : Path, optional
        File of the image, for the search by UID.

    Returns
    -------
    list of Path
        Sorted; empty if the image has no mask.

    Raises
    ------
    ScanError
        If the folder, or a DICOM file with the name of the image, cannot be read.
    """
    return _search(folder, name, scan)[0]


def _search(folder: Path, name: str, scan: Path | None) -> tuple[list[Path], list[str]]:
    """Return the masks of an image and notes of the search."""
    image = PurePosixPath(name)
    # all masks of the image have this text in their names; this quick test comes before the exact
    # one, since a folder may have thousands of files
    common_text = image.stem.partition("_")[2] or image.stem
    notes: list[str] = []
    for place in dict.fromkeys((folder / image.parent, folder)):
        try:
            files = _file_names(place, place.stat().st_mtime_ns) if place.is_dir() else ()
        except OSError as error:
            raise ScanError(
                f"{place}: the masks cannot be read: {error.strerror or error}"
            ) from error
        named = [
            place / file
            for file in files
            if common_text in file and _structure_in_name(file, image) is not None
        ]
        masks = [
            path
            for path in named
            if path.suffix.lower() in _PICTURE_SUFFIXES or _is_segmentation(path, scan, notes)
        ]
        if masks:
            return masks, notes
    uid = None if scan is None else read_image_uid(scan)
    return ([] if uid is None else _segmentations_of(uid, folder, notes)), notes


@lru_cache(maxsize=_CACHED_FOLDERS)
def _file_names(folder: Path, modified_ns: int) -> tuple[str, ...]:
    """Return the sorted names in a folder, cached until the folder changes.

    The folder is searched again for every scan, and may have as many masks as there are scans.
    """
    return tuple(sorted(os.listdir(folder)))


def _is_segmentation(path: Path, scan: Path | None, notes: list[str]) -> bool:
    """Return True if a file with the name of a DICOM mask is a DICOM Segmentation.

    A note is added for other files, except for folders and the scan itself.
    """
    if not path.is_file():
        return False
    if scan is not None and os.path.realpath(path) == os.path.realpath(scan):
        return False
    summary = read_summary(path)
    if not summary.is_segmentation:
        notes.append(
            f"{path.name} in the masks folder is not used: "
            f"expected a DICOM Segmentation, found {summary.kind}"
        )
    return summary.is_segmentation


def _segmentations_of(uid: str, folder: Path, notes: list[str]) -> list[Path]:
    """Return the segmentations below a folder that refer to the image with a UID."""
    masks = []
    for place, _, files in os.walk(folder):
        for path in (Path(place) / file for file in files):
            if path.suffix.lower() in _NOT_DICOM_SUFFIXES:
                continue
            try:
                if path.is_file() and uid in read_summary(path).image_uids:
                    masks.append(path)
            except ScanError as error:
                reason = str(error).removeprefix(f"{path}: ")
                notes.append(
                    f"{path.name} in the masks folder is not used, although it may belong to this "
                    f"image: {reason}"
                )
    return sorted(masks)


def _structure_in_name(file: str, image: PurePosixPath) -> Structure | None:
    """Return the structure that a mask outlines according to its name.

    The result is None if the file is not a mask of the image.
    """
    stem, suffix = os.path.splitext(file)
    if suffix.lower() in DICOM_SUFFIXES:
        stem = re.sub(r"\.seg$", "", stem, flags=re.IGNORECASE)
    elif suffix and suffix.lower() not in _PICTURE_SUFFIXES:
        return None
    number = image.stem.partition("_")[2] or image.stem
    if stem in (image.stem, image.name, f"mask_{image.stem}", f"mask_{number}"):
        return "any"
    for base in (image.stem, image.name):
        if stem.startswith(base) and (ending := _NAME_ENDING.fullmatch(stem[len(base) :])):
            return _NAME_STRUCTURES[ending.group(1).lower()]
    return None


def read_masks(
    folder: Path,
    name: str,
    shape: tuple[int, int],
    *,
    scan: Path | None = None,
    frames: int | None = 1,
) -> UserMasks | None:
    """Read the masks of an image, found as in `find_masks`.

    A picture whose name does not say its structure is a label image (0 tissue, 1 mass, 2 duct,
    3 nonmass area, 255 not tissue) if it has a value of 2 or 3, or is in the output folder of a
    run. Any other picture is a binary mask, 0 and one other value; it outlines masses unless its
    name says otherwise. Pictures of the same structure are combined, and connected areas are
    numbered.

    Each segment of a DICOM Segmentation is one mass or duct, whether connected or not. Where two
    segments overlap, the later one has the pixels.

    In a cine, pictures and segmentations without frame numbers are used for all frames. A frame
    that a segmentation names has its own outlines.

    Parameters
    ----------
    folder : Path
    name : str
        Path of the image below INPUT.
    shape : tuple of int
        Rows and columns of the image.
    scan : Path, optional
        File of the image, for the search by UID.
    frames : int or None
        Number of frames of the image; None if it is unknown.

    Returns
    -------
    UserMasks or None
        None if the image has no mask. A structure that no mask outlines is None and is detected
        automatically.

    Raises
    ------
    ScanError
        If a mask cannot be read, has another size than the image or values that are neither labels
        nor binary, or is a segmentation of another image.
    """
    paths, notes = _search(folder, name, scan)
    areas: dict[Structure, BoolImage] = {}
    segmentations: list[Segmentation] = []
    sources = []
    image_uid = None if scan is None else read_image_uid(scan)
    written_by_run = is_result(folder.parent) or is_result(folder)
    for path in paths:
        # a mask that was found by its UID may have any name
        structure = _structure_in_name(path.name, PurePosixPath(name)) or "any"
        if structure == "other":
            continue
        sources.append(path.relative_to(folder).as_posix())
        if detect_format(path) == "dicom":
            segmentation = read_segmentation(
                path, shape, frames=frames, image_uid=image_uid, structure=structure
            )
            segmentations.append(segmentation)
            notes += segmentation.notes
        else:
            _add_picture(areas, path, structure, shape, written_by_run=written_by_run)
    if not sources:
        return UserMasks(notes=tuple(notes)) if notes else None
    masks = FrameMasks(areas, segmentations, shape)
    if frames == 1:
        return replace(masks[0], sources=tuple(sources), notes=tuple(notes))
    has_general_masks = bool(areas) or any(item.outlines(None) for item in segmentations)
    if len(masks) and not has_general_masks:
        notes.append(
            f"{len(masks)} of {'the' if frames is None else frames} frames have masks; "
            "in the other frames, masses, ducts and nonmass areas were detected automatically"
        )
    return replace(masks.on(None), sources=tuple(sources), frames=masks, notes=tuple(notes))


class FrameMasks(Mapping[int, UserMasks]):
    """The masks of the frames that segmentations name, by frame number from 0.

    They are made each time they are read, since a cine may have thousands of frames.
    """

    def __init__(
        self,
        areas: Mapping[Structure, BoolImage],
        segmentations: Sequence[Segmentation],
        shape: tuple[int, int],
    ) -> None:
        self._pictures = {
            structure: area.astype(np.int32) if structure == "nonmass" else label_components(area)
            for structure, area in areas.items()
        }
        self._segmentations, self._shape = segmentations, shape
        self._frames = sorted(
            frozenset[int]().union(*(segmentation.frames for segmentation in segmentations))
        )

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[int]:
        return iter(self._frames)

    def __getitem__(self, frame: int) -> UserMasks:
        return self.on(frame)

    def on(self, frame: int | None) -> UserMasks:
        """Return the masks of a frame, or for None the masks that are used for all frames."""
        labels = {structure: picture.copy() for structure, picture in self._pictures.items()}
        last_number = Counter({structure: int(image.max()) for structure, image in labels.items()})
        for segmentation in self._segmentations:
            if not segmentation.outlines(frame):
                continue
            numbers = {}
            for segment, structure in sorted(segmentation.structures.items()):
                last_number[structure] += 1
                numbers[segment] = last_number[structure]
                labels.setdefault(structure, np.zeros(self._shape, np.int32))
            for segment, area in segmentation.areas(frame):
                labels[segmentation.structures[segment]][area] = numbers[segment]
        nonmass = labels.get("nonmass")
        return UserMasks(
            labels.get("mass"), labels.get("duct"), None if nonmass is None else nonmass > 0
        )


def _add_picture(
    areas: dict[Structure, BoolImage],
    path: Path,
    structure: Structure,
    shape: tuple[int, int],
    *,
    written_by_run: bool,
) -> None:
    """Read a picture and add what it outlines to the areas, by structure.

    Raises
    ------
    ScanError
        If the picture is neither a label image nor a binary mask.
    """
    values = _pixel_values(path, shape)
    present = set(np.unique(values).tolist())
    has_labels = structure == "any" and present <= {0, *LABELS.values(), AreaLabel.NOT_TISSUE}
    if has_labels and (present & {AreaLabel.DUCT, AreaLabel.NONMASS} or written_by_run):
        for labelled, label in LABELS.items():
            areas[labelled] = areas.get(labelled, False) | (values == label)
    elif len(present - {0}) <= 1:
        outlined = "mass" if structure == "any" else structure
        areas[outlined] = areas.get(outlined, False) | (values != 0)
    else:
        found = ", ".join(map(str, sorted(present)[:_MOST_VALUES_SHOWN]))
        more = ", ..." if len(present) > _MOST_VALUES_SHOWN else ""
        raise ScanError(
            f"{path}: expected a mask with 0 and one other value, or labels "
            "(0 tissue, 1 mass, 2 duct, 3 nonmass area, 255 not tissue), "
            f"found the values {found}{more}; correct the mask or leave it out"
        )


def _pixel_values(path: Path, shape: tuple[int, int]) -> NDArray[np.integer]:
    """Return the pixel values of a mask, shape (rows, columns).

    The values of a palette image are its palette indices, which are the labels.
    """
    from usmicro.loading.raster import open_image

    file_format = detect_format(path)
    if file_format not in STILL_FORMATS:
        raise ScanError(
            f"{path}: expected a mask as PNG, BMP, TIFF or DICOM Segmentation, "
            f"found {file_format}; convert it or leave it out"
        )
    with (
        scan_errors(path, "the mask cannot be read"),
        open_image(path, file_format) as image,
    ):
        columns, rows = image.size
        if (rows, columns) != shape:
            raise ScanError(
                f"{path}: the mask has {rows} rows x {columns} columns, "
                f"expected {shape[0]} x {shape[1]} as in its image; give a mask of the same size"
            )
        if image.mode in ("LA", "La"):
            image = image.convert("L")
        elif image.mode in ("RGBA", "RGBa", "PA", "CMYK", "YCbCr"):
            image = image.convert("RGB")
        values = np.asarray(image)
    if values.ndim == 3:
        if (values != values[..., :1]).any():
            raise ScanError(
                f"{path}: expected a grey mask, found a coloured image; "
                "give its labels as grey values"
            )
        values = values[..., 0]
    return values.astype(np.int64)
