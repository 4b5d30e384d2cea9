"""What a file is, by its first bytes, and the guard around the libraries that decode it."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usmicro.errors import ScanError, UsmicroError

VIDEO = ("mp4", "avi", "matroska")
READ = ("dicom", "png", "jpeg", "bmp", "tiff", *VIDEO)
"""Formats that are read as scans."""
EXPECTED = "DICOM, PNG, JPEG, BMP, TIFF, MP4, MOV, AVI, MKV or WebM"
"""The same for a person."""
DICOM_SUFFIXES = frozenset((".dcm", ".dicom", ".dic", ".ima"))
VIDEO_SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".webm"))
SUFFIXES = frozenset(
    (
        *DICOM_SUFFIXES,
        *VIDEO_SUFFIXES,
        ".png",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
    )
)
"""Endings that say that a file is meant as a scan, whatever it holds."""
OTHER_SUFFIXES = frozenset(
    (
        ".gif",
        ".webp",
        ".jp2",
        ".j2k",
        ".jxl",
        ".heic",
        ".avif",
        ".wmv",
        ".mpg",
        ".mpeg",
        ".nii",
        ".nrrd",
        ".mha",
    )
)
"""Endings of images and videos that are not read: such a file gets a row that says so."""
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"BM", "bmp"),
    (b"GIF8", "GIF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"0&\xb2u\x8ef\xcf\x11", "Windows Media video"),
    (b"\0\0\1\xba", "MPEG program stream"),
    (b"\0\0\1\xb3", "MPEG video stream"),
    (b"NRRD", "NRRD"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1f\x8b", "gzip archive"),
)
_STILL_BRANDS = (
    b"heic",
    b"heix",
    b"heim",
    b"heis",
    b"hevc",
    b"hevx",
    b"mif1",
    b"msf1",
    b"avif",
    b"avis",
    b"mif2",
    b"miaf",
)
"""Major brands of files that share the boxes of MP4 but hold images."""
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
"""With which a QuickTime file may begin that does not say that it is one."""


class Bounded(io.BufferedReader):
    """A file that is never asked for more than it holds: for a length that lies Python would make room before it reads."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes, all that are left if it is negative or None."""
        return super().read(size if size is None or size < 0 else min(size, self._size))


def content_of(path: Path) -> str:
    """What a file holds, by its first bytes: one of `READ`, the name of a format that is not read, "empty", "text" or "unknown".

    Raises
    ------
    ScanError
        If the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = file.read(256)
    except OSError as error:
        raise ScanError(f"{path}: cannot be opened: {error.strerror or error}") from error
    return kind_of(head)


def kind_of(head: bytes) -> str:
    """What a file holds that begins with these 256 bytes, in the words of `content_of`."""
    if not head:
        return "empty"
    if head[128:132] == b"DICM":
        return "dicom"  # first, since a DICOM preamble may hold the signature of another format
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[4:8] == b"ftyp":
        return "HEIF or AVIF" if head[8:12] in _STILL_BRANDS else "mp4"
    if head[4:8] in _QUICKTIME_BOXES and not _is_text(head):
        return "mp4"
    if head[:4] == b"RIFF":
        return {b"WEBP": "WebP", b"AVI ": "avi", b"AVIX": "avi"}.get(head[8:12], "RIFF")
    if _bare_dicom(head):
        return "dicom"
    return "text" if _is_text(head) else "unknown"


def is_stream(head: bytes) -> bool:
    """Whether these first bytes are of a video that DICOM may hold: elementary, program or transport stream of MPEG, or a container."""
    start_code = head[:3] == b"\0\0\1" or head[:4] == b"\0\0\0\1"
    transport = head[:1] == head[188:189] == b"G"
    return start_code or (transport and not _is_text(head)) or kind_of(head) in VIDEO


def _bare_dicom(head: bytes) -> bool:
    """Whether a file without a DICOM preamble begins with a plausible element of group 0002 or 0008, in any of the three encodings."""
    for order in ("little", "big"):
        group, element = (int.from_bytes(head[i : i + 2], order) for i in (0, 2))
        if group in (0x0002, 0x0008) and element <= 0x0100 and len(head) > 8:
            explicit = head[4:6].isalpha() and head[4:6].isupper()
            implicit = order == "little" and int.from_bytes(head[4:8], "little") <= 256
            if explicit or implicit:
                return True
    return False


def _is_text(head: bytes) -> bool:
    try:
        head[:-3].decode("utf-8")  # a character may be cut at the end
    except UnicodeDecodeError:
        return False
    return not any(byte < 9 or 13 < byte < 32 for byte in head)


_QUOTED = re.compile(r"""(?<!\w)b?(['"]).*?\1(?!\w)|(?<!\w)['"].*$""")
"""A quotation, also one that does not end; not an apostrophe inside a word."""


@contextmanager
def decoding(path: Path, what: str) -> Iterator[list[warnings.WarningMessage]]:
    """Turn whatever a decoder raises into a ScanError that names the file, and keep its warnings off the terminal.

    Gives the list of warnings caught, for the notes.

    Raises
    ------
    ScanError
        "{path}: {what}: {the decoder's own words}".
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # these tell of programs, and whenever garbage is collected, not of the file
        for kind in (ResourceWarning, DeprecationWarning, PendingDeprecationWarning):
            warnings.simplefilter("ignore", kind)
        try:
            yield caught
        except (UsmicroError, MemoryError):
            raise
        except (
            Exception
        ) as error:  # damaged files make the decoders raise nearly every kind there is
            words = unquoted(" ".join(str(error).split())) or type(error).__name__
            raise ScanError(f"{path}: {what}: {words[:300]}") from error


def checked_size(path: Path, rows: int, columns: int, largest: int) -> None:
    """Refuse an image without pixels, or with more than a user allows, by its header alone.

    Raises
    ------
    ScanError
    """
    if rows < 1 or columns < 1:
        raise ScanError(
            f"{path}: the header says {rows} rows x {columns} columns; expected at least 1 x 1: the file is damaged"
        )
    if rows * columns > largest:
        raise ScanError(
            f"{path}: {rows} rows x {columns} columns are {rows * columns} pixels; at most {largest} are read. "
            f"Set loading.largest_image = {rows * columns} if this is a scan"
        )


def checked_frames(path: Path, frames: int, most: int) -> None:
    """Refuse a file with more frames than a user allows, by what it says.

    Raises
    ------
    ScanError
    """
    if frames > most:
        raise ScanError(
            f"{path}: says that it has {frames} frames; at most {most} are read. Set loading.most_frames = {frames} if it has"
        )


def warned(caught: list[warnings.WarningMessage]) -> list[str]:
    """What a decoder warned of, each once, on one line; not that a text is encoded oddly, since no text is read."""
    lines = (unquoted(" ".join(str(item.message).split()))[:300] for item in caught)
    return list(dict.fromkeys(line for line in lines if "Character Set" not in line))


def unquoted(text: str) -> str:
    """A message of a library without what it quotes, which may be a value of the file: a damaged file may hold a name anywhere."""
    return _QUOTED.sub("'...'", text)


def uid_name(uid: str) -> str:
    """What DICOM calls a UID; the UID itself where it is unknown, and what is no UID is not quoted."""
    from pydicom.uid import UID

    return UID(uid).name if re.fullmatch(r"[0-9.]+", uid) else "a text that is no UID"
