"""The lines that `usmicro run` prints at the end: counts, warnings, and where the results are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from usmicro.batch.progress import duration, printable
from usmicro.batch.results import Result
from usmicro.model.warnings import RunWarning

LABELS = ("intramass", "extramass", "intraductal")
"""Labels of foci, in the order in which their numbers are printed."""


class Totals:
    """Counts the results of a run."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, result: Result) -> None:
        """Count a result."""
        self._counts.update(["images", result.status])
        if result.summary is not None:
            self._counts.update(
                {name: getattr(result.summary, name) for name in ("foci", *LABELS, "masses")}
            )

    @property
    def failed(self) -> int:
        """Number of inputs that failed."""
        return self._counts["failed"]

    def lines(self, out: Path | str, warnings: Sequence[RunWarning], seconds: float) -> list[str]:
        """Return the lines to print.

        Parameters
        ----------
        out : path or str
            Output folder or its address.
        warnings : sequence of RunWarning
        seconds : float
            Time that the run took.
        """
        counts = self._counts
        failed = f", {self.failed} failed (reasons in {out}/images.csv)" if self.failed else ""
        labels = ", ".join(f"{counts[label]} {label}" for label in LABELS)
        foci = _counted(counts["foci"], "focus", "foci")
        masses = _counted(counts["masses"], "mass", "masses")
        return [
            f"{counts['ok']} of {_counted(counts['images'], 'image', 'images')} done{failed} "
            f"in {duration(seconds)}",
            f"{foci} ({labels}), {masses}",
            *warning_lines(warnings),
            f"results in {out}: open {out}/report.html in a browser",
        ]


def warning_lines(warnings: Sequence[RunWarning]) -> list[str]:
    """Return the lines of the block of warnings; each kind has a count, an example and advice."""
    if not warnings:
        return ["no warnings"]
    lines = ["warnings:"]
    for warning in warnings:
        explanation = warning.explanation
        lines.append(f"  {warning.count} x {warning.code}: {explanation.title}.")
        lines += [f"      for example {printable(example)}" for example in warning.examples[:1]]
        lines.append(f"      {explanation.advice}")
    return lines


def _counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many}"
