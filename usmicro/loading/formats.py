"""Detection of file formats from their first bytes, and the common error handling of decoders."""

from __future__ import annotations

import io
import os
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usmicro.errors import ScanError, UsmicroError

VIDEO_FORMATS = ("mp4", "avi", "matroska")
"""Video formats that are read as scans; QuickTime files (MOV) are "mp4", WebM files "matroska"."""
STILL_FORMATS = ("png", "jpeg", "bmp", "tiff", "gif")
"""Image formats that are read as scans and as masks; TIFF, PNG and GIF may hold several images."""
ARRAY_FORMATS = ("npy", "npz")
"""Formats of NumPy arrays that are read as scans."""
VOLUME_FORMATS = ("nifti", "nrrd", "metaimage")
"""Formats of volumes that are read as scans; NIfTI files may be compressed with gzip."""
SCAN_FORMATS = ("dicom", *STILL_FORMATS, *VIDEO_FORMATS, *ARRAY_FORMATS, *VOLUME_FORMATS)
"""File formats that are read as scans."""
EXPECTED_FORMATS = (
    "DICOM, PNG, JPEG, BMP, TIFF, GIF, MP4, MOV, AVI, MKV, WebM, NPY, NPZ, NIfTI, NRRD or MetaImage"
)
"""Names of the formats that are read, for error messages."""
DICOM_SUFFIXES = frozenset((".dcm", ".dicom", ".dic", ".ima"))
"""Suffixes of DICOM files, which may hold a scan or a segmentation."""
VIDEO_SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".webm"))
"""Suffixes of video files."""
_STILL_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff", ".gif")
)
_ARRAY_SUFFIXES = frozenset((".npy", ".npz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd"))
"""Suffixes of NumPy arrays and volumes; .nhdr and .mhd are headers whose pixels are in another
file, which is not read."""
COMPRESSED_NIFTI = ".nii.gz"
"""End of the names of compressed NIfTI files, whose suffix is only .gz."""
SCAN_SUFFIXES = DICOM_SUFFIXES | VIDEO_SUFFIXES | _STILL_SUFFIXES | _ARRAY_SUFFIXES
"""Suffixes of files that are taken as scans, whatever their content is."""
UNSUPPORTED_SUFFIXES = frozenset(
    (
        *(".webp", ".jp2", ".j2k", ".jxl", ".heic", ".avif"),
        *(".wmv", ".mpg", ".mpeg"),
    )
)
"""Suffixes of images and videos that are not read; such a file gets a row with an error in the
table of images."""
DAMAGED = "the file is damaged: copy it again from its source"
"""End of an error message about a damaged file."""
TRUNCATED = "the file is truncated: copy it again from its source"
"""End of an error message about a file that ends too early."""
HEAD_BYTES = 256
"""Number of bytes from which a format is detected. A DICOM signature ends at byte 132; the second
packet of an MPEG transport stream begins at byte 188."""
MESSAGE_LENGTH = 300
"""Longest text of a library that is quoted in an error or a note, characters. Chosen by eye; no
measurement is recorded."""
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"BM", "bmp"),
    (b"GIF8", "gif"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"0&\xb2u\x8ef\xcf\x11", "Windows Media video"),
    (b"\0\0\1\xba", "MPEG program stream"),
    (b"\0\0\1\xb3", "MPEG video stream"),
    (b"NRRD", "nrrd"),
    (b"\x93NUMPY", "npy"),
    (b"ObjectType = Image", "metaimage"),
    (b"NDims = ", "metaimage"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1f\x8b", "gzip archive"),
)
"""First bytes of a file and the format that they identify."""
_STILL_BRANDS = frozenset(
    (
        *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"),
        *(b"mif1", b"msf1", b"avif", b"avis", b"mif2", b"miaf"),
    )
)
"""Major brands of files that have the box structure of MP4 but hold still images."""
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
"""First boxes of QuickTime files that have no `ftyp` box."""
_QUOTATION = re.compile(r"""(?<!\w)b?(['"]).*?\1(?!\w)|(?<!\w)['"].*$""")
"""A quotation, which may lack its end; an apostrophe inside a word is not a quotation mark."""


class BoundedReader(io.BufferedReader):
    """A binary file whose reads never request more bytes than the file has.

    Without this limit, a wrong length in a damaged file makes Python reserve as much memory before
    it reads.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most `size` bytes, or all remaining bytes if `size` is negative or None."""
        return super().read(size if size is None or size < 0 else min(size, self._size))


def file_state(path: Path) -> tuple[int, int]:
    """Return the modification time of a file in ns and its size in bytes, as keys of a cache.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ScanError(f"{path}: cannot be opened: {error.strerror or error}") from error
    return status.st_mtime_ns, status.st_size


def detect_format(path: Path) -> str:
    """Detect the format of a file from its first bytes.

    Returns
    -------
    str
        One of `SCAN_FORMATS`, the name of a format that is not read, "empty", "text" or "unknown".

    Raises
    ------
    ScanError
        If the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise ScanError(f"{path}: cannot be opened: {error.strerror or error}") from error
    return format_of_bytes(head)


def format_of_bytes(head: bytes) -> str:
    """Return the format of a file from its first 256 bytes; for the names see `detect_format`."""
    if not head:
        return "empty"
    if head[128:132] == b"DICM":
        return "dicom"  # first, since a DICOM preamble may hold the signature of another format
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return _format_in_archive(head) or name
    if _is_nifti(head):
        return "nifti"
    if head[4:8] == b"ftyp":
        return "HEIF or AVIF" if head[8:12] in _STILL_BRANDS else "mp4"
    if head[4:8] in _QUICKTIME_BOXES and not _is_text(head):
        return "mp4"
    if head[:4] == b"RIFF":
        return {b"WEBP": "WebP", b"AVI ": "avi", b"AVIX": "avi"}.get(head[8:12], "RIFF")
    if _is_dicom_without_preamble(head):
        return "dicom"
    return "text" if _is_text(head) else "unknown"


def _format_in_archive(head: bytes) -> str:
    """Return the format of an archive that holds one scan; empty if it is another file.

    An .npz file is a zip archive whose files are arrays. A NIfTI file may be compressed.
    """
    if head.startswith(b"PK\x03\x04"):
        name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
        return "npz" if name.endswith(b".npy") else ""
    if head.startswith(b"\x1f\x8b"):
        try:
            inner = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEAD_BYTES)
        except zlib.error:
            return ""
        return "nifti" if _is_nifti(inner) else ""
    return ""


def _is_nifti(head: bytes) -> bool:
    """Return True if these first bytes begin a NIfTI file: the size of its header, and its axes."""
    for order in ("little", "big"):
        if int.from_bytes(head[:4], order) == 348:
            return 1 <= int.from_bytes(head[40:42], order) <= 7
        if int.from_bytes(head[:4], order) == 540:
            return head[4:8] == b"n+2\0"
    return False


def is_video_stream(head: bytes) -> bool:
    """Return True if these first 256 bytes begin a video stream that a DICOM file may contain.

    Such a stream is an MPEG elementary, program or transport stream, or a video file.
    """
    start_code = head[:3] == b"\0\0\1" or head[:4] == b"\0\0\0\1"
    transport = head[:1] == head[188:189] == b"G"
    is_transport = transport and not _is_text(head)
    return start_code or is_transport or format_of_bytes(head) in VIDEO_FORMATS


def _is_dicom_without_preamble(head: bytes) -> bool:
    """Return True if a file begins with a plausible data element of group 0002 or 0008.

    All three encodings of DICOM are tried: explicit, implicit and big-endian.
    """
    for order in ("little", "big"):
        group, element = (int.from_bytes(head[i : i + 2], order) for i in (0, 2))
        if group in (0x0002, 0x0008) and element <= 0x0100 and len(head) > 8:
            explicit = head[4:6].isalpha() and head[4:6].isupper()
            implicit = order == "little" and int.from_bytes(head[4:8], "little") <= 256
            if explicit or implicit:
                return True
    return False


def _is_text(head: bytes) -> bool:
    """Return True if the bytes are UTF-8 without control characters other than white space."""
    try:
        head[:-3].decode("utf-8")  # the last character may be incomplete
    except UnicodeDecodeError:
        return False
    return not any(byte < 9 or 13 < byte < 32 for byte in head)


@contextmanager
def scan_errors(
    path: Path, problem: str, remedy: str = DAMAGED
) -> Iterator[list[warnings.WarningMessage]]:
    """Turn every error of a decoder into a ScanError, and collect warnings instead of printing.

    Parameters
    ----------
    path : Path
        File that is decoded.
    problem : str
        Description of the problem for the error message, such as "the image cannot be read".
    remedy : str
        What the user can do, if the error comes from the content of the file; may be empty.

    Yields
    ------
    list of warnings.WarningMessage
        Warnings of the decoder so far, for the notes of the scan.

    Raises
    ------
    ScanError
        "{path}: {problem}: {message of the decoder}; {remedy}".
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # these concern the program, not the file, and may come at any garbage collection
        for category in (ResourceWarning, DeprecationWarning, PendingDeprecationWarning):
            warnings.simplefilter("ignore", category)
        try:
            yield caught
        except (UsmicroError, MemoryError):
            raise
        except Exception as error:  # damaged files make decoders raise errors of almost any type
            words = without_quotations(" ".join(str(error).split())) or type(error).__name__
            if isinstance(error, KeyError):  # its text is only the missing key
                words = f"KeyError {words}"
            words = words[:MESSAGE_LENGTH].rstrip(".")
            is_system_error = isinstance(error, OSError) and error.errno is not None
            advice = "" if is_system_error or not remedy else f"; {remedy}"
            raise ScanError(f"{path}: {problem}: {words}{advice}") from error


def check_image_size(path: Path, rows: int, columns: int, largest_image: int) -> None:
    """Refuse an image that has no pixels, or more pixels than `largest_image`.

    Raises
    ------
    ScanError
    """
    if rows < 1 or columns < 1:
        raise ScanError(
            f"{path}: the header gives {rows} rows x {columns} columns, expected at least 1 x 1; "
            f"{DAMAGED}"
        )
    pixels = rows * columns
    if pixels > largest_image:
        raise ScanError(
            f"{path}: {rows} rows x {columns} columns are {pixels} pixels, "
            f"above the limit of {largest_image}. If that is correct, "
            f"set loading.largest_image = {pixels}"
        )


def check_frame_count(path: Path, frames: int, most_frames: int) -> None:
    """Refuse a file that declares more frames than `most_frames`.

    Raises
    ------
    ScanError
    """
    if frames > most_frames:
        raise ScanError(
            f"{path}: declares {frames} frames, above the limit of {most_frames}. "
            f"If that is correct, set loading.most_frames = {frames}"
        )


def warning_texts(caught: list[warnings.WarningMessage]) -> list[str]:
    """Return the text of each distinct warning of a decoder as one line.

    Warnings about the character set are left out, since no text is read from the file.
    """
    lines = (without_quotations(" ".join(str(item.message).split())) for item in caught)
    shortened = (line[:MESSAGE_LENGTH] for line in lines)
    return list(dict.fromkeys(line for line in shortened if "Character Set" not in line))


def without_quotations(text: str) -> str:
    """Return a message of a library with '...' in place of each quotation.

    A quotation may be a value of the file, and in a damaged file any value may hold a name.
    """
    return _QUOTATION.sub("'...'", text)


def uid_name(uid: str) -> str:
    """Return the name of a UID in the DICOM standard, or the UID itself if it has none.

    A text that is not a UID is not repeated, since it may hold a name.
    """
    from pydicom.uid import UID

    return UID(uid).name if re.fullmatch(r"[0-9.]+", uid) else "a text that is not a UID"
