"""The files of this machine among the inputs of a run, those in zip archives included."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from usmicro.errors import ScanError, UsageError
from usmicro.loading.file_kinds import (
    DICOM_HEAD_BYTES,
    Kind,
    kind_of_bytes,
    kind_of_file,
    needs_head,
)
from usmicro.loading.mask_pixels import looks_like_mask
from usmicro.loading.zip_archive import (
    ZIP_SUFFIX,
    ZipMember,
    is_zip,
    member_head,
    unpacked,
    zip_members,
)
from usmicro.settings import LoadingSettings

_LARGEST_EXAMINED_MB = LoadingSettings().largest_inflated
"""Largest picture in a zip archive that is unpacked to see whether it is a mask, MB. The same as
for scans."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine, or in a zip archive of this machine."""

    path: Path
    """Its path. That of a file in an archive is its path in it, behind that of the archive."""
    archive: Path | None = None
    member: ZipMember | None = None

    @property
    def file(self) -> Path:
        """Path of the file to open: the archive, or the file itself."""
        return self.archive or self.path

    @property
    def identity(self) -> str:
        """Text that two paths of the same file share."""
        real = os.path.realpath(self.file)
        return real if self.member is None else f"{real}/{self.member.name}"

    def kind(self) -> tuple[Kind, str]:
        """Return what the file is, as `kind_of_file`."""
        if self.archive is None or self.member is None:
            # an archive that cannot be read is a scan, so that its row gives the reason
            return ("scan", "") if is_zip(self.path) else kind_of_file(self.path)
        name = self.path.name
        if self.path.suffix.lower() == ZIP_SUFFIX:
            return "unread", "zip in a zip"
        head = b""
        if needs_head(name):
            try:
                head = member_head(self.archive, self.member, DICOM_HEAD_BYTES)
            except (ScanError, OSError):
                return "scan", ""
        return kind_of_bytes(name, head)

    def looks_like_mask(self) -> bool:
        """Return True if a picture has few grey values.

        Raises
        ------
        ScanError
            If it cannot be read.
        """
        if self.archive is None or self.member is None:
            return looks_like_mask(self.path)
        with unpacked(self.archive, self.member, largest_mb=_LARGEST_EXAMINED_MB) as copy:
            return looks_like_mask(copy)


def files_below(root: Path) -> Iterator[LocalFile]:
    """Yield the files below a folder or zip archive, those in archives below a folder included.

    Hidden files, output folders of runs, and zip archives in archives are left out. Links are
    followed, but each real folder is visited once, so that loops of links end. An archive that
    cannot be read is yielded as a file.

    Raises
    ------
    UsageError
        If a folder cannot be read.
    """
    if not root.is_dir():
        yield from _files_in(root)
        return
    for path in _paths_below(root):
        if is_zip(path):
            yield from _files_in(path)
        else:
            yield LocalFile(path)


def is_result(folder: Path) -> bool:
    """Return True if a folder is the output of a run of usmicro."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and "usmicro" in record


def folders_of_results(names: set[PurePosixPath]) -> set[PurePosixPath]:
    """Return the folders that are outputs of runs, by the names of the files in them alone."""
    return {
        name.parent
        for name in names
        if name.name == "run.json" and name.with_name("run.sqlite") in names
    }


def _paths_below(root: Path) -> Iterator[Path]:
    """Yield the paths of the files below a folder."""
    visited: set[str] = set()
    pending = [root]
    while pending:
        folder = pending.pop()
        real = os.path.realpath(folder)
        if real in visited or is_result(folder):
            continue
        visited.add(real)
        try:
            names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
        except OSError as error:
            raise UsageError(
                f"{folder}: cannot be read: {error.strerror or error}; "
                "allow reading the folder or leave it out"
            ) from error
        for path in (folder / name for name in names):
            if os.path.isdir(path):
                pending.append(path)
            else:
                yield path


def _files_in(archive: Path) -> Iterator[LocalFile]:
    """Yield the files in a zip archive, sorted by their names."""
    try:
        members = {PurePosixPath(member.name): member for member in zip_members(archive)}
    except ScanError:
        yield LocalFile(archive)
        return
    results = folders_of_results(set(members))
    for name in sorted(members):
        is_hidden = any(part.startswith(".") for part in name.parts)
        if not is_hidden and results.isdisjoint(name.parents):
            yield LocalFile(archive / name, archive, members[name])
