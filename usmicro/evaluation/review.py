"""Read reviews: the corrections that readers made in report.html and exported as review.csv."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from usmicro.errors import UsageError
from usmicro.evaluation.metrics import LEAST_DISTANCE_PX
from usmicro.evaluation.names import ImageNames
from usmicro.evaluation.review_cells import (
    REVIEW_COLUMNS,
    CellError,
    Cells,
    calcification_in,
    number_in,
    outline_in,
    position_in,
    text_in,
    whole_number_in,
    word_in,
)
from usmicro.evaluation.review_rows import (
    Decision,
    FindingComment,
    FocusReview,
    ImageReview,
    MassReview,
    Problem,
    Review,
)
from usmicro.evaluation.review_table import read_table
from usmicro.writing.report.run import Run

__all__ = [
    "FindingComment",
    "FocusReview",
    "ImageReview",
    "MassReview",
    "Problem",
    "Review",
    "is_review",
    "read_review",
]

KEY_COLUMNS = frozenset(("image", "decision", "reader"))
"""Columns that tell a review from other tables of labels."""
NEEDED_COLUMNS = ("image", "focus", "x_px", "y_px", "decision", "reader")
"""Columns without which a review cannot be read; others may be missing."""
SAME_PLACE_PX = 0.05
"""Largest difference of a position in a review from that in the tables of its run, pixels: a review
has two decimals, and a table six significant digits."""

Placed = FocusReview | MassReview | FindingComment
AnyRow = Placed | ImageReview


def is_review(columns: Iterable[str]) -> bool:
    """Return True if a table with these columns is a review."""
    return set(columns) >= KEY_COLUMNS


def read_review(files: Path | Sequence[Path], run: Run) -> Review:
    """Read one or several review files and check them against a run.

    A row that cannot be used is left out, and a cell that cannot be used counts as empty;
    `problems` says which, and why. Of two rows about the same thing the last is used. A file that
    has no column `reviewed` counts every image that it names as completely read.

    Parameters
    ----------
    files : path or sequence of paths
        review.csv of one or of several readers.
    run : Run
        The run that was reviewed, or another run of the same images. Foci and masses of another run
        are found by their position. A row has no number if this run has none at its place.

    Returns
    -------
    Review

    Raises
    ------
    UsageError
        If a file cannot be read or is no review, or no row can be used.
    """
    paths = (files,) if isinstance(files, Path) else tuple(files)
    reader = _ReviewReader(run)
    for path in paths:
        reader.add(path)
    return reader.review(paths)


class _ReviewReader:
    """Collects the rows and the problems of review files."""

    def __init__(self, run: Run) -> None:
        self._folder = run.folder
        self._example = run.images[0]["image"] if run.images else "none"
        self._names = ImageNames(row["image"] for row in run.images)
        self._shapes = {row["image"]: (row["rows"], row["columns"]) for row in run.images}
        self._run_id = run.identifier
        self._places = {
            (kind, name): {row[kind]: (row["x_px"], row["y_px"], row["frame"]) for row in rows}
            for kind, table in (("focus", run.foci), ("mass", run.masses))
            for name, rows in table.items()
        }
        self._rows: dict[tuple[object, ...], AnyRow] = {}
        self._problems: dict[str, list[tuple[str, str]]] = {}
        self._fits = True

    def add(self, path: Path) -> None:
        """Read a file."""
        columns, lines = read_table(path)
        if missing := [name for name in NEEDED_COLUMNS if name not in columns]:
            raise UsageError(
                f"{path}: is not a review: the columns {', '.join(missing)} are missing; expected "
                "review.csv as report.html exports it, with the columns "
                f"{', '.join(REVIEW_COLUMNS)}"
            )
        added = []
        for line, cells, fault in lines:
            where = f"{path.name}, line {line}"
            if fault:
                self._problem(fault, where)
            elif len(cells) != len(columns):
                found = f"{len(cells)} instead of {len(columns)} cells"
                self._problem("another number of cells than columns; row not used", where, found)
            else:
                row = dict(zip(columns, cells, strict=True))
                try:
                    added.append(self._add_row(row, where, path.name, line))
                except CellError as error:
                    self._problem(f"{error.expected}; row not used", where, error.found)
        if "reviewed" not in columns:
            for one in added:
                self._count_as_reviewed(one)

    def review(self, paths: tuple[Path, ...]) -> Review:
        """Return what was read."""
        problems = [Problem(reason, tuple(found)) for reason, found in self._problems.items()]
        if not self._rows:
            details = "".join(f"\n  {problem.text}" for problem in problems)
            raise UsageError(
                f"{', '.join(map(str, paths))}: no row of the review can be used with the run "
                f"{self._folder}, whose images have names such as {self._example}{details}"
            )
        rows = [row if self._fits else self._renumbered(row) for row in self._rows.values()]
        return Review(
            paths,
            [row for row in rows if isinstance(row, FocusReview)],
            [row for row in rows if isinstance(row, MassReview)],
            [row for row in rows if isinstance(row, ImageReview)],
            [row for row in rows if isinstance(row, FindingComment)],
            problems,
            self._fits,
        )

    def _problem(self, reason: str, where: str, found: str = "") -> None:
        self._problems.setdefault(reason, []).append((where, found))

    def _add_row(self, row: Cells, where: str, file: str, line: int) -> AnyRow:
        """Add a row; its kind follows from its cells."""
        image = self._names.find(row["image"])
        if image is None:
            raise CellError("image that the run does not have", row["image"] or "no name")
        common: dict[str, Any] = {
            "file": file,
            "line": line,
            "image": image,
            "reader": text_in(row, "reader"),
            "comment": text_in(row, "comment"),
            "run": row.get("run", "").strip(),
            "blind": self._word(row, "blind", ("yes", "no"), where) == "yes",
        }
        decisions = ("accepted", "rejected", "added")
        decision = cast(Decision | None, word_in(row, "decision", decisions))
        mass = cast(Decision | None, word_in(row, "mass", decisions))
        parsed: AnyRow
        key: tuple[object, ...]
        if decision is not None:
            parsed, key = self._focus(row, where, decision, common)
        elif mass is not None:
            parsed, key = self._mass(row, where, mass, common)
        elif any(row.get(column, "").strip() for column in ("focus", "mass_number")):
            parsed, key = self._comment(row, where, common)
        else:
            answer = None
            try:
                answer = calcification_in(row)
            except CellError as error:
                self._problem(f"{error.expected}; cell not used", where, error.found)
            reviewed = self._word(row, "reviewed", ("yes", "no"), where) == "yes"
            parsed = ImageReview(calcification=answer, reviewed=reviewed, **common)
            key = ("image",)
        key = (image, parsed.reader, *key)
        if key in self._rows:
            earlier = self._rows.pop(key)
            found = f"{image}, first in {earlier.file}, line {earlier.line}"
            self._problem("repetition of an earlier row, which is replaced", where, found)
        self._rows[key] = parsed
        return parsed

    def _focus(
        self, row: Cells, where: str, decision: Decision, common: dict[str, Any]
    ) -> tuple[FocusReview, tuple[object, ...]]:
        """Return a row about a focus, and what tells it from others of its image."""
        position = position_in(row, self._shapes[common["image"]])
        number = whole_number_in(row, "focus", 1)
        if (number is None) != (decision == "added"):
            raise CellError(
                "column focus: expected a number for an accepted or rejected focus, and nothing "
                "for an added one",
                f"{row['focus'].strip() or 'nothing'} for {decision}",
            )
        diameter = None
        try:
            diameter = number_in(row, "diameter_px", least=0.0)
        except CellError as error:
            self._problem(f"{error.expected}; cell not used", where, error.found)
        frame = whole_number_in(row, "frame", 0) or 0
        focus = FocusReview(
            **common,
            decision=decision,
            focus=number,
            frame=frame,
            x_px=position[0],
            y_px=position[1],
            diameter_px=diameter,
            label=self._word(row, "label", ("intramass", "extramass", "intraductal"), where),
            shadow=self._word(row, "shadow", ("yes", "no", "not assessable"), where),
            twinkling=self._word(
                row, "twinkling", ("yes", "possible", "no", "not assessable"), where
            ),
        )
        # only a rejected focus has its place in the run for sure: an accepted one may be moved
        self._check_number("focus", focus, where, is_moved=decision == "accepted")
        return focus, ("focus", number, None if number else (frame, *position))

    def _mass(
        self, row: Cells, where: str, decision: Decision, common: dict[str, Any]
    ) -> tuple[MassReview, tuple[object, ...]]:
        """Return a row about a mass, and what tells it from others of its image."""
        position = position_in(row, self._shapes[common["image"]])
        number, outline = whole_number_in(row, "mass_number", 1), outline_in(row)
        if number is None and outline is None:
            raise CellError(
                "expected the number of a mass in column mass_number or an outline in column "
                "outline_px",
                "neither",
            )
        mass = MassReview(
            **common,
            decision="added" if number is None else decision,
            mass=number,
            frame=whole_number_in(row, "frame", 0) or 0,
            x_px=position[0],
            y_px=position[1],
            outline=outline,
        )
        self._check_number("mass", mass, where, is_moved=outline is not None)
        return mass, ("mass", number, None if number else outline)

    def _comment(
        self, row: Cells, where: str, common: dict[str, Any]
    ) -> tuple[FindingComment, tuple[object, ...]]:
        """Return a comment on a finding without a decision, and what tells it from others."""
        if not common["comment"]:
            raise CellError("expected a decision or a comment on a focus or mass", "neither")
        kind: Literal["focus", "mass"] = "focus" if row["focus"].strip() else "mass"
        position = position_in(row, self._shapes[common["image"]])
        comment = FindingComment(
            **common,
            kind=kind,
            number=whole_number_in(row, "focus" if kind == "focus" else "mass_number", 1),
            frame=whole_number_in(row, "frame", 0) or 0,
            x_px=position[0],
            y_px=position[1],
        )
        self._check_number(kind, comment, where, is_moved=False)
        return comment, ("comment", kind, comment.number)

    def _word(self, row: Cells, column: str, words: Sequence[str], where: str) -> str | None:
        """Return a word; an unknown word is a problem and counts as an empty cell."""
        try:
            return word_in(row, column, words)
        except CellError as error:
            self._problem(f"{error.expected}; cell not used", where, error.found)
            return None

    def _check_number(self, kind: str, row: Placed, where: str, *, is_moved: bool) -> None:
        """Note if a focus or mass belongs to another run; `is_moved` is True if it may be moved."""
        number = _number_of(row)
        if number is None:
            return
        there = self._places.get((kind, row.image), {}).get(number)
        is_here = there is not None and (is_moved or _distance(row, there) <= SAME_PLACE_PX)
        if is_here and row.run in ("", self._run_id):
            return
        self._fits = False
        self._problem(
            f"{kind} of another run; it is looked for at its place in this run, not by its number",
            where,
            f"{kind} {number} of {row.image}",
        )

    def _renumbered(self, row: AnyRow) -> AnyRow:
        """Return a row of another run with the number of what this run has at its place.

        A mass is the same only if its centre is, since the outline of the other run is not known.
        """
        if isinstance(row, ImageReview):
            return row
        kind = _kind_of(row)
        distances = {
            number: _distance(row, there)
            for number, there in self._places.get((kind, row.image), {}).items()
        }
        number = min(distances, key=lambda number: distances[number], default=None)
        most = SAME_PLACE_PX
        if kind == "focus":
            diameter = row.diameter_px if isinstance(row, FocusReview) else None
            most = max(LEAST_DISTANCE_PX, (diameter or 0.0) / 2)
        if number is not None and distances[number] > most:
            number = None
        if _number_of(row) is None:
            return row
        if isinstance(row, FindingComment):
            return replace(row, number=number)
        if isinstance(row, FocusReview):
            return replace(row, focus=number)
        return replace(row, mass=number)

    def _count_as_reviewed(self, row: AnyRow) -> None:
        """Count the image of a row as completely read."""
        key = (row.image, row.reader, "image")
        former = self._rows.get(key, row)
        self._rows[key] = ImageReview(
            file=former.file,
            line=former.line,
            image=row.image,
            reader=row.reader,
            comment=former.comment if isinstance(former, ImageReview) else "",
            run=former.run,
            blind=former.blind,
            calcification=former.calcification if isinstance(former, ImageReview) else None,
            reviewed=True,
        )


def _kind_of(row: Placed) -> str:
    """Return the table that a row is about."""
    if isinstance(row, FindingComment):
        return row.kind
    return "focus" if isinstance(row, FocusReview) else "mass"


def _number_of(row: Placed) -> int | None:
    """Return the number of the focus or mass that a row is about."""
    if isinstance(row, FindingComment):
        return row.number
    return row.focus if isinstance(row, FocusReview) else row.mass


def _distance(row: Placed, place: tuple[float, float, int]) -> float:
    """Return the distance of a row from a place (column, row, frame); infinite in other frames."""
    x_px, y_px, frame = place
    return math.hypot(row.x_px - x_px, row.y_px - y_px) if row.frame == frame else math.inf
