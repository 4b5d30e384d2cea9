"""Structure of video files: whether a file is complete, and how a player shows its frames."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from usmicro.loading.video.avi import avi_display
from usmicro.loading.video.display import Display
from usmicro.loading.video.matroska import matroska_display
from usmicro.loading.video.mp4 import mp4_display

_MATROSKA_HEADER, _MATROSKA_SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"
_MP4_VIDEO_BOXES = (b"moov", b"mdat", b"moof")
"""Boxes of an MP4 file that a player needs."""
_UNKNOWN_RIFF_LENGTHS = (0, 0xFFFFFFFF)
"""Lengths that a recorder leaves in a RIFF file if it is interrupted."""


@dataclass(frozen=True, slots=True)
class Container:
    """What the structure of a video file says."""

    truncated: bool
    """True if the file is shorter than its declared length; False if it declares no length."""
    counts_frames: bool
    """True if the declared number of frames is a count. Otherwise it is the product of duration
    and frame rate, which may be far from the count."""


def read_container(path: Path, file_format: str) -> Container:
    """Read the outermost boxes of a video file.

    Parameters
    ----------
    path : Path
    file_format : {"mp4", "avi", "matroska"}
        Format of the file, from `detect_format`.
    """
    end_functions: dict[str, Callable[[BinaryIO, int], int]] = {
        "mp4": _mp4_box_end,
        "avi": _riff_chunk_end,
        "matroska": _matroska_element_end,
    }
    truncated, counts_frames = False, file_format != "matroska"
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        position = 0
        while position < size and not truncated:
            file.seek(position)
            if file_format == "mp4" and file.read(8)[4:] == b"moof":  # a fragmented file
                counts_frames = False
            file.seek(position)
            end = end_functions[file_format](file, size)
            truncated = end > size
            position = max(end, position + 1)
    return Container(truncated, counts_frames)


def read_display(path: Path, file_format: str) -> Display:
    """Return how a player shows a video; nothing special if its container cannot be read.

    Parameters
    ----------
    path : Path
    file_format : {"mp4", "avi", "matroska"}
        Format of the file, from `detect_format`.
    """
    functions: dict[str, Callable[[Path], Display]] = {
        "mp4": mp4_display,
        "avi": avi_display,
        "matroska": matroska_display,
    }
    try:
        return functions[file_format](path)
    except (ValueError, ArithmeticError, LookupError):  # a damaged structure: FFmpeg reports it
        return Display()


def _mp4_box_end(file: BinaryIO, size: int) -> int:
    """Return the offset of the end of the MP4 or QuickTime box at the file position.

    A length of 0 extends to the end of the file. A box that no player needs never extends beyond
    the file: some programs append data that is not a box.

    References
    ----------
    ISO 14496-12, 4.2.
    """
    start, head = file.tell(), file.read(16)
    length = int.from_bytes(head[:4], "big")
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
    end = size if length < 8 else start + length
    return end if head[4:8] in _MP4_VIDEO_BOXES else min(end, size)


def _riff_chunk_end(file: BinaryIO, size: int) -> int:
    """Return the offset of the end of the RIFF chunk at the file position.

    An AVI file of more than 1 GiB has several chunks.
    """
    start, head = file.tell(), file.read(8)
    length = int.from_bytes(head[4:8], "little")
    if head[:4] != b"RIFF" or length in _UNKNOWN_RIFF_LENGTHS:
        return size
    return start + 8 + length


def _matroska_element_end(file: BinaryIO, size: int) -> int:
    """Return the offset of the end of the Matroska header or segment at the file position.

    A length with all bits set is unknown and extends to the end of the file.

    References
    ----------
    RFC 8794, 4.
    """
    start, head = file.tell(), file.read(12)
    if head[:4] not in (_MATROSKA_HEADER, _MATROSKA_SEGMENT) or len(head) < 12 or not head[4]:
        return size
    width = 9 - head[4].bit_length()
    unknown_length = (1 << 7 * width) - 1
    length = int.from_bytes(head[4 : 4 + width], "big") & unknown_length
    return size if length == unknown_length else start + 4 + width + length
