"""A local copy of an output folder at an address such as s3://bucket/results.

SQLite and renaming need a real file system, so the run writes to a temporary folder. It begins as a
copy of the output at the address. Every SYNC_SECONDS, and at the end, files that are new or changed
are uploaded, and files that were deleted are deleted at the address. A killed run loses what it did
since the last upload, and --resume computes it again. Two runs that write to the same address at
the same time are not detected.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

from usmicro.batch.results import Result
from usmicro.batch.store import DATABASE, HEADER_BYTES, FolderContent
from usmicro.errors import UsageError
from usmicro.loading.remote import file_system

SYNC_SECONDS = 30.0
"""Time between two uploads, s: a killed run loses no more than this. Chosen by judgement; no
measurement is recorded."""
NOT_UPLOADED = ("-journal", ".unfinished")
"""Endings of the names of files that exist only while others are written."""


class Mirror:
    """A temporary folder that is kept equal to an output folder at an address."""

    def __init__(self, address: str) -> None:
        """Connect to an address; nothing is copied before `open`.

        Raises
        ------
        UsageError
            If a package for such addresses is missing, or the address is wrong.
        """
        self._remote, self._root = file_system(address)
        self._address = address
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._folder = Path()
        self._uploaded: dict[str, tuple[int, int]] = {}
        self._synced = 0.0

    def content(self) -> FolderContent:
        """Return the content of the folder at the address.

        Raises
        ------
        UsageError
            If the address cannot be read.
        """
        try:
            files = [os.path.relpath(file, self._root) for file in self._remote_files()]
            header = b""
            if DATABASE in files:
                header = self._remote.cat_file(
                    f"{self._root}/{DATABASE}", start=0, end=HEADER_BYTES
                )
        except Exception as error:  # each file system has errors of its own
            raise self._error("read", error) from error
        return FolderContent(frozenset(Path(file).parts[0] for file in files), header)

    def open(self) -> Path:
        """Copy the folder at the address to a new temporary folder and return its path.

        Raises
        ------
        UsageError
            If the address cannot be read.
        """
        self._temporary = tempfile.TemporaryDirectory(
            prefix="usmicro-output-", ignore_cleanup_errors=True
        )
        self._folder = Path(self._temporary.name) / "out"
        self._folder.mkdir()
        try:
            for file in self._remote_files():
                copy = self._folder / os.path.relpath(file, self._root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                self._remote.get_file(file, str(copy))
        except Exception as error:  # each file system has errors of its own
            self._temporary.cleanup()
            raise self._error("read", error) from error
        self._uploaded = self._local_files()
        self._synced = time.monotonic()
        return self._folder

    def _remote_files(self) -> list[str]:
        """Return the paths of the files at the address, as they are now."""
        self._remote.invalidate_cache()
        return list(self._remote.find(self._root))

    def _local_files(self) -> dict[str, tuple[int, int]]:
        """Return modification time in ns and size in bytes of each file, by relative path."""
        files = {}
        for path in self._folder.rglob("*"):
            if path.is_file() and not path.name.endswith(NOT_UPLOADED):
                # a worker deletes frames of a former film at any time
                with suppress(FileNotFoundError):
                    status = path.stat()
                    name = path.relative_to(self._folder).as_posix()
                    files[name] = (status.st_mtime_ns, status.st_size)
        return files

    def sync(self) -> None:
        """Upload the changes of the temporary folder.

        The database is uploaded last, so that every result in it has its files.

        Raises
        ------
        UsageError
            If the address cannot be written to.
        """
        local = self._local_files()
        changed = sorted(
            (name for name in local if self._uploaded.get(name) != local[name]),
            key=lambda name: (name == DATABASE, name),
        )
        try:
            for name in changed:
                try:
                    self._remote.put_file(str(self._folder / name), f"{self._root}/{name}")
                except FileNotFoundError:
                    if (self._folder / name).exists():
                        raise
                    del local[name]  # deleted by a worker meanwhile
            for name in self._uploaded.keys() - local.keys():
                self._remote.rm_file(f"{self._root}/{name}")
        except Exception as error:  # each file system has errors of its own
            raise self._error("written", error) from error
        self._uploaded, self._synced = local, time.monotonic()

    def synchronised(self, results: Generator[Result, None, None]) -> Generator[Result, None, None]:
        """Yield results; upload the changes from time to time, and at the end.

        The temporary folder is deleted at the end. The pictures of a result can be read until the
        next result is requested.
        """
        try:
            for result in results:
                if time.monotonic() - self._synced > SYNC_SECONDS:
                    self.sync()
                yield result
        finally:
            try:
                results.close()
            finally:
                try:
                    self.sync()
                finally:
                    if self._temporary is not None:
                        self._temporary.cleanup()

    def _error(self, action: str, error: Exception) -> UsageError:
        words = " ".join(str(error).split())[:300]
        again = "; run again with --resume" if action == "written" else ""
        return UsageError(f"--out {self._address}: cannot be {action}: {words}{again}")
