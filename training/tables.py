"""Tables that the programs print. This module is not a program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from usmicro.errors import UsageError

Row = Mapping[str, float | None]
"""Values of a row of a table by column; None where there is nothing to measure."""


def print_table(title: str, rows: Mapping[str, Row]) -> None:
    """Print a Markdown table. All rows have the same columns."""
    columns = list(next(iter(rows.values())))
    print(f"\n{title}\n\n| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(_cell(row[column]) for column in columns)} |", flush=True)


def _cell(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def write_part(document: Path, command: str, text: str) -> None:
    """Replace the part of a document that a command has written.

    The part lies between the comments `<!-- begin: written by COMMAND -->` and `<!-- end -->`.

    Raises
    ------
    UsageError
        If the document has no such part.
    """
    whole = document.read_text(encoding="utf-8")
    begin, end = f"<!-- begin: written by {command} -->", "<!-- end -->"
    before, found, rest = whole.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise UsageError(f"{document}: expected a part between {begin!r} and {end!r}")
    document.write_text(f"{before}{begin}\n{text.rstrip()}\n\n{end}{after}", encoding="utf-8")
