"""Boxes of a JP2 file around a JPEG 2000 code stream.

DICOM wants the code stream alone, but some writers store the whole file as a frame.

References
----------
ISO/IEC 15444-1, Annex I.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

ColourModel = Literal["RGB", "YCbCr"]
"""Meaning of three components."""
JP2_SIGNATURE = b"\0\0\0\x0cjP  "
"""First bytes of a JP2 file."""
_ENUMERATED = 1
"""Method of a colour specification that gives the number of a colour space."""
_COLOURS: dict[int, ColourModel] = {16: "RGB", 18: "YCbCr"}
"""Colour spaces sRGB and sYCC by their numbers."""
_GREY = 17
"""Number of the colour space of grey."""
_WHOLE_IMAGE, _NO_COLOUR = 0, 65535
"""Associations of a channel that belongs to all colours, and to none."""
_COLOUR_CHANNEL = 0
"""Type of a channel that is not opacity."""


@dataclass(frozen=True, slots=True)
class Jp2Boxes:
    """Code stream of a JP2 file, and what its header says about the components."""

    codestream: bytes
    colour: ColourModel | None = None
    order: tuple[int, ...] = ()
    """Component that holds each colour; empty if the file does not define it."""
    problem: str = ""
    """Why the pixels cannot be read; empty if they can."""


def read_jp2_boxes(data: bytes) -> Jp2Boxes | None:
    """Return the code stream and the colours of a JP2 file; None if it has no code stream."""
    boxes = dict(_boxes(data))
    if b"jp2c" not in boxes:
        return None
    header = dict(_boxes(boxes.get(b"jp2h", b"")))
    colour, problem = _colour(header.get(b"colr", b""))
    if b"pclr" in header:
        problem = "it has a colour palette of JPEG 2000"
    order = _order(header.get(b"cdef", b""))
    if order is None:
        problem = "it has an opacity channel"
    return Jp2Boxes(boxes[b"jp2c"], colour, order or (), problem)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the type and the content of each box; of several of a type only the first."""
    position, found = 0, set()
    while position + 8 <= len(data):
        length, kind = struct.unpack(">L4s", data[position : position + 8])
        start = position + 8
        if length == 1 and start + 8 <= len(data):
            length = int(struct.unpack(">Q", data[start : start + 8])[0])
            start += 8
        end = len(data) if length == 0 else position + length
        if end < start:
            return
        if kind not in found:
            found.add(kind)
            yield kind, data[start:end]
        position = end


def _colour(content: bytes) -> tuple[ColourModel | None, str]:
    """Return the colour model of a colour specification, and why it cannot be read."""
    if len(content) < 7 or content[0] != _ENUMERATED:
        return None, ""
    number = int(struct.unpack(">L", content[3:7])[0])
    if number in _COLOURS:
        return _COLOURS[number], ""
    return None, "" if number == _GREY else f"it has the JPEG 2000 colour space {number}"


def _order(content: bytes) -> tuple[int, ...] | None:
    """Return the component of each colour from a channel definition; None if one is no colour."""
    if len(content) < 2:
        return ()
    count = int(struct.unpack(">H", content[:2])[0])
    component_of = {}
    for i in range(2, min(len(content) - 5, 2 + 6 * count), 6):
        component, kind, colour = struct.unpack(">HHH", content[i : i + 6])
        if kind != _COLOUR_CHANNEL:
            return None
        if colour not in (_WHOLE_IMAGE, _NO_COLOUR):
            component_of[colour] = component
    colours = sorted(component_of)
    order = tuple(component_of[colour] for colour in colours)
    if colours == [1, 2, 3] and sorted(order) == [0, 1, 2]:
        return order
    return ()
