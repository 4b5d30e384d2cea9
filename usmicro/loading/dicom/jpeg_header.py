"""Size of a compressed frame, as its own stream says, before anything is decoded."""

from __future__ import annotations

import struct

_SIZE_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Start of frame of every JPEG process, and of JPEG-LS."""


def coded_size(data: bytes) -> tuple[int, int] | None:
    """Rows and columns of a JPEG, JPEG-LS or JPEG 2000 stream; None if it is none of them or is damaged."""
    if data.startswith(b"\xff\x4f\xff\x51") and len(data) >= 24:
        columns, rows, left, top = struct.unpack(">LLLL", data[8:24])
        return rows - top, columns - left
    if not data.startswith(b"\xff\xd8"):
        return None
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker in _SIZE_MARKERS:
            rows, columns = struct.unpack(">HH", data[place + 5 : place + 9])
            return rows, columns
        place += 2 + int(struct.unpack(">H", data[place + 2 : place + 4])[0])
    return None
