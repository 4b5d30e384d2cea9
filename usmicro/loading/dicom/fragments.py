"""Positions of the frames in a DICOM file.

Each frame can then be read on its own, and a missing frame is noticed before any is decoded.
"""

from __future__ import annotations

import os
import struct
import zlib
from io import BytesIO
from itertools import pairwise
from typing import BinaryIO, Literal

from usmicro.errors import ScanError
from usmicro.loading.formats import DAMAGED

ByteRange = tuple[int, int]
"""Offset in the file and length, both in bytes."""
Truncation = Literal["", "between items", "inside an item"]
"""Position at which a truncated file ends; empty for a complete file."""

UNDEFINED_LENGTH = 0xFFFFFFFF
"""Length field of encapsulated pixel data (DICOM PS3.5 A.4)."""
_ITEM_TAG, _SEQUENCE_END_TAG = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_STREAM_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff")
"""First bytes of a JPEG or JPEG-LS stream, and of a JPEG 2000 stream."""
_STREAM_END = b"\xff\xd9"
"""Last bytes of these streams."""
_STREAM_END_REACH = 10
"""Number of bytes at the end of a frame in which the end of its stream is searched, since padding
may follow. Chosen by eye; no measurement is recorded."""
_DEFLATED = b"1.2.840.10008.1.2.1.99"
"""UID of the deflated transfer syntax."""
_FILE_META_BYTES = 1024
"""Number of bytes at the beginning of a file in which the transfer syntax is searched. Chosen by
eye; no measurement is recorded."""


def is_deflated(file: BinaryIO) -> bool:
    """Return True if a DICOM file has the deflated transfer syntax.

    The file position must be 0 and is 0 afterwards.
    """
    head = file.read(_FILE_META_BYTES)
    file.seek(0)
    return _DEFLATED in head


def inflate(file: BinaryIO, largest_inflated: int) -> BytesIO:
    """Return the data set of a deflated DICOM file, decompressed into memory.

    Parameters
    ----------
    file : binary file
        At its first byte.
    largest_inflated : int
        Largest accepted size of the data set, MB.

    Returns
    -------
    BytesIO
        The data set without preamble and file meta information.

    Raises
    ------
    ScanError
        If the file meta information lacks its length, or the data set is damaged or too large.
    """
    head = file.read(144)
    if head[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        raise ScanError(
            f"{file.name}: the file meta information of this deflated file lacks its length; "
            f"{DAMAGED}"
        )
    file.seek(144 + int.from_bytes(head[140:144], "little"))
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    data = decompressor.decompress(file.read(), largest_inflated * 2**20)
    if decompressor.unconsumed_tail:
        raise ScanError(
            f"{file.name}: inflates to more than {largest_inflated} MB. "
            "If that is correct, set loading.largest_inflated higher"
        )
    return BytesIO(data)


def native_frames(
    file: BinaryIO, length: int, frame_bytes: int, declared_frames: int
) -> list[list[ByteRange]]:
    """Return the byte range of each complete frame of uncompressed pixel data.

    Parameters
    ----------
    file : binary file
        At the first byte of the pixel data.
    length : int
        Declared length of the pixel data, bytes.
    frame_bytes : int
        Length of a frame, bytes.
    declared_frames : int
        Number of frames in the header.

    Returns
    -------
    list of list of ByteRange
        One range for each frame; fewer than `declared_frames` if the file is truncated.
    """
    start = file.tell()
    available = min(_size(file) - start, length)
    count = min(declared_frames, available // frame_bytes)
    return [[(start + i * frame_bytes, frame_bytes)] for i in range(count)]


def encapsulated_frames(
    file: BinaryIO,
    declared_frames: int,
    extended_table: tuple[bytes, bytes] | None = None,
) -> list[list[ByteRange]]:
    """Return the byte ranges of each complete frame of compressed pixel data.

    The extended or basic offset table says which fragments form a frame. Without a table, all
    fragments form the only frame, or a frame begins with each fragment that begins a JPEG stream,
    or each fragment is a frame.

    Parameters
    ----------
    file : binary file
        At the first byte of the item with the basic offset table.
    declared_frames : int
        Number of frames in the header.
    extended_table : tuple of bytes, optional
        Values of ExtendedOffsetTable and ExtendedOffsetTableLengths.

    Returns
    -------
    list of list of ByteRange
        The fragments of each frame that is complete. There are fewer frames than declared if the
        file is truncated, and more if the file has more.

    References
    ----------
    DICOM PS3.5 A.4.
    """
    size = _size(file)
    items, truncation = _items(file, size)
    if len(items) < 2:
        return []
    (table_offset, table_length), fragments = items[0], items[1:]
    first = table_offset + table_length
    if extended_table is not None and all(
        len(table) == 8 * declared_frames for table in extended_table
    ):
        offsets, lengths = (struct.unpack(f"<{declared_frames}Q", part) for part in extended_table)
        ranges = [
            (first + offset + 8, length) for offset, length in zip(offsets, lengths, strict=True)
        ]
        return [[byte_range] for byte_range in ranges if sum(byte_range) <= size]
    file.seek(table_offset)
    entries = table_length // 4
    starts = [first + offset for offset in struct.unpack(f"<{entries}L", file.read(4 * entries))]
    if entries == declared_frames and starts == sorted(set(starts)):
        frames = _frames_by_table(fragments, starts, truncation)
        if frames is not None:
            return frames
    return _frames_by_content(file, fragments, declared_frames, truncation)


def encapsulated_stream(file: BinaryIO) -> tuple[list[ByteRange], bool]:
    """Return all fragments of a video stream, and whether the file is truncated.

    The file must be at the first byte of the item with the basic offset table. The last fragment
    of a truncated file ends where the file ends.
    """
    size = _size(file)
    items, truncation = _items(file, size)
    if truncation == "inside an item" and items and file.tell() < size:
        items.append((file.tell(), size - file.tell()))
    return items[1:], bool(truncation)


def _items(file: BinaryIO, size: int) -> tuple[list[ByteRange], Truncation]:
    """Return the complete items of encapsulated pixel data, and where the file is truncated."""
    items: list[ByteRange] = []
    while len(head := file.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", head)
        if (group, element) == _SEQUENCE_END_TAG:
            return items, ""
        start = file.tell()
        if (group, element) != _ITEM_TAG or length == UNDEFINED_LENGTH or start + length > size:
            return items, "inside an item"
        items.append((start, length))
        file.seek(start + length)
    # an incomplete item tag (third byte 0) belongs to a lost item, an incomplete end tag does not
    return items, "inside an item" if head[2:3] == b"\0" else "between items"


def _frames_by_table(
    fragments: list[ByteRange], starts: list[int], truncation: Truncation
) -> list[list[ByteRange]] | None:
    """Group fragments into frames by the offset at which each frame begins.

    The result is None if the offsets are not those of fragments: the table is then wrong.
    """
    indices = {offset - 8: i for i, (offset, _) in enumerate(fragments)}
    end = sum(fragments[-1])
    present = [start for start in starts if start < end]
    if any(start not in indices for start in present):
        return None
    bounds = [*(indices[start] for start in present), len(fragments)]
    frames = [fragments[a:b] for a, b in pairwise(bounds)]
    next_start = starts[len(present)] if len(present) < len(starts) else None
    if next_start is not None:
        last_is_complete = next_start == end
    else:
        last_is_complete = truncation != "inside an item"
    return frames if last_is_complete else frames[:-1]


def _frames_by_content(
    file: BinaryIO, fragments: list[ByteRange], declared_frames: int, truncation: Truncation
) -> list[list[ByteRange]]:
    """Group fragments into frames by the first bytes of each fragment."""
    if declared_frames == 1:
        return [] if truncation == "inside an item" else [fragments]
    frames: list[list[ByteRange]] = []
    for offset, length in fragments:
        file.seek(offset)
        if file.read(min(3, length)) in _STREAM_STARTS:
            frames.append([])
        elif not frames:  # not JPEG
            return [[fragment] for fragment in fragments]
        frames[-1].append((offset, length))
    offset, length = frames[-1][-1]
    file.seek(offset + max(0, length - _STREAM_END_REACH))
    has_end = _STREAM_END in file.read(min(_STREAM_END_REACH, length))
    return frames if has_end or not truncation else frames[:-1]


def _size(file: BinaryIO) -> int:
    """Return the size of a file in bytes; its position is kept."""
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(position)
    return size
