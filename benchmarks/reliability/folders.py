"""Comparison of output folders without measured times, which differ between equal runs."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

MEASURED = re.compile(rb'(<(dd|td)[^>]*class="measured"[^>]*>).*?</\2>')
"""Cells of report.html that hold measured times."""


def comparable(folder: Path) -> dict[str, bytes]:
    """Return the files of an output folder by name, without run.json and run.sqlite.

    The column `seconds` and the measured cells of the report are emptied.
    """
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    if "images.csv" in files:
        rows = csv.DictReader(io.StringIO(files["images.csv"].decode("utf-8"), newline=""))
        untimed = [{**row, "seconds": ""} for row in rows]
        files["images.csv"] = repr((rows.fieldnames, untimed)).encode()
    if "report.html" in files:
        files["report.html"] = MEASURED.sub(rb"\1", files["report.html"])
    return {name: content for name, content in files.items() if not name.startswith("run.")}


def differences(one: Path, other: Path) -> list[str]:
    """Return the names of the files that differ between two folders."""
    first, second = comparable(one), comparable(other)
    return sorted(
        name for name in first.keys() | second.keys() if first.get(name) != second.get(name)
    )
