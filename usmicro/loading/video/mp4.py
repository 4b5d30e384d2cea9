"""How a player shows an MP4 or QuickTime video: matrices, edit list, crop and shape of pixels.

References
----------
ISO 14496-12, 8.2.2 (mvhd), 8.3.2 (tkhd), 8.6.1 (stts, ctts), 8.6.6 (elst), 8.7.3 (stsz) and 12.1.4
(pasp, clap); QuickTime File Format Specification.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usmicro.loading.turning import UPRIGHT, turn_of_matrix
from usmicro.loading.video.display import (
    INTERLACED,
    Crop,
    Display,
    not_applied,
    other_tracks,
)
from usmicro.model.warnings import Remark

_MOST_INDEX_BYTES = 2**27
"""A larger index (`moov`) is not read. The index of an hour of video has about 2 MB."""
_MOST_SAMPLES = 5_000_000
"""A track with more frames is not examined: the default limit of a scan is far below."""
_MATRIX_TOLERANCE = 0.001
"""Entries of a display matrix below this fraction of the largest one count as 0: its numbers have
16 bits behind the point. Chosen by judgement."""
_IDENTITY = (1.0, 0.0, 0.0, 1.0)
_SAMPLE_ENTRY_BYTES = 78
"""Length of a visual sample entry before its boxes."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """A part of the media that is shown; times in units of the media."""

    start: int
    """First time of the part, -1 if nothing is shown."""
    length: float
    rate: int
    """Speed in units of 1/65536."""


@dataclass(frozen=True, slots=True)
class _Boxes:
    """The boxes of the index, with access by path."""

    data: bytes
    start: int
    end: int

    def __iter__(self) -> Iterator[tuple[bytes, _Boxes]]:
        """Yield the type and the content of each box."""
        position = self.start
        while position + 8 <= self.end:
            length, kind = struct.unpack_from(">I4s", self.data, position)
            head = 8
            if length == 1:
                length, head = struct.unpack_from(">Q", self.data, position + 8)[0], 16
            stop = self.end if length == 0 else min(position + length, self.end)
            if stop < position + head:
                return
            yield kind, _Boxes(self.data, position + head, stop)
            position = stop

    def all(self, *path: bytes) -> list[_Boxes]:
        """Return the content of every box at a path of types."""
        found = [self]
        for name in path:
            found = [content for boxes in found for kind, content in boxes if kind == name]
        return found

    def first(self, *path: bytes) -> _Boxes | None:
        """Return the content of the first box at a path of types, or None."""
        found = self.all(*path)
        return found[0] if found else None

    def unpack(self, layout: str, offset: int) -> tuple[int, ...]:
        """Return numbers at an offset of the content."""
        if self.start + offset + struct.calcsize(">" + layout) > self.end:
            raise ValueError("a box is too short")
        return struct.unpack_from(">" + layout, self.data, self.start + offset)

    def array(self, dtype: str, count: int, columns: int, offset: int) -> np.ndarray:
        """Return a table of numbers at an offset of the content, at most `count` rows."""
        available = (self.end - self.start - offset) // (np.dtype(dtype).itemsize * columns)
        count = max(0, min(count, available))
        values = np.frombuffer(self.data, dtype, count * columns, self.start + offset)
        return values.reshape(count, columns).astype(np.int64)


def mp4_display(path: Path) -> Display:
    """Return how a player shows the first video track of an MP4 or QuickTime file.

    Raises
    ------
    ValueError, LookupError, ArithmeticError, struct.error
        If the structure of the file is damaged.
    """
    data, is_fragmented = _read_index(path)
    if not data:
        return Display()
    try:
        return _display(_Boxes(data, 0, len(data)), is_fragmented=is_fragmented)
    except struct.error as error:
        raise ValueError(str(error)) from error


def _read_index(path: Path) -> tuple[bytes, bool]:
    """Return the content of the box `moov`, and whether the file has fragments."""
    index, is_fragmented = b"", False
    with path.open("rb") as file:
        size, position = file.seek(0, os.SEEK_END), 0
        while position + 8 <= size:
            file.seek(position)
            head = file.read(16)
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            body = 8
            if length == 1:
                length, body = int.from_bytes(head[8:16], "big"), 16
            length = size - position if length == 0 else length
            if length < body:
                break
            if kind == b"moov" and not index and length <= _MOST_INDEX_BYTES:
                file.seek(position + body)
                index = file.read(min(length, size - position) - body)
            is_fragmented |= kind == b"moof"
            position += length
    return index, is_fragmented


def _display(index: _Boxes, *, is_fragmented: bool) -> Display:
    """Return how the first video track is shown."""
    tracks = [track for track in index.all(b"trak") if _handler(track) == b"vide"]
    if not tracks:
        return Display()
    track, *others = tracks
    chapters = _chapter_tracks(index)
    others = [other for other in others if _id(other) not in chapters]
    remarks = other_tracks([_sample_count(other) for other in others])
    if not _is_enabled(track) and any(map(_is_enabled, others)):
        remarks.append(not_applied("that its first video track, which was read, is not shown"))
    matrix = _product(
        _matrix(track.first(b"tkhd"), (40, 52)), _matrix(index.first(b"mvhd"), (36, 48))
    )
    turn = turn_of_matrix(*matrix, _MATRIX_TOLERANCE)
    if turn is None:
        rounded = " ".join(f"{value:.4g}" for value in matrix)
        remarks.append(
            not_applied(f"the display matrix {rounded}, which is not a turn by right angles")
        )
    entry = track.first(b"mdia", b"minf", b"stbl", b"stsd")
    rows, columns, extensions = _sample_entry(entry)
    crop = _crop(extensions.first(b"clap"), rows, columns)
    if (fields := extensions.first(b"fiel")) and fields.unpack("B", 0)[0] == 2:
        remarks.append(INTERLACED)
    stored, empty, shown, edit_remarks = (
        (None, 0, None, []) if is_fragmented else _frame_counts(index, track)
    )
    return Display(
        turn=turn or UPRIGHT,
        crop=crop,
        stored_size=(rows, columns),
        aspect=_aspect(track, extensions, crop, (rows, columns), matrix if turn else _IDENTITY),
        stored_frames=stored,
        empty_frames=empty,
        shown_frames=shown,
        remarks=(*remarks, *edit_remarks),
    )


def _handler(track: _Boxes) -> bytes:
    """Return the kind of a track: b"vide" for video."""
    box = track.first(b"mdia", b"hdlr")
    return b"" if box is None else box.data[box.start + 8 : box.start + 12]


def _is_enabled(track: _Boxes) -> bool:
    """Return True if a player shows a track."""
    header = track.first(b"tkhd")
    return header is None or bool(header.unpack("I", 0)[0] & 1)


def _id(track: _Boxes) -> int:
    """Return the number of a track."""
    header = track.first(b"tkhd")
    if header is None:
        return 0
    return header.unpack("I", 20 if header.unpack("B", 0)[0] else 12)[0]


def _chapter_tracks(index: _Boxes) -> set[int]:
    """Return the numbers of the tracks that hold pictures or titles of chapters."""
    numbers: set[int] = set()
    for box in index.all(b"trak", b"tref", b"chap"):
        numbers |= set(box.array(">u4", (box.end - box.start) // 4, 1, 0)[:, 0].tolist())
    return numbers


def _sample_count(track: _Boxes) -> int | None:
    """Return the number of frames of a track; None if unknown."""
    sizes = track.first(b"mdia", b"minf", b"stbl", b"stsz")
    return None if sizes is None else sizes.unpack("I", 8)[0]


def _matrix(header: _Boxes | None, offsets: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return a, b, c and d of a matrix, given its offset in versions 0 and 1 of its box.

    A point (x, y) of the frame is shown at x' = ax + cy, y' = bx + dy.
    """
    if header is None:
        return _IDENTITY
    version = header.unpack("B", 0)[0]
    a, b, _, c, d = header.unpack("5i", offsets[1 if version else 0])
    matrix = (a / 65536, b / 65536, c / 65536, d / 65536)
    return matrix if any(matrix) else _IDENTITY  # some recorders leave it empty


def _product(
    track: tuple[float, float, float, float], movie: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """Return the matrix of a track followed by that of the movie."""
    rows = np.array(track).reshape(2, 2) @ np.array(movie).reshape(2, 2)
    a, b, c, d = rows.ravel().tolist()
    return a, b, c, d


def _sample_entry(descriptions: _Boxes | None) -> tuple[int, int, _Boxes]:
    """Return rows and columns of the stored frames, and the boxes of the sample entry."""
    if descriptions is None:
        return 0, 0, _Boxes(b"", 0, 0)
    entries = _Boxes(descriptions.data, descriptions.start + 8, descriptions.end)
    for _, entry in entries:
        columns, rows = entry.unpack("HH", 24)
        start = min(entry.start + _SAMPLE_ENTRY_BYTES, entry.end)
        return rows, columns, _Boxes(entry.data, start, entry.end)
    return 0, 0, _Boxes(b"", 0, 0)


def _crop(aperture: _Boxes | None, rows: int, columns: int) -> Crop | None:
    """Return the part of the frame inside the clean aperture; None if it is the whole frame."""
    if aperture is None:
        return None
    numbers = aperture.unpack("IIIIiIiI", 0)
    width, height, right, down = (a / b for a, b in zip(numbers[::2], numbers[1::2], strict=True))
    left = round((columns - width) / 2 + right)
    top = round((rows - height) / 2 + down)
    crop = Crop(left, top, left + round(width), top + round(height))
    return None if crop == Crop(0, 0, columns, rows) else crop


def _aspect(
    track: _Boxes,
    extensions: _Boxes,
    crop: Crop | None,
    size: tuple[int, int],
    matrix: tuple[float, float, float, float],
) -> float | None:
    """Return the height of a stored pixel over its width; None if only the codec may give it."""
    aspect = None
    if box := extensions.first(b"pasp"):
        across, down = box.unpack("II", 0)
        aspect = down / across if across and down else None
    if aspect is None:
        aspect = _aspect_of_track(track, crop, size)
    a, b, c, d = matrix
    ratio = math.hypot(c, d) / math.hypot(a, b)
    if abs(ratio - 1) > _MATRIX_TOLERANCE:
        return ratio * (aspect or 1.0)
    return aspect


def _aspect_of_track(track: _Boxes, crop: Crop | None, size: tuple[int, int]) -> float | None:
    """Return the shape of a pixel that follows from the size at which a track is shown.

    None if that is the size of the frames or unknown. A size with rows and columns exchanged is an
    error of the writer, and the pixels are taken as square.
    """
    header = track.first(b"tkhd")
    rows, columns = (crop.bottom - crop.top, crop.right - crop.left) if crop else size
    if header is None or not rows or not columns:
        return None
    width, height = (v / 65536 for v in header.unpack("II", 88 if header.unpack("B", 0)[0] else 76))
    if not width or not height or (round(height), round(width)) == size:
        return None
    if (round(height), round(width)) == (columns, rows):
        return 1.0
    aspect = (height / rows) / (width / columns)
    # a size is rounded to whole pixels, and the ratio is as uncertain as that
    return aspect if abs(aspect - 1) > 1.5 / min(width, height, rows, columns) else None


def _frame_counts(index: _Boxes, track: _Boxes) -> tuple[int | None, int, int | None, list[Remark]]:
    """Return the numbers of stored, empty and shown frames of a track, and remarks.

    The number of shown frames is None if there is no edit list or if it shows all of them.
    """
    table = track.first(b"mdia", b"minf", b"stbl")
    sizes = None if table is None else table.first(b"stsz")
    if table is None or sizes is None:
        return None, 0, None, []
    size, count = sizes.unpack("II", 4)
    if not 0 < count <= _MOST_SAMPLES:
        return None, 0, None, []
    is_empty = np.zeros(count, bool)
    if size == 0:
        stored_sizes = sizes.array(">u4", count, 1, 12)[:, 0]
        is_empty[: len(stored_sizes)] = stored_sizes == 0
    empty = int(is_empty.sum())
    edits = _edits(index, track)
    times = _times(table, count)
    if not edits or times is None:
        return count - empty, empty, None, []
    shown = 0
    for edit in edits:
        if edit.start >= 0:
            inside = (times >= edit.start) & (times < edit.start + edit.length)
            shown += int((inside & ~is_empty).sum())
    remarks: list[Remark] = []
    if any(edit.start >= 0 and edit.rate != 65536 for edit in edits):
        remarks.append("its edit list shows parts at another speed; each frame is read once")
    return count - empty, empty, None if shown == count - empty else shown, remarks


def _edits(index: _Boxes, track: _Boxes) -> list[_Edit]:
    """Return the edit list of a track."""
    box = track.first(b"edts", b"elst")
    movie, media = index.first(b"mvhd"), track.first(b"mdia", b"mdhd")
    if box is None or movie is None or media is None:
        return []
    movie_scale, media_scale = (
        header.unpack("I", 20 if header.unpack("B", 0)[0] else 12)[0] for header in (movie, media)
    )
    version, _, _, _, count = box.unpack("4BI", 0)
    layout, length = ("Qqi", 20) if version else ("Iii", 12)
    edits = []
    for number in range(min(count, (box.end - box.start - 8) // length)):
        duration, start, rate = box.unpack(layout, 8 + number * length)
        edits.append(_Edit(start, duration * media_scale / movie_scale, rate))
    return edits


def _times(table: _Boxes, count: int) -> np.ndarray | None:
    """Return the time at which each frame is shown, in units of the media; None if unknown."""
    durations = table.first(b"stts")
    if durations is None:
        return None
    steps = _expanded(durations, count, signed=False)
    times = np.cumsum(steps) - steps
    if offsets := table.first(b"ctts"):
        times = times + _expanded(offsets, count, signed=True)
    return np.asarray(times)


def _expanded(box: _Boxes, count: int, *, signed: bool) -> np.ndarray:
    """Return one value for each frame from a table of (number of frames, value)."""
    entries = box.array(">u4", box.unpack("I", 4)[0], 2, 8)
    numbers = np.minimum(entries[:, 0], count)
    last = int(np.searchsorted(np.cumsum(numbers), count)) + 1
    values = entries[:, 1]
    if signed:
        values = np.where(values >= 2**31, values - 2**32, values)
    expanded = np.zeros(count, np.int64)
    repeated = np.repeat(values[:last], numbers[:last])[:count]
    expanded[: len(repeated)] = repeated
    return expanded
