"""Reading of DICOM Segmentation objects as user masks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from usmicro.errors import ScanError
from usmicro.loading.dicom.references import read_summary, series_images, source_images
from usmicro.loading.formats import DAMAGED, BoundedReader, scan_errors
from usmicro.model.arrays import BoolImage

Structure = Literal["any", "mass", "duct", "nonmass", "other"]
"""Kind of structure that a mask outlines; "any" if the name of its file does not say which."""

_TYPES = ("BINARY", "FRACTIONAL", "LABELMAP")
"""Values of SegmentationType that are read."""
_STRUCTURE_WORDS: tuple[tuple[Structure, re.Pattern[str]], ...] = (
    ("nonmass", re.compile(r"\bnon[- ]?mass\b", re.IGNORECASE)),
    ("mass", re.compile(r"\b(mass|lesion|neoplasm|tumou?r)(es|s)?\b", re.IGNORECASE)),
    # "duct", but not "ductal": a ductal carcinoma is a mass
    ("duct", re.compile(r"\bducts?\b", re.IGNORECASE)),
    (
        "other",
        re.compile(r"\b((micro)?calcifications?|foc(us|i)|background|other)\b", re.IGNORECASE),
    ),
)
"""Words of a segment's label or code meaning; the first pattern that matches decides."""


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One frame of a segmentation."""

    index: int
    """Number of the frame in the file, from 0."""
    segment: int | None
    """Number of its segment; None in a label map, whose pixel values are the segments."""
    images: frozenset[str]
    """SOPInstanceUIDs of the images that it outlines; empty if the file does not say."""
    frames: frozenset[int]
    """Frames of the image that it outlines, from 0; empty for all frames."""

    def outlines(self, frame: int | None) -> bool:
        """Return True if it outlines a frame of the image; for `None`, if it outlines all."""
        return not self.frames or frame in self.frames


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The frames of a segmentation that outline one image."""

    path: Path
    dataset: Any
    """pydicom.Dataset of the file."""
    structures: dict[int, Structure]
    """Structure that each segment outlines, by the segment's number."""
    stored_frames: tuple[StoredFrame, ...]
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> frozenset[int]:
        """The frames of the image that have outlines of their own, from 0."""
        return frozenset(frame for stored in self.stored_frames for frame in stored.frames)

    def outlines(self, frame: int | None) -> bool:
        """Return True if any stored frame outlines a frame of the image.

        A structure without pixels on an outlined frame is absent there. For `None`, return True
        if a stored frame outlines all frames.
        """
        return any(stored.outlines(frame) for stored in self.stored_frames)

    def areas(self, frame: int | None) -> Iterator[tuple[int, BoolImage]]:
        """Yield the outlined areas on a frame of the image, or for `None` those on all frames.

        Yields
        ------
        segment : int
            Number of the segment; a segment may have several areas.
        area : array, shape (rows, columns), bool

        Raises
        ------
        ScanError
            If the pixels cannot be decoded, or a label map has a value that is not a segment.
        """
        for stored in self.stored_frames:
            if not stored.outlines(frame):
                continue
            with scan_errors(self.path, "the pixels of the segmentation cannot be decoded"):
                values = self._stored_values(stored.index)
            if stored.segment is None:
                yield from self._label_map_areas(values)
            elif self.dataset.SegmentationType == "FRACTIONAL":
                full = int(self.dataset.MaximumFractionalValue)
                yield stored.segment, 2 * values.astype(np.int64) >= full
            else:
                yield stored.segment, values != 0

    def _stored_values(self, index: int) -> NDArray[np.integer]:
        """Return the values of a stored frame, shape (rows, columns)."""
        dataset = self.dataset
        if dataset.BitsAllocated != 1 or dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            from pydicom.pixels import pixel_array

            return np.asarray(pixel_array(dataset, index=index, raw=True))
        # frames with one bit per pixel follow each other without a gap; pydicom decodes a single
        # frame only if it begins on a whole byte
        pixels = dataset.Rows * dataset.Columns
        first, last = index * pixels, (index + 1) * pixels
        packed = np.frombuffer(dataset.PixelData[first // 8 : -(-last // 8)], np.uint8)
        bits = np.unpackbits(packed, bitorder="little")[first % 8 :][:pixels]
        return bits.reshape(dataset.Rows, dataset.Columns)

    def _label_map_areas(self, values: NDArray[np.integer]) -> Iterator[tuple[int, BoolImage]]:
        background = _background_values(self.dataset)
        present = [int(value) for value in np.unique(values) if value not in background]
        if unknown := [value for value in present if value not in self.structures]:
            raise ScanError(
                f"{self.path}: the label map has the value {unknown[0]}, "
                f"but its segments are {', '.join(map(str, sorted(self.structures)))}; "
                "describe every segment in its SegmentSequence"
            )
        for value in present:
            yield value, values == value


def read_segmentation(
    path: Path,
    shape: tuple[int, int],
    *,
    frames: int | None = 1,
    image_uid: str | None = None,
    structure: Structure = "any",
) -> Segmentation:
    """Read a Segmentation object and select its frames that outline an image.

    The label of a segment, or else the meaning of its property type code, says whether the segment
    is a mass, a duct or a nonmass area; without such a word it is a mass. Calcifications, foci,
    background and other structures are not used.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Rows and columns of the image.
    frames : int
        Number of frames of the image; None if it is unknown.
    image_uid : str, optional
        SOPInstanceUID of the image, to select its frames in a segmentation of several images.
    structure : {"any", "mass", "duct", "nonmass", "other"}
        Structure of all segments, if the file name says it; "any" leaves it to the labels.

    Returns
    -------
    Segmentation

    Raises
    ------
    ScanError
        If the file cannot be read, has another size than the image, outlines frames that the image
        does not have, lacks segments or pixels, or does not say which segment and image each of
        its frames belongs to.
    """
    from pydicom import dcmread

    if not (summary := read_summary(path)).is_segmentation:
        raise ScanError(
            f"{path}: expected a DICOM Segmentation, found {summary.kind}; "
            "leave it out or give the mask as PNG"
        )
    with scan_errors(path, "the segmentation cannot be read"), BoundedReader(path) as file:
        dataset = dcmread(file, force=True)
        size = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
        segments = {
            int(segment.SegmentNumber): segment for segment in dataset.get("SegmentSequence") or []
        }
        structures = {
            number: _structure_of(segment)
            for number, segment in segments.items()
            if number not in _background_values(dataset)
        }
        _check_complete(path, dataset, structures)
        if size != shape:
            raise ScanError(
                f"{path}: the segmentation has {size[0]} rows x {size[1]} columns, "
                f"expected {shape[0]} x {shape[1]} as in its image; "
                "give a segmentation of the same size"
            )
        stored_frames = _stored_frames(path, dataset, structures)
    stored_frames, notes = _frames_of_image(path, stored_frames, image_uid)
    outlined = [frame for stored in stored_frames for frame in stored.frames]
    last = max(outlined, default=0) if frames is None else frames - 1
    if beyond := [frame for frame in outlined if not 0 <= frame <= last]:
        raise ScanError(
            f"{path}: outlines frame {beyond[0] + 1}, but the image has {last + 1} "
            f"frame{'s' if last else ''}; give the segmentation of this image"
        )
    if structure != "any":
        structures = dict.fromkeys(structures, structure)
    elif unused := [str(number) for number, kind in structures.items() if kind == "other"]:
        notes.append(
            f"{path.name}: segment {', '.join(unused)} is not used: not a mass, duct or nonmass "
            "area according to its label"
        )
    return Segmentation(path, dataset, structures, tuple(stored_frames), tuple(notes))


def _background_values(dataset: Any) -> set[int | None]:
    """Return the segment numbers that mean background.

    They are 0 and, in a label map, its padding value. A file may describe them like segments.
    """
    if dataset.get("SegmentationType") == "LABELMAP":
        return {0, dataset.get("PixelPaddingValue")}
    return {0}


def _structure_of(segment: Any) -> Structure:
    """Return the structure of an item of SegmentSequence from its label or its code meanings."""
    codes = segment.get("SegmentedPropertyTypeCodeSequence") or []
    for text in (segment.get("SegmentLabel"), *(code.get("CodeMeaning") for code in codes)):
        for structure, pattern in _STRUCTURE_WORDS:
            if pattern.search(str(text or "").replace("_", " ")):
                return structure
    return "mass"


def _check_complete(path: Path, dataset: Any, structures: dict[int, Structure]) -> None:
    """Refuse a segmentation without the attributes that its pixels need for their meaning.

    Raises
    ------
    ScanError
    """
    segmentation_type = dataset.get("SegmentationType")
    if segmentation_type not in _TYPES:
        raise ScanError(
            f"{path}: expected the segmentation type {', '.join(_TYPES)}, "
            f"found {segmentation_type or 'none'}; write it as one of these"
        )
    if not structures:
        raise ScanError(
            f"{path}: the segmentation has no segments; expected at least one, "
            "described in its SegmentSequence"
        )
    if "PixelData" not in dataset:
        raise ScanError(f"{path}: the segmentation has no pixels; copy it again from its source")
    if segmentation_type == "FRACTIONAL" and not dataset.get("MaximumFractionalValue"):
        raise ScanError(
            f"{path}: expected a MaximumFractionalValue in a fractional segmentation, found none; "
            "write it as BINARY"
        )


def _stored_frames(path: Path, dataset: Any, structures: dict[int, Structure]) -> list[StoredFrame]:
    """Return all frames of a segmentation, with the images and frames that each outlines."""
    count = int(dataset.get("NumberOfFrames") or 1)
    per_frame = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])[:1]
    if per_frame and len(per_frame) != count:
        raise ScanError(
            f"{path}: the segmentation describes {len(per_frame)} frames, "
            f"but its NumberOfFrames is {count}; {DAMAGED}"
        )
    stored_frames = []
    for index in range(count):
        groups = [*per_frame[index : index + 1], *shared]
        sources = (source_images(group) for group in groups)
        nothing: tuple[frozenset[str], frozenset[int]] = frozenset(), frozenset()
        images, frames = next((source for source in sources if any(source)), nothing)
        if not images and len(images := series_images(dataset)) > 1:
            raise ScanError(
                f"{path}: the segmentation refers to {len(images)} images and does not say which "
                f"of them frame {index + 1} outlines; write it with a DerivationImageSequence for "
                "each frame, or write one segmentation for each image"
            )
        segment = _segment_number(path, dataset, groups, structures, index)
        stored_frames.append(StoredFrame(index, segment, images, frames))
    return stored_frames


def _segment_number(
    path: Path, dataset: Any, groups: Sequence[Any], structures: dict[int, Structure], index: int
) -> int | None:
    """Return the segment of a stored frame, or None for a label map.

    A frame without a number shows the only segment, if there is only one.
    """
    if dataset.SegmentationType == "LABELMAP":
        return None
    items = [item for group in groups for item in group.get("SegmentIdentificationSequence") or []]
    number: int | None = next(iter(structures)) if len(structures) == 1 else None
    if items:
        number = int(items[0].ReferencedSegmentNumber)
    if number not in structures:
        found = "no segment number" if number is None else f"segment {number}"
        raise ScanError(
            f"{path}: frame {index + 1} of the segmentation has {found}, "
            f"expected one of {', '.join(map(str, sorted(structures)))}; {DAMAGED}"
        )
    return number


def _frames_of_image(
    path: Path, stored_frames: list[StoredFrame], image_uid: str | None
) -> tuple[list[StoredFrame], list[str]]:
    """Return the stored frames that outline an image, and notes.

    Raises
    ------
    ScanError
        If the segmentation outlines several images and none of them has the UID.
    """
    images: frozenset[str] = frozenset().union(*(stored.images for stored in stored_frames))
    if image_uid in images:
        own = [one for one in stored_frames if not one.images or image_uid in one.images]
        return own, []
    if len(images) > 1:
        reason = (
            "none of them has the UID of this image"
            if image_uid
            else "this image has no UID by which to select one"
        )
        raise ScanError(
            f"{path}: the segmentation outlines {len(images)} images, and {reason}; "
            "give one segmentation for each image"
        )
    notes = []
    if image_uid and images:
        notes.append(
            f"{path.name}: refers to an image with another UID, but is used for this image "
            "because of its file name"
        )
    return stored_frames, notes
