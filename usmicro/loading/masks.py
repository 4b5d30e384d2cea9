"""Outlines that a user gives: masks, label images and DICOM Segmentation objects, matched to a scan by file name or UID."""

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
from usmicro.loading.dicom.segmentation import (
    Part,
    Segmentation,
    header_of,
    image_uid,
    read_segmentation,
)
from usmicro.loading.discover import is_result
from usmicro.loading.formats import (
    DICOM_SUFFIXES,
    OTHER_SUFFIXES,
    READ,
    SUFFIXES,
    content_of,
    decoding,
)
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage
from usmicro.model.scan import UserMasks
from usmicro.numerics.components import numbered

LABELS: dict[Part, int] = {
    "mass": AreaLabel.MASS,
    "duct": AreaLabel.DUCT,
    "nonmass": AreaLabel.NONMASS,
}
"""Coding of label images, as a run writes them; 0 is tissue."""
_WORDS: dict[str, Part] = {
    "mask": "any", "tumor": "mass", "tumour": "mass", "mass": "mass", "duct": "duct", "nonmass": "nonmass", "other": "other",
}  # fmt: skip
_ENDING = re.compile(rf"_({'|'.join(_WORDS)})(?:_?\d+)?", re.IGNORECASE)
_SUFFIXES = frozenset((".png", ".bmp", ".tif", ".tiff"))
_NO_DICOM = SUFFIXES - DICOM_SUFFIXES | OTHER_SUFFIXES
"""Endings of pictures, which are not opened in the search for segmentations."""


def find_masks(folder: Path, name: str, scan: Path | None = None) -> list[Path]:
    """Find the files in a folder of masks that belong to an image.

    For `left/case1.png` they are looked for in `FOLDER/left`, then in `FOLDER`: `case1.png` (what a run writes, or any binary mask),
    `case1_mask.png`, `case1_mask_1.png`, `case1_tumor.png`, `case1_mass2.png`, `case1_duct.png`, `case1_nonmass.png`, and, in the manner of
    BUS-BRA, `mask_case1.png` or `mask_1.png` for `case_1.png`. Masks of other things, `case1_other.png`, are found and not used. DICOM
    Segmentation objects have the same names with the ending .dcm or .seg.dcm, or none. Where nothing has the name of a DICOM scan,
    segmentations are found anywhere below `FOLDER` by the SOPInstanceUID that they refer to. Other kinds of DICOM are passed over.

    Parameters
    ----------
    folder : Path
    name : str
        Path of the image below INPUT.
    scan : Path, optional
        The image itself, for the search by UID.

    Returns
    -------
    list of Path
        Sorted; empty if the image has none.

    Raises
    ------
    ScanError
        If the folder, or a DICOM file with the name of the image, cannot be read.
    """
    return _search(folder, name, scan)[0]


def _search(folder: Path, name: str, scan: Path | None) -> tuple[list[Path], list[str]]:
    """The masks of an image, and what to note of the search."""
    image = PurePosixPath(name)
    in_all = (
        image.stem.partition("_")[2] or image.stem
    )  # a quick look before a close one: folders hold thousands
    notes: list[str] = []
    for place in dict.fromkeys((folder / image.parent, folder)):
        try:
            files = _listed(place, place.stat().st_mtime_ns) if place.is_dir() else ()
        except OSError as error:
            raise ScanError(
                f"{place}: the masks cannot be read: {error.strerror or error}"
            ) from error
        named = [
            place / file for file in files if in_all in file and _part(file, image) is not None
        ]
        if found := [
            path
            for path in named
            if path.suffix.lower() in _SUFFIXES or _is_segmentation(path, scan, notes)
        ]:
            return found, notes
    uid = None if scan is None else image_uid(scan)
    return ([] if uid is None else _referring_to(uid, folder, notes)), notes


@lru_cache(maxsize=256)
def _listed(folder: Path, changed: int) -> tuple[str, ...]:
    """Names in a folder, remembered until it changes: it is asked for every scan, and may hold as many masks."""
    return tuple(sorted(os.listdir(folder)))


def _is_segmentation(path: Path, scan: Path | None, notes: list[str]) -> bool:
    """Whether a file with the name of a DICOM mask is one; notes what is passed over, save for folders and the scan itself."""
    if not path.is_file() or (
        scan is not None and os.path.realpath(path) == os.path.realpath(scan)
    ):
        return False
    header = header_of(path)
    if not header.segmentation:
        notes.append(
            f"{path.name} in the masks folder is {header.kind} and no DICOM Segmentation: not used"
        )
    return header.segmentation


def _referring_to(uid: str, folder: Path, notes: list[str]) -> list[Path]:
    """Segmentations below a folder that refer to an image."""
    found = []
    for place, _, files in os.walk(folder):
        for path in (Path(place) / file for file in files):
            try:
                if (
                    path.suffix.lower() not in _NO_DICOM
                    and path.is_file()
                    and uid in header_of(path).images
                ):
                    found.append(path)
            except ScanError as error:
                words = str(error).removeprefix(f"{path}: ")
                notes.append(
                    f"{path.name} in the masks folder may outline this image or another: {words}"
                )
    return sorted(found)


def _part(file: str, image: PurePosixPath) -> Part | None:
    """What a file outlines in an image, by its name; None if it belongs to another image."""
    stem, suffix = os.path.splitext(file)
    if suffix.lower() in DICOM_SUFFIXES:
        stem = re.sub(r"\.seg$", "", stem, flags=re.IGNORECASE)
    elif suffix and suffix.lower() not in _SUFFIXES:
        return None
    if stem in (
        image.stem,
        image.name,
        f"mask_{image.stem}",
        f"mask_{image.stem.partition('_')[2] or image.stem}",
    ):
        return "any"
    for base in (image.stem, image.name):
        if stem.startswith(base) and (ending := _ENDING.fullmatch(stem[len(base) :])):
            return _WORDS[ending.group(1).lower()]
    return None


def read_masks(
    folder: Path, name: str, shape: tuple[int, int], *, scan: Path | None = None, frames: int = 1
) -> UserMasks | None:
    """Read the masks of an image, found as in `find_masks`.

    A picture is a label image (0 tissue, 1 mass, 2 duct, 3 nonmass area, 255 not tissue) if its name does not say what it outlines and it
    holds a value of 2 or 3, or lies in a folder that a run wrote; else it is binary, 0 and one other value, and outlines masses. Several
    of one kind are joined, and connected parts are numbered. Of a DICOM Segmentation each segment is one mass or duct, whether
    connected or not, and where two overlap the later one has the pixels.

    Pictures, and segmentations that name no frame, hold for all frames of a cine; a frame that a segmentation names has its outlines.

    Parameters
    ----------
    folder : Path
    name : str
        Path of the image below INPUT.
    shape : tuple of int
        Rows and columns of the image.
    scan : Path, optional
        The image itself, to find its segmentations by UID.
    frames : int
        How many the image has.

    Returns
    -------
    UserMasks or None
        None if the image has no mask. What no file tells of is None: the program looks for it itself.

    Raises
    ------
    ScanError
        If a mask cannot be read, has another size than the image, holds values that are neither labels nor binary, or is a
        segmentation that does not fit the image.
    """
    found, notes = _search(folder, name, scan)
    areas: dict[Part, BoolImage] = {}
    segmentations = []
    sources = []
    uid = None if scan is None else image_uid(scan)
    for path in found:
        part = (
            _part(path.name, PurePosixPath(name)) or "any"
        )  # a file found by its UID may have any name
        if part == "other":
            continue
        sources.append(path.relative_to(folder).as_posix())
        if content_of(path) == "dicom":
            segmentations.append(
                read_segmentation(path, shape, frames=frames, image=uid, part=part)
            )
            notes += segmentations[-1].notes
        else:
            _add_picture(
                areas,
                path,
                part,
                shape,
                written_by_run=is_result(folder.parent) or is_result(folder),
            )
    if not sources:
        return UserMasks(notes=tuple(notes)) if notes else None
    outlines = FrameOutlines(areas, segmentations, shape)
    if frames == 1:
        return replace(outlines[0], sources=tuple(sources), notes=tuple(notes))
    if (
        len(outlines)
        and not areas
        and not any(segmentation.tells_of(None) for segmentation in segmentations)
    ):
        notes.append(
            f"masks outline {len(outlines)} of {frames} frames; masses, ducts and nonmass areas of the others were looked for"
        )
    return replace(outlines.on(None), sources=tuple(sources), frames=outlines, notes=tuple(notes))


class FrameOutlines(Mapping[int, UserMasks]):
    """The outlines of the frames that segmentations name, put together when they are asked for: a cine may have thousands."""

    def __init__(
        self,
        areas: Mapping[Part, BoolImage],
        segmentations: Sequence[Segmentation],
        shape: tuple[int, int],
    ) -> None:
        self._pictures = {
            part: area.astype(np.int32) if part == "nonmass" else numbered(area)
            for part, area in areas.items()
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
        """The outlines of a frame; of None those that hold for all frames."""
        labels = {part: picture.copy() for part, picture in self._pictures.items()}
        last = Counter({part: int(picture.max()) for part, picture in labels.items()})
        for segmentation in self._segmentations:
            if not segmentation.tells_of(frame):
                continue
            number = {}
            for segment, part in sorted(segmentation.parts.items()):
                last[part] += 1
                number[segment] = last[part]
                labels.setdefault(part, np.zeros(self._shape, np.int32))
            for segment, area in segmentation.areas(frame):
                labels[segmentation.parts[segment]][area] = number[segment]
        nonmass = labels.get("nonmass")
        return UserMasks(
            labels.get("mass"), labels.get("duct"), None if nonmass is None else nonmass > 0
        )


def _add_picture(
    areas: dict[Part, BoolImage],
    path: Path,
    part: Part,
    shape: tuple[int, int],
    *,
    written_by_run: bool,
) -> None:
    """Join what a picture outlines to what other pictures do."""
    values = _values(path, shape)
    present = set(np.unique(values).tolist())
    labelled = part == "any" and present <= {0, *LABELS.values(), AreaLabel.NOT_TISSUE}
    if labelled and (present & {2, 3} or written_by_run):
        for kind, label in LABELS.items():
            areas[kind] = areas.get(kind, False) | (values == label)
    elif len(present - {0}) <= 1:
        kind = "mass" if part == "any" else part
        areas[kind] = areas.get(kind, False) | (values != 0)
    else:
        shown = ", ".join(map(str, sorted(present)[:8])) + (", ..." if len(present) > 8 else "")
        raise ScanError(
            f"{path}: expected a mask of 0 and one other value, or labels 0, 1 mass, 2 duct, 3 nonmass, 255 not tissue; found {shown}"
        )


def _values(path: Path, shape: tuple[int, int]) -> NDArray[np.integer]:
    """Values of a mask; of a palette image its indices, since those are the labels."""
    from usmicro.loading.raster import opened

    content = content_of(path)
    if content not in READ or content == "dicom":
        raise ScanError(
            f"{path}: expected a mask as PNG, BMP, TIFF or DICOM Segmentation, found {content}"
        )
    with (
        decoding(path, "the mask cannot be read; the file is damaged"),
        opened(path, content) as image,
    ):
        if image.size != (shape[1], shape[0]):
            raise ScanError(
                f"{path}: the mask has {image.size[1]} rows x {image.size[0]} columns, its image {shape[0]} x {shape[1]}; "
                "expected the same size"
            )
        if image.mode in ("LA", "La"):
            image = image.convert("L")
        elif image.mode in ("RGBA", "RGBa", "PA", "CMYK", "YCbCr"):
            image = image.convert("RGB")
        values = np.asarray(image)
    if values.ndim == 3:
        if (values != values[..., :1]).any():
            raise ScanError(
                f"{path}: expected a grey mask, found a coloured image; give its labels as grey values"
            )
        values = values[..., 0]
    return values.astype(np.int64)
