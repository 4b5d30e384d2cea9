"""Search for the scans among the inputs of a run."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from usmicro.errors import ScanError, UsageError
from usmicro.loading.file_kinds import (
    DICOM_HEAD_BYTES,
    Kind,
    Picture,
    is_in_mask_folder,
    kind_of_bytes,
    kind_of_file,
    needs_head,
    picture_kinds,
)
from usmicro.loading.formats import EXPECTED_FORMATS
from usmicro.loading.local_files import LocalFile, files_below
from usmicro.loading.mask_names import is_named_like_mask
from usmicro.loading.mask_pixels import looks_like_mask
from usmicro.loading.passed_over import PassedOver
from usmicro.loading.remote import is_address, list_files
from usmicro.loading.zip_archive import ZipMember, is_zip
from usmicro.model.warnings import RunWarning


@dataclass(frozen=True, slots=True)
class Input:
    """One file to analyse."""

    path: Path
    """Path of the file; not used if `address` is given."""
    name: str
    """Name of the image in tables: its path below the INPUT folder or zip archive, with forward
    slashes."""
    address: str = ""
    """Address of a file that is not on a file system of this machine; otherwise empty."""
    member: ZipMember | None = None
    """File in the zip archive `path` that is the scan; None if `path` is the scan itself."""


@dataclass
class Search:
    """The scans among the inputs of a run, and what was passed over."""

    scans: list[Input] = field(default_factory=list)
    """Each file once, sorted by name; no two have the same name."""
    masks: int = 0
    """Number of files that were taken for masks."""
    like_masks: list[str] = field(default_factory=list)
    """Names of scans that look like masks, but belong to no scan or were named by the user."""
    passed_over: PassedOver = field(default_factory=PassedOver)

    def remarks(self, *, with_names: bool = True) -> list[str]:
        """Return remarks for the user; names of files are left out on request."""
        remarks = []
        if self.masks:
            files = "1 file was" if self.masks == 1 else f"{self.masks} files were"
            remarks.append(
                f"{files} taken for masks, which are not analysed: few grey values, and a name or "
                "folder of a mask"
            )
        if self.like_masks:
            number = len(self.like_masks)
            files = (
                "1 input looks like a mask" if number == 1 else f"{number} inputs look like masks"
            )
            such = f", such as {self.like_masks[0]}" if with_names else ""
            remarks.append(
                f"{files}{such}: few grey values; analysed as scans, since no scan belongs to "
                "them or they were named as inputs"
            )
        if remark := self.passed_over.remark():
            remarks.append(remark)
        return remarks

    def warnings(self, *, with_names: bool = True) -> list[RunWarning]:
        """Return warnings for the user; names of files are left out on request."""
        warning = self.passed_over.warning(with_names=with_names)
        return [] if warning is None else [warning]


def find_scans(inputs: Sequence[str | Path]) -> list[Input]:
    """Find the scans in folders, zip archives, files and patterns, as `search_scans`."""
    return search_scans(inputs).scans


def search_scans(inputs: Sequence[str | Path]) -> Search:
    """Find the scans in folders, zip archives, files and glob patterns.

    Folders are searched with all their subfolders and the zip archives in them. A file in an
    archive has the name that it would have if the archive were a folder. The search leaves out
    hidden files, masks, output folders of runs, zip archives in zip archives, DICOM objects without
    an image, and files that are not images or videos.
    A picture with few grey values is a mask if its name is that of a scan with a word for masks, if
    its folder has a name for masks, or if the pictures of its folder are such and it has the name
    of a scan in the folder above or in one beside. A file that is named, or matched by a
    pattern, is always taken as a scan. Files without a suffix, or with an unusual one, are
    recognised by their content.

    Parameters
    ----------
    inputs : sequence of str or Path
        Folders, zip archives, files, patterns with `*`, `?`, `[...]` and `**`, or addresses such as
        s3://bucket/folder.

    Returns
    -------
    Search

    Raises
    ------
    UsageError
        If an input does not exist, a folder cannot be read, or no scan is found.
    """
    search = Search()
    local: dict[str, tuple[Path, LocalFile]] = {}  # by identity, with the INPUT folder
    counted: set[str] = set()  # identities of the other files, each counted once
    remote: list[Input] = []
    for given in inputs:
        if is_address(given):
            remote += _scans_at(str(given), search)
            continue
        for root in _expanded(given):
            if root.is_dir() or is_zip(root):
                for file in _scans_below(root, search, counted):
                    # an archive that cannot be read is one file, with the name of the archive
                    folder = root.parent if file.path == root else root
                    local.setdefault(file.identity, (folder, file))
                continue
            file = LocalFile(root)
            if local.setdefault(file.identity, (root.parent, file))[1] == file:
                _note_mask(root, search)
    if not local and not remote:
        passed_over = [warning.examples[0] for warning in search.warnings()]
        passed_over += search.remarks()
        raise UsageError(
            f"{', '.join(map(str, inputs)) or 'no input'}: no scan found; "
            f"expected {EXPECTED_FORMATS} files (masks, hidden files and output folders of runs "
            f"are left out{''.join(f'; {text}' for text in passed_over)})"
        )
    search.scans = sorted([*_named(list(local.values())), *remote], key=lambda scan: scan.name)
    return search


def _note_mask(path: Path, search: Search) -> None:
    """Note a file that the user named if it looks like a mask."""
    if not (is_named_like_mask(path.name) or is_in_mask_folder(PurePosixPath(path.as_posix()))):
        return
    try:
        if kind_of_file(path)[0] == "picture" and looks_like_mask(path):
            search.like_masks.append(path.name)
    except ScanError:
        return


def _expanded(given: str | Path) -> list[Path]:
    """Return an existing path, or the paths that match a pattern."""
    path = Path(given)
    try:
        if path.exists() or path.is_symlink():
            return [path]
    except OSError as error:
        raise UsageError(f"{given}: cannot be read: {error.strerror or error}") from error
    if not glob.has_magic(str(given)):
        raise UsageError(f"{given}: no such file or folder")
    matches = sorted(glob.glob(str(given), recursive=True))
    if not matches:
        raise UsageError(f"{given}: no file or folder matches this pattern")
    return [Path(match) for match in matches]


def _scans_below(root: Path, search: Search, counted: set[str]) -> Iterator[LocalFile]:
    """Yield the scans below a folder or zip archive, and count the other files.

    `counted` are the identities of files that were counted before.
    """
    scans: dict[PurePosixPath, LocalFile] = {}
    pictures: dict[PurePosixPath, LocalFile] = {}
    for file in files_below(root):
        name = PurePosixPath(file.path.relative_to(root).as_posix())
        kind, word = file.kind()
        if kind == "picture":
            pictures[name] = file
        elif kind == "scan":
            scans[name] = file
        elif file.identity not in counted:
            counted.add(file.identity)
            _count(kind, word, name, search)
    yield from scans.values()
    for name, is_mask in _examined_pictures(
        [Picture(name, file.looks_like_mask) for name, file in pictures.items()],
        list(scans),
        root if root.is_dir() else root.with_suffix(""),
        search,
    ):
        file = pictures[name]
        if not is_mask:
            yield file
        elif file.identity not in counted:
            counted.add(file.identity)
            search.masks += 1


def _examined_pictures(
    pictures: list[Picture], scans: list[PurePosixPath], root: PurePosixPath | Path, search: Search
) -> Iterator[tuple[PurePosixPath, bool]]:
    """Yield the name of each picture and whether it is a mask; note scans that look like masks."""
    in_mask_folder = is_in_mask_folder(PurePosixPath(root.name, "file"))
    kinds = picture_kinds(pictures, scans, in_mask_folder=in_mask_folder)
    for picture, kind in zip(pictures, kinds, strict=True):
        if kind == "unclear":
            search.like_masks.append(str(picture.name))
        yield picture.name, kind == "mask"


def _count(kind: Kind, word: str, name: PurePosixPath, search: Search) -> None:
    """Count a file that is no scan; `word` is its type."""
    if kind == "mask":
        search.masks += 1
    elif kind != "silent":
        search.passed_over.add(word, str(name), may_be_scan=kind == "unread")


def _scans_at(address: str, search: Search) -> list[Input]:
    """Find the scans below an address by the same rules as in a folder.

    Raises
    ------
    UsageError
        If the address has no files or cannot be read.
    """
    files = list_files(address)
    if files.is_single:
        return [Input(Path(name), str(name), files.address(name)) for name in files.sizes]
    heads = files.heads([name for name in files.sizes if needs_head(name.name)], DICOM_HEAD_BYTES)
    scans, pictures = [], []
    for name in files.sizes:
        kind, word = kind_of_bytes(name.name, heads.get(name, b""))
        if kind == "picture":
            pictures.append(Picture(name, partial(files.looks_like_mask, name)))
        elif kind == "scan":
            scans.append(name)
        else:
            _count(kind, word, name, search)
    root = PurePosixPath(address)
    for name, is_mask in _examined_pictures(pictures, list(scans), root, search):
        if is_mask:
            search.masks += 1
        else:
            scans.append(name)
    return [Input(Path(name), str(name), files.address(name)) for name in scans]


def _named(files: list[tuple[Path, LocalFile]]) -> list[Input]:
    """Name each file by its path below its INPUT.

    Files that would have the same name get as many more parts of their path as make them unique.

    Parameters
    ----------
    files : list of (root, file)
        The folder of the INPUT and each file.
    """
    lengths = [len(file.path.relative_to(root).parts) for root, file in files]
    parts = [_parts_of(file.path) for _, file in files]
    while True:
        names = ["/".join(part[-length:]) for part, length in zip(parts, lengths, strict=True)]
        same_name: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            same_name.setdefault(name, []).append(i)
        clashing = [i for group in same_name.values() if len(group) > 1 for i in group]
        if not clashing:
            break
        for i in clashing:
            lengths[i] += 1
    readable = [name.encode("utf-8", "backslashreplace").decode() for name in names]
    inputs = (
        Input(file.file, name, member=file.member)
        for (_, file), name in zip(files, readable, strict=True)
    )
    return sorted(inputs, key=lambda scan: scan.name)


def _parts_of(path: Path) -> list[str]:
    """Return the parts of the absolute path, the letter of a drive without its colon first."""
    drive, rest = os.path.splitdrive(os.path.abspath(path))
    parts = [drive.replace(":", ""), *Path(rest).as_posix().split("/")]
    return [part for part in parts if part]
