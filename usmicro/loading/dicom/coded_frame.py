"""Headers of the JPEG, JPEG-LS and JPEG 2000 streams that hold the compressed frames.

The decoders differ in what they convert: some return RGB where a marker asks for it, others return
the components as they are stored. Therefore the stream is read here for what it says about its
colours, and is handed to the decoder without these statements, so that every decoder returns the
stored components.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from usmicro.loading.dicom.jp2_boxes import JP2_SIGNATURE, ColourModel, Jp2Boxes, read_jp2_boxes

Family = Literal["JPEG", "lossless JPEG", "JPEG-LS", "JPEG 2000", "High-Throughput JPEG 2000"]
"""Kind of a stream; each has its own decoders."""
_JPEG_START, _CODESTREAM_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
FRAME_HEADER_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Second bytes of the markers that begin a frame header in any JPEG process (ITU-T T.81, table B.1)
or in JPEG-LS (T.87)."""
_JPEG_LS_FRAME_HEADER, _APP0, _APP8, _APP14 = 0xF7, 0xE0, 0xE8, 0xEE
_CAP, _COD, _SOT = 0x50, 0x52, 0x90
_LOSSY_FRAME_HEADERS = {0xC0, 0xC1, 0xC2, 0xC5, 0xC6, 0xC9, 0xCA, 0xCD, 0xCE}
_RGB_IDS = (tuple(b"RGB"), tuple(b"rgb"))
_UNTRANSFORMED = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
"""Adobe marker with transform 0: the components are not transformed. No decoder converts them."""
_ADOBE_COLOURS: dict[int, ColourModel] = {0: "RGB", 1: "YCbCr"}
_SPIFF_COLOURS: dict[int, ColourModel] = {3: "YCbCr", 10: "RGB"}
"""Colour spaces in a SPIFF header (ITU-T T.84, F.2.1.2)."""


@dataclass(frozen=True, slots=True)
class ColourClaim:
    """A statement of a stream about its colours."""

    model: ColourModel
    reason: str
    """Part of the stream that says so."""


@dataclass(frozen=True, slots=True)
class CodedFrame:
    """A compressed frame and what its header says."""

    rows: int
    columns: int
    components: int
    precision: int
    """Bits per component."""
    family: Family
    stream: bytes
    """The stream for the decoder, without statements about colour."""
    is_signed: bool = False
    claims: tuple[ColourClaim, ...] = ()
    """What the stream says about its colours."""
    order: tuple[int, ...] = ()
    """Component that holds each of red, green and blue, if another order is stated."""
    problem: str = ""
    """Why the pixels cannot be read although the stream may be valid; empty if they can."""


def read_coded_frame(data: bytes) -> CodedFrame | None:
    """Read the header of a compressed frame without decoding it.

    The result is None if the data is not a JPEG, JPEG-LS or JPEG 2000 stream, or is damaged.
    """
    try:
        if data.startswith(JP2_SIGNATURE):
            boxes = read_jp2_boxes(data)
            return None if boxes is None else _with_boxes(_jpeg_2000(boxes.codestream), boxes)
        if data.startswith(_CODESTREAM_START):
            return _jpeg_2000(data)
        if data.startswith(_JPEG_START):
            return _jpeg(data)
    except (struct.error, IndexError):
        return None
    return None


def _jpeg(data: bytes) -> CodedFrame | None:
    """Read the header of a JPEG or JPEG-LS stream."""
    claims: list[ColourClaim] = []
    kept = [_JPEG_START, _UNTRANSFORMED]
    position = len(_JPEG_START)
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        end = position + 2 + int(struct.unpack(">H", data[position + 2 : position + 4])[0])
        content = data[position + 4 : end]
        if marker in FRAME_HEADER_MARKERS:
            kept.append(data[position:])
            return _jpeg_frame(marker, content, claims, data, b"".join(kept))
        claim = _marker_claim(marker, content)
        claims += [] if claim is None else [claim]
        if not (_is_jfif(marker, content) or _is_adobe(marker, content)):
            kept.append(data[position:end])
        position = end
    return None


def _jpeg_frame(
    marker: int, content: bytes, claims: list[ColourClaim], data: bytes, relabelled: bytes
) -> CodedFrame:
    """Read a frame header; `relabelled` is the stream without statements about colour."""
    precision, rows, columns, components = struct.unpack(">BHHB", content[:6])
    parts = [content[i : i + 3] for i in range(6, 6 + 3 * components, 3)]
    if tuple(part[0] for part in parts) in _RGB_IDS:
        claims.append(ColourClaim("RGB", "its components are called R, G and B"))
    if components == 3 and len({part[1] for part in parts}) > 1:
        claims.append(ColourClaim("YCbCr", "its components differ in resolution"))
    family: Family = "JPEG" if marker in _LOSSY_FRAME_HEADERS else "lossless JPEG"
    if marker == _JPEG_LS_FRAME_HEADER:
        family = "JPEG-LS"
    return CodedFrame(
        rows,
        columns,
        components,
        precision,
        family,
        relabelled if components == 3 and family != "JPEG-LS" else data,
        claims=tuple(claims) if components == 3 else (),
    )


def _is_jfif(marker: int, content: bytes) -> bool:
    return marker == _APP0 and content.startswith(b"JFIF\0")


def _is_adobe(marker: int, content: bytes) -> bool:
    return marker == _APP14 and content.startswith(b"Adobe") and len(content) >= 12


def _marker_claim(marker: int, content: bytes) -> ColourClaim | None:
    """Return what an application marker says about the colours of three components."""
    if _is_jfif(marker, content):
        return ColourClaim("YCbCr", "it has a JFIF marker")
    if _is_adobe(marker, content) and content[11] in _ADOBE_COLOURS:
        reason = f"it has an Adobe marker with transform {content[11]}"
        return ColourClaim(_ADOBE_COLOURS[content[11]], reason)
    if marker == _APP8 and content.startswith(b"SPIFF\0") and len(content) > 18:
        model = _SPIFF_COLOURS.get(content[18])
        return None if model is None else ColourClaim(model, "it has a SPIFF header")
    return None


def _jpeg_2000(stream: bytes) -> CodedFrame | None:
    """Read the header of a JPEG 2000 code stream: its image size and its component transform."""
    if not stream.startswith(_CODESTREAM_START):
        return None
    columns, rows, left, top = struct.unpack(">LLLL", stream[8:24])
    components = int(struct.unpack(">H", stream[40:42])[0])
    depths = stream[42 : 42 + 3 * components : 3]
    steps = stream[43 : 42 + 3 * components]
    is_subsampled = any(steps[i : i + 2] != b"\1\1" for i in range(0, len(steps), 3))
    problem = ""
    if len(set(depths)) > 1:
        problem = "its components differ in bit depth"
    elif is_subsampled:
        problem = "its components differ in resolution"
    claims: tuple[ColourClaim, ...] = ()
    markers = dict(_main_header(stream))
    if components == 3 and markers.get(_COD, b"")[4:5] == b"\1":
        claims = (ColourClaim("RGB", "it has a component transform, which the decoder undoes"),)
    return CodedFrame(
        rows - top,
        columns - left,
        components,
        (depths[0] & 0x7F) + 1,
        "High-Throughput JPEG 2000" if _CAP in markers else "JPEG 2000",
        stream,
        is_signed=depths[0] >= 0x80,
        claims=claims,
        problem=problem,
    )


def _main_header(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the second byte and the content of each marker segment of a main header."""
    position = 2
    while position + 4 <= len(stream) and stream[position] == 0xFF:
        marker = stream[position + 1]
        if marker == _SOT:
            return
        end = position + 2 + int(struct.unpack(">H", stream[position + 2 : position + 4])[0])
        yield marker, stream[position + 4 : end]
        position = end


def _with_boxes(frame: CodedFrame | None, boxes: Jp2Boxes) -> CodedFrame | None:
    """Add what the boxes of a JP2 file say to the header of its code stream."""
    if frame is None:
        return None
    claims = frame.claims
    if boxes.colour is not None and frame.components == 3:
        claims = (*claims, ColourClaim(boxes.colour, "its JP2 header says so"))
    order = boxes.order if frame.components == 3 and boxes.order != (0, 1, 2) else ()
    return replace(frame, claims=claims, order=order, problem=boxes.problem or frame.problem)
