"""Outlines that a user gives: masks and label images, matched to a scan by file name."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from usmicro.arrays import BoolImage, LabelImage
from usmicro.errors import ScanError
from usmicro.loading.content import READ, content_of, decoding
from usmicro.loading.discover import is_result
from usmicro.scan import GivenMasks

Part = Literal["any", "mass", "duct", "nonmass", "other"]

LABELS: dict[Part, int] = {"mass": 1, "duct": 2, "nonmass": 3}
"""Coding of label images, as a run writes them; 0 is tissue."""
NOT_TISSUE = 255
_WORDS: dict[str, Part] = {
    "mask": "any", "tumor": "mass", "tumour": "mass", "mass": "mass", "duct": "duct", "nonmass": "nonmass", "other": "other",
}  # fmt: skip
_ENDING = re.compile(rf"_({'|'.join(_WORDS)})(?:_?\d+)?", re.IGNORECASE)
_SUFFIXES = frozenset((".png", ".bmp", ".tif", ".tiff"))


def find_masks(folder: Path, name: str) -> list[Path]:
    """Find the files in a folder of masks that belong to an image.

    For `left/case1.png` they are looked for in `FOLDER/left`, then in `FOLDER`: `case1.png` (what a run writes, or any binary mask),
    `case1_mask.png`, `case1_mask_1.png`, `case1_tumor.png`, `case1_mass2.png`, `case1_duct.png`, `case1_nonmass.png`, and, in the manner of
    BUS-BRA, `mask_case1.png` or `mask_1.png` for `case_1.png`. Masks of other things, `case1_other.png`, are found and not used.

    Parameters
    ----------
    folder : Path
    name : str
        Path of the image below INPUT.

    Returns
    -------
    list of Path
        Sorted; empty if the image has none.

    Raises
    ------
    ScanError
        If the folder cannot be read.
    """
    image = PurePosixPath(name)
    in_all = image.stem.partition("_")[2] or image.stem  # a quick look before a close one: folders hold thousands
    for place in dict.fromkeys((folder / image.parent, folder)):
        try:
            files = sorted(os.listdir(place)) if place.is_dir() else []
        except OSError as error:
            raise ScanError(f"{place}: the masks cannot be read: {error.strerror or error}") from error
        if found := [place / file for file in files if in_all in file and _part(file, image) is not None]:
            return found
    return []


def _part(file: str, image: PurePosixPath) -> Part | None:
    """What a file outlines in an image, by its name; None if it belongs to another image."""
    stem, suffix = os.path.splitext(file)
    if suffix.lower() not in _SUFFIXES:
        return None
    if stem in (image.stem, image.name, f"mask_{image.stem}", f"mask_{image.stem.partition('_')[2] or image.stem}"):
        return "any"
    for base in (image.stem, image.name):
        if stem.startswith(base) and (ending := _ENDING.fullmatch(stem[len(base) :])):
            return _WORDS[ending.group(1).lower()]
    return None


def read_masks(folder: Path, name: str, shape: tuple[int, int]) -> GivenMasks | None:
    """Read the masks of an image, found as in `find_masks`; several of one kind are joined, and connected parts are numbered.

    A file is a label image (0 tissue, 1 mass, 2 duct, 3 nonmass area, 255 not tissue) if its name does not say what it outlines and it
    holds a value of 2 or 3, or lies in a folder that a run wrote; else it is binary, 0 and one other value, and outlines masses.

    Parameters
    ----------
    folder : Path
    name : str
        Path of the image below INPUT.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    GivenMasks or None
        None if the image has no mask. What no file tells of is None: the program looks for it itself.

    Raises
    ------
    ScanError
        If a mask cannot be read, has another size than the image, or holds values that are neither labels nor binary.
    """
    areas: dict[Part, BoolImage] = {}
    sources = []
    for path in find_masks(folder, name):
        part = _part(path.name, PurePosixPath(name))
        if part is None or part == "other":
            continue
        sources.append(path.relative_to(folder).as_posix())
        values = _values(path, shape)
        present = set(np.unique(values).tolist())
        labelled = part == "any" and present <= {0, *LABELS.values(), NOT_TISSUE}
        if labelled and (present & {2, 3} or is_result(folder.parent) or is_result(folder)):
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
    if not sources:
        return None
    masses, ducts = (_numbered(areas[kind]) if kind in areas else None for kind in ("mass", "duct"))
    return GivenMasks(masses, ducts, areas.get("nonmass"), tuple(sources))


def _numbered(area: BoolImage) -> LabelImage:
    from scipy import ndimage

    numbered, _ = ndimage.label(area, structure=np.ones((3, 3)))
    return np.asarray(numbered, dtype=np.int32)


def _values(path: Path, shape: tuple[int, int]) -> NDArray[np.integer]:
    """Values of a mask; of a palette image its indices, since those are the labels."""
    from usmicro.loading.raster import opened

    content = content_of(path)
    if content not in READ or content == "dicom":
        raise ScanError(f"{path}: expected a mask as PNG, BMP or TIFF, found {content}")
    with decoding(path, "the mask cannot be read; the file is damaged"), opened(path, content) as image:
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
            raise ScanError(f"{path}: expected a grey mask, found a coloured image; give its labels as grey values")
        values = values[..., 0]
    return values.astype(np.int64)
