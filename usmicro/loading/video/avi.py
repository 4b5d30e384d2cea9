"""How a player shows an AVI video, and how many frames the file holds.

References
----------
Microsoft, AVI RIFF File Reference; OpenDML AVI File Format Extensions 1.02.
"""

from __future__ import annotations

import os
import struct
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from usmicro.loading.video.display import INTERLACED, Display, other_tracks
from usmicro.model.warnings import Remark

_MOST_CHUNKS = 5_000_000
"""Later chunks are not read. This is far above the default limit of frames of a scan."""
_LISTS = (b"RIFF", b"LIST")
_FRAME_SUFFIXES = (b"db", b"dc")
"""Ends of the names of chunks with uncompressed and compressed frames."""
_MOST_BITMAP_BYTES = 40 + 4 * 256
"""Length of a BITMAPINFOHEADER with a palette of 256 colours."""


@dataclass(slots=True)
class AviStream:
    """What the file says about one stream."""

    kind: bytes
    """b"vids" for video."""
    declared_frames: int
    bitmap: bytes = b""
    """Description of the frames, a BITMAPINFOHEADER with its palette."""
    fields: int = 1
    """Number of fields of a frame; more than 1 if it is interlaced."""
    shape: tuple[int, int] | None = None
    """Width to height at which the frames are shown."""
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    """Positions in the file of the frames that are complete and not empty."""
    lengths: array[int] = field(default_factory=lambda: array("Q"))
    """Their lengths in bytes."""
    empty: int = 0
    """Number of empty frames."""


def avi_display(path: Path) -> Display:
    """Return how a player shows the first video stream of an AVI file.

    Frames that are stored bottom-up are turned when they are decoded.
    """
    videos = video_streams(path)
    if not videos:
        return Display()
    video, *others = videos
    remarks: list[Remark] = other_tracks([len(stream.offsets) for stream in others])
    if video.fields > 1:
        remarks.append(INTERLACED)
    return Display(
        stored_frames=len(video.offsets) or None,
        empty_frames=video.empty,
        remarks=tuple(remarks),
    )


def video_streams(path: Path) -> list[AviStream]:
    """Return the video streams of an AVI file."""
    with path.open("rb") as file:
        return [stream for stream in _read_streams(file) if stream.kind == b"vids"]


def _read_streams(file: BinaryIO) -> list[AviStream]:
    """Read the names and lengths of all chunks, and the headers of the streams."""
    streams: list[AviStream] = []
    size, position, number = file.seek(0, os.SEEK_END), 0, 0
    while position + 8 <= size and number < _MOST_CHUNKS:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        number += 1
        if name in _LISTS:
            position += 12  # goes on inside the list, of whatever kind, as FFmpeg does
            continue
        if name == b"strh":
            header = file.read(36)
            streams.append(AviStream(header[:4], int.from_bytes(header[32:36], "little")))
        elif streams and name == b"strf":
            streams[-1].bitmap = file.read(min(length, _MOST_BITMAP_BYTES))
        elif streams and name == b"vprp" and length >= 36:
            numbers = struct.unpack("<9I", file.read(36).ljust(36, b"\0"))
            streams[-1].fields = numbers[8]
            streams[-1].shape = (numbers[5] >> 16, numbers[5] & 0xFFFF)
        elif name[:2].isdigit() and name[2:] in _FRAME_SUFFIXES and int(name[:2]) < len(streams):
            stream = streams[int(name[:2])]
            if length == 0:
                stream.empty += 1
            elif position + 8 + length <= size:
                stream.offsets.append(position + 8)
                stream.lengths.append(length)
        position += 8 + length + length % 2
    return streams
