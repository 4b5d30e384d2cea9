"""CSV tables that a user writes by hand or with a spreadsheet."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from usmicro.errors import UsageError, reason_of
from usmicro.loading.mask_names import composed


@dataclass(frozen=True, slots=True)
class UserTable:
    """The cells of a table as text, without white space around them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, dict[str, str]], ...]
    """For each row its file and line, which error messages begin with, and its cells by column; a
    missing cell is empty."""


def read_user_table(path: Path, source: str, expected: str) -> UserTable:
    """Read a CSV table in UTF-8 with commas or semicolons.

    Parameters
    ----------
    path : Path
    source : str
        Beginning of error messages, such as "--spacing TABLE.csv".
    expected : str
        What is expected at the path, for error messages.

    Raises
    ------
    UsageError
        If the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source}: expected {expected}, found {reason_of(error)}") from error
    lines = text.splitlines()
    delimiter = ";" if lines and ";" in lines[0] else ","
    rows = csv.DictReader(lines, delimiter=delimiter, skipinitialspace=True)
    columns = [(column or "").strip() for column in rows.fieldnames or ()]
    rows.fieldnames = columns
    return UserTable(
        tuple(columns),
        tuple(
            (
                f"{source}, line {rows.line_num}",
                {column: (row[column] or "").strip() for column in columns},
            )
            for row in rows
        ),
    )


def path_in_table(cell: str) -> str:
    """Return a path below INPUT as usmicro writes it; empty if the cell is empty.

    Slashes are those of POSIX, and letters are in composed Unicode.
    """
    path = PurePosixPath(composed(cell.replace("\\", "/"))).as_posix()
    return "" if path == "." else path
