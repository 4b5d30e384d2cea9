"""Headers of pictures: the pictures in a JPEG file, chunks of PNG, resolution, orientation."""

from __future__ import annotations

import mmap
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from usmicro.errors import ScanError
from usmicro.loading.dicom.coded_frame import FRAME_HEADER_MARKERS
from usmicro.loading.pixel_shape import checked_aspect
from usmicro.model.anatomy import LABEL_IMAGE_TEXT
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION = 274, 282, 283
"""Numbers of tags that are the same in TIFF and EXIF."""
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""The end of the coded data of a JPEG file: a marker that is no restart marker."""
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
"""Second bytes of JPEG markers (ITU-T T.81, table B.1)."""
_KINDS = {
    0xC3: "lossless JPEG",
    0xC5: "hierarchical JPEG",
    0xC6: "hierarchical JPEG",
    0xC7: "hierarchical lossless JPEG",
    0xCB: "lossless JPEG",
    0xCD: "hierarchical JPEG",
    0xCE: "hierarchical JPEG",
    0xCF: "hierarchical lossless JPEG",
    0xF7: "JPEG-LS",
}
"""Kinds of JPEG that Pillow does not decode."""
_GIF_EXTENSION, _GIF_IMAGE = b"\x21", b"\x2c"
"""First bytes of the blocks of a GIF file."""
_GIF_CONTROL = b"\xf9"
"""Second byte of the extension with the delay of an image."""
_GIF_HAS_TABLE = 0x80
"""Flag of a header that a colour table follows."""
_DISPLAY_GAMMA, _GAMMA_TOLERANCE = 1 / 2.2, 0.03
"""Value of the PNG chunk gAMA for which a screen shows the pixels as they are (PNG 11.3.2.2), and
the difference from it that nobody sees. The latter is chosen by judgement."""


@dataclass(frozen=True, slots=True)
class _Jpeg:
    """One picture of a JPEG file."""

    kind: int = 0
    """Marker of its frame, 0 if none was found."""
    bits: int = 8
    size: tuple[int, int] = (0, 0)
    """Rows and columns."""


def check_jpeg(path: Path) -> list[Remark]:
    """Look at the structure of a JPEG file.

    Returns
    -------
    list of Remark
        On the pictures that follow the first, as in MPO files, and are not read.

    Raises
    ------
    ScanError
        If its pixels are of a kind that is valid but not read.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        pictures = _jpeg_pictures(data)
    if not pictures:
        return []
    first, *others = pictures
    if first.kind in _KINDS or first.bits != 8:
        kind = _KINDS.get(first.kind, "JPEG")
        raise ScanError(
            f"{path}: expected a JPEG file with 8-bit pixels, found {kind} with {first.bits}-bit "
            "pixels; convert the image to PNG"
        )
    same = sum(other.size == first.size for other in others)
    remarks: list[Remark] = []
    if same:
        remarks.append(
            ScanWarning(
                WarningCode.FRAMES_NOT_READ,
                f"{same} more pictures of the same size follow the first in the JPEG file and "
                "were not read",
            )
        )
    if len(others) > same:
        remarks.append(
            f"{len(others) - same} pictures of another size follow the first in the JPEG file, "
            "such as previews, and were not read"
        )
    return remarks


def _jpeg_pictures(data: mmap.mmap) -> list[_Jpeg]:
    """Return the pictures that follow one another in a JPEG file; padding may lie between them."""
    pictures: list[_Jpeg] = []
    position, current = 0, None
    while position + 2 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker == _START:
            current, position = _Jpeg(), position + 2
        elif marker == _END:
            pictures += [current] if current else []
            current, position = None, position + 2
            while position < len(data) and data[position] == 0:
                position += 1
            if data[position : position + 3] != b"\xff\xd8\xff":
                break
        else:
            length = int.from_bytes(data[position + 2 : position + 4], "big")
            if current and marker in FRAME_HEADER_MARKERS and not current.kind:
                head = data[position + 4 : position + 9].ljust(5, b"\0")
                size = (int.from_bytes(head[1:3], "big"), int.from_bytes(head[3:5], "big"))
                current = _Jpeg(marker, head[0], size)
            position += 2 + length
            if marker == _SCAN:
                found = _NEXT_MARKER.search(data, position)
                position = found.start() if found else len(data)
    return pictures + ([current] if current else [])


def png_chunk(path: Path, chunk_type: bytes) -> bytes:
    """Return the content of the first chunk of a type in a PNG file; empty if there is none."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[:4], "big")
            if head[4:] == chunk_type:
                return file.read(length)
            file.seek(length + 4, os.SEEK_CUR)
    return b""


def png_without_animation(data: bytes) -> bytes:
    """Return a PNG file without the chunks of an animation: its picture for other programs."""
    parts, start = [data[:8]], 8
    while start < len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        if data[start + 4 : start + 8] not in (b"acTL", b"fcTL", b"fdAT"):
            parts.append(data[start:end])
        start = end
    return b"".join(parts)


def first_png_alpha(path: Path) -> int | None:
    """Return the alpha of the first pixel of an 8-bit PNG file, without decoding the others.

    None if the file has no alpha channel of 8 bits or is damaged. No filter of PNG changes the
    first pixel of an image.
    """
    header = png_chunk(path, b"IHDR")
    channels = {b"\x08\x06": 4, b"\x08\x04": 2}.get(header[8:10])
    if channels is None:
        return None
    try:
        row = zlib.decompressobj().decompress(png_chunk(path, b"IDAT"), 1 + channels)
    except zlib.error:
        return None
    return row[channels] if len(row) > channels else None


def is_label_image(path: Path) -> bool:
    """Return True if a PNG file says that it is a label image of usmicro."""
    with path.open("rb") as file:
        is_png = file.read(8) == b"\x89PNG\r\n\x1a\n"
    return is_png and png_chunk(path, b"tEXt").endswith(LABEL_IMAGE_TEXT)


@dataclass(frozen=True, slots=True)
class GifBlocks:
    """What the blocks of a GIF file say besides the pixels."""

    is_grey: bool
    """True if all palettes are grey, and no image is without one."""
    delays: tuple[float, ...]
    """Time for which each image is shown, s; 0 if the file does not say."""

    def frame_times(self, frames: int) -> tuple[float, ...]:
        """Return the time of each of `frames` frames since the first, s; empty if unknown."""
        if frames < 2 or len(self.delays) != frames or min(self.delays[:-1]) <= 0:
            return ()
        return tuple(sum(self.delays[:number], 0.0) for number in range(frames))


def gif_blocks(path: Path) -> GifBlocks:
    """Read the palettes and delays of a GIF file.

    References
    ----------
    Graphics Interchange Format, version 89a, sections 18 to 25.
    """
    is_grey, delay, delays = True, 0.0, []
    with path.open("rb") as file:
        flags = file.read(13).ljust(13, b"\0")[10]
        is_common_grey = bool(flags & _GIF_HAS_TABLE) and _is_next_table_grey(file, flags)
        while (block := file.read(1)) in (_GIF_EXTENSION, _GIF_IMAGE):
            if block == _GIF_EXTENSION:
                if file.read(1) == _GIF_CONTROL:
                    # size of the block, flags, and the delay in hundredths of a second
                    delay = int.from_bytes(file.read(4)[2:4], "little") / 100
                    file.seek(-4, os.SEEK_CUR)
            else:
                flags = file.read(9).ljust(9, b"\0")[8]
                if flags & _GIF_HAS_TABLE:
                    is_grey = is_grey and _is_next_table_grey(file, flags)
                else:
                    is_grey = is_grey and is_common_grey
                file.seek(1, os.SEEK_CUR)
                delays.append(delay)
                delay = 0.0
            while length := file.read(1):
                if length == b"\0":
                    break
                file.seek(length[0], os.SEEK_CUR)
    return GifBlocks(is_grey, tuple(delays))


def _is_next_table_grey(file: BinaryIO, flags: int) -> bool:
    """Return True if the colour table that begins here is grey; `flags` give its length."""
    table = file.read(3 * 2 ** ((flags & 7) + 1))
    return table[::3] == table[1::3] == table[2::3]


def png_notes(path: Path, image: Any) -> list[Remark]:
    """Return notes on the grey levels that a PNG file describes."""
    notes: list[Remark] = []
    gamma = image.info.get("gamma")
    has_profile = "srgb" in image.info or "icc_profile" in image.info
    if gamma and not has_profile and abs(gamma - _DISPLAY_GAMMA) > _GAMMA_TOLERANCE:
        notes.append(f"the gamma {gamma:.3g} that the file gives for display was not applied")
    if bits := significant_bits(path):
        notes.append(f"the file says that {bits} of 16 bits are significant")
    return notes


def significant_bits(path: Path) -> int:
    """Return the number of significant bits of a 16-bit PNG file (chunk sBIT).

    0 if the file does not say, or if all are.
    """
    header, significant = png_chunk(path, b"IHDR"), png_chunk(path, b"sBIT")
    if len(header) < 9 or header[8] != 16 or not significant:
        return 0
    return significant[0] if 8 < significant[0] < 16 else 0


def orientation_of(path: Path, image: Any, file_format: str) -> int:
    """Return the orientation tag of the current page, from 1 (upright) to 8."""
    from PIL import Image

    if file_format == "tiff":
        orientation = image.tag_v2.get(_ORIENTATION, 1)
    elif file_format == "png":  # Pillow decodes all pixels before it reads a chunk behind them
        exif = Image.Exif()
        exif.load(png_chunk(path, b"eXIf"))
        orientation = exif.get(_ORIENTATION, 1)
    elif file_format == "gif":
        orientation = 1
    else:
        orientation = image.getexif().get(_ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


def pixel_shape(path: Path, image: Any, file_format: str) -> tuple[float | None, list[Remark]]:
    """Return the height of a stored pixel over its width, and a note if it is not square.

    Resolutions per cm or inch are those of paper, so that only their ratio is used.
    """
    across, down = _resolution(path, image, file_format)
    if not across or not down:
        return None, []
    if across != down and (across, down) in (image.size, image.size[::-1]):
        # the masks of BUS-BRA are such files
        return None, [
            "the resolution in the file is its size in pixels, which is not believed; "
            "square pixels are assumed"
        ]
    # pixels are higher than wide if there are more of them per cm across than down
    return checked_aspect(across / down, "the resolution in the file")


def _resolution(path: Path, image: Any, file_format: str) -> tuple[float, float]:
    """Return the numbers of pixels per unit of length across and down; 0 if unknown."""
    info = image.info
    if file_format == "tiff":
        values = (image.tag_v2.get(_X_RESOLUTION, 0), image.tag_v2.get(_Y_RESOLUTION, 0))
    elif file_format == "png":
        chunk = png_chunk(path, b"pHYs").ljust(8, b"\0")
        values = (int.from_bytes(chunk[:4], "big"), int.from_bytes(chunk[4:8], "big"))
    elif file_format == "gif":
        with path.open("rb") as file:
            code = file.read(13).ljust(13, b"\0")[12]
        values = (64, code + 15) if code else (0, 0)  # the code gives width over height
    elif "jfif_density" in info:
        values = info["jfif_density"]
    elif file_format == "jpeg":
        exif = image.getexif()
        values = (exif.get(_X_RESOLUTION, 0), exif.get(_Y_RESOLUTION, 0))
    else:
        values = info.get("dpi", (0, 0))
    try:
        across, down = (float(value) for value in values)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0, 0.0
    return (across, down) if across > 0 and down > 0 else (0.0, 0.0)
