"""Scans at addresses such as s3://bucket/folder, found and copied through fsspec."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from usmicro.errors import ScanError, UsageError
from usmicro.loading.formats import (
    HEAD_BYTES,
    MESSAGE_LENGTH,
    SCAN_SUFFIXES,
    UNSUPPORTED_SUFFIXES,
    format_of_bytes,
)

_TEMPORARY_PREFIX = "usmicro-input-"
"""Beginning of the names of temporary folders with local copies; the process number follows."""


def is_address(given: object) -> bool:
    """Return True if an input or output is an address, not a path."""
    return isinstance(given, str) and re.match(r"[a-z][a-z0-9+.-]+://", given) is not None


def file_system(address: str) -> tuple[Any, str]:
    """Return the fsspec file system of an address and the path in it.

    Raises
    ------
    UsageError
        If the package that reads such addresses is not installed, or the address is not valid.
    """
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(address)
    except ImportError as error:
        raise UsageError(
            f"{address}: needs a package that is not installed ({error}); "
            'run `pip install "usmicro[s3]"`'
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{address}: expected an address such as s3://bucket/folder ({error})"
        ) from error
    return system, str(path).rstrip("/")


def find_scans_at(
    address: str, is_left_out: Callable[[PurePosixPath, set[str]], bool]
) -> list[tuple[str, str]]:
    """Find the scans below an address by the same rules as in a folder.

    Parameters
    ----------
    address : str
        Address of a folder or a file.
    is_left_out : function of (name, stems)
        Returns True if a file with this name is not a scan. `name` is its path below the address,
        `stems` are the stems of the files beside it.

    Returns
    -------
    list of (address, name)
        Address of each scan and its path below the given address.

    Raises
    ------
    UsageError
        If the address has no files or cannot be read.
    """
    system, root = file_system(address)
    try:
        files: list[str] = sorted(system.find(root))
    except Exception as error:  # each file system has its own error types
        raise UsageError(
            f"{address}: cannot be read: {_message(error)}; check the address and your access"
        ) from error
    if not files:
        raise UsageError(f"{address}: no file found there; check the address")
    if files == [root]:
        return [(system.unstrip_protocol(root), PurePosixPath(root).name)]
    folder_files: dict[str, set[str]] = defaultdict(set)
    for file in files:
        folder_files[os.path.dirname(file)].add(os.path.basename(file))
    result_folders = {
        folder for folder, names in folder_files.items() if {"run.json", "run.sqlite"} <= names
    }
    scans = []
    for file in files:
        name = PurePosixPath(file).relative_to(root)
        parents = {str(PurePosixPath(root) / parent) for parent in name.parents}
        stems = {PurePosixPath(other).stem for other in folder_files[os.path.dirname(file)]}
        if not parents & result_folders and not is_left_out(name, stems) and _is_scan(system, file):
            scans.append((system.unstrip_protocol(file), str(name)))
    return scans


def _is_scan(system: Any, file: str) -> bool:
    """Return True if the suffix or, where that is unknown, the content of a file is of a scan."""
    if PurePosixPath(file).suffix.lower() in SCAN_SUFFIXES | UNSUPPORTED_SUFFIXES:
        return True
    return format_of_bytes(system.cat_file(file, start=0, end=HEAD_BYTES)) == "dicom"


def file_version(address: str) -> str:
    """Return a text that changes when the content of a file at an address changes.

    It consists of the size and the entity tag or, where there is none, the modification time.

    Raises
    ------
    ScanError
        If the file cannot be queried.
    """
    system, path = file_system(address)
    try:
        info = system.info(path)
    except Exception as error:
        raise ScanError(f"{address}: cannot be read: {_message(error)}") from error
    tag = info.get("ETag") or info.get("mtime") or info.get("LastModified")
    return f"{tag} {info.get('size')}"


@contextmanager
def local_copy(address: str) -> Iterator[Path]:
    """Give a temporary copy of a file at an address; only its owner can read it.

    The whole file is copied, since reading a large file in pieces over a network takes several
    times as long. Copies that a killed process left behind are removed first.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    _remove_abandoned_copies()
    system, path = file_system(address)
    prefix = f"{_TEMPORARY_PREFIX}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / f"scan{PurePosixPath(path).suffix}"
        try:
            system.get_file(path, str(copy))
        except Exception as error:
            raise ScanError(f"{address}: cannot be read: {_message(error)}") from error
        yield copy


def _remove_abandoned_copies() -> None:
    """Remove this user's temporary folders whose process has ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY_PREFIX}*"):
        process = folder.name.removeprefix(_TEMPORARY_PREFIX).partition("-")[0]
        if (
            os.name == "posix"
            and process.isdigit()
            and folder.stat().st_uid == os.getuid()
            and not os.path.exists(f"/proc/{process}")
        ):
            shutil.rmtree(folder, ignore_errors=True)


def _message(error: Exception) -> str:
    """Return the text of an error on one line, or its type if it has no text."""
    return " ".join(str(error).split())[:MESSAGE_LENGTH] or type(error).__name__
