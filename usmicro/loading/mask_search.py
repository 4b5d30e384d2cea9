"""Search for the masks of an image: by name, and by the UIDs that segmentations refer to."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from usmicro.errors import ScanError
from usmicro.loading.dicom.references import read_image_uid, read_summary
from usmicro.loading.formats import (
    DICOM_SUFFIXES,
    SCAN_SUFFIXES,
    STILL_FORMATS,
    UNSUPPORTED_SUFFIXES,
    detect_format,
)
from usmicro.loading.local_files import is_result
from usmicro.loading.mask_names import (
    PICTURE_SUFFIXES,
    is_named_like_mask,
    keys_of_image,
    owners,
    structure_in_name,
)
from usmicro.loading.mask_pixels import looks_like_mask
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

_MASK_SUFFIXES = PICTURE_SUFFIXES | DICOM_SUFFIXES | {""}
_NOT_DICOM_SUFFIXES = SCAN_SUFFIXES - DICOM_SUFFIXES | UNSUPPORTED_SUFFIXES
"""Suffixes of files that are not opened in the search for segmentations."""
_CACHED_FOLDERS = 256
"""Number of folders whose file names are kept in memory. Chosen by judgement; no measurement is
recorded."""


def search_masks(
    folder: Path,
    name: str,
    scan: Path | None,
    remarks: list[Remark] | None = None,
    *,
    uid: str | None = None,
) -> list[Path]:
    """Return the masks of an image; see `usmicro.loading.masks.find_masks`.

    Notes and warnings of the search are appended to `remarks`.
    """
    remarks = [] if remarks is None else remarks
    scan_folder = None if scan is None else os.path.realpath(scan.parent)
    for place in _places(folder, name, scan):
        named = _files_of_image(place, name)
        is_beside_scan = bool(named) and os.path.realpath(place) == scan_folder
        masks = [
            path for path in named if _is_mask(path, scan, remarks, is_beside_scan=is_beside_scan)
        ]
        if scan is None:
            masks = _without_scan_itself(place, masks, name)
        if masks:
            return masks
    uid = uid if scan is None else read_image_uid(scan)
    if uid is None:
        return []
    index = _uid_index(folder)
    remarks += [
        ScanWarning(
            WarningCode.MASK_NOT_USED,
            f"{path.name} in the masks folder is not used, although it may belong to this image: "
            f"{reason}",
        )
        for path, reason in index.unreadable
    ]
    return sorted(path for path in index.files.get(uid, ()) if uid in read_summary(path).image_uids)


def _places(folder: Path, name: str, scan: Path | None) -> list[Path]:
    """Return the folders that are searched for the masks of an image, in this order."""
    places = [folder / PurePosixPath(name).parent, folder]
    if scan is not None and scan.parent.is_relative_to(folder):
        places.append(scan.parent)
    return list(dict.fromkeys(places))


def _files_of_image(place: Path, name: str) -> list[Path]:
    """Return the files in a folder that are masks of an image by their names, sorted.

    Raises
    ------
    ScanError
        If the folder cannot be read.
    """
    try:
        return _named_files(place, name)
    except OSError as error:
        raise ScanError(f"{place}: the masks cannot be read: {error.strerror or error}") from error


def _named_files(place: Path, name: str) -> list[Path]:
    """Return the files of an image as `_files_of_image`, with the errors of the file system."""
    index = _index_of(place, place.stat().st_mtime_ns) if place.is_dir() else {}
    files = {file for key in keys_of_image(name) for file in index.get(key, ())}
    return [place / file for file in sorted(files)]


@lru_cache(maxsize=_CACHED_FOLDERS)
def _index_of(folder: Path, modified_ns: int) -> Mapping[str, tuple[str, ...]]:
    """Return the file names in a folder by the images that they may be masks of.

    The result is cached until the folder changes: it is searched again for every scan, and may have
    as many masks as there are scans.
    """
    index: dict[str, tuple[str, ...]] = {}
    for file in os.listdir(folder):
        if os.path.splitext(file)[1].lower() in _MASK_SUFFIXES:
            for key, _ in owners(file):
                index[key] = (*index.get(key, ()), file)
    return index


def _is_mask(path: Path, scan: Path | None, remarks: list[Remark], *, is_beside_scan: bool) -> bool:
    """Return True if a file with the name of a mask is one, else add a remark.

    A picture in the folder of the scan may be another scan, so it must look like a mask. In another
    folder every picture is a mask.
    """
    if not path.is_file():
        return False
    if scan is not None and os.path.realpath(path) == os.path.realpath(scan):
        return False
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES or (not suffix and detect_format(path) in STILL_FORMATS):
        try:
            if not is_beside_scan or looks_like_mask(path):
                return True
        except ScanError:  # its message comes when the mask is read
            return True
        expected, found = "a mask with few grey values", "a picture with many"
    else:
        summary = read_summary(path)
        if summary.is_segmentation:
            return True
        expected, found = "a DICOM Segmentation", summary.kind
    text = f"{path.name} in the masks folder is not used: expected {expected}, found {found}"
    if not is_beside_scan:
        remarks.append(ScanWarning(WarningCode.MASK_NOT_USED, text))
    elif is_named_like_mask(path.name):
        remarks.append(text)  # only a note, since it may well be another scan
    return False


def _without_scan_itself(place: Path, masks: list[Path], name: str) -> list[Path]:
    """Return the masks without a file that is probably the image, whose own file is not known.

    Such a file has the name of the image and looks like a scan, and its folder has masks with other
    names.
    """
    own = place / PurePosixPath(name).name
    try:
        if own not in masks or looks_like_mask(own):
            return masks
        if not _has_named_masks(place, place.stat().st_mtime_ns):
            return masks
    except (ScanError, OSError):  # its message comes when the mask is read
        return masks
    return [path for path in masks if path != own]


@lru_cache(maxsize=_CACHED_FOLDERS)
def _has_named_masks(folder: Path, modified_ns: int) -> bool:
    """Return True if a folder has pictures whose names have a word for masks.

    The result is cached until the folder changes.
    """
    return any(
        is_named_like_mask(file)
        for file in os.listdir(folder)
        if os.path.splitext(file)[1].lower() in PICTURE_SUFFIXES
    )


@dataclass(frozen=True, slots=True)
class _UidIndex:
    """The segmentations below a folder."""

    files: Mapping[str, tuple[Path, ...]]
    """Segmentations by the UIDs of the images that they refer to."""
    unreadable: tuple[tuple[Path, str], ...]
    """DICOM files that cannot be read, each with the reason."""
    folders: tuple[tuple[str, int], ...]
    """Folders with the times of their last change, ns."""

    def is_current(self) -> bool:
        """Return True if no file has come or gone since."""
        try:
            return all(os.stat(folder).st_mtime_ns == time for folder, time in self.folders)
        except OSError:
            return False


_uid_indices: dict[Path, _UidIndex] = {}


def _uid_index(folder: Path) -> _UidIndex:
    """Return the segmentations below a folder, read again only if files come or go."""
    index = _uid_indices.get(folder)
    if index is None or not index.is_current():
        index = _uid_indices[folder] = _read_uids(folder)
    return index


def _read_uids(folder: Path) -> _UidIndex:
    """Read which images the segmentations below a folder refer to."""
    by_uid: dict[str, list[Path]] = defaultdict(list)
    unreadable, folders = [], []
    for place, subfolders, files in os.walk(folder):
        subfolders.sort()
        folders.append((place, os.stat(place).st_mtime_ns))
        for path in (Path(place, file) for file in sorted(files)):
            if path.suffix.lower() in _NOT_DICOM_SUFFIXES:
                continue
            try:
                for uid in read_summary(path).image_uids if path.is_file() else ():
                    by_uid[uid].append(path)
            except ScanError as error:
                unreadable.append((path, str(error).removeprefix(f"{path}: ")))
    return _UidIndex(
        {uid: tuple(paths) for uid, paths in by_uid.items()}, tuple(unreadable), tuple(folders)
    )


@dataclass(frozen=True, slots=True)
class MaskMatches:
    """How a folder of masks fits the images of a run."""

    without_scan: tuple[str, ...]
    """Masks that match no image, by their paths below the folder, sorted."""
    shared: tuple[str, ...]
    """Masks that belong to several images, by their paths below the folder, sorted."""
    images_without: tuple[str, ...]
    """Names of the images that have no mask, in the order given."""


def match_masks(
    folder: Path,
    images: Iterable[tuple[str, Path | None]],
    uids: Mapping[str, str] | None = None,
) -> MaskMatches:
    """Compare a folder of masks with the images of a run.

    Parameters
    ----------
    folder : Path
    images : iterable of (str, Path or None)
        Name of each image below INPUT, and its file, if it has one on this machine.
    uids : mapping, optional
        SOPInstanceUIDs of images without such a file, by their names.

    Returns
    -------
    MaskMatches

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    uids = uids or {}
    _real_folder.cache_clear()
    _uid_indices.clear()  # files may have changed in place since a former run of this process
    uses: dict[Path, int] = defaultdict(int)
    images_without = []
    scans: set[tuple[str, str]] = set()
    for name, scan in images:
        if scan is not None:
            scans.add(_entry(scan))
        try:
            masks = search_masks(folder, name, scan, uid=uids.get(name))
        except ScanError:  # the image will fail with this message
            for place in _places(folder, name, scan):
                uses.update({path: 1 for path in _named_files(place, name) if path not in uses})
            continue
        used = [path for path in masks if structure_in_name(path.name, name) != "other"]
        for path in used:
            uses[path] += 1
        uses.update({path: max(uses[path], 1) for path in masks})  # those of other structures
        if not used:
            images_without.append(name)
    matched = {_entry(path) for path in uses}
    unmatched = [path for path in _masks_below(folder, scans) if _entry(path) not in matched]
    return MaskMatches(
        without_scan=_relative(unmatched, folder),
        shared=_relative([path for path, count in uses.items() if count > 1], folder),
        images_without=tuple(images_without),
    )


@lru_cache(maxsize=_CACHED_FOLDERS)
def _real_folder(folder: str) -> str:
    """Return the path of a folder without links; it is asked for each file in it."""
    return os.path.realpath(folder)


def _entry(path: Path) -> tuple[str, str]:
    """Return the folder of a file, without links, and its name."""
    folder, name = os.path.split(path)
    return _real_folder(folder), name


def _masks_below(folder: Path, scans: set[tuple[str, str]]) -> Iterator[Path]:
    """Yield the files below a folder that may be masks.

    Parameters
    ----------
    folder : Path
    scans : set of (str, str)
        Folders and names of the scans, which are no masks. In a folder with scans, only files whose
        names have a word for masks are yielded.
    """
    is_run = is_result(folder)
    for place, subfolders, files in os.walk(folder):
        subfolders[:] = [] if is_run else sorted(sub for sub in subfolders if sub[0] != ".")
        entries = {file: (_real_folder(place), file) for file in files if file[0] != "."}
        has_scans = not scans.isdisjoint(entries.values())
        for file, entry in entries.items():
            suffix = os.path.splitext(file)[1].lower()
            if entry in scans or (has_scans and not is_named_like_mask(file)):
                continue
            path = Path(place, file)
            if suffix in PICTURE_SUFFIXES:
                yield path
            elif suffix in DICOM_SUFFIXES or not suffix:
                try:
                    if read_summary(path).is_segmentation:
                        yield path
                except ScanError:
                    continue


def _relative(paths: Iterable[Path], folder: Path) -> tuple[str, ...]:
    """Return paths below a folder with forward slashes, sorted."""
    return tuple(sorted(path.relative_to(folder).as_posix() for path in paths))
