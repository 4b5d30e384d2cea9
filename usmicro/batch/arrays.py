"""Arrays as inputs of a run: each waits in a temporary file until its result is there.

The file is read like a file of the user, so arrays and files take the same way through a run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from usmicro.anatomy.user_masks import MaskFunction
from usmicro.batch.functions import UserFunction
from usmicro.batch.jobs import Job
from usmicro.batch.names import checked_name
from usmicro.errors import UsageError
from usmicro.loading.spacing import read_spacing
from usmicro.model.scan import Scan, SpacingLike, spacing_of
from usmicro.settings import Settings

if TYPE_CHECKING:
    from usmicro.foci.user_detector import DetectorFunction

DIGITS = 6
"""Number of digits in the names of arrays without a name: enough to sort most runs by number."""


@dataclass(frozen=True)
class ArrayInputs:
    """Arrays to analyse, which are taken one at a time."""

    items: Iterable[Any]
    """Arrays, or tuples (name, array) or (name, array, spacing)."""
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

        Parameters
        ----------
        like : Job
            Has what all jobs have in common.
        folder : path
            Folder for the files of the arrays; `release` deletes each.

        Raises
        ------
        UsageError
            If a name cannot be used or is used twice, or a spacing is wrong.
        """
        names: set[str] = set()
        for number, item in enumerate(self.items, 1):
            name, array, spacing = _parts(item, number)
            if name in names:
                raise UsageError(
                    f"item {number} has the name of another array, {name}; "
                    "give each array a name of its own"
                )
            names.add(name)
            file = folder / str(number) / "array.npy"
            file.parent.mkdir()
            yield Job(
                name=name,
                path=file,
                out=like.out,
                stem=name,
                settings=like.settings,
                spacing=like.spacing if spacing is None else spacing_of(spacing),
                mask_function=like.mask_function,
                detector=like.detector,
                optional_outputs=like.optional_outputs,
                fault=_write(array, file),
            )


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
            raise UsageError(f"{name}: is for files, and the inputs are arrays; leave it out")
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
    if isinstance(inputs, Scan) or hasattr(inputs, "__array__"):
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
        return checked_name(item[0]), item[1], item[2] if len(item) == 3 else None
    return f"array-{number:0{DIGITS}}", item, None


def _write(array: Any, file: Path) -> str:
    """Write an array to a file; return why it cannot be analysed, or an empty text."""
    if isinstance(array, Scan | str | os.PathLike):
        kind = "a Scan" if isinstance(array, Scan) else "a path"
        return f"expected an array, found {kind}; run files by their paths, apart from arrays"
    try:
        pixels = np.asarray(array)
    except Exception as error:  # an object of another library may raise anything
        words = " ".join(f"{type(error).__name__}: {error}".split())
        return f"expected an array, found {type(array).__name__} ({words})"
    if pixels.dtype.hasobject or pixels.dtype.kind not in "biuf":
        return f"expected an array of numbers, found {type(array).__name__} of {pixels.dtype}"
    try:
        np.save(file, pixels, allow_pickle=False)
    except OSError as error:
        raise UsageError(
            f"{file.parent.parent}: an array cannot be stored ({error.strerror or error}); free "
            "some space there, or set TMPDIR to another folder"
        ) from error
    return ""
