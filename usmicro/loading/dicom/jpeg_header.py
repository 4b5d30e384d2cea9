"""Size of a compressed frame from the header of its JPEG, JPEG-LS or JPEG 2000 stream."""

from __future__ import annotations

import struct

_FRAME_HEADER_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Second bytes of the markers that begin a frame header in any JPEG process or in JPEG-LS."""


def coded_size(data: bytes) -> tuple[int, int] | None:
    """Return the rows and columns of a stream without decoding it.

    The result is None if the data is not a JPEG, JPEG-LS or JPEG 2000 stream, or is damaged.
    """
    if data.startswith(b"\xff\x4f\xff\x51") and len(data) >= 24:
        columns, rows, left, top = struct.unpack(">LLLL", data[8:24])
        return rows - top, columns - left
    if not data.startswith(b"\xff\xd8"):
        return None
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker in _FRAME_HEADER_MARKERS:
            rows, columns = struct.unpack(">HH", data[position + 5 : position + 9])
            return rows, columns
        position += 2 + int(struct.unpack(">H", data[position + 2 : position + 4])[0])
    return None
