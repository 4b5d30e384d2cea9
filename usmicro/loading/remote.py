"""Scans at addresses such as s3://bucket/folder, found and copied through fsspec."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from usmicro.errors import ScanError, UsageError
from usmicro.loading.formats import MESSAGE_LENGTH, scan_errors
from usmicro.loading.local_files import folders_of_results
from usmicro.loading.mask_pixels import picture_looks_like_mask
from usmicro.loading.temporary import temporary_folder


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


@dataclass(frozen=True)
class RemoteFiles:
    """The files below an address, without hidden ones and those of output folders of runs."""

    system: Any
    """File system of fsspec."""
    root: str
    """Path of the address in it."""
    sizes: dict[PurePosixPath, int]
    """Size of each file in bytes, by its path below the address."""
    is_single: bool = False
    """True if the address is that of one file."""

    def path(self, name: PurePosixPath) -> str:
        """Return the path of a file in the file system."""
        return self.root if self.is_single else f"{self.root}/{name}"

    def address(self, name: PurePosixPath) -> str:
        """Return the address of a file."""
        return str(self.system.unstrip_protocol(self.path(name)))

    def heads(self, names: Sequence[PurePosixPath], size: int) -> dict[PurePosixPath, bytes]:
        """Return the first bytes of files, which are fetched at the same time.

        A file that cannot be read has none; its row in the table of images gives the reason.
        """
        if not names:
            return {}
        paths = [self.path(name) for name in names]
        ends = [min(size, self.sizes[name]) for name in names]
        answers = self.system.cat_ranges(paths, [0] * len(paths), ends, on_error="return")
        return {
            name: answer if isinstance(answer, bytes) else b""
            for name, answer in zip(names, answers, strict=True)
        }

    def looks_like_mask(self, name: PurePosixPath) -> bool:
        """Return True if a picture has few grey values; the whole file is fetched.

        Raises
        ------
        ScanError
            If the file cannot be fetched or read.
        """
        try:
            content = self.system.cat_file(self.path(name))
        except Exception as error:  # each file system has its own error types
            raise ScanError(f"{name}: cannot be read: {_message(error)}") from error
        with scan_errors(Path(name), "the picture cannot be read"):
            return picture_looks_like_mask(io.BytesIO(content), len(content))


def list_files(address: str) -> RemoteFiles:
    """List the files below an address.

    Raises
    ------
    UsageError
        If the address has no files or cannot be read.
    """
    system, root = file_system(address)
    try:
        found: dict[str, dict[str, Any]] = system.find(root, detail=True)
    except Exception as error:  # each file system has its own error types
        raise UsageError(
            f"{address}: cannot be read: {_message(error)}; check the address and your access"
        ) from error
    if not found:
        raise UsageError(f"{address}: no file found there; check the address")
    sizes = {file: int(info.get("size") or 0) for file, info in sorted(found.items())}
    if list(sizes) == [root]:
        return RemoteFiles(
            system, root, {PurePosixPath(PurePosixPath(root).name): sizes[root]}, is_single=True
        )
    names = {PurePosixPath(file).relative_to(root): size for file, size in sizes.items()}
    results = folders_of_results(set(names))
    return RemoteFiles(
        system,
        root,
        {
            name: size
            for name, size in names.items()
            if results.isdisjoint(name.parents) and not any(part[0] == "." for part in name.parts)
        },
    )


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
    times as long.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    system, path = file_system(address)
    with temporary_folder() as folder:
        copy = folder / f"scan{PurePosixPath(path).suffix}"
        try:
            system.get_file(path, str(copy))
        except Exception as error:
            raise ScanError(f"{address}: cannot be read: {_message(error)}") from error
        yield copy


def _message(error: Exception) -> str:
    """Return the text of an error on one line, or its type if it has no text."""
    return " ".join(str(error).split())[:MESSAGE_LENGTH] or type(error).__name__
