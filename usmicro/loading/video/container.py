"""What the container of a video file says of itself: whether the file is there to its end, and whether its frames were counted."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_EBML, _SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"
_NEEDED = (b"moov", b"mdat", b"moof")


@dataclass(frozen=True, slots=True)
class Container:
    """What the boxes of a video file say."""

    cut: bool
    """Whether it says that it is longer than its file; one that leaves its length open is taken as whole."""
    counted: bool
    """Whether its number of frames was counted by who wrote it; else it is duration times rate, which may be far off."""


def look(path: Path, content: str) -> Container:
    """Walk over the outermost boxes of a file.

    Parameters
    ----------
    path : Path
    content : str
        "mp4", "avi" or "matroska", as `content_of` says.
    """
    steps: dict[str, Callable[[BinaryIO, int], int]] = {
        "mp4": _box,
        "avi": _chunk,
        "matroska": _element,
    }
    cut, counted = False, content != "matroska"
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        at = 0
        while at < size and not cut:
            file.seek(at)
            if content == "mp4" and file.read(8)[4:] == b"moof":  # a film in fragments
                counted = False
            file.seek(at)
            end = steps[content](file, size)
            cut = end > size
            at = max(end, at + 1)
    return Container(cut, counted)


def _box(file: BinaryIO, size: int) -> int:
    """End of the box of an MP4 or QuickTime file that begins here (ISO 14496-12, 4.2); a length of 0 reaches to the end of the file.

    Only boxes that a film needs count: what some programs put behind them is no box.
    """
    at, head = file.tell(), file.read(16)
    length = int.from_bytes(head[:4], "big")
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
    end = size if length < 8 else at + length
    return end if head[4:8] in _NEEDED else min(end, size)


def _chunk(file: BinaryIO, size: int) -> int:
    """End of the RIFF chunk that begins here; an AVI file of more than 1 GiB has several. A recorder that was cut off states none."""
    at, head = file.tell(), file.read(8)
    length = int.from_bytes(head[4:8], "little")
    return at + 8 + length if head[:4] == b"RIFF" and length not in (0, 0xFFFFFFFF) else size


def _element(file: BinaryIO, size: int) -> int:
    """End of the header or segment of a Matroska file that begins here (RFC 8794, 4); all ones are an open length."""
    at, head = file.tell(), file.read(12)
    if head[:4] not in (_EBML, _SEGMENT) or len(head) < 12 or not head[4]:
        return size
    width = 9 - head[4].bit_length()
    length = int.from_bytes(head[4 : 4 + width], "big") & ((1 << 7 * width) - 1)
    return size if length == (1 << 7 * width) - 1 else at + 4 + width + length
