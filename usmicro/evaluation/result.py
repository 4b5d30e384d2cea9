"""The result of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from usmicro.evaluation.matching import Comparison
from usmicro.evaluation.metrics import FreeResponse
from usmicro.evaluation.rows import Row, finite

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

    @property
    def remarks(self) -> list[str]:
        """Remarks for the reader, such as labels that were not used."""
        return self.comparison.remarks

    def to_rows(self) -> list[Cells]:
        """Return the measures as dictionaries; a missing bound of an interval is None."""
        return [
            {
                "measure": row.measure,
                "value": finite(row.estimate.value),
                "low": finite(row.estimate.low),
                "high": finite(row.estimate.high),
                "images": row.images,
            }
            for row in self.rows
        ]
