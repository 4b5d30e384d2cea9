"""Files that are either complete or not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from usmicro.errors import UsageError


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its name only once it is complete.

    Raises
    ------
    UsageError
        If the folder cannot be written to or the disk is full; nothing is left behind then.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(unfinished, "wb") as file:
            yield file
        os.replace(unfinished, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a whole file, as `replacing` does."""
    with replacing(path) as file:
        file.write(content)


def cannot_write(path: Path, error: OSError) -> UsageError:
    """What to tell a user whose output cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UsageError(f"{path}: the disk is full; free some space and run again with --resume: finished inputs are kept")
    return UsageError(f"{path}: cannot be written ({error.strerror or error}); give a folder with write permission to --out")
