"""Files of volumes: how they are opened, and what is refused before SimpleITK reads them."""

from __future__ import annotations

import re
import shutil
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from usmicro.errors import ScanError
from usmicro.loading.formats import TRUNCATED
from usmicro.loading.temporary import temporary_folder

NAMES = {"nifti": "NIfTI", "nrrd": "NRRD", "metaimage": "MetaImage"}
"""Names of the formats, for messages."""
_LONGEST_TEXT_HEADER = 2**20
"""Longest header of a text format that is searched, bytes. Chosen by judgement."""
_DETACHED = re.compile(
    rb"^\s*(data\s*file\s*:|ElementDataFile\s*[=:](?![ \t]*LOCAL[ \t\r]*$))",
    re.MULTILINE | re.IGNORECASE,
)
"""Line of a header of NRRD or MetaImage that names another file with the pixels."""
_END_OF_HEADER = {
    "nrrd": re.compile(rb"\n\r?\n"),
    "metaimage": re.compile(
        rb"^\s*ElementDataFile\s*[=:][^\n]*(\n|$)", re.MULTILINE | re.IGNORECASE
    ),
}
_GZIP = b"\x1f\x8b"
_BLOCK_BYTES = 2**18
"""Number of bytes that are unpacked at a time. Chosen by judgement."""


@dataclass(frozen=True, slots=True)
class VolumeFile:
    """A file and how it is opened."""

    path: Path
    file_format: str
    largest_mb: int

    @contextmanager
    def opened(self) -> Iterator[Path]:
        """Give the path of a file that SimpleITK reads.

        It reads NIfTI only from a file with the suffix .nii. A compressed file is unpacked here,
        since SimpleITK gives the values of a truncated one without a message.
        """
        if self.file_format != "nifti":
            yield self.path
            return
        with self.path.open("rb") as file:
            is_compressed = file.read(2) == _GZIP
        if not is_compressed and self.path.suffix == ".nii":
            yield self.path
            return
        with temporary_folder() as folder:
            copy = folder / "scan.nii"
            if is_compressed:
                _gunzip(self.path, copy, self.largest_mb)
            else:
                try:
                    copy.symlink_to(self.path.resolve())
                except OSError:  # Windows allows links only to some users
                    shutil.copyfile(self.path, copy)
            yield copy


def check_not_detached(path: Path, file: Path, file_format: str) -> None:
    """Refuse a header that names another file with the pixels: it could be any file.

    Raises
    ------
    ScanError
    """
    with file.open("rb") as stream:
        head = stream.read(_LONGEST_TEXT_HEADER)
    if file_format == "nifti":
        is_detached = head[344:347] != b"n+1" and head[4:7] != b"n+2"
    else:
        end = _END_OF_HEADER[file_format].search(head)
        is_detached = end is None or bool(_DETACHED.search(head[: end.end()]))
    if is_detached:
        raise ScanError(
            f"{path}: expected a {NAMES[file_format]} file that holds its pixels, found one whose "
            "pixels are in another file; save both as one file: .nii, .nrrd or .mha"
        )


def _gunzip(path: Path, copy: Path, largest_mb: int) -> None:
    """Unpack a gzip file with a limit on its size.

    Raises
    ------
    ScanError
        If it is damaged, truncated or too large.
    """
    inflate, size = zlib.decompressobj(zlib.MAX_WBITS | 16), 0
    with path.open("rb") as file, copy.open("wb") as unpacked:
        while not inflate.eof:
            data = inflate.unconsumed_tail or file.read(_BLOCK_BYTES)
            if not data:
                raise ScanError(f"{path}: the compressed data end too early; {TRUNCATED}")
            block = inflate.decompress(data, _BLOCK_BYTES)
            size += len(block)
            if size > largest_mb * 2**20:
                raise ScanError(
                    f"{path}: unpacks to more than {largest_mb} MB. "
                    "If that is correct, set loading.largest_inflated higher"
                )
            unpacked.write(block)


def check_nifti_size(
    path: Path, file: Path, size: tuple[int, ...], components: int, dtype: np.dtype[Any]
) -> None:
    """Refuse a truncated NIfTI file, which SimpleITK fills up without a message.

    With a scale in its header, SimpleITK gives floating-point numbers, but fewer bits may be
    stored. The number of bits is therefore read from the header.

    Raises
    ------
    ScanError
    """
    with file.open("rb") as stream:
        head = stream.read(540)
    is_second = len(head) >= 8 and head[4:7] == b"n+2"
    order = "<" if int.from_bytes(head[:4], "little") in (348, 540) else ">"
    if is_second:
        (bits,) = struct.unpack_from(f"{order}h", head, 14)
        (offset,) = struct.unpack_from(f"{order}q", head, 168)
    else:
        (bits,) = struct.unpack_from(f"{order}h", head, 72)
        (offset,) = struct.unpack_from(f"{order}f", head, 108)
    stored = bits // 8 if bits > 0 else components * dtype.itemsize
    needed = int(offset) + int(np.prod(size, dtype=np.uint64)) * stored
    if file.stat().st_size < needed:
        raise ScanError(
            f"{path}: expected {needed} bytes, found {file.stat().st_size}; {TRUNCATED}"
        )


def check_metaimage_size(
    path: Path, size: tuple[int, ...], components: int, dtype: np.dtype[Any]
) -> None:
    """Refuse a truncated MetaImage file, for which the library prints a message of its own.

    Raises
    ------
    ScanError
    """
    with path.open("rb") as file:
        head = file.read(_LONGEST_TEXT_HEADER)
    end = _END_OF_HEADER["metaimage"].search(head)
    fields = dict(
        re.findall(rb"^\s*(\w+)\s*[=:]\s*(\S*)", head[: end.end() if end else 0], re.MULTILINE)
    )
    if fields.get(b"BinaryData", b"True").lower() == b"false" or b"HeaderSize" in fields:
        return
    needed = int(np.prod(size, dtype=np.uint64)) * components * dtype.itemsize
    if fields.get(b"CompressedData", b"False").lower() == b"true":
        needed = int(fields.get(b"CompressedDataSize", b"0"))
    needed += end.end() if end else 0
    if path.stat().st_size < needed:
        raise ScanError(
            f"{path}: expected {needed} bytes, found {path.stat().st_size}; {TRUNCATED}"
        )
