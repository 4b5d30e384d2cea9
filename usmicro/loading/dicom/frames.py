"""The frames of a DICOM file: how many there are, where they lie, and which show tissue."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from usmicro.errors import ScanError
from usmicro.loading.dicom.fragments import (
    UNDEFINED_LENGTH,
    ByteRange,
    encapsulated_frames,
    native_frames,
)
from usmicro.loading.formats import DAMAGED, check_frame_count, uid_name
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

_TISSUE = "TISSUE_INTENSITY"
"""Data type of frames that show echoes (DICOM PS3.3 C.8.24.5.1)."""
_OTHER_DATA_TYPES = {
    name: name.lower().replace("_", " ")
    for name in (
        *("TISSUE_VELOCITY", "FLOW_POWER", "FLOW_VELOCITY", "FLOW_VARIANCE", "ELASTICITY"),
        *("PERFUSION", "SOUND_SPEED", "ATTENUATION"),
    )
}
"""Other data types of the standard, and their names in messages."""


@dataclass(frozen=True, slots=True)
class FramePlaces:
    """Places of the frames that are read."""

    ranges: list[list[ByteRange]]
    """Byte ranges of each frame that is there."""
    count: int
    """Number of frames that the file should have; larger than that of `ranges` if it is
    truncated."""


def declared_frames(path: Path, header: Any, remarks: list[Remark], most_frames: int) -> int:
    """Return the number of frames that the header declares, at least 1.

    Raises
    ------
    ScanError
        If it is not a number, or more than `most_frames`.
    """
    value = header.get("NumberOfFrames")
    try:
        declared = 1 if value is None or value == "" else int(value)
    except (TypeError, ValueError):
        raise ScanError(
            f"{path}: expected a number as NumberOfFrames, found a text; {DAMAGED}"
        ) from None
    if declared < 1:
        remarks.append(
            f"the header declares {declared} frames; the number follows from the pixel data"
        )
    check_frame_count(path, declared, most_frames)
    return max(declared, 1)


def find_frames(
    path: Path,
    source: BinaryIO,
    header: Any,
    syntax: str,
    options: dict[str, Any],
    length: int,
    declared: int,
    remarks: list[Remark],
) -> FramePlaces:
    """Find the frames in pixel data, also those beyond the number that the header declares.

    Where the length of the data contradicts the header, `options` is corrected and a remark added.

    Parameters
    ----------
    path : Path
    source : binary file
        At the first byte of the value of the pixel data.
    header : pydicom.Dataset
    syntax : str
        UID of the transfer syntax.
    options : dict
        Decoding options of pydicom for one frame.
    length : int
        Declared length of the pixel data, bytes.
    declared : int
        Number of frames in the header.
    remarks : list
        Remarks are added to it.

    Raises
    ------
    ScanError
        If the transfer syntax contradicts the pixel data.
    """
    from pydicom.uid import UID

    is_encapsulated = length == UNDEFINED_LENGTH
    if UID(syntax).is_encapsulated != is_encapsulated:
        raise ScanError(
            f"{path}: the transfer syntax {uid_name(syntax)} contradicts the pixel data, "
            f"which is {'' if is_encapsulated else 'not '}encapsulated; {DAMAGED}"
        )
    if is_encapsulated:
        tables = (header.get("ExtendedOffsetTable"), header.get("ExtendedOffsetTableLengths"))
        extended_table = tables if None not in tables else None
        ranges, count = encapsulated_frames(source, declared, extended_table)
    else:
        frame_bytes = _frame_bytes(options, length, declared, remarks)
        count = max(declared, _frames_in(length, frame_bytes, declared, remarks))
        ranges = native_frames(source, length, frame_bytes, count)
    if count > declared:
        remarks.append(
            f"the file has {count} frames, but the header declares {declared}; all are read"
        )
    return FramePlaces(ranges, count)


def _frame_bytes(options: dict[str, Any], length: int, declared: int, remarks: list[Remark]) -> int:
    """Return the length of an uncompressed frame in bytes.

    Some files declare subsampled colour (YBR_FULL_422), but store all of it.
    """
    samples = options["samples_per_pixel"]
    whole = int(options["rows"] * options["columns"] * samples * options["bits_allocated"] // 8)
    if options["photometric_interpretation"] != "YBR_FULL_422":
        return whole
    subsampled = whole * 2 // 3
    if length // subsampled > declared and length % subsampled <= 1 and length % whole > 1:
        return subsampled
    if length < whole * declared:
        return subsampled
    options["photometric_interpretation"] = "YBR_FULL"
    remarks.append("declared as YBR_FULL_422, but the colour is not subsampled")
    return whole


def _frames_in(length: int, frame_bytes: int, declared: int, remarks: list[Remark]) -> int:
    """Return the number of frames in uncompressed pixel data of a length.

    Data that is longer than declared, but not by whole frames, may hold anything at its end. A
    pixel data element may end with one byte of padding.
    """
    count, rest = divmod(length, frame_bytes)
    if count > declared and rest > 1:
        text = (
            f"the pixel data is {length - declared * frame_bytes} bytes longer than the "
            f"{declared} declared frame{'s' if declared > 1 else ''} of {frame_bytes} bytes; "
            "what follows them is not read"
        )
        remarks.append(ScanWarning(WarningCode.FRAMES_NOT_READ, text))
        return declared
    return count


def tissue_frames(
    path: Path, header: Any, places: FramePlaces, remarks: list[Remark]
) -> FramePlaces:
    """Return the frames that show echoes, for an enhanced volume that also holds other data.

    Each frame of an enhanced ultrasound volume may have a data type, such as tissue intensity or
    flow velocity. Frames without one are kept.

    Raises
    ------
    ScanError
        If no frame shows echoes.

    References
    ----------
    DICOM PS3.3 C.8.24.5.1.
    """
    shared = next(iter(_data_types(header, "SharedFunctionalGroupsSequence")), "")
    types = [one or shared for one in _data_types(header, "PerFrameFunctionalGroupsSequence")]
    types += [shared] * (places.count - len(types))
    types = types[: places.count]
    others = Counter(
        _OTHER_DATA_TYPES.get(one, "another type") for one in types if one not in ("", _TISSUE)
    )
    if not others:
        return places
    names = ", ".join(f"{name} ({number})" for name, number in others.items())
    kept = [i for i, one in enumerate(types) if one in ("", _TISSUE)]
    if not kept:
        raise ScanError(
            f"{path}: expected frames that show tissue intensity, found only {names}; leave it out"
        )
    remarks.append(
        f"{len(kept)} of {places.count} frames show tissue and are read; the others are {names} "
        "and are not counted in frame numbers"
    )
    ranges = [places.ranges[i] for i in kept if i < len(places.ranges)]
    return FramePlaces(ranges, len(kept))


def _data_types(header: Any, keyword: str) -> list[str]:
    """Return the data type in each functional group of a sequence, empty where there is none."""
    try:
        return [_data_type(group) for group in header.get(keyword) or []]
    except Exception:  # for a damaged sequence pydicom raises errors of almost any type
        return []


def _data_type(group: Any) -> str:
    """Return the data type of a functional group, or an empty text."""
    sequences = [group]
    for keyword in ("USImageDescriptionSequence", "ImageDataTypeSequence"):
        sequences += [item for one in list(sequences) for item in one.get(keyword) or []]
    return next((str(one.DataType).strip() for one in sequences if one.get("DataType")), "")
