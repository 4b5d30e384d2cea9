"""Files that are either complete or not there."""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from usmicro.errors import UsageError

UNFINISHED = ".*.unfinished"
"""Names of files that are being written."""
_numbers = itertools.count()


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its name only once it is complete; if `durable`, on the disk, so that a power cut cannot empty it.

    Raises
    ------
    UsageError
        If the folder cannot be written to or the disk is full; nothing is left behind then.
    """
    # a name of its own, and short: that of the file may be as long as the file system allows
    unfinished = path.with_name(
        f".{os.getpid()}-{threading.get_ident()}-{next(_numbers)}.unfinished"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(unfinished, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a whole file, as `replacing` does."""
    with replacing(path, durable=durable) as file:
        file.write(content)


def cannot_write(path: Path, error: OSError) -> UsageError:
    """What to tell a user whose output cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UsageError(
            f"{path}: the disk is full; free some space and run again with --resume: finished inputs are kept"
        )
    return UsageError(
        f"{path}: cannot be written ({error.strerror or error}); give a folder with write permission to --out"
    )
