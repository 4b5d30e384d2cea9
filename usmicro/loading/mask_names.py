"""Names of masks: the scan that a mask belongs to, and the structure that it outlines."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

from usmicro.loading.dicom.segmentation import Structure
from usmicro.loading.formats import DICOM_SUFFIXES

NAME_STRUCTURES: dict[str, Structure] = {
    "mask": "any",
    "masks": "any",
    "seg": "any",
    "segmentation": "any",
    "gt": "any",
    "label": "any",
    "labels": "any",
    "tumor": "mass",
    "tumour": "mass",
    "lesion": "mass",
    "mass": "mass",
    "duct": "duct",
    "nonmass": "nonmass",
    "other": "other",
}
"""Structure that a mask outlines, by the word at the end of its file name."""
_ENDING = re.compile(rf"[_\- .]({'|'.join(NAME_STRUCTURES)})(?:[_\-]?\d+)?$", re.IGNORECASE)
"""End of the stem of a mask: benign (1)_mask_1, case001_tumor2, case1-mask."""
_BEGINNING = re.compile(r"^masks?[_\- ]", re.IGNORECASE)
"""Beginning of the stem of a mask: mask_0001-l."""
_SHORT = "\0"
"""Marks a key that is the short name of an image, the part behind its first underscore. No file
name contains this character."""
MASK_FOLDERS = frozenset(
    (
        *("mask", "masks", "msk", "msks", "label", "labels", "gt", "gts", "truth", "truths"),
        *("groundtruth", "ground_truth", "ground truth", "ground-truth"),
        *("seg", "segs", "segmentation", "segmentations", "annotation", "annotations"),
    )
)
"""Names of folders, in lower case, that may hold masks."""
PICTURE_SUFFIXES = frozenset(
    (
        *(".png", ".bmp", ".dib", ".tif", ".tiff"),
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".gif"),
    )
)
"""Suffixes of pictures that may be masks."""


def composed(text: str) -> str:
    """Return a name in composed Unicode (NFC), as names are compared.

    The letter é may be one character or an e with an accent; file systems and tables differ.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_named_like_mask(name: str) -> bool:
    """Return True if a file name begins or ends with a word for masks."""
    stem = stem_of(name)
    return bool(_BEGINNING.search(stem) or _ENDING.search(stem))


def stem_of(name: str) -> str:
    """Return a file name in composed Unicode without its suffix, and without .seg before .dcm."""
    stem, suffix = os.path.splitext(composed(name))
    if suffix.lower() in DICOM_SUFFIXES:
        stem = re.sub(r"\.seg$", "", stem, flags=re.IGNORECASE)
    return stem


def owners(name: str) -> Iterator[tuple[str, Structure]]:
    """Yield the images that a file may be a mask of.

    Parameters
    ----------
    name : str
        Name of the file, without its folder.

    Yields
    ------
    key : str
        One of the `keys_of_image` of the image.
    structure : str
        Structure that the mask outlines according to its name.
    """
    stem = stem_of(name)
    yield stem, "any"
    if ending := _ENDING.search(stem):
        yield stem[: ending.start()], NAME_STRUCTURES[ending.group(1).lower()]
    if beginning := _BEGINNING.search(stem):
        rest = stem[beginning.end() :]
        yield rest, "any"
        yield _SHORT + rest, "any"


def keys_of_image(name: str) -> tuple[str, ...]:
    """Return the texts by which the masks of an image are found, given its name or path.

    They are its stem, its file name, and the part of its stem behind the first underscore: in
    BUS-BRA, mask_0001-l.png is the mask of bus_0001-l.png.
    """
    file = PurePosixPath(composed(name))
    short = file.stem.partition("_")[2]
    return (file.stem, file.name, _SHORT + short) if short else (file.stem, file.name)


def structure_in_name(file: str, image: str) -> Structure | None:
    """Return the structure that a mask outlines according to its name.

    The result is None if the file is not a mask of the image.
    """
    keys = keys_of_image(image)
    return next((structure for key, structure in owners(file) if key in keys), None)
