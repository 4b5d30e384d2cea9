"""Arrays as inputs of a run: each waits in a temporary file until its result is there.

The file has the frames that `usmicro.analyze` would see. So the memory of a run does not grow with
the arrays that wait, and a worker that replaces one that died can read its array again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usmicro.anatomy.user_masks import MaskFunction
from usmicro.batch.functions import UserFunction
from usmicro.batch.jobs import Job
from usmicro.batch.names import checked_name
from usmicro.errors import ImageError, UsageError, UsmicroError
from usmicro.loading.source import scan_of
from usmicro.loading.spacing import read_spacing
from usmicro.loading.stored_frames import with_stored_frames
from usmicro.model.scan import Scan, SpacingLike
from usmicro.settings import Settings
from usmicro.writing.names import ENDINGS, LONGEST_PART

if TYPE_CHECKING:
    from usmicro.foci.user_detector import DetectorFunction

UNNAMED = "array"
"""Name of a `Scan` of an array that was given no name."""
ARRAY_PROTOCOLS = ("__array__", "__array_interface__")
"""Attributes of single arrays, tensors and Pillow images."""
DIGITS = 6
"""Number of digits in the names of arrays without a name: enough to sort most runs by number."""


@dataclass(frozen=True)
class ArrayInputs:
    """Arrays to analyse, which are taken one at a time."""

    items: Iterable[Any]
    """Arrays or scans, or tuples of name and array, or of name, array and spacing."""
    count: int | None
    """Number of arrays; None for an iterator, which may be endless."""

    def limited(self, limit: int | None) -> ArrayInputs:
        """Return the first of these arrays."""
        if limit is None:
            return self
        count = None if self.count is None else min(self.count, limit)
        return ArrayInputs(islice(self.items, limit), count)

    def jobs(self, like: Job, folder: Path) -> Iterator[Job]:
        """Yield a job for each array, with its file in a folder of its own below `folder`.

        What cannot be analysed gets a job with a `fault`.

        Parameters
        ----------
        like : Job
            Has what all jobs have in common.
        folder : path
            Folder for the files of the arrays; `release` deletes each.

        Raises
        ------
        UsageError
            If a name cannot be used or is used twice, or an array cannot be stored.
        """
        names = _Names()
        for number, item in enumerate(self.items, 1):
            name, source, spacing = _parts(item, number)
            names.add(name, number)
            file = folder / str(number) / "frames"
            file.parent.mkdir()
            scan, fault = None, ""
            try:
                found = _scan_of(source, name, like.spacing if spacing is None else spacing)
                scan = with_stored_frames(found, file)
            except UsmicroError as error:
                fault = str(error)
                if isinstance(source, Scan) and source.path is not None:
                    fault = fault.replace(str(source.path), name)
            except OSError as error:
                raise UsageError(
                    f"{folder}: an array cannot be stored ({error.strerror or error}); free "
                    "some space there, or set TMPDIR to another folder"
                ) from error
            yield replace(like, name=name, stem=name, path=file, scan=scan, fault=fault)


class _Names:
    """Names of the arrays so far, and of the files and folders that results get from them."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def add(self, name: str, number: int) -> None:
        """Add the name of an array.

        Raises
        ------
        UsageError
            If another array has the name, or if its files would be in the way of another's.
        """
        folded = name.casefold()  # some file systems ignore case
        parts = folded.split("/")
        files = {folded + ending for ending in ENDINGS}
        folders = {"/".join(parts[:count]) for count in range(1, len(parts))}
        if folded in self._names:
            raise UsageError(
                f"item {number} has the name of another array, {name}; "
                "give each array a name of its own"
            )
        if files & self._folders or folders & self._files:
            raise UsageError(
                f"item {number}: a folder in the name {name} would have the path of a file of "
                "another array, or the reverse; give it another name"
            )
        self._names.add(folded)
        self._files |= files
        self._folders |= folders


def job_of_arrays(
    *,
    out: Path,
    settings: Settings,
    spacing: str | Path | SpacingLike | None,
    mask_function: UserFunction[MaskFunction] | None,
    detector: UserFunction[DetectorFunction] | None,
    optional_outputs: tuple[str, ...],
    refused: Mapping[str, object],
) -> Job:
    """Return a job with what all jobs of arrays have in common.

    Parameters
    ----------
    out, settings, spacing
        As given to `usmicro.run`.
    mask_function, detector : UserFunction, optional
        Functions of the user.
    optional_outputs : tuple of str
        "coco" or nothing.
    refused : mapping
        Arguments of `usmicro.run` that arrays cannot have, by name.

    Raises
    ------
    UsageError
        If an argument needs files.
    """
    for name, value in refused.items():
        if value:
            remedy = "give a function, see docs/masks.md" if name == "masks" else "leave it out"
            raise UsageError(f"{name}: {value} is for files, and the inputs are arrays; {remedy}")
    user_spacing = read_spacing(spacing)
    if user_spacing.table:
        raise UsageError(
            f"spacing: the table {spacing} is for files, and the inputs are arrays; give one "
            "spacing for all, or tuples (name, array, spacing) as inputs"
        )
    return Job(
        name="",
        path=Path(),
        out=out,
        stem="",
        settings=settings,
        spacing=user_spacing.number,
        mask_function=mask_function,
        detector=detector,
        optional_outputs=optional_outputs,
    )


def release(job: Job) -> None:
    """Delete the file of an array whose result is there."""
    shutil.rmtree(job.path.parent, ignore_errors=True)


def array_inputs(inputs: Any) -> ArrayInputs | list[str | Path]:
    """Return the arrays that the caller of a run gave, or a list of paths.

    Parameters
    ----------
    inputs : path, array, mapping, sequence or iterator
        As given to `usmicro.run`. The first element decides whether it holds paths or arrays.

    Raises
    ------
    UsageError
        If it is nothing of this kind, is empty, or has paths beside arrays.
    """
    if isinstance(inputs, str | os.PathLike):
        return [_path(inputs)]
    if isinstance(inputs, Mapping):
        return ArrayInputs(inputs.items(), len(inputs))
    if isinstance(inputs, Scan) or any(hasattr(inputs, name) for name in ARRAY_PROTOCOLS):
        return ArrayInputs([inputs], 1)
    try:
        items = iter(inputs)
    except TypeError:
        raise UsageError(
            "inputs: expected paths or arrays, "
            f"found {type(inputs).__name__}; for example usmicro.run('scans/', out='results/')"
        ) from None
    first = next(items, None)
    if first is None:
        raise UsageError("inputs: expected at least one path or array, found none")
    if not isinstance(first, str | os.PathLike):
        is_sized = hasattr(inputs, "__len__")
        return ArrayInputs(chain([first], items), len(inputs) if is_sized else None)
    paths = [first, *items]
    for number, path in enumerate(paths, 1):
        if not isinstance(path, str | os.PathLike):
            raise UsageError(
                f"inputs: the first is a path, but number {number} is "
                f"{type(path).__name__}; run paths and arrays apart"
            )
    return [_path(path) for path in paths]


def _path(given: str | os.PathLike[str]) -> str | Path:
    """Return a path; an address stays a text."""
    return given if isinstance(given, str | Path) else Path(given)


def _parts(item: Any, number: int) -> tuple[str, Any, SpacingLike | None]:
    """Return name, array and spacing of an item; `number` counts items from 1."""
    if isinstance(item, tuple) and 2 <= len(item) <= 3 and isinstance(item[0], str):
        name, source, spacing = item[0], item[1], item[2] if len(item) == 3 else None
    else:
        is_named = isinstance(item, Scan) and item.name != UNNAMED
        name = item.name if is_named else f"array-{number:0{DIGITS}}"
        source, spacing = item, None
    checked_name(name)
    if any(len(part.encode("utf-8")) > LONGEST_PART for part in name.split("/")):
        raise UsageError(
            f"item {number}: a part of the name {name[:40]}... has more than {LONGEST_PART} bytes; "
            "give the array a shorter name"
        )
    return name, source, spacing


def _scan_of(source: Any, name: str, spacing: SpacingLike | None) -> Scan:
    """Return what a caller gave as a scan of this name.

    Raises
    ------
    ImageError, UsageError
        If it is no array, or the spacing is wrong.
    """
    if isinstance(source, str | os.PathLike):
        raise ImageError("expected an array, found a path; run files apart from arrays")
    if isinstance(source, Scan):
        return replace(scan_of(source, spacing), name=name)
    return Scan.of_array(source, spacing=spacing, name=name, cine=False)
