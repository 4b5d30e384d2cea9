"""Findings as CSV tables in UTF-8, with a header; values that were not measured are empty."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import IO, Any

from usmicro.model.findings import (
    Candidate,
    Cluster,
    Focus,
    Mass,
    Summary,
    TrackPoint,
    column_names,
)
from usmicro.model.scan import Device
from usmicro.model.warnings import ScanWarning

DEVICE_COLUMNS = tuple(field.name for field in fields(Device))
IMAGES_COLUMNS = (
    *("image", "status", "error"),
    *column_names(Summary),
    *("seconds", "warnings"),
    *DEVICE_COLUMNS,
)
MASSES_COLUMNS = ("image", *column_names(Mass))
FOCI_COLUMNS = ("image", *column_names(Focus))
CLUSTERS_COLUMNS = ("image", *column_names(Cluster))
TRACKS_COLUMNS = ("image", *column_names(TrackPoint))


def plain(finding: Focus | Mass | Cluster | Summary | TrackPoint | Candidate) -> dict[str, Any]:
    """Return the columns of a finding as Python's own types; NaN and infinity become None."""
    row = {}
    for name in column_names(type(finding)):
        value = getattr(finding, name)
        if hasattr(value, "item"):  # JSON and SQLite do not take NumPy's scalars
            value = value.item()
        row[name] = None if isinstance(value, float) and not math.isfinite(value) else value
    return row


def not_finite(finding: Focus | Mass | Summary) -> list[str]:
    """Return the names of the fields that hold NaN or infinity."""
    values = {field.name: getattr(finding, field.name) for field in fields(finding)}
    return [
        name
        for name, value in values.items()
        if isinstance(value, float) and not math.isfinite(value)
    ]


def cell(value: Any) -> str:
    """Format a value: numbers with six significant digits, an empty string for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return format(value + 0.0, ".6g")  # adding zero turns -0.0 into 0.0
    return str(value)


def warning_codes(warnings: Iterable[ScanWarning]) -> str | None:
    """Return the cell of the column `warnings`: each code once, in order of appearance."""
    return ";".join(dict.fromkeys(warning.code for warning in warnings)) or None


def table_writer(file: IO[bytes], columns: tuple[str, ...]) -> Callable[[Mapping[str, Any]], None]:
    """Write the header of a table and return the function that writes a row.

    A row must have a value, or None, for every column.
    """

    def write(values: list[str]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(values)
        # a file name that is not UTF-8 contains lone surrogates in Python
        file.write(line.getvalue().encode("utf-8", "backslashreplace"))

    write(list(columns))
    return lambda row: write([cell(row[column]) for column in columns])
