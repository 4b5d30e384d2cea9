"""Which files of the inputs are scans."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from usmicro.errors import ScanError, UsageError
from usmicro.loading.dicom.segmentation import header_of
from usmicro.loading.formats import DICOM_SUFFIXES, EXPECTED, OTHER_SUFFIXES, SUFFIXES, content_of
from usmicro.loading.remote import find_at, is_address

_MASK = re.compile(r"^masks?_|_(mask|tumou?r)(_?\d+)?$|\.seg$", re.IGNORECASE)
"""Stems of masks wherever they lie: benign (1)_mask_1, case001_tumor, mask_0001-l, case001.seg."""
_SIDECAR = re.compile(r"_(mass|duct|nonmass|other)(_?\d+)?$", re.IGNORECASE)
"""Stems of masks only if the scan lies beside them: case001_other2 beside case001.png."""
_MASK_FOLDERS = frozenset(("mask", "masks"))
_NO_SCANS = frozenset(
    (
        ".csv",
        ".json",
        ".txt",
        ".xml",
        ".toml",
        ".yaml",
        ".yml",
        ".md",
        ".pdf",
        ".html",
        ".htm",
        ".xlsx",
        ".log",
        ".db",
    )
)


@dataclass(frozen=True, slots=True)
class Input:
    """One file to analyse."""

    path: Path
    name: str
    """Path below the INPUT folder, with forward slashes; what tables call the image."""
    address: str = ""
    """Where it is, in the place of `path`, if it is not on this machine's file systems."""


def find_scans(inputs: Sequence[str | Path]) -> list[Input]:
    """Find the scans in folders, files and glob patterns.

    Folders are searched to their depths. Hidden files, masks, folders named masks, folders that a run wrote, DICOMDIR and files that do
    not look meant as a scan are passed over; a file that is named, or matched by a pattern, is always taken.

    Parameters
    ----------
    inputs : sequence of str or Path
        Folders, files, patterns with `*`, `?`, `[...]` and `**`, or addresses such as s3://bucket/folder.

    Returns
    -------
    list of Input
        Each file once, sorted by name; no two have the same name.

    Raises
    ------
    UsageError
        If an input does not exist, a folder cannot be read, or there is no scan at all.
    """
    found: dict[str, tuple[Path, Path]] = {}  # by the real file
    far: list[Input] = []
    for given in inputs:
        if is_address(given):
            far += [
                Input(Path(name), name, address)
                for address, name in find_at(str(given), _passed_over)
            ]
            continue
        for root in _expanded(given):
            if root.is_dir():
                for path in _walk(root):
                    found.setdefault(os.path.realpath(path), (root, path))
            else:
                found.setdefault(os.path.realpath(root), (root.parent, root))
    if not found and not far:
        raise UsageError(
            f"{', '.join(map(str, inputs)) or 'no input'}: no scan found; expected {EXPECTED} files "
            "(masks, hidden files and folders that a run wrote are passed over)"
        )
    return sorted([*_named(list(found.values())), *far], key=lambda scan: scan.name)


def _expanded(given: str | Path) -> list[Path]:
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
        raise UsageError(f"{given}: nothing matches this pattern")
    return [Path(match) for match in matches]


def _walk(root: Path) -> Iterator[Path]:
    """Scans below a folder; links are followed, each real folder once, so that a loop ends."""
    seen: set[str] = set()
    pending = [root]
    while pending:
        folder = pending.pop()
        real = os.path.realpath(folder)
        if real in seen or is_result(folder):
            continue
        seen.add(real)
        try:
            names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
        except OSError as error:
            raise UsageError(
                f"{folder}: cannot be read: {error.strerror or error}; leave it out or allow reading it"
            ) from error
        stems = {os.path.splitext(name)[0] for name in names}
        for path in (folder / name for name in names):
            if os.path.isdir(path):
                if path.name.lower() not in _MASK_FOLDERS:
                    pending.append(path)
            elif _is_scan(path, stems):
                yield path


def _is_scan(path: Path, stems: set[str]) -> bool:
    """Whether a file found in a folder is meant as a scan; `stems` are those of the files beside it."""
    suffix = path.suffix.lower()
    if (
        suffix in _NO_SCANS
        or path.name.upper() == "DICOMDIR"
        or not (os.path.isfile(path) or os.path.islink(path))
    ):
        return False
    sidecar = _SIDECAR.search(path.stem)
    like_a_mask = bool(
        _MASK.search(path.stem) or (sidecar and path.stem[: sidecar.start()] in stems)
    )
    try:
        if suffix in DICOM_SUFFIXES:
            return not (like_a_mask and header_of(path).segmentation)
        if suffix in SUFFIXES or suffix in OTHER_SUFFIXES:
            return not like_a_mask
        return os.path.isfile(path) and content_of(path) == "dicom"
    except ScanError:
        return True  # whether it is one cannot be known: its row will say why


def _passed_over(name: PurePosixPath, stems: set[str]) -> bool:
    """Whether the name of a file at an address says that it is no scan; `stems` are those of the files beside it."""
    sidecar = _SIDECAR.search(name.stem)
    return (
        any(part.startswith(".") or part.lower() in _MASK_FOLDERS for part in name.parts)
        or name.suffix.lower() in _NO_SCANS
        or name.name.upper() == "DICOMDIR"
        or bool(_MASK.search(name.stem) or (sidecar and name.stem[: sidecar.start()] in stems))
    )


def is_result(folder: Path) -> bool:
    """Whether a run of usmicro wrote this folder."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and "usmicro" in record


def _named(found: list[tuple[Path, Path]]) -> list[Input]:
    """Name each file by its path below its INPUT; where two share a name, put as much of the path before it as tells them apart."""
    lengths = [len(path.relative_to(root).parts) for root, path in found]
    parts = [
        [
            part
            for part in (Path(os.path.abspath(path)).as_posix().replace(":", "")).split("/")
            if part
        ]
        for _, path in found
    ]
    while True:
        names = ["/".join(part[-length:]) for part, length in zip(parts, lengths, strict=True)]
        alike: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            alike.setdefault(name, []).append(i)
        clashing = [i for group in alike.values() if len(group) > 1 for i in group]
        if not clashing:
            break
        for i in clashing:
            lengths[i] += 1
    readable = [name.encode("utf-8", "backslashreplace").decode() for name in names]
    return sorted(
        (Input(path, name) for (_, path), name in zip(found, readable, strict=True)),
        key=lambda scan: scan.name,
    )
