"""The result of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field

from usmicro.evaluation.comments import Comments
from usmicro.evaluation.group_measures import GroupRow
from usmicro.evaluation.matching import Comparison
from usmicro.evaluation.metrics import FreeResponse
from usmicro.evaluation.readers import ReaderRow
from usmicro.evaluation.rows import Row, finite
from usmicro.writing.report.run import Run

Cells = dict[str, str | float | int | None]
"""One row of a table, by column."""


@dataclass(frozen=True)
class Evaluation:
    """Measures of a run with their confidence intervals, and the comparison behind them."""

    rows: list[Row]
    """The measures."""
    comparison: Comparison
    """The images of the run beside their labels."""
    froc: FreeResponse | None
    """Free-response curve of the foci; None if no foci are marked."""
    listed: float
    """Confidence from which foci are listed by default, or that of the run if it is higher."""
    complete: bool
    """True if the run listed every candidate, so that the free-response curve is complete."""
    resampled: str
    """What was resampled for the intervals: "images" or "patients"."""
    run: Run
    """The run that was evaluated."""
    readers: list[ReaderRow] = field(default_factory=list)
    """Agreement of several readers with one another and with the program."""
    groups: list[GroupRow] = field(default_factory=list)
    """The measures of each group of images."""
    comments: Comments = field(default_factory=Comments)
    """The comments of the readers; empty without a review."""

    @property
    def remarks(self) -> list[str]:
        """Remarks for the reader, such as labels that were not used."""
        return self.comparison.remarks

    def to_rows(self) -> list[Cells]:
        """Return the measures as dictionaries; a missing bound of an interval is None."""
        return [_cells(row) for row in self.rows]

    def reader_rows(self) -> list[Cells]:
        """Return the agreement of the readers likewise, each measure with who is compared."""
        return [
            {"one": reader.one, "other": reader.other, **_cells(reader.row)}
            for reader in self.readers
        ]

    def group_rows(self) -> list[Cells]:
        """Return the measures of each group likewise, with the group."""
        return [{"group": item.group, **_cells(item.row)} for item in self.groups]


def _cells(row: Row) -> Cells:
    return {
        "measure": row.measure,
        "value": finite(row.estimate.value),
        "low": finite(row.estimate.low),
        "high": finite(row.estimate.high),
        "images": row.images,
    }
