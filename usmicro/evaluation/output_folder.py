"""The folder that an evaluation or a comparison of runs is written to."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from usmicro.errors import UsageError


def clear_former(out: Path, *, record: str, tables: Collection[str]) -> None:
    """Delete the tables that a former evaluation or comparison left in a folder.

    The present one may not have all of them, and a table of the former one would then be taken for
    a part of it.

    Parameters
    ----------
    out : path
        The folder; it need not exist.
    record : str
        Name of the file by which a former one is recognised.
    tables : collection of str
        Names of the files to delete.

    Raises
    ------
    UsageError
        If the folder holds a run, whose tables have the same names.
    """
    if (out / "run.json").exists():
        raise UsageError(
            f"{out}: holds a run of usmicro, whose tables would be replaced; "
            "give --out another folder, or none"
        )
    if (out / record).exists():
        for name in tables:
            (out / name).unlink(missing_ok=True)
