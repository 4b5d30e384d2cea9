"""What a file among the inputs of a run is: a scan, a mask, or a file that is passed over."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal

from usmicro.errors import ScanError
from usmicro.loading.dicom.references import read_summary
from usmicro.loading.formats import (
    COMPRESSED_NIFTI,
    DICOM_SUFFIXES,
    HEAD_BYTES,
    SCAN_FORMATS,
    SCAN_SUFFIXES,
    STILL_FORMATS,
    UNSUPPORTED_SUFFIXES,
    format_of_bytes,
    uid_name,
)
from usmicro.loading.mask_names import (
    MASK_FOLDERS,
    PICTURE_SUFFIXES,
    composed,
    is_named_like_mask,
    keys_of_image,
    owners,
    stem_of,
)
from usmicro.loading.passed_over import OTHER_SUFFIXES, UNEXAMINED_SUFFIXES, suffix_of

Kind = Literal["scan", "picture", "mask", "unread", "other", "silent"]
"""A "picture" may turn out to be a mask, "unread" may be a scan in a format that is not read,
"other" is no scan, and "silent" is nothing that holds data, such as a socket; it is not counted."""
DICOM_HEAD_BYTES = 4096
"""Number of bytes from which the class of a DICOM object is read at an address. The class is among
the first data elements, in a few hundred bytes. Chosen by judgement."""
_DICOM_MASKS = ("Segmentation Storage", "Label Map Segmentation Storage")
_WORDS_OF_IMAGES = ("Image", "Video", "US Volume", "Capture")
"""Words in the names of DICOM classes whose objects have pixels."""
_BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)
"""Sizes of the second header of a BMP file, bytes. Its signature alone, BM, may begin a text."""
_SAMPLED_PICTURES = 3
"""Number of pictures of a folder that must all look like masks before the others are examined. So
one picture of most folders of scans is decoded. Chosen by judgement."""


def kind_of_file(path: Path) -> tuple[Kind, str]:
    """Return what a file is, and for a file that is passed over a word for its type.

    A file that cannot be read is a scan, so that its row in the table of images gives the reason.
    """
    kind = _kind_by_name(path.name)
    if kind is not None and kind[0] == "other":
        return kind
    if not (os.path.isfile(path) or os.path.islink(path)):
        return "silent", ""
    if kind is not None:
        return kind
    if not (path.exists() or path.suffix.lower() in DICOM_SUFFIXES):
        return "other", "broken link"
    try:
        head = b""
        if path.suffix.lower() not in DICOM_SUFFIXES:
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
            if format_of_bytes(head) != "dicom":
                return _kind_by_head(path.name, head)
        summary = read_summary(path)
    except (ScanError, OSError):
        return "scan", ""
    if summary.is_segmentation:
        return "mask", ""
    # a file with the suffix of DICOM and another content is a scan whose row gives the reason
    if summary.has_image:
        return "scan", ""
    return "other", f"DICOM {summary.kind}"


def kind_of_bytes(name: str, head: bytes) -> tuple[Kind, str]:
    """Return what a file is, as `kind_of_file`, from its name and its first bytes.

    The bytes may be empty if `needs_head` is False.
    """
    kind = _kind_by_name(name)
    if kind is not None:
        return kind
    is_dicom = format_of_bytes(head[:HEAD_BYTES]) == "dicom"
    if not is_dicom:
        is_named_dicom = PurePosixPath(name).suffix.lower() in DICOM_SUFFIXES
        return ("scan", "") if is_named_dicom else _kind_by_head(name, head)
    dicom_class = _dicom_class(head)
    if dicom_class in _DICOM_MASKS:
        return "mask", ""
    if not dicom_class or any(word in dicom_class for word in _WORDS_OF_IMAGES):
        return "scan", ""
    return "other", f"DICOM {dicom_class}"


def needs_head(name: str) -> bool:
    """Return True if the name of a file does not say what it is."""
    return _kind_by_name(name) is None


def _kind_by_name(name: str) -> tuple[Kind, str] | None:
    """Return what a file is by its name; None if its content decides."""
    suffix = PurePosixPath(name).suffix.lower()
    if name.upper() == "DICOMDIR":
        return "other", "DICOMDIR"
    if suffix in UNEXAMINED_SUFFIXES:
        return "other", suffix
    if suffix in PICTURE_SUFFIXES:
        return "picture", ""
    is_compressed_nifti = name.lower().endswith(COMPRESSED_NIFTI)
    if is_compressed_nifti or suffix in (SCAN_SUFFIXES | UNSUPPORTED_SUFFIXES) - DICOM_SUFFIXES:
        return "scan", ""
    return None


def _kind_by_head(name: str, head: bytes) -> tuple[Kind, str]:
    """Return what a file is by its content, if its suffix does not say it and it is not DICOM."""
    file_format = format_of_bytes(head[:HEAD_BYTES])
    if file_format == "bmp" and int.from_bytes(head[14:18], "little") not in _BMP_HEADER_SIZES:
        file_format = format_of_bytes(head[1:HEAD_BYTES])
    if file_format in SCAN_FORMATS:
        return ("picture" if file_format in STILL_FORMATS else "scan"), ""
    suffix = suffix_of(name)
    if file_format == "text" or suffix in OTHER_SUFFIXES:
        return "other", suffix or "text"
    known = "" if file_format == "unknown" else f"{file_format} "
    return "unread", suffix or f"{known}without an ending"


def _dicom_class(head: bytes) -> str:
    """Return the name of the class of a DICOM object; empty if it cannot be read."""
    from pydicom.filereader import read_partial

    try:
        dataset = read_partial(
            io.BytesIO(head), stop_when=lambda tag, vr, length: tag > 0x00080016, force=True
        )
        uid = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID")
    except Exception:  # a header that is cut or damaged makes pydicom raise errors of any type
        return ""
    name = uid_name(str(uid or ""))
    return name if "Storage" in name else ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture among the inputs."""

    name: PurePosixPath
    """Path below INPUT."""
    looks_like_mask: Callable[[], bool]
    """Returns True if it has few grey values; raises a ScanError if it cannot be read."""


def is_in_mask_folder(name: PurePosixPath) -> bool:
    """Return True if a file lies in a folder with a name for masks; `name` is its path."""
    return any(part.lower() in MASK_FOLDERS for part in name.parent.parts)


def picture_kinds(
    pictures: Iterable[Picture], scans: Iterable[PurePosixPath], *, in_mask_folder: bool
) -> Iterator[Literal["scan", "mask", "unclear"]]:
    """Yield for each picture whether it is a scan or a mask.

    A picture is a mask if it has few grey values and its name is that of a mask of one of the
    scans. In a folder with a name for masks, every picture with few grey values is a mask. In
    another folder whose first pictures look like masks, a picture with few grey values is a mask if
    it has the name of a scan in the folder above or in one beside. A picture with few grey values
    and the name or folder of a mask, but without a scan, is "unclear"; it is taken as a scan.

    Parameters
    ----------
    pictures : iterable of Picture
        All pictures below an INPUT.
    scans : iterable of PurePosixPath
        Names of the scans below it that are no pictures.
    in_mask_folder : bool
        True if INPUT itself has a name for masks.
    """
    pictures = list(pictures)
    names = [*scans, *(picture.name for picture in pictures)]
    keys_beside = {(name.parent, key) for name in names for key in keys_of_image(name.name)}
    keys = {
        key for name in names if not is_in_mask_folder(name) for key in keys_of_image(name.name)
    }
    full_names = {(name.parent, composed(name.name)) for name in names}
    same_stem = Counter((name.parent, stem_of(name.name)) for name in names)
    looks: dict[PurePosixPath, bool] = {}

    def looks_like_mask(picture: Picture) -> bool:
        if picture.name not in looks:
            try:
                looks[picture.name] = picture.looks_like_mask()
            except ScanError:  # its row in the table of images gives the reason
                looks[picture.name] = False
        return looks[picture.name]

    twins: Counter[tuple[PurePosixPath, str]] = Counter()
    for picture in pictures:
        group = picture.name.parent, stem_of(picture.name.name)
        if same_stem[group] > 1 and looks_like_mask(picture):
            twins[group] += 1
    like_masks = {
        folder
        for folder, found in _by_folder(pictures).items()
        if all(map(looks_like_mask, found[:_SAMPLED_PICTURES]))
    }
    stems_of_scans = {
        (place, stem_of(name.name))
        for name in names
        if name.parent not in like_masks and not is_in_mask_folder(name)
        for place in (name.parent, name.parent.parent)
    }
    for picture in pictures:
        folder, file = picture.name.parent, picture.name.name
        group = folder, stem_of(file)
        has_twin = same_stem[group] > 1
        is_in_folder = is_in_mask_folder(picture.name)
        is_named = is_named_like_mask(file)
        is_named_after_scan = group in full_names  # case1.dcm.png beside case1.dcm
        examined = has_twin or is_in_folder or is_named or is_named_after_scan or in_mask_folder
        examined = examined or folder in like_masks
        if not examined or not looks_like_mask(picture):
            yield "scan"
            continue
        has_scan = (
            is_named_after_scan
            or (has_twin and twins[group] < same_stem[group])
            or (folder in like_masks and (folder.parent, stem_of(file)) in stems_of_scans)
            or any(
                (folder, key) in keys_beside or key in keys
                for key, _ in islice(owners(file), 1, None)  # the first is the picture itself
            )
        )
        yield "mask" if has_scan or is_in_folder else "unclear"


def _by_folder(pictures: Iterable[Picture]) -> dict[PurePosixPath, list[Picture]]:
    """Return the pictures of each folder."""
    folders: dict[PurePosixPath, list[Picture]] = {}
    for picture in pictures:
        folders.setdefault(picture.name.parent, []).append(picture)
    return folders
