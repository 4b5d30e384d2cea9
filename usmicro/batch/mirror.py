"""An output folder at an address such as s3://bucket/results: written here, and brought there as it grows.

SQLite and renaming need a real file system, so a run writes to a temporary folder, which begins as a copy of what is at the address; every
half minute, and at the end, what is new or changed is brought there and what was deleted is deleted there. A run that is killed loses what
it did since then, and --resume computes it again. Two runs to one address at a time are not kept apart.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from usmicro.batch.results import Result
from usmicro.batch.state import STATE
from usmicro.errors import UsageError
from usmicro.loading.remote import file_system

SYNC_SECONDS = 30.0


class Mirror:
    """A temporary folder that is kept the same as one at an address."""

    def __init__(self, address: str) -> None:
        """Copy what is there.

        Raises
        ------
        UsageError
            If the address cannot be read.
        """
        self._remote, self._root = file_system(address)
        self._address = address
        self._temporary = tempfile.TemporaryDirectory(
            prefix="usmicro-output-", ignore_cleanup_errors=True
        )
        self.folder = Path(self._temporary.name) / "out"
        self.folder.mkdir()
        try:
            for file in self._remote.find(self._root):
                here = self.folder / os.path.relpath(file, self._root)
                here.parent.mkdir(parents=True, exist_ok=True)
                self._remote.get_file(file, str(here))
        except Exception as error:  # each file system has errors of its own
            self._temporary.cleanup()
            raise UsageError(
                f"--out {address}: cannot be read: {' '.join(str(error).split())[:300]}"
            ) from error
        self._there = self._here()
        self._synced = time.monotonic()

    def _here(self) -> dict[str, tuple[int, int]]:
        """Files by name, with what changes when they do."""
        found = {}
        for path in self.folder.rglob("*"):
            if path.is_file() and not path.name.endswith(("-journal", ".unfinished")):
                status = path.stat()
                found[path.relative_to(self.folder).as_posix()] = (
                    status.st_mtime_ns,
                    status.st_size,
                )
        return found

    def sync(self) -> None:
        """Bring the address to what is here; the state last, so that it never tells of files that are not there yet.

        Raises
        ------
        UsageError
            If the address cannot be written to.
        """
        here = self._here()
        changed = sorted(
            (name for name in here if self._there.get(name) != here[name]),
            key=lambda name: (name == STATE, name),
        )
        try:
            for name in changed:
                self._remote.put_file(str(self.folder / name), f"{self._root}/{name}")
            for name in self._there.keys() - here.keys():
                self._remote.rm_file(f"{self._root}/{name}")
        except Exception as error:
            words = " ".join(str(error).split())[:300]
            raise UsageError(
                f"--out {self._address}: cannot be written: {words}; run again with --resume"
            ) from error
        self._there, self._synced = here, time.monotonic()

    def through(self, results: Iterator[Result]) -> Iterator[Result]:
        """The results, with the address brought up to date on the way and at the end; pictures can be read until the next is taken."""
        try:
            for result in results:
                if time.monotonic() - self._synced > SYNC_SECONDS:
                    self.sync()
                yield result
        finally:
            try:
                results.close()  # type: ignore[attr-defined]
            finally:
                self.sync()
                self._temporary.cleanup()
