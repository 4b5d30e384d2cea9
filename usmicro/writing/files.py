"""Writing of files that are either complete or absent."""

from __future__ import annotations

import errno
import itertools
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from usmicro.errors import UsageError

UNFINISHED = ".*.unfinished"
"""Pattern of the names of files that are being written."""
_numbers = itertools.count()


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[IO[bytes]]:
    """Open a file for writing that gets its name only when it is complete.

    Parameters
    ----------
    path : Path
        Final name; missing folders are made.
    durable : bool
        Flush the content to the disk first, so that a power cut cannot leave an empty file.

    Raises
    ------
    UsageError
        If the folder cannot be written to or the disk is full. No file is left behind.
    """
    # unique and short, since the final name may be as long as the file system allows
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


@contextmanager
def unfinished_folder(parent: Path) -> Iterator[Path]:
    """Give a temporary folder in an output folder; what a killed process leaves is unfinished."""
    folder = tempfile.TemporaryDirectory(
        prefix=UNFINISHED[0],
        suffix=UNFINISHED.rpartition("*")[2],
        dir=parent,
        ignore_cleanup_errors=True,
    )
    with folder as name:
        yield Path(name)


def write_atomically(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a whole file through `replacing`."""
    with replacing(path, durable=durable) as file:
        file.write(content)


def cannot_write(path: Path, error: OSError) -> UsageError:
    """Return the error for an output file that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UsageError(
            f"{path}: the disk is full; free some space and run again with --resume, "
            "which keeps finished inputs"
        )
    return UsageError(
        f"{path}: cannot be written ({error.strerror or error}); "
        "choose a folder with write permission for --out"
    )
