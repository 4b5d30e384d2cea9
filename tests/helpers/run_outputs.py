"""Runs in this process, and the files that they write."""

import csv
import re
from pathlib import Path

import usmicro

MEASURED = re.compile(rb'(<(dd|td)[^>]*class="measured"[^>]*>).*?</\2>')
"""Measured times in report.html, which differ between equal runs."""


def run(inputs, out, **options):
    """Run in this process; return the results as a list."""
    return list(usmicro.run(inputs, out=out, workers=1, **options))


def table(file: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV table."""
    with open(file, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def content(folder: Path) -> dict[str, bytes]:
    """Return the files of an output folder without measured times, which equal runs share."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    rows = table(folder / "images.csv")
    untimed = [[text for name, text in row.items() if name != "seconds"] for row in rows]
    files["images.csv"] = repr([list(rows[0]), *untimed]).encode()
    files["report.html"] = MEASURED.sub(rb"\1", files["report.html"])
    return {name: data for name, data in files.items() if not name.startswith("run.")}
