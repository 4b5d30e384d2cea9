"""The kind of a DICOM file, and the images that a segmentation refers to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from usmicro.errors import ScanError
from usmicro.loading.formats import BoundedReader, detect_format, scan_errors

_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
_SUMMARY_KEYWORDS = [
    "SOPClassUID",
    "ReferencedSeriesSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
_CACHED_FILES = 65536
"""Number of files whose summaries are kept in memory. Chosen to exceed the number of masks in a
folder; no measurement is recorded."""


@dataclass(frozen=True, slots=True)
class FileSummary:
    """The part of a file's header that the search for masks needs."""

    kind: str
    """Name of its SOP class, or its format if it is not a DICOM file."""
    is_segmentation: bool
    """True for a DICOM Segmentation object."""
    image_uids: frozenset[str]
    """SOPInstanceUIDs of the images that a segmentation refers to."""


def read_summary(path: Path) -> FileSummary:
    """Return the summary of a file; it is cached until the file changes.

    The search for the masks of each scan may read every file in a folder.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ScanError(f"{path}: cannot be opened: {error.strerror or error}") from error
    return _cached_summary(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=_CACHED_FILES)
def _cached_summary(path: Path, modified_ns: int, size: int) -> FileSummary:
    """Read the summary of a file; its modification time and size are part of the cache key."""
    if (file_format := detect_format(path)) != "dicom":
        return FileSummary(file_format, False, frozenset())
    from pydicom import dcmread
    from pydicom.uid import UID

    with scan_errors(path, "expected DICOM, but it cannot be read"), BoundedReader(path) as file:
        dataset = dcmread(
            file, stop_before_pixels=True, force=True, specific_tags=_SUMMARY_KEYWORDS
        )
        sop_class = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID")
        kind = UID(str(sop_class or ""))
        if kind not in (_SEGMENTATION, _LABEL_MAP_SEGMENTATION):
            return FileSummary(kind.name or "no SOP class", False, frozenset())
        groups = [
            *(dataset.get("PerFrameFunctionalGroupsSequence") or []),
            *(dataset.get("SharedFunctionalGroupsSequence") or []),
        ]
        image_uids = series_images(dataset).union(*(source_images(group)[0] for group in groups))
    return FileSummary(kind.name, True, image_uids)


def read_image_uid(path: Path) -> str | None:
    """Return the SOPInstanceUID of a scan, or None if it is not a DICOM file or has none.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    if detect_format(path) != "dicom":
        return None
    from pydicom import dcmread

    with (
        scan_errors(path, "expected a DICOM image, but it cannot be read"),
        BoundedReader(path) as file,
    ):
        dataset = dcmread(
            file, stop_before_pixels=True, force=True, specific_tags=["SOPInstanceUID"]
        )
        uid = dataset.get("SOPInstanceUID") or dataset.file_meta.get("MediaStorageSOPInstanceUID")
        return str(uid or "") or None


def source_images(group: Any) -> tuple[frozenset[str], frozenset[int]]:
    """Return the UIDs of the images that a functional group refers to, and their frames.

    Frames are numbered from 0; no frames means all.
    """
    sources = [
        source
        for item in group.get("DerivationImageSequence") or []
        for source in item.get("SourceImageSequence") or []
    ]
    numbers: list[Any] = []
    for source in sources:
        value = source.get("ReferencedFrameNumber")
        if value is not None:
            numbers += [value] if isinstance(value, int | str) else value
    return _instance_uids(sources), frozenset(int(number) - 1 for number in numbers)


def series_images(dataset: Any) -> frozenset[str]:
    """Return the UIDs of the images that a segmentation as a whole refers to."""
    series = dataset.get("ReferencedSeriesSequence") or []
    return _instance_uids(
        [instance for item in series for instance in item.get("ReferencedInstanceSequence") or []]
    )


def _instance_uids(references: list[Any]) -> frozenset[str]:
    """Return the instance UIDs in items of DICOM sequences; items without one are left out."""
    return frozenset(
        str(reference.ReferencedSOPInstanceUID)
        for reference in references
        if reference.get("ReferencedSOPInstanceUID")
    )
