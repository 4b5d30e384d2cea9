"""How a player shows a Matroska or WebM video: projection, crop and shape of pixels.

References
----------
RFC 9559, 5.1.4.1.28 (video settings of a track).
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from usmicro.loading.turning import UPRIGHT, Turn, turn_of_matrix
from usmicro.loading.video.display import (
    INTERLACED,
    Crop,
    Display,
    not_applied,
    other_tracks,
)
from usmicro.model.warnings import Remark

_SEGMENT, _TRACKS, _TRACK, _TRACK_TYPE, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0x83, 0xE0
_COLUMNS, _ROWS, _INTERLACED = 0xB0, 0xBA, 0x9A
_CROP_LEFT, _CROP_TOP, _CROP_RIGHT, _CROP_BOTTOM = 0x54CC, 0x54BB, 0x54DD, 0x54AA
_SHOWN_COLUMNS, _SHOWN_ROWS, _SHOWN_UNIT = 0x54B0, 0x54BA, 0x54B2
_PROJECTION, _KIND, _YAW, _PITCH, _ROLL = 0x7670, 0x7671, 0x7673, 0x7674, 0x7675
_UNKNOWN_UNIT = 4
_VIDEO_TYPE = 1
_MOST_TRACKS_BYTES = 2**24
"""A larger list of tracks is not read. It has about 1 kB for each track."""
_ANGLE_TOLERANCE = 0.001
"""Sine of the largest angle that counts as 0. Chosen by judgement."""

_Elements = dict[int, list[bytes]]


def matroska_display(path: Path) -> Display:
    """Return how a player shows the first video track of a Matroska or WebM file.

    Raises
    ------
    ValueError, LookupError, ArithmeticError
        If the structure of the file is damaged.
    """
    with path.open("rb") as file:
        data = _read_tracks(file)
    entries = [_by_id(track) for track in _by_id(data).get(_TRACK, [])]
    videos = [entry for entry in entries if _number(entry, _TRACK_TYPE, 0) == _VIDEO_TYPE]
    if not videos:
        return Display()
    video = _by_id(videos[0].get(_VIDEO, [b""])[0])
    remarks = other_tracks([None] * (len(videos) - 1))
    if _number(video, _INTERLACED, 0) == 1:
        remarks.append(INTERLACED)
    columns, rows = _number(video, _COLUMNS, 0), _number(video, _ROWS, 0)
    turn, turn_remarks = _turn(_by_id(video.get(_PROJECTION, [b""])[0]))
    crop = Crop(
        _number(video, _CROP_LEFT, 0),
        _number(video, _CROP_TOP, 0),
        columns - _number(video, _CROP_RIGHT, 0),
        rows - _number(video, _CROP_BOTTOM, 0),
    )
    return Display(
        turn=turn,
        crop=None if crop == Crop(0, 0, columns, rows) else crop,
        stored_size=(rows, columns),
        aspect=_aspect(video, crop),
        remarks=(*remarks, *turn_remarks),
    )


def _read_tracks(file: BinaryIO) -> bytes:
    """Return the content of the list of tracks; empty if it is not found."""
    size, position = file.seek(0, os.SEEK_END), 0
    while position < size:
        file.seek(position)
        head = file.read(12)
        number, offset = _identifier(head, 0)
        length, offset = _length(head, offset)
        if number == _TRACKS and length is not None and length <= _MOST_TRACKS_BYTES:
            file.seek(position + offset)
            return file.read(length)
        if number == _SEGMENT:
            position += offset
        elif length is None:
            break
        else:
            position += offset + length
    return b""


def _identifier(data: bytes, position: int) -> tuple[int, int]:
    """Return the number of the element at a position, and the position behind it."""
    width = 9 - data[position].bit_length()
    if width > 4:
        raise ValueError("not an element")
    return int.from_bytes(data[position : position + width], "big"), position + width


def _length(data: bytes, position: int) -> tuple[int | None, int]:
    """Return the length at a position, None if unknown, and the position behind it."""
    width = 9 - data[position].bit_length()
    if width > 8:
        raise ValueError("not a length")
    all_bits = (1 << 7 * width) - 1
    length = int.from_bytes(data[position : position + width], "big") & all_bits
    return None if length == all_bits else length, position + width


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the content of each element."""
    position = 0
    while position < len(data):
        number, position = _identifier(data, position)
        length, position = _length(data, position)
        end = len(data) if length is None else position + length
        yield number, data[position:end]
        position = end


def _by_id(data: bytes) -> _Elements:
    """Return the contents of the elements by their number."""
    found: _Elements = {}
    for number, content in _elements(data):
        found.setdefault(number, []).append(content)
    return found


def _number(elements: _Elements, number: int, default: int) -> int:
    """Return the value of an unsigned integer element."""
    contents = elements.get(number)
    return int.from_bytes(contents[0], "big") if contents and contents[0] else default


def _angle(elements: _Elements, number: int) -> float:
    """Return the value of a floating-point element, 0 if it is absent."""
    contents = elements.get(number)
    if not contents or len(contents[0]) not in (4, 8):
        return 0.0
    return float(struct.unpack(">f" if len(contents[0]) == 4 else ">d", contents[0])[0])


def _turn(projection: _Elements) -> tuple[Turn, list[Remark]]:
    """Return the turn that a projection prescribes, and a warning if it is not applied.

    FFmpeg writes a mirroring as a yaw of 180 degrees, before the roll.
    """
    kind = _number(projection, _KIND, 0)
    yaw, pitch, roll = (_angle(projection, number) for number in (_YAW, _PITCH, _ROLL))
    if kind == 0 and yaw == pitch == roll == 0:
        return UPRIGHT, []
    is_flat = kind == 0 and pitch == 0 and yaw in (0, 180, -180) and math.isfinite(roll)
    if is_flat:
        cosine, sine = math.cos(math.radians(roll)), math.sin(math.radians(roll))
        side = -1.0 if yaw else 1.0
        turn = turn_of_matrix(side * cosine, -side * sine, sine, cosine, _ANGLE_TOLERANCE)
        if turn is not None:
            return turn, []
    return UPRIGHT, [
        not_applied(f"the projection {kind} with yaw {yaw:g}, pitch {pitch:g} and roll {roll:g}")
    ]


def _aspect(video: _Elements, crop: Crop) -> float | None:
    """Return the height of a pixel over its width; None if only the codec may give it."""
    rows, columns = crop.bottom - crop.top, crop.right - crop.left
    width, height = _number(video, _SHOWN_COLUMNS, 0), _number(video, _SHOWN_ROWS, 0)
    unit = _number(video, _SHOWN_UNIT, 0)
    if not (width and height and rows > 0 and columns > 0) or unit == _UNKNOWN_UNIT:
        return None
    return (height / rows) / (width / columns)
