"""Scans at addresses such as s3://bucket/folder, through fsspec: which there are, whether one changed, and one brought here to be read."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from usmicro.errors import ScanError, UsageError
from usmicro.loading.formats import OTHER_SUFFIXES, SUFFIXES, kind_of

_TEMPORARY = "usmicro-input-"


def is_address(given: object) -> bool:
    """Whether an input or output is an address rather than a path."""
    return isinstance(given, str) and re.match(r"[a-z][a-z0-9+.-]+://", given) is not None


def file_system(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path there.

    Raises
    ------
    UsageError
        If the package that reads such addresses is not installed, or the address makes no sense.
    """
    try:
        from fsspec.core import url_to_fs

        found, path = url_to_fs(address)
    except ImportError as error:
        raise UsageError(
            f'{address}: needs a package that is not installed ({error}); pip install "usmicro[s3]"'
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{address}: expected an address such as s3://bucket/folder ({error})"
        ) from error
    return found, str(path).rstrip("/")


def find_at(address: str, passed_over: Any) -> list[tuple[str, str]]:
    """Scans below an address, as (address, name below it), by the rules for folders.

    Parameters
    ----------
    address : str
        Of a folder or a file.
    passed_over : function of a PurePosixPath and the set of stems beside it
        Whether a name is that of no scan.

    Raises
    ------
    UsageError
        If nothing is there or it cannot be read.
    """
    remote, root = file_system(address)
    try:
        files: list[str] = sorted(remote.find(root))
    except Exception as error:  # each file system has errors of its own
        raise UsageError(f"{address}: cannot be read: {_words(error)}") from error
    if not files:
        raise UsageError(f"{address}: nothing is there")
    if files == [root]:
        return [(remote.unstrip_protocol(root), PurePosixPath(root).name)]
    beside: dict[str, set[str]] = defaultdict(set)
    for file in files:
        beside[os.path.dirname(file)].add(os.path.basename(file))
    results = {
        folder for folder, names in beside.items() if {"run.json", "run.sqlite"} <= names
    }  # folders that a run wrote
    found = []
    for file in files:
        name = PurePosixPath(file).relative_to(root)
        folders = {str(PurePosixPath(root) / parent) for parent in name.parents}
        stems = {PurePosixPath(other).stem for other in beside[os.path.dirname(file)]}
        if not folders & results and not passed_over(name, stems) and _has_scan(remote, file):
            found.append((remote.unstrip_protocol(file), str(name)))
    return found


def _has_scan(remote: Any, file: str) -> bool:
    if PurePosixPath(file).suffix.lower() in SUFFIXES | OTHER_SUFFIXES:
        return True
    return kind_of(remote.cat_file(file, start=0, end=256)) == "dicom"


def mark_at(address: str) -> str:
    """What changes with the content of a file at an address: its entity tag or, where there is none, its time, with its size.

    Raises
    ------
    ScanError
        If it cannot be asked for.
    """
    remote, path = file_system(address)
    try:
        about = remote.info(path)
    except Exception as error:
        raise ScanError(f"{address}: cannot be read: {_words(error)}") from error
    return f"{about.get('ETag') or about.get('mtime') or about.get('LastModified')} {about.get('size')}"


@contextmanager
def fetched(address: str) -> Iterator[Path]:
    """A copy of a file at an address, in a folder that only its owner may look into and that is gone afterwards.

    A whole copy, since reading a large file in pieces over the network takes several times as long. What a killed process left is removed
    by the next one.

    Raises
    ------
    ScanError
        If it cannot be read.
    """
    _remove_left()
    remote, path = file_system(address)
    with tempfile.TemporaryDirectory(
        prefix=f"{_TEMPORARY}{os.getpid()}-", ignore_cleanup_errors=True
    ) as folder:
        copy = Path(folder) / f"scan{PurePosixPath(path).suffix}"
        try:
            remote.get_file(path, str(copy))
        except Exception as error:
            raise ScanError(f"{address}: cannot be read: {_words(error)}") from error
        yield copy


def _remove_left() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
        process = folder.name.removeprefix(_TEMPORARY).partition("-")[0]
        if (
            os.name == "posix"
            and process.isdigit()
            and folder.stat().st_uid == os.getuid()
            and not os.path.exists(f"/proc/{process}")
        ):
            shutil.rmtree(folder, ignore_errors=True)


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
