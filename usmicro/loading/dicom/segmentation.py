"""DICOM Segmentation objects: which image and which of its frames they outline, and what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from usmicro.errors import ScanError
from usmicro.loading.formats import Bounded, content_of, decoding
from usmicro.model.arrays import BoolImage

Part = Literal["any", "mass", "duct", "nonmass", "other"]

_SEGMENTATION, _LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"
_TYPES = ("BINARY", "FRACTIONAL", "LABELMAP")
_SORTS: tuple[tuple[Part, re.Pattern[str]], ...] = (
    ("nonmass", re.compile(r"\bnon[- ]?mass\b", re.IGNORECASE)),
    ("mass", re.compile(r"\b(mass|lesion|neoplasm|tumou?r)(es|s)?\b", re.IGNORECASE)),
    ("duct", re.compile(r"\bducts?\b", re.IGNORECASE)),  # not ductal: a ductal carcinoma is a mass
    (
        "other",
        re.compile(r"\b((micro)?calcifications?|foc(us|i)|background|other)\b", re.IGNORECASE),
    ),
)
"""Words of a label or code meaning, first come first served."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself."""

    kind: str
    """Name of its SOP class, or what else the file is."""
    segmentation: bool
    images: frozenset[str]
    """SOP instances that a segmentation refers to."""


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One frame of a segmentation."""

    index: int
    segment: int | None
    """None in a label map, whose values are the segments."""
    images: frozenset[str]
    frames: frozenset[int]
    """Frames of the image that it outlines, from 0; empty: all."""

    def outlines(self, frame: int | None) -> bool:
        """Whether it outlines a frame of the image; `None` asks for what outlines all frames."""
        return not self.frames or frame in self.frames


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The frames of a segmentation that outline one image."""

    path: Path
    dataset: Any
    """pydicom.Dataset."""
    parts: dict[int, Part]
    """What each segment outlines, by its number."""
    stored: tuple[StoredFrame, ...]
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> frozenset[int]:
        """The frames of the image that have outlines of their own."""
        return frozenset(frame for stored in self.stored for frame in stored.frames)

    def tells_of(self, frame: int | None) -> bool:
        """Whether it outlines a frame of the image; what it then does not show is not there."""
        return any(stored.outlines(frame) for stored in self.stored)

    def areas(self, frame: int | None) -> Iterator[tuple[int, BoolImage]]:
        """The segments on a frame of the image, by their numbers, each with a part of its area.

        Raises
        ------
        ScanError
            If the pixels cannot be decoded, or a label map holds a value that is no segment.
        """
        for stored in self.stored:
            if not stored.outlines(frame):
                continue
            with decoding(
                self.path, "the pixels of the segmentation cannot be decoded; the file is damaged"
            ):
                values = self._values(stored.index)
            if stored.segment is None:
                yield from self._labelled(values)
            elif self.dataset.SegmentationType == "FRACTIONAL":
                yield (
                    stored.segment,
                    2 * values.astype(np.int64) >= int(self.dataset.MaximumFractionalValue),
                )
            else:
                yield stored.segment, values != 0

    def _values(self, index: int) -> NDArray[np.integer]:
        dataset = self.dataset
        if dataset.BitsAllocated != 1 or dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            from pydicom.pixels import pixel_array

            return np.asarray(pixel_array(dataset, index=index, raw=True))
        # frames of one bit a pixel follow each other without a gap; pydicom decodes them singly only where they begin on a whole byte
        pixels = dataset.Rows * dataset.Columns
        first, last = index * pixels, (index + 1) * pixels
        packed = np.frombuffer(dataset.PixelData[first // 8 : -(-last // 8)], np.uint8)
        return np.unpackbits(packed, bitorder="little")[first % 8 :][:pixels].reshape(
            dataset.Rows, dataset.Columns
        )

    def _labelled(self, values: NDArray[np.integer]) -> Iterator[tuple[int, BoolImage]]:
        background = _background(self.dataset)
        present = [int(value) for value in np.unique(values) if value not in background]
        if unknown := [value for value in present if value not in self.parts]:
            raise ScanError(
                f"{self.path}: the label map holds the value {unknown[0]}, which is none of its segments "
                f"{', '.join(map(str, sorted(self.parts)))}; write it again with every segment described"
            )
        for value in present:
            yield value, values == value


def header_of(path: Path) -> Header:
    """What a file is; remembered until the file changes, since a folder is asked for every scan.

    Raises
    ------
    ScanError
        If it cannot be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ScanError(f"{path}: cannot be opened: {error.strerror or error}") from error
    return _header(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=65536)
def _header(path: Path, changed: int, size: int) -> Header:
    if (content := content_of(path)) != "dicom":
        return Header(content, False, frozenset())
    from pydicom import dcmread
    from pydicom.uid import UID

    tags = [
        "SOPClassUID",
        "ReferencedSeriesSequence",
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
    ]
    with decoding(path, "expected DICOM, but it cannot be read"), Bounded(path) as file:
        dataset = dcmread(file, stop_before_pixels=True, force=True, specific_tags=tags)
        kind = UID(
            str(
                dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID") or ""
            )
        )
        if kind not in (_SEGMENTATION, _LABEL_MAP):
            return Header(kind.name or "no SOP class", False, frozenset())
        groups = [
            *(dataset.get("PerFrameFunctionalGroupsSequence") or []),
            *(dataset.get("SharedFunctionalGroupsSequence") or []),
        ]
        images = _series_images(dataset).union(*(_source(group)[0] for group in groups))
    return Header(kind.name, True, images)


def image_uid(path: Path) -> str | None:
    """SOPInstanceUID of a scan; None if it is no DICOM file or has none."""
    if content_of(path) != "dicom":
        return None
    from pydicom import dcmread

    with decoding(path, "expected a DICOM image, but it cannot be read"), Bounded(path) as file:
        dataset = dcmread(
            file, stop_before_pixels=True, force=True, specific_tags=["SOPInstanceUID"]
        )
        return (
            str(
                dataset.get("SOPInstanceUID")
                or dataset.file_meta.get("MediaStorageSOPInstanceUID")
                or ""
            )
            or None
        )


def read_segmentation(
    path: Path,
    shape: tuple[int, int],
    *,
    frames: int = 1,
    image: str | None = None,
    part: Part = "any",
) -> Segmentation:
    """Read a Segmentation object and choose the frames of it that outline an image.

    A segment is a mass, a duct or a nonmass area by words in its label, else in the meaning of its property type code; a mass if
    neither says anything. Calcifications, foci, background and other things are not used.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Rows and columns of the image.
    frames : int
        How many the image has.
    image : str, optional
        SOPInstanceUID of the image, where it has one.
    part : str
        What all segments are, whatever their labels say; "any" leaves it to the labels.

    Raises
    ------
    ScanError
        If it cannot be read, has another size than the image or outlines frames that the image lacks, has no segments or pixels, or
        does not say what each of its frames outlines.
    """
    from pydicom import dcmread

    if not (header := header_of(path)).segmentation:
        raise ScanError(
            f"{path}: expected a DICOM Segmentation, found {header.kind}; leave it out or give the mask as PNG"
        )
    with (
        decoding(path, "the segmentation cannot be read; the file is damaged"),
        Bounded(path) as file,
    ):
        dataset = dcmread(file, force=True)
        size = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
        segments = {
            int(segment.SegmentNumber): segment for segment in dataset.get("SegmentSequence") or []
        }
        parts = {
            number: _part_of(segment)
            for number, segment in segments.items()
            if number not in _background(dataset)
        }
        _check_whole(path, dataset, parts)
        if size != shape:
            raise ScanError(
                f"{path}: the segmentation has {size[0]} rows x {size[1]} columns, its image {shape[0]} x {shape[1]}; "
                "expected the same size"
            )
        stored = _stored_frames(path, dataset, parts)
    stored, notes = _of_image(path, stored, image)
    if beyond := [frame for one in stored for frame in one.frames if not 0 <= frame < frames]:
        raise ScanError(
            f"{path}: outlines frame {beyond[0] + 1} of an image of {frames} frame{'s' if frames > 1 else ''}; "
            "give the segmentation of this image"
        )
    if part != "any":
        parts = dict.fromkeys(parts, part)
    elif unused := [str(number) for number, sort in parts.items() if sort == "other"]:
        notes.append(
            f"{path.name}: what is no mass, duct or nonmass area is not used: segment {', '.join(unused)}"
        )
    return Segmentation(path, dataset, parts, tuple(stored), tuple(notes))


def _background(dataset: Any) -> set[int | None]:
    """Values of a label map where no segment is, which it may describe all the same; segments are numbered from 1."""
    return (
        {0, dataset.get("PixelPaddingValue")}
        if dataset.get("SegmentationType") == "LABELMAP"
        else {0}
    )


def _part_of(segment: Any) -> Part:
    codes = segment.get("SegmentedPropertyTypeCodeSequence") or []
    for words in (segment.get("SegmentLabel"), *(code.get("CodeMeaning") for code in codes)):
        for part, pattern in _SORTS:
            if pattern.search(str(words or "").replace("_", " ")):
                return part
    return "mass"


def _check_whole(path: Path, dataset: Any, parts: dict[int, Part]) -> None:
    """Refuse a segmentation that lacks what its pixels cannot be understood without."""
    kind = dataset.get("SegmentationType")
    if kind not in _TYPES:
        raise ScanError(
            f"{path}: expected the segmentation type {', '.join(_TYPES)}, found {kind or 'none'}; write it as one of these"
        )
    if not parts:
        raise ScanError(
            f"{path}: the segmentation has no segments; expected at least one, described in its SegmentSequence"
        )
    if "PixelData" not in dataset:
        raise ScanError(f"{path}: the segmentation has no pixels; copy it again from its source")
    if kind == "FRACTIONAL" and not dataset.get("MaximumFractionalValue"):
        raise ScanError(
            f"{path}: a fractional segmentation must say its MaximumFractionalValue, and none is found; write it as BINARY"
        )


def _stored_frames(path: Path, dataset: Any, parts: dict[int, Part]) -> list[StoredFrame]:
    count = int(dataset.get("NumberOfFrames") or 1)
    own = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])[:1]
    if own and len(own) != count:
        raise ScanError(
            f"{path}: the segmentation describes {len(own)} frames and has {count}; the file is damaged"
        )
    stored = []
    for index in range(count):
        groups = [*own[index : index + 1], *shared]
        images, frames = next(
            (source for group in groups if any(source := _source(group))),
            (frozenset(), frozenset()),
        )
        if not images and len(images := _series_images(dataset)) > 1:
            raise ScanError(
                f"{path}: the segmentation refers to {len(images)} images and does not say which of them frame {index + 1} outlines; "
                "write it with a DerivationImageSequence for each frame, or one for each image"
            )
        stored.append(
            StoredFrame(index, _segment(path, dataset, groups, parts, index), images, frames)
        )
    return stored


def _segment(
    path: Path, dataset: Any, groups: Sequence[Any], parts: dict[int, Part], index: int
) -> int | None:
    """Number of the segment on a frame; a file with one segment need not say it."""
    if dataset.SegmentationType == "LABELMAP":
        return None
    identified = [
        item for group in groups for item in group.get("SegmentIdentificationSequence") or []
    ]
    number = (
        int(identified[0].ReferencedSegmentNumber)
        if identified
        else next(iter(parts))
        if len(parts) == 1
        else None
    )
    if number not in parts:
        raise ScanError(
            f"{path}: frame {index + 1} of the segmentation shows segment {number if number is not None else 'of no number'}; "
            f"expected one of {', '.join(map(str, sorted(parts)))}: the file is damaged"
        )
    return number


def _source(group: Any) -> tuple[frozenset[str], frozenset[int]]:
    """Images that a functional group refers to, and their frames from 0."""
    sources = [
        source
        for item in group.get("DerivationImageSequence") or []
        for source in item.get("SourceImageSequence") or []
    ]
    numbers = [source.get("ReferencedFrameNumber") for source in sources]
    images = frozenset(
        str(source.ReferencedSOPInstanceUID)
        for source in sources
        if source.get("ReferencedSOPInstanceUID")
    )
    frames = (
        n
        for number in numbers
        if number is not None
        for n in ([number] if isinstance(number, int | str) else number)
    )
    return images, frozenset(int(frame) - 1 for frame in frames)


def _series_images(dataset: Any) -> frozenset[str]:
    """Images that a segmentation refers to as a whole."""
    series = dataset.get("ReferencedSeriesSequence") or []
    instances = [
        instance for item in series for instance in item.get("ReferencedInstanceSequence") or []
    ]
    return frozenset(
        str(instance.ReferencedSOPInstanceUID)
        for instance in instances
        if instance.get("ReferencedSOPInstanceUID")
    )


def _of_image(
    path: Path, stored: list[StoredFrame], image: str | None
) -> tuple[list[StoredFrame], list[str]]:
    """The frames that outline an image, and what to note of it."""
    named: frozenset[str] = frozenset().union(*(one.images for one in stored))
    if image in named:
        return [one for one in stored if not one.images or image in one.images], []
    if len(named) > 1:
        found = (
            "none of them has the UID of this image"
            if image
            else "this image has no UID that would tell which it is"
        )
        raise ScanError(
            f"{path}: the segmentation outlines {len(named)} images, and {found}; give one segmentation for each image"
        )
    return stored, [
        f"{path.name}: refers to an image of another UID; taken because of its file name"
    ] if image and named else []
