"""The kind of a DICOM file, and the images that a segmentation refers to."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from usmicro.loading.formats import (
    HEAD_BYTES,
    BoundedReader,
    detect_format,
    file_state,
    format_of_bytes,
    scan_errors,
    uid_name,
)

if TYPE_CHECKING:
    from pydicom.uid import UID

_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
_WITHOUT_IMAGE = (
    "1.2.840.10008.1.3.10",  # DICOMDIR
    "1.2.840.10008.5.1.4.1.1.4.2",  # MR spectroscopy, which has rows and columns
    "1.2.840.10008.5.1.4.1.1.9",  # waveforms
    "1.2.840.10008.5.1.4.1.1.11",  # presentation states
    "1.2.840.10008.5.1.4.1.1.66",  # raw data, registrations, surfaces; see _SEGMENTATION
    "1.2.840.10008.5.1.4.1.1.67",  # real-world value mapping
    "1.2.840.10008.5.1.4.1.1.68",  # surface scans
    "1.2.840.10008.5.1.4.1.1.88",  # structured reports and key object selections
    "1.2.840.10008.5.1.4.1.1.104",  # encapsulated documents
)
"""SOP classes of objects without an image. Some are roots: all classes below them have none."""
_PIXEL_DATA_TAGS = tuple(
    struct.pack(f"{order}HH", 0x7FE0, element) for order in "<>" for element in (8, 9, 0x10)
)
"""First bytes of an element with pixel data, integers or floating-point numbers."""
_SUMMARY_KEYWORDS = [
    "SOPClassUID",
    "Rows",
    "DirectoryRecordSequence",
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
    has_image: bool = True
    """False for a DICOM object without an image, such as a structured report, an encapsulated PDF,
    a presentation state or a DICOMDIR. True if the file is damaged or not a DICOM file."""


def read_summary(path: Path) -> FileSummary:
    """Return the summary of a file; it is cached until the file changes.

    The search for the masks of each scan may read every file in a folder.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    return _cached_summary(path, *file_state(path))


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
            name = uid_name(kind) if kind else "no SOP class"
            return FileSummary(name, False, frozenset(), _has_image(file, dataset, kind))
        groups = [
            *(dataset.get("PerFrameFunctionalGroupsSequence") or []),
            *(dataset.get("SharedFunctionalGroupsSequence") or []),
        ]
        image_uids = series_images(dataset).union(*(source_images(group)[0] for group in groups))
    return FileSummary(kind.name, True, image_uids)


def _has_image(file: BinaryIO, dataset: Any, sop_class: UID) -> bool:
    """Return False if a DICOM object is complete without an image.

    An image that is cut off before its pixels is still one: its own message says what is wrong.

    Parameters
    ----------
    file : binary file
        Where reading the header stopped: at the pixel data, or at the end of the file.
    dataset : pydicom.Dataset
    sop_class : UID
    """
    if file.read(4) in _PIXEL_DATA_TAGS:
        return True
    if "DirectoryRecordSequence" in dataset:
        return False
    if any(sop_class == root or sop_class.startswith(f"{root}.") for root in _WITHOUT_IMAGE):
        return False
    if not sop_class or "Rows" in dataset:
        return True
    return "Image Storage" in sop_class.name


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


def image_uid_in_head(head: bytes) -> str | None:
    """Return the SOPInstanceUID in the first bytes of a file, or None as `read_image_uid`.

    It is among the first data elements, in a few hundred bytes. None also if the bytes are damaged.
    """
    if format_of_bytes(head[:HEAD_BYTES]) != "dicom":
        return None
    from pydicom.filereader import read_partial

    try:
        dataset = read_partial(
            BytesIO(head), stop_when=lambda tag, vr, length: tag > 0x00080018, force=True
        )
        uid = dataset.get("SOPInstanceUID") or dataset.file_meta.get("MediaStorageSOPInstanceUID")
    except Exception:  # a header that is cut or damaged makes pydicom raise errors of any type
        return None
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
