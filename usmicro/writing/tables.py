"""Findings as CSV tables: UTF-8 with a header, an empty cell where nothing was measured."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import IO, Any

from usmicro.model.findings import Cluster, Focus, Mass, Summary

IMAGES_COLUMNS = ("image", "status", "error", *(field.name for field in fields(Summary)), "seconds")
MASSES_COLUMNS = ("image", *(field.name for field in fields(Mass)))
FOCI_COLUMNS = ("image", *(field.name for field in fields(Focus)))
CLUSTERS_COLUMNS = ("image", *(field.name for field in fields(Cluster)))


def plain(finding: Focus | Mass | Cluster | Summary) -> dict[str, Any]:
    """A finding as a dictionary of Python's own types; a number that is NaN or infinite becomes None."""
    row = {}
    for field in fields(finding):
        value = getattr(finding, field.name)
        value = (
            value.item() if hasattr(value, "item") else value
        )  # NumPy's scalars go into neither JSON nor SQLite
        row[field.name] = None if isinstance(value, float) and not math.isfinite(value) else value
    return row


def not_finite(finding: Focus | Mass | Summary) -> list[str]:
    """Fields that hold NaN or infinity, which `plain` empties."""
    values = {field.name: getattr(finding, field.name) for field in fields(finding)}
    return [
        name
        for name, value in values.items()
        if isinstance(value, float) and not math.isfinite(value)
    ]


def cell(value: Any) -> str:
    """A value as text: six significant digits, empty for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return format(value + 0.0, ".6g")  # adding zero turns -0.0 into 0.0
    return str(value)


def table_writer(file: IO[bytes], columns: tuple[str, ...]) -> Callable[[Mapping[str, Any]], None]:
    """Write the header of a table and give the function that writes a row; every row must have a value, or None, for every column."""

    def write(values: list[str]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(values)
        # a file name that is not UTF-8 reaches Python as lone surrogates
        file.write(line.getvalue().encode("utf-8", "backslashreplace"))

    write(list(columns))
    return lambda row: write([cell(row[column]) for column in columns])
