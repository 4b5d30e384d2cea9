"""Tables that the programs print. This module is not a program."""

from __future__ import annotations

from collections.abc import Mapping

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
