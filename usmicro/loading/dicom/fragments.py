"""Positions of the frames in a DICOM file.

Each frame can then be read on its own, and a missing frame is noticed before any is decoded.
"""

from __future__ import annotations

import os
import re
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
_STREAM_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff", b"\0\0\0\x0cjP")
"""First bytes of a JPEG or JPEG-LS stream, of a JPEG 2000 stream, and of one in JP2 boxes."""
_START_BYTES = max(map(len, _STREAM_STARTS))
_STREAM_END = b"\xff\xd9"
"""Last bytes of these streams."""
_STREAM_END_REACH = 10
"""Number of bytes at the end of a frame in which the end of its stream is searched, since padding
may follow. Chosen by eye; no measurement is recorded."""
_NEXT_STREAM = re.compile(rb"\xff\xd9\0*(?=\xff\xd8\xff|\xff\x4f\xff\x51)")
"""End of a stream with another stream behind it. Neither marker occurs within coded pixels."""
_RLE_HEADER = struct.Struct("<16L")
"""Number of segments and the offset of each (DICOM PS3.5 G.5)."""
_MOST_RLE_SEGMENTS = 15
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
) -> tuple[list[list[ByteRange]], int]:
    """Find the frames of compressed pixel data, also those beyond the declared number.

    The extended or basic offset table says which fragments form a frame. Without a table, the
    fragments themselves decide: each RLE frame is one, and each fragment that begins a JPEG stream
    begins one. Other fragments form the only declared frame, or are a frame each. Where several
    complete streams lie in one frame or in one fragment, each is a frame.

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
    frames : list of list of ByteRange
        The fragments of each frame that is complete.
    count : int
        Number of frames that the file should have, at least `declared_frames`; larger than that of
        the complete frames if the file is truncated.

    References
    ----------
    DICOM PS3.5 A.4.
    """
    size = _size(file)
    items, truncation = _items(file, size)
    if len(items) < 2:
        return [], declared_frames
    (table_offset, table_length), fragments = items[0], items[1:]
    first = table_offset + table_length
    frames: list[list[ByteRange]] | None = None
    entries = 0
    if extended_table is not None:
        frames, entries = _frames_by_extended_table(fragments, extended_table, first, size)
    if frames is None:
        file.seek(table_offset)
        entries = table_length // 4
        offsets = struct.unpack(f"<{entries}L", file.read(4 * entries))
        starts = [first + offset for offset in offsets]
        if entries >= declared_frames and starts == sorted(set(starts)):
            frames = _frames_by_table(fragments, starts, truncation)
    if frames is None:
        entries = 0
        frames = _frames_by_content(file, fragments, declared_frames, truncation)
    expected = max(declared_frames, entries)
    # reading whole fragments takes long, so that it is only done where frames may be missing
    inside = len(frames) < max(expected, 2)
    split = [part for frame in frames for part in _streams(file, frame, inside_fragments=inside)]
    if len(split) > len(frames):  # a table with fewer entries than streams is wrong
        frames, expected = split, declared_frames
    count = max(expected, len(frames))
    if len(frames) > declared_frames and count == len(frames) and truncation == "inside an item":
        count += 1  # at least one more frame began
    return frames, count


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


def _frames_by_extended_table(
    fragments: list[ByteRange], table: tuple[bytes, bytes], first: int, size: int
) -> tuple[list[list[ByteRange]] | None, int]:
    """Return the frames according to the extended offset table, and the number of its entries.

    The frames are None if the table is wrong: if it does not hold one offset and one length for
    each frame, or if the offsets are not those of fragments.
    """
    entries = len(table[0]) // 8
    if entries == 0 or any(len(part) != 8 * entries for part in table):
        return None, 0
    offsets, lengths = (struct.unpack(f"<{entries}Q", part) for part in table)
    ranges = [(first + offset + 8, length) for offset, length in zip(offsets, lengths, strict=True)]
    end = sum(fragments[-1])
    largest = dict(fragments)
    if any(length > largest.get(start, -1) for start, length in ranges if start < end):
        return None, 0
    return [[byte_range] for byte_range in ranges if sum(byte_range) <= min(size, end)], entries


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
    frames: list[list[ByteRange]] = []
    if all(_is_rle_frame(file, fragment) for fragment in fragments):
        return [[fragment] for fragment in fragments]
    if declared_frames == 1:
        frames = _streams(file, fragments)
        if truncation != "inside an item":
            return frames
        # the fragment that is lost belongs to the last frame unless that one is complete
        return frames if len(frames) > 1 and _has_end(file, frames[-1][-1]) else frames[:-1]
    for fragment in fragments:
        if _begins_stream(file, fragment):
            frames.append([])
        elif not frames:  # not JPEG
            return [[fragment] for fragment in fragments]
        frames[-1].append(fragment)
    return frames if _has_end(file, frames[-1][-1]) or not truncation else frames[:-1]


def _streams(
    file: BinaryIO, frame: list[ByteRange], *, inside_fragments: bool = False
) -> list[list[ByteRange]]:
    """Split a frame into the complete streams in it; one that has no second stream stays whole.

    `inside_fragments` is True to look for several streams in one fragment.
    """
    if len(frame) == 1:
        return _streams_in_fragment(file, frame[0]) if inside_fragments else [frame]
    if all(_is_rle_frame(file, fragment) for fragment in frame):
        return [[fragment] for fragment in frame]
    if not _begins_stream(file, frame[0]):
        return [frame]
    streams: list[list[ByteRange]] = []
    for fragment in frame:
        if not streams or (_begins_stream(file, fragment) and _has_end(file, streams[-1][-1])):
            streams.append([])
        streams[-1].append(fragment)
    return streams


def _streams_in_fragment(file: BinaryIO, fragment: ByteRange) -> list[list[ByteRange]]:
    """Split a fragment at the end of each stream that another one follows."""
    if not _begins_stream(file, fragment):
        return [[fragment]]
    offset, length = fragment
    file.seek(offset)
    data = file.read(length)
    bounds = [0, *(match.end() for match in _NEXT_STREAM.finditer(data)), len(data)]
    return [[(offset + a, b - a)] for a, b in pairwise(bounds)]


def _begins_stream(file: BinaryIO, fragment: ByteRange) -> bool:
    """Return True if a fragment begins a stream."""
    offset, length = fragment
    file.seek(offset)
    return file.read(min(_START_BYTES, length)).startswith(_STREAM_STARTS)


def _has_end(file: BinaryIO, fragment: ByteRange) -> bool:
    """Return True if a fragment ends with the end of a stream."""
    offset, length = fragment
    file.seek(offset + max(0, length - _STREAM_END_REACH))
    return _STREAM_END in file.read(min(_STREAM_END_REACH, length))


def _is_rle_frame(file: BinaryIO, fragment: ByteRange) -> bool:
    """Return True if a fragment begins with the header of an RLE frame."""
    offset, length = fragment
    if length < _RLE_HEADER.size:
        return False
    file.seek(offset)
    count, *offsets = _RLE_HEADER.unpack(file.read(_RLE_HEADER.size))
    used, unused = offsets[:count], offsets[count:]
    return (
        1 <= count <= _MOST_RLE_SEGMENTS
        and used[0] == _RLE_HEADER.size
        and used == sorted(used)
        and used[-1] < length
        and not any(unused)
    )


def _size(file: BinaryIO) -> int:
    """Return the size of a file in bytes; its position is kept."""
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(position)
    return size
