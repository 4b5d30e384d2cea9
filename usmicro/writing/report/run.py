"""What a finished run left in its folder, read back for the report."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from usmicro.errors import UsageError
from usmicro.writing.names import file_stems
from usmicro.writing.tables import CLUSTERS_COLUMNS, FOCI_COLUMNS, IMAGES_COLUMNS, MASSES_COLUMNS

COLUMNS = {
    "images": IMAGES_COLUMNS,
    "masses": MASSES_COLUMNS,
    "foci": FOCI_COLUMNS,
    "clusters": CLUSTERS_COLUMNS,
}
Row = dict[str, Any]

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
WORDS = frozenset(("image", "status", "error", "label_reason"))
"""Columns whose values are text even where they look like a number."""


@dataclass(frozen=True)
class Run:
    """The tables and the record of a run."""

    folder: Path
    images: list[Row]
    masses: dict[str, list[Row]]
    """By image, as are the next two."""
    foci: dict[str, list[Row]]
    clusters: dict[str, list[Row]]
    record: dict[str, Any]
    stems: dict[str, str]
    """What the files of each image are called, less the suffix."""

    def file(self, kind: str, image: str, suffix: str) -> Path:
        """A file of an image, below the folder of its kind; it need not exist."""
        # the whole name where the stem alone would have been that of an input beyond --limit
        paths = [self.folder / kind / f"{name}{suffix}" for name in (self.stems[image], image)]
        return next((path for path in paths if path.is_file()), paths[0])

    def link(self, file: Path) -> str:
        """A percent-encoded address of a file, relative to the folder; empty if it does not exist."""
        return quote(file.relative_to(self.folder).as_posix()) if file.is_file() else ""

    def told(self, image: str) -> dict[str, Any]:
        """What run.json tells of one image."""
        found: dict[str, Any] = self.record["images"].get(image, {})
        return found


def read_run(folder: Path) -> Run:
    """Read the tables and the record of a run.

    Raises
    ------
    UsageError
        If the folder holds no finished run, or one whose tables have other columns.
    """
    record = _read_record(folder)
    tables = {
        name: _read_table(folder / f"{name}.csv", columns) for name, columns in COLUMNS.items()
    }
    by_image: dict[str, dict[str, list[Row]]] = {}
    for name in ("masses", "foci", "clusters"):
        by_image[name] = defaultdict(list)
        for row in tables[name]:
            by_image[name][row["image"]].append(row)
    names = [row["image"] for row in tables["images"]]
    return Run(
        folder,
        tables["images"],
        **by_image,
        record=record,
        stems=dict(zip(names, file_stems(names), strict=True)),
    )


def _read_record(folder: Path) -> dict[str, Any]:
    file = folder / "run.json"
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        complete = record["complete"]
        for name in (
            "images",
            "settings",
            "versions",
            "seconds",
            "options",
            "decoders",
            "platform",
            "usmicro",
        ):
            record[name]
    except OSError as error:
        raise UsageError(
            f"{folder}: holds no run of usmicro (run.json: {error.strerror}); give the --out folder of a finished run"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{file}: is no record of a run of usmicro; give the --out folder of a finished run"
        ) from error
    if not complete:
        raise UsageError(
            f"{folder}: the run has not reached every input; finish it with usmicro run --resume, which also writes the report"
        )
    return dict(record)


def _read_table(file: Path, columns: tuple[str, ...]) -> list[Row]:
    try:
        with open(file, encoding="utf-8", newline="") as lines:
            reader = csv.reader(lines)
            header = tuple(next(reader, ()))
            if header != columns:
                raise UsageError(
                    f"{file}: has other columns than this version of usmicro writes; run usmicro run again with --overwrite"
                )
            return [
                {name: _value(name, text) for name, text in zip(columns, line, strict=True)}
                for line in reader
            ]
    except OSError as error:
        raise UsageError(
            f"{file}: cannot be read ({error.strerror}); the report needs all tables of a finished run"
        ) from error
    except (ValueError, csv.Error) as error:
        raise UsageError(
            f"{file}: is damaged ({error}); write it anew with usmicro run --resume"
        ) from error


def _value(name: str, text: str) -> str | int | float | None:
    """A cell as it was before it was written."""
    if not text:
        return None
    if name in WORDS or not NUMBER.fullmatch(text):
        return text
    return int(text) if text.lstrip("+-").isdigit() else float(text)
