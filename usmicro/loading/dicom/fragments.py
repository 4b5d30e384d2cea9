"""Where the frames of a DICOM file lie, so that each is read by itself and a lost one is counted before anything is decoded."""

from __future__ import annotations

import os
import struct
import zlib
from io import BytesIO
from itertools import pairwise
from typing import BinaryIO, Literal

from usmicro.errors import ScanError

Stretch = tuple[int, int]
"""Offset in the file and length, in bytes."""
Cut = Literal["", "between", "inside"]
"""Where the file ends too early: nowhere, between two items, or inside one."""

UNDEFINED = 0xFFFFFFFF
_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_STREAM_BEGINS, _STREAM_END = (b"\xff\xd8\xff", b"\xff\x4f\xff"), b"\xff\xd9"
"""Of JPEG and JPEG-LS, and of JPEG 2000; both end alike."""
_DEFLATED = b"1.2.840.10008.1.2.1.99"


def is_deflated(file: BinaryIO) -> bool:
    """Whether a DICOM file has the deflated transfer syntax; the file is left at its beginning."""
    head = file.read(1024)
    file.seek(0)
    return _DEFLATED in head


def inflated(file: BinaryIO, largest: int) -> BytesIO:
    """The data set of a deflated DICOM file, without preamble and file meta information; it is held in memory.

    Raises
    ------
    ScanError
        If the file meta information does not say its length, or the data set is damaged or larger than `largest` MB.
    """
    head = file.read(144)
    if head[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        raise ScanError(
            f"{file.name}: the file meta information of this deflated file lacks its length; the file is damaged"
        )
    file.seek(144 + int.from_bytes(head[140:144], "little"))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflater.decompress(file.read(), largest * 2**20)
    if inflater.unconsumed_tail:
        raise ScanError(
            f"{file.name}: inflates to more than {largest} MB. Set loading.largest_inflated higher if this is one scan"
        )
    return BytesIO(data)


def native_frames(
    file: BinaryIO, length: int, frame_bytes: int, promised: int
) -> list[list[Stretch]]:
    """Frames of uncompressed pixel data that begins at the file's position; fewer than promised if the file is cut short."""
    start = file.tell()
    there = min(_size(file) - start, length)
    return [
        [(start + i * frame_bytes, frame_bytes)] for i in range(min(promised, there // frame_bytes))
    ]


def encapsulated_frames(
    file: BinaryIO, promised: int, extended: tuple[bytes, bytes] | None = None
) -> list[list[Stretch]]:
    """Frames of compressed pixel data that begins at the file's position, each as its fragments (DICOM PS3.5 A.4).

    The extended or basic offset table says which fragments make a frame. Without one it is one fragment a frame, or all of them
    for one frame, or a frame begins with the fragment that begins a JPEG stream.

    Parameters
    ----------
    file : binary file
        At the first byte of the basic offset table's item.
    promised : int
        Number of frames that the header says.
    extended : tuple of bytes, optional
        Extended Offset Table and its lengths.

    Returns
    -------
    list of list of (offset, length)
        Frames that are there to their last byte: fewer than promised if the file is cut short, more if there are more.
    """
    size = _size(file)
    items, cut = _items(file, size)
    if len(items) < 2:
        return []
    (table_at, table_length), fragments = items[0], items[1:]
    first = table_at + table_length
    if extended is not None and len(extended[0]) == len(extended[1]) == 8 * promised:
        offsets, lengths = (struct.unpack(f"<{promised}Q", part) for part in extended)
        stretches = [
            (first + offset + 8, length) for offset, length in zip(offsets, lengths, strict=True)
        ]
        return [[stretch] for stretch in stretches if sum(stretch) <= size]
    file.seek(table_at)
    entries = table_length // 4
    starts = [first + offset for offset in struct.unpack(f"<{entries}L", file.read(4 * entries))]
    if entries == promised and starts == sorted(set(starts)):
        frames = _by_table(fragments, starts, cut)
        if frames is not None:
            return frames
    return _by_content(file, fragments, promised, cut)


def encapsulated_stream(file: BinaryIO) -> tuple[list[Stretch], bool]:
    """All fragments of pixel data that begins at the file's position, the last to where the file ends, and whether it ends too early."""
    size = _size(file)
    items, cut = _items(file, size)
    if cut == "inside" and items and file.tell() < size:
        items.append((file.tell(), size - file.tell()))
    return items[1:], bool(cut)


def _items(file: BinaryIO, size: int) -> tuple[list[Stretch], Cut]:
    """Items of the pixel data that are complete, and where the file is cut if it is."""
    items: list[Stretch] = []
    while len(head := file.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", head)
        if (group, element) == _END:
            return items, ""
        start = file.tell()
        if (group, element) != _ITEM or length == UNDEFINED or start + length > size:
            return items, "inside"
        items.append((start, length))
        file.seek(start + length)
    return items, "inside" if head[
        2:3
    ] == b"\0" else "between"  # a piece of the end mark is as good as none


def _by_table(fragments: list[Stretch], starts: list[int], cut: Cut) -> list[list[Stretch]] | None:
    """Frames by a table of where each begins; None if the table does not fit the fragments, so that it cannot be trusted."""
    place = {offset - 8: i for i, (offset, _) in enumerate(fragments)}
    end = sum(fragments[-1])
    begun = [start for start in starts if start < end]
    if any(start not in place for start in begun):
        return None
    edges = [*(place[start] for start in begun), len(fragments)]
    frames = [fragments[a:b] for a, b in pairwise(edges)]
    following = starts[len(begun)] if len(begun) < len(starts) else None
    complete = following == end if following is not None else cut != "inside"
    return frames if complete else frames[:-1]


def _by_content(
    file: BinaryIO, fragments: list[Stretch], promised: int, cut: Cut
) -> list[list[Stretch]]:
    if promised == 1:
        return [] if cut == "inside" else [fragments]
    frames: list[list[Stretch]] = []
    for offset, length in fragments:
        file.seek(offset)
        if file.read(min(3, length)) in _STREAM_BEGINS:
            frames.append([])
        elif not frames:  # not JPEG
            return [[fragment] for fragment in fragments]
        frames[-1].append((offset, length))
    offset, length = frames[-1][-1]
    file.seek(offset + max(0, length - 10))
    ended = _STREAM_END in file.read(min(10, length))
    return frames if ended or not cut else frames[:-1]


def _size(file: BinaryIO) -> int:
    here = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(here)
    return size
