"""Search for the scans among the inputs of a run."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from usmicro.errors import ScanError, UsageError
from usmicro.loading.dicom.references import read_summary
from usmicro.loading.formats import (
    DICOM_SUFFIXES,
    EXPECTED_FORMATS,
    SCAN_SUFFIXES,
    UNSUPPORTED_SUFFIXES,
    detect_format,
)
from usmicro.loading.remote import find_scans_at, is_address

_MASK_STEM = re.compile(r"^masks?_|_(mask|tumou?r)(_?\d+)?$|\.seg$", re.IGNORECASE)
"""Stems that always mean a mask: benign (1)_mask_1, case001_tumor, mask_0001-l, case001.seg."""
_SIDECAR_STEM = re.compile(r"_(mass|duct|nonmass|other)(_?\d+)?$", re.IGNORECASE)
"""Stems that mean a mask if the scan is in the same folder: case001_other2 beside case001.png."""
_MASK_FOLDERS = frozenset(("mask", "masks"))
_OTHER_SUFFIXES = frozenset(
    (
        *(".csv", ".json", ".txt", ".xml", ".toml", ".yaml", ".yml", ".md"),
        *(".pdf", ".html", ".htm", ".xlsx", ".log", ".db"),
    )
)
"""Suffixes of files that are neither images nor videos; their content is not examined."""


@dataclass(frozen=True, slots=True)
class Input:
    """One file to analyse."""

    path: Path
    """Path of the file; not used if `address` is given."""
    name: str
    """Name of the image in tables: its path below the INPUT folder, with forward slashes."""
    address: str = ""
    """Address of a file that is not on a file system of this machine; otherwise empty."""


def find_scans(inputs: Sequence[str | Path]) -> list[Input]:
    """Find the scans in folders, files and glob patterns.

    Folders are searched with all their subfolders. The search leaves out hidden files, masks,
    folders named "mask" or "masks", output folders of runs, DICOMDIR, and files that are not
    images or videos. A file that is named, or matched by a pattern, is always taken.

    Parameters
    ----------
    inputs : sequence of str or Path
        Folders, files, patterns with `*`, `?`, `[...]` and `**`, or addresses such as
        s3://bucket/folder.

    Returns
    -------
    list of Input
        Each file once, sorted by name; no two have the same name.

    Raises
    ------
    UsageError
        If an input does not exist, a folder cannot be read, or no scan is found.
    """
    local: dict[str, tuple[Path, Path]] = {}  # real path: (INPUT folder, path)
    remote: list[Input] = []
    for given in inputs:
        if is_address(given):
            found = find_scans_at(str(given), _is_left_out)
            remote += [Input(Path(name), name, address) for address, name in found]
            continue
        for root in _expanded(given):
            if root.is_dir():
                for path in _scans_below(root):
                    local.setdefault(os.path.realpath(path), (root, path))
            else:
                local.setdefault(os.path.realpath(root), (root.parent, root))
    if not local and not remote:
        raise UsageError(
            f"{', '.join(map(str, inputs)) or 'no input'}: no scan found; "
            f"expected {EXPECTED_FORMATS} files (masks, hidden files and output folders of runs "
            "are left out)"
        )
    return sorted([*_named(list(local.values())), *remote], key=lambda scan: scan.name)


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


def _scans_below(root: Path) -> Iterator[Path]:
    """Yield the scans below a folder.

    Links are followed, but each real folder is visited once, so that loops of links end.
    """
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
        stems = {os.path.splitext(name)[0] for name in names}
        for path in (folder / name for name in names):
            if os.path.isdir(path):
                if path.name.lower() not in _MASK_FOLDERS:
                    pending.append(path)
            elif _is_scan(path, stems):
                yield path


def _is_scan(path: Path, stems: set[str]) -> bool:
    """Return True if a file in a folder is taken as a scan.

    `stems` are the stems of the files in the same folder. A file that cannot be read is taken, so
    that its row in the table of images gives the reason.
    """
    suffix = path.suffix.lower()
    if suffix in _OTHER_SUFFIXES or path.name.upper() == "DICOMDIR":
        return False
    if not (os.path.isfile(path) or os.path.islink(path)):
        return False
    named_like_mask = _is_mask_stem(path.stem, stems)
    try:
        if suffix in DICOM_SUFFIXES:
            return not (named_like_mask and read_summary(path).is_segmentation)
        if suffix in SCAN_SUFFIXES or suffix in UNSUPPORTED_SUFFIXES:
            return not named_like_mask
        return os.path.isfile(path) and detect_format(path) == "dicom"
    except ScanError:
        return True


def _is_mask_stem(stem: str, stems: set[str]) -> bool:
    """Return True if a file is a mask by its stem; `stems` are those of the files beside it."""
    sidecar = _SIDECAR_STEM.search(stem)
    return bool(_MASK_STEM.search(stem) or (sidecar and stem[: sidecar.start()] in stems))


def _is_left_out(name: PurePosixPath, stems: set[str]) -> bool:
    """Return True if a file at an address is not a scan according to its name.

    `stems` are the stems of the files in the same folder.
    """
    return (
        any(part.startswith(".") or part.lower() in _MASK_FOLDERS for part in name.parts)
        or name.suffix.lower() in _OTHER_SUFFIXES
        or name.name.upper() == "DICOMDIR"
        or _is_mask_stem(name.stem, stems)
    )


def is_result(folder: Path) -> bool:
    """Return True if a folder is the output of a run of usmicro."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and "usmicro" in record


def _named(files: list[tuple[Path, Path]]) -> list[Input]:
    """Name each file by its path below its INPUT.

    Files that would have the same name get as many more parts of their path as make them unique.

    Parameters
    ----------
    files : list of (root, path)
        The folder of the INPUT and the path of each file.
    """
    lengths = [len(path.relative_to(root).parts) for root, path in files]
    absolute = [Path(os.path.abspath(path)).as_posix().replace(":", "") for _, path in files]
    parts = [[part for part in path.split("/") if part] for path in absolute]
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
    inputs = (Input(path, name) for (_, path), name in zip(files, readable, strict=True))
    return sorted(inputs, key=lambda scan: scan.name)
