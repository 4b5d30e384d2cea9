"""Files in zip archives, such as the exports of a PACS, unpacked one at a time.

The list of an archive is read with `zipfile`. The files are unpacked here: the size that the list
declares is a limit that `zipfile` does not enforce before it has read a whole block. Whatever an
archive calls its files, they are unpacked to a name of our own, so that a path in it cannot lead
out of a folder.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from usmicro.errors import ScanError, reason_of
from usmicro.loading.formats import DAMAGED, file_state, scan_errors
from usmicro.loading.temporary import temporary_folder

ZIP_SUFFIX = ".zip"
"""Suffix of the files that are searched for scans like folders. Many other files, such as NumPy's
.npz and office documents, are zip archives too."""
_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
"""First bytes of a zip archive, and of an empty one."""
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 1
"""Bit of the flags of a file."""
_BLOCK_BYTES = 2**18
"""Number of bytes that are read or unpacked at a time. Chosen by judgement."""
_MOST_RATIO = 500
_LEAST_BYTES_OF_BOMB = 100_000_000
"""A file is refused if it is declared larger than this, in bytes, and more than `_MOST_RATIO` times
as large as its compressed form. Deflate reaches 1030 at most, for constant bytes. Frames of speckle
reach 2 to 5, and a black screen with little on it 100. Chosen by judgement."""
_LONGEST_NAME = 1000
"""Longest path in an archive that is kept, in bytes: a file system that holds the results allows
4096 with the folders above. Chosen by judgement."""
_HASH_DIGITS = 16
_CACHED_ARCHIVES = 4
"""Number of archives whose list is kept in memory. Chosen by judgement."""


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A file in a zip archive."""

    number: int
    """Its place in the list of the archive, from 0."""
    name: str
    """Its path in the archive: no part of it is empty, "." or "..", and no other file has it."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the list of an archive says about a file."""

    offset: int
    compressed: int
    size: int
    checksum: int
    method: int
    is_encrypted: bool


def is_zip(path: Path) -> bool:
    """Return True if a file is a zip archive by its suffix and its first bytes."""
    if path.suffix.lower() != ZIP_SUFFIX or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(4) in _SIGNATURES
    except OSError:
        return False


def zip_members(path: Path) -> tuple[ZipMember, ...]:
    """Return the files in a zip archive, without folders, in the order of its list.

    Of several files with the same path, the later ones get a number: scan.png, scan (2).png.

    Raises
    ------
    ScanError
        If the archive cannot be read or is damaged.
    """
    return tuple(_members(path))


def member_head(path: Path, member: ZipMember, size: int) -> bytes:
    """Return the first bytes of a file in an archive.

    Raises
    ------
    ScanError
        If the file cannot be unpacked.
    """
    head = b""
    for block in _content(path, member, largest_mb=None):
        head += block
        if len(head) >= size:
            break
    return head[:size]


def member_hash(path: Path, member: ZipMember, *, largest_mb: int) -> str:
    """Return the SHA-256 hash of a file in an archive, in hexadecimal digits.

    Raises
    ------
    ScanError
        If the file cannot be unpacked, or is larger than `largest_mb`.
    """
    digest = hashlib.sha256()
    for block in _content(path, member, largest_mb=largest_mb):
        digest.update(block)
    return digest.hexdigest()


@contextmanager
def unpacked(path: Path, member: ZipMember, *, largest_mb: int) -> Iterator[Path]:
    """Give a temporary copy of a file in an archive; only its owner can read it.

    Parameters
    ----------
    path : Path
        The archive.
    member : ZipMember
    largest_mb : int
        Largest size of the file, MB.

    Raises
    ------
    ScanError
        If the file is encrypted, damaged, too large, compressed in a way that is not read, or if
        the copy cannot be written.
    """
    with temporary_folder() as folder:
        copy = folder / f"scan{PurePosixPath(member.name).suffix}"
        try:
            with copy.open("wb") as file:
                for block in _content(path, member, largest_mb=largest_mb):
                    file.write(block)
        except OSError as error:
            raise ScanError(
                f"{path}/{member.name}: cannot be unpacked to a temporary file: "
                f"{reason_of(error)}; set TMPDIR to a folder with more space"
            ) from error
        yield copy


def _members(path: Path) -> dict[ZipMember, _Entry]:
    """Return the files in an archive and what its list says about each."""
    return _cached_members(path, *file_state(path))


@lru_cache(maxsize=_CACHED_ARCHIVES)
def _cached_members(path: Path, modified_ns: int, size: int) -> dict[ZipMember, _Entry]:
    """Read the list of an archive; its modification time and size are part of the cache key."""
    with scan_errors(path, "the zip archive cannot be read"), zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    infos = [info for info in infos if not info.is_dir()]
    _check_overlaps(path, infos)
    members: dict[ZipMember, _Entry] = {}
    names: set[str] = set()
    for number, info in enumerate(infos):
        name = _unique(_safe_name(info.filename), names)
        names.add(name)
        members[ZipMember(number, name)] = _Entry(
            info.header_offset,
            info.compress_size,
            info.file_size,
            info.CRC,
            info.compress_type,
            bool(info.flag_bits & _ENCRYPTED),
        )
    return members


def _check_overlaps(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive whose files share bytes, as in archives that unpack to any size.

    Raises
    ------
    ScanError
    """
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise ScanError(
                f"{path}: files in the zip archive overlap, expected one after the other; {DAMAGED}"
            )
        end = info.header_offset + _LOCAL_HEADER.size + info.compress_size


def _safe_name(name: str) -> str:
    """Return the path of a file in an archive without parts that mean another place.

    Programs on Windows separate folders by backslashes and may begin a path with a drive.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if parts and re.fullmatch("[A-Za-z]:", parts[0]):
        parts = parts[1:]
    safe = "/".join(parts).replace(":", "_") or "unnamed"
    encoded = safe.encode("utf-8", "surrogateescape")
    if len(encoded) > _LONGEST_NAME:
        return f"{hashlib.sha256(encoded).hexdigest()[:_HASH_DIGITS]}/{parts[-1].replace(':', '_')}"
    return safe


def _unique(name: str, names: set[str]) -> str:
    """Return a name that is not among `names`: the name itself, or with a number."""
    path, number = PurePosixPath(name), 1
    while name in names:
        number += 1
        name = path.with_name(f"{path.stem} ({number}){path.suffix}").as_posix()
    return name


def _content(path: Path, member: ZipMember, *, largest_mb: int | None) -> Iterator[bytes]:
    """Yield the content of a file block by block.

    Raises
    ------
    ScanError
        If the file is encrypted, damaged, too large or compressed in a way that is not read.
    """
    where = f"{path}/{member.name}"
    entry = _members(path).get(member)
    if entry is None:
        raise ScanError(f"{where}: is no longer in the zip archive; run again")
    _check_entry(where, entry, largest_mb)
    size, checksum = 0, 0
    blocks = _blocks(path, entry)
    while size <= entry.size:
        with scan_errors(Path(where), "cannot be unpacked"):
            block = next(blocks, None)
        if block is None:
            break
        size += len(block)
        checksum = zlib.crc32(block, checksum)
        yield block
    if size != entry.size or checksum != entry.checksum:
        raise ScanError(f"{where}: the content is not that which the zip archive lists; {DAMAGED}")


def _check_entry(where: str, entry: _Entry, largest_mb: int | None) -> None:
    """Refuse a file that cannot or should not be unpacked.

    Raises
    ------
    ScanError
    """
    if entry.is_encrypted:
        raise ScanError(f"{where}: is encrypted; unpack the zip archive with its password first")
    if entry.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ScanError(
            f"{where}: expected a file compressed with Deflate, found method {entry.method}; "
            "unpack the zip archive first"
        )
    if largest_mb is not None and entry.size > largest_mb * 2**20:
        needed = -(-entry.size // 2**20)
        raise ScanError(
            f"{where}: unpacks to {needed} MB, above the limit of {largest_mb} MB. "
            f"If that is correct, set loading.largest_inflated = {needed}"
        )
    if entry.size > max(_LEAST_BYTES_OF_BOMB, _MOST_RATIO * entry.compressed):
        raise ScanError(
            f"{where}: unpacks to more than {_MOST_RATIO} times its size, as no scan does; "
            "leave it out, or unpack the zip archive first"
        )


def _blocks(path: Path, entry: _Entry) -> Iterator[bytes]:
    """Yield the unpacked bytes of a file, at most `_BLOCK_BYTES` at a time."""
    with path.open("rb") as file:
        file.seek(entry.offset)
        header = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        if header[0] != _LOCAL_SIGNATURE:
            raise ScanError(
                f"{path}: a file in the zip archive is not where it should be; {DAMAGED}"
            )
        file.seek(header[-2] + header[-1], 1)
        left = entry.compressed
        inflate = (
            None if entry.method == zipfile.ZIP_STORED else zlib.decompressobj(-zlib.MAX_WBITS)
        )
        while left:
            data = file.read(min(left, _BLOCK_BYTES))
            if not data:
                return
            left -= len(data)
            if inflate is None:
                yield data
                continue
            while data:
                yield inflate.decompress(data, _BLOCK_BYTES)
                data = inflate.unconsumed_tail
        while inflate is not None and (rest := inflate.decompress(b"", _BLOCK_BYTES)):
            yield rest
