"""The table of a review: its columns and rows, also of a file that is damaged or cut off."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from usmicro.errors import UsageError, reason_of

Line = tuple[int, list[str], str]
"""Number of the line on which a row ends, its cells, and why it cannot be used, if so."""


def read_table(path: Path) -> tuple[list[str], Iterator[Line]]:
    """Return the columns of a CSV table and its rows, without empty lines."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: cannot be read as a review ({reason_of(error)}); "
            "expected review.csv as report.html exports it, UTF-8 text separated by commas"
        ) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [name.strip() for name in next(reader, [])]
    except csv.Error:
        columns = []
    return columns, _lines(reader, len(columns), ends=text.endswith("\n"))


def _lines(reader: Any, columns: int, *, ends: bool) -> Iterator[Line]:
    """Yield the rows of a table; `ends` is True if its last line is complete."""
    cut_off = "cut off, since the file ends within the row; row not used"
    waiting: Line | None = None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            at_end = "end of data" in str(error)
            yield (
                reader.line_num,
                [],
                cut_off if at_end else f"no valid CSV ({error}); row not used",
            )
            continue
        if waiting is not None:
            yield waiting
        waiting = (reader.line_num, cells, "") if any(cells) else None
    if waiting is not None:
        is_cut = not ends and len(waiting[1]) < columns
        yield (waiting[0], waiting[1], cut_off) if is_cut else waiting
