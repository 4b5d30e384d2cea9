"""Results and messages of inputs that failed, without paths of this machine."""

from __future__ import annotations

import os
import re
import sys
import traceback
from pathlib import Path

from usmicro.batch.jobs import Job
from usmicro.batch.memory import memory_used
from usmicro.batch.pseudonyms import without_names
from usmicro.batch.results import Result


def out_of_memory_message(job: Job) -> str:
    """Return the error message of an input that needs too much memory."""
    return (
        "needs more memory than the machine has, or than the "
        f"{job.settings.limits.memory} MB that limits.memory allows a worker process; "
        "raise it, or use fewer --workers"
    )


def failed_result(
    job: Job, reason: str, *, log: tuple[str, ...] = (), seconds: float = 0.0
) -> Result:
    """Return the result of an input that failed.

    Parameters
    ----------
    job : Job
    reason : str
        The error message; it is reduced to one line without paths of this machine.
    log : tuple of str, optional
        Lines of the program that an unforeseen error came from.
    seconds : float, optional
        Time that the job took.
    """
    return Result(
        image=job.name,
        status="failed",
        error=without_paths(reason, job),
        log=log,
        seconds={"total": seconds},
        memory_mb=memory_used(),
    )


def without_paths(text: str, job: Job) -> str:
    """Return a text as one line, without paths of this machine.

    If inputs have pseudonyms, their real names are removed too.
    """
    if job.address:
        text = text.replace(job.address, job.name)
    if job.member is not None:
        text = text.replace(f"{job.path}/{job.member.name}", job.name)
    for path, name in ((job.path, job.name), (job.masks, "the masks folder")):
        text = text.replace(str(path), name) if path is not None else text
    if job.real_name:
        text = without_names(text, job.real_name, job.name)
        text = re.sub("the masks folder[^:]*", "the masks folder", text)
    folders = [folder for folder in sys.path if len(Path(folder).parts) > 1]
    for folder in sorted(folders, key=len, reverse=True):
        text = text.replace(f"{folder}{os.sep}", "")
    return " ".join(text.split()).removeprefix(f"{job.name}: ")


def traceback_lines(error: BaseException) -> tuple[str, ...]:
    """Return the lines of the program that an error passed through, outermost first.

    Files are named by their path below the folder that Python imports them from.
    """
    return tuple(
        f"{module_path(frame.filename)}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    )


def module_path(file: str) -> str:
    """Return the path of a source file below the folder that it is imported from.

    Such a path names no folder of this machine.
    """
    path = Path(file)
    relative = [
        path.relative_to(folder)
        for folder in map(Path, sys.path)
        if folder.is_absolute() and path.is_relative_to(folder)
    ]
    return min(relative, key=lambda path: len(path.parts)).as_posix() if relative else path.name
