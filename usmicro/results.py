"""A finished run, read from its folder: tables as data frames, pictures on demand."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from usmicro.errors import UsageError
from usmicro.model.arrays import ByteImage
from usmicro.settings import Settings, with_values
from usmicro.writing.column_types import COLUMNS, ColumnType, column_types
from usmicro.writing.report.page import REPORT
from usmicro.writing.report.pictures import stored_picture
from usmicro.writing.report.run import Row, Run, read_run, read_table

if TYPE_CHECKING:
    import pandas

SHOWN_IMAGES = 20
"""Number of images that a notebook shows."""
LATER_TABLES = ("tracks",)
"""Tables that a run of version 0.1.0 does not have."""
PANDAS_TYPES: dict[ColumnType, str] = {"int": "Int64", "float": "float64", "text": "string"}
"""Type of a column of a data frame. A missing value is NA, of a float NaN."""


def read_results(folder: str | os.PathLike[str]) -> Results:
    """Read a finished run.

    Parameters
    ----------
    folder : path
        The output folder of `usmicro run`, `usmicro.run` or `Analysis.save`.

    Returns
    -------
    Results

    Raises
    ------
    UsageError
        If the folder has no finished run, or its tables are damaged or of another version.
    """
    if not isinstance(folder, str | os.PathLike):
        raise UsageError(
            f"read_results: expected the path of the folder of a run, found "
            f"{type(folder).__name__}; give the folder that was `out` of the run"
        )
    return Results(read_run(Path(folder)))


class Results:
    """A finished run. Tables are read when they are first used, pictures each time.

    The tables are pandas data frames with the columns of the CSV files and their types; an empty
    cell is a missing value. Without pandas, use `rows`.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return self._run.folder

    @cached_property
    def images(self) -> pandas.DataFrame:
        """One row for each input."""
        return self._frame("images")

    @cached_property
    def masses(self) -> pandas.DataFrame:
        """One row for each mass."""
        return self._frame("masses")

    @cached_property
    def foci(self) -> pandas.DataFrame:
        """One row for each listed focus."""
        return self._frame("foci")

    @cached_property
    def clusters(self) -> pandas.DataFrame:
        """One row for each cluster of foci."""
        return self._frame("clusters")

    @cached_property
    def tracks(self) -> pandas.DataFrame:
        """Of cines, one row for each listed focus on each frame that shows it."""
        return self._frame("tracks")

    @property
    def names(self) -> list[str]:
        """Names of the inputs, in the order of the tables."""
        return [row["image"] for row in self._run.images]

    @property
    def failed(self) -> dict[str, str]:
        """Reason of each input that failed, by name."""
        return {row["image"]: row["error"] for row in self._run.images if row["status"] != "ok"}

    @property
    def record(self) -> Mapping[str, Any]:
        """Content of run.json: options, settings, versions, timings, notes and warnings."""
        return self._run.record

    @cached_property
    def settings(self) -> Settings:
        """Settings of the run. Files and folders among them are given by their name alone.

        Raises
        ------
        SettingsError
            If another version of usmicro wrote settings that this one does not have.
        """
        source = str(self.folder / "run.json")
        return with_values(Settings(), self.record["settings"], source=source)

    @property
    def report(self) -> Path:
        """Path of report.html."""
        return self.folder / REPORT

    def rows(self, table: str) -> list[Row]:
        """Return a table as dictionaries.

        Parameters
        ----------
        table : str
            "images", "masses", "foci", "clusters" or "tracks".

        Returns
        -------
        list of dict
            Values by column; None where a cell is empty.

        Raises
        ------
        UsageError
            If there is no such table, or it cannot be read.
        """
        if table not in COLUMNS:
            raise UsageError(
                f"rows({table!r}): there is no such table; the tables are {', '.join(COLUMNS)}"
            )
        if table == "images":
            return [dict(row) for row in self._run.images]
        if table in LATER_TABLES and not (self.folder / f"{table}.csv").is_file():
            return []
        return read_table(self.folder / f"{table}.csv", COLUMNS[table])

    def overlay(self, image: str) -> ByteImage:
        """Read the picture of an input with its findings; of a cine, of the key frame.

        Returns
        -------
        array, shape (rows, columns, 3), uint8 RGB
            Enlarged if the scan is small, with a legend below.

        Raises
        ------
        UsageError
            If there is no such input, it failed, or the picture cannot be read.
        """
        return self._picture("overlays", image, cv2.IMREAD_COLOR)[..., ::-1].copy()

    def labels(self, image: str) -> ByteImage:
        """Read the label image of an input; of a cine, of the key frame.

        Returns
        -------
        array, shape (rows, columns), uint8
            0 tissue, 1 mass, 2 duct, 3 nonmass area, 255 not tissue.

        Raises
        ------
        UsageError
            If there is no such input, it failed, or the picture cannot be read.
        """
        return self._picture("masks", image, cv2.IMREAD_GRAYSCALE)

    def _frame(self, table: str) -> pandas.DataFrame:
        """Return a table as a data frame.

        Raises
        ------
        UsageError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise UsageError(
                f"{self.folder}: data frames need pandas, which is not installed; "
                f'run pip install "usmicro[frames]", or use rows("{table}")'
            ) from error
        rows = self.rows(table)
        return pandas.DataFrame(
            {
                name: pandas.Series([row[name] for row in rows], dtype=PANDAS_TYPES[kind])
                for name, kind in column_types(table).items()
            }
        )

    def _picture(self, folder: str, image: str, flag: int) -> ByteImage:
        """Read a picture of an input."""
        if image not in self._run.stems:
            similar = get_close_matches(str(image), self.names, n=1, cutoff=0)
            raise UsageError(
                f"{self.folder}: the run has no input {image!r}"
                + (f"; the most similar name is {similar[0]!r}" if similar else "")
            )
        if image in self.failed:
            raise UsageError(f"{self.folder}: {image} has no pictures: {self.failed[image]}")
        return stored_picture(self._run.file(folder, image, ".png"), flag)

    def _counts(self) -> list[str]:
        """Return the numbers of inputs and findings in words."""
        counts: Mapping[str, int] = self.record.get("counts", {})
        return [
            f"{counts[name]} {name}"
            for name in ("images", "failed", "masses", "foci")
            if name in counts
        ]

    def __repr__(self) -> str:
        return f"<Results of {self.folder}: {', '.join(self._counts())}>"

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows."""
        from usmicro.writing.notebook import rows_html

        shown = ("image", "status", "foci", "intramass", "extramass", "intraductal", "masses")
        rows = [{name: row[name] for name in shown} for row in self._run.images[:SHOWN_IMAGES]]
        more = len(self._run.images) - len(rows)
        return (
            f"<p>{html.escape(str(self.folder))}: {', '.join(self._counts())}</p>"
            f"{rows_html(rows)}" + (f"<p>and {more} more images</p>" if more else "")
        )
