"""Tables and record of a finished run, read from its folder."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import defaultdict
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from os.path import isfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from usmicro.errors import UsageError
from usmicro.settings import LabelSettings
from usmicro.writing.column_types import COLUMNS
from usmicro.writing.names import file_stems
from usmicro.writing.tables import DEVICE_COLUMNS

TABLES = ("images", "masses", "foci", "clusters")
"""Tables that are read with a run."""
Row = dict[str, Any]
"""Value of each column; None if the cell is empty."""

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
TEXT_COLUMNS = frozenset(
    (
        *("image", "status", "error", "label_reason", "shadow_reason", "twinkling_reason"),
        *("confidence_reason", "outline_px", "warnings", *DEVICE_COLUMNS),
    )
)
"""Columns whose values are text even if they look like a number."""
LATER_COLUMNS = frozenset(
    (
        *("shadow_reason", "twinkling_reason", "confidence_reason", "outline_px"),
        *("source", "warnings"),
        *DEVICE_COLUMNS,
    )
)
"""Columns that tables of version 0.1.0 do not have; their values are then unknown."""
RECORD_KEYS = (
    "images",
    "settings",
    "versions",
    "seconds",
    "options",
    "decoders",
    "platform",
    "usmicro",
)
"""Keys of run.json that the report needs."""
RUN_ID_LENGTH = 12
"""Number of hexadecimal digits of the identifier of a run: enough to tell the runs of a reader."""


@dataclass(frozen=True)
class Run:
    """Tables and record of a run."""

    folder: Path
    images: list[Row]
    """Rows of images.csv."""
    masses: dict[str, list[Row]]
    """Rows of masses.csv, by image."""
    foci: dict[str, list[Row]]
    """Rows of foci.csv, by image."""
    clusters: dict[str, list[Row]]
    """Rows of clusters.csv, by image."""
    record: dict[str, Any]
    """Content of run.json."""
    stems: dict[str, str]
    """Names of the files of each image, without their endings."""

    @cached_property
    def identifier(self) -> str:
        """Identifier of the findings of the run, to which the decisions of a reader belong.

        It is a hash of the tables, without computing times. A run that is repeated with the same
        results keeps its identifier, and one whose foci have other numbers gets another.
        """
        digest = hashlib.sha256()
        images = ([value for key, value in row.items() if key != "seconds"] for row in self.images)
        findings = (
            [kind, list(row.values())]
            for kind, table in (("focus", self.foci), ("mass", self.masses))
            for rows in table.values()
            for row in rows
        )
        for record in chain(images, findings):
            digest.update(json.dumps(record).encode())
        return digest.hexdigest()[:RUN_ID_LENGTH]

    @property
    def listed_from(self) -> float:
        """Confidence from which the run lists foci; 0 for a run that did not record it."""
        return float(self.record.get("listed_from_confidence") or 0.0)

    @property
    def shown_from(self) -> float:
        """Confidence from which the report shows foci when it is opened."""
        return float(self.record.get("shown_from_confidence") or self.listed_from)

    @property
    def shown_foci(self) -> list[Row]:
        """Foci of all images that the report shows when it is opened."""
        return [focus for rows in self.foci.values() for focus in rows if self.is_shown(focus)]

    def is_shown(self, focus: Row) -> bool:
        """Return True if the report shows a focus when it is opened.

        The tables have six digits of a confidence, so that all foci are shown unless the report
        begins above the confidence from which the run lists them.
        """
        confidence = focus["confidence"]
        everything = self.shown_from <= self.listed_from
        return everything or confidence is None or bool(confidence >= self.shown_from)

    @property
    def cluster_rule(self) -> dict[str, float]:
        """Distance in mm up to which foci of a cluster are linked, and its least size."""
        labels = {**asdict(LabelSettings()), **self.record["settings"].get("labels", {})}
        return {"distance": labels["cluster_distance"], "size": labels["cluster_size"]}

    def file(self, kind: str, image: str, suffix: str) -> Path:
        """Return the path of a file of an image, in the folder of its kind; it may be missing."""
        present = self._present(kind, image, suffix)
        return self.folder / (present or f"{kind}/{self.stems[image]}{suffix}")

    def link(self, kind: str, image: str, suffix: str) -> str:
        """Return the percent-encoded address of such a file; empty if it is missing."""
        return quote(self._present(kind, image, suffix))

    def _present(self, kind: str, image: str, suffix: str) -> str:
        """Return the path of a file of an image in the folder; empty if it is missing.

        Texts are joined faster than paths, and a report asks for six files of each image.
        """
        # with --limit, a name keeps its ending if an input beyond the limit has the same stem
        names = (f"{kind}/{name}{suffix}" for name in (self.stems[image], image))
        return next((name for name in names if isfile(f"{self.folder}/{name}")), "")

    def image_record(self, image: str) -> dict[str, Any]:
        """Return the entry of an image in run.json."""
        entry: dict[str, Any] = self.record["images"].get(image, {})
        return entry

    def key_frame(self, image: str) -> int:
        """Return the index of the frame that the label image and the picture show."""
        return int(self.image_record(image).get("key_frame") or 0)


def read_run(folder: Path) -> Run:
    """Read the tables and the record of a run.

    Raises
    ------
    UsageError
        If the folder has no finished run, or its tables have other columns.
    """
    record = _read_record(folder)
    tables = {name: read_table(folder / f"{name}.csv", COLUMNS[name]) for name in TABLES}
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
    """Read run.json and check that the run is finished."""
    file = folder / "run.json"
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        complete = record["complete"]
        for key in RECORD_KEYS:
            record[key]
    except OSError as error:
        raise UsageError(
            f"{folder}: contains no run of usmicro (run.json: {error.strerror}); "
            "give the --out folder of a finished run"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{file}: is not the record of a run of usmicro; "
            "give the --out folder of a finished run"
        ) from error
    if not complete:
        raise UsageError(
            f"{folder}: the run has not reached every input; "
            "finish it with usmicro run --resume, which also writes the report"
        )
    return dict(record)


def read_table(file: Path, columns: tuple[str, ...]) -> list[Row]:
    """Read a table of a run and check its columns.

    Parameters
    ----------
    file : path
    columns : tuple of str
        Columns that this version writes.

    Returns
    -------
    list of dict
        Each row by column; None where a cell is empty.

    Raises
    ------
    UsageError
        If the file cannot be read, is damaged or has other columns.
    """
    try:
        with open(file, encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            header = tuple(next(reader, ()))
            present = tuple(name for name in columns if name in header)
            if header != present or not set(columns) - LATER_COLUMNS <= set(header):
                raise UsageError(
                    f"{file}: has other columns than this version of usmicro writes; "
                    "run usmicro run again with --overwrite"
                )
            unknown: Row = dict.fromkeys(columns)
            return [
                unknown
                | {name: cell_value(name, text) for name, text in zip(header, line, strict=True)}
                for line in reader
            ]
    except OSError as error:
        raise UsageError(
            f"{file}: cannot be read ({error.strerror}); "
            "the report needs all tables of a finished run"
        ) from error
    except (ValueError, csv.Error) as error:
        raise UsageError(
            f"{file}: is damaged ({error}); write it again with usmicro run --resume"
        ) from error


def cell_value(name: str, text: str) -> str | int | float | None:
    """Return the value of a cell."""
    if not text:
        return None
    if name in TEXT_COLUMNS or not NUMBER.fullmatch(text):
        return text
    return int(text) if text.lstrip("+-").isdigit() else float(text)
