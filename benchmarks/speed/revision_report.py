"""Write the comparison of two revisions as text, as JSON, and into docs/speed.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.markdown import replace_generated_part, table
from benchmarks.speed.report import format_number
from benchmarks.speed.revisions import BY_CLOCK, CONFIDENCE, LEAST_DIFFERENCE, Measured, Ratio

BEGIN, END = "<!-- begin: written by python -m benchmarks.speed --compare -->", "<!-- end -->"
"""Lines of a document between which the comparison is written."""


def comparison_as_text(command: str, commit: str, rows: Sequence[Measured]) -> str:
    """Return the comparison as a Markdown table and one sentence about its rule."""
    head = ("measured", "old, ms", "new, ms", "old / new", "interval", "the new revision is")
    cells = [
        (
            f"{row.name}, by the clock" if row.name in BY_CLOCK else row.name,
            format_number(row.old),
            format_number(row.new),
            f"{row.ratio.median:.2f}",
            _interval(row.ratio),
            row.ratio.verdict,
        )
        for row in rows
    ]
    return "\n\n".join(
        (
            f"`{command}`. The old revision is {commit}. Times are medians, for each image, frame "
            "or call; processor times unless the row says that they are by the clock.",
            table(head, cells),
            "old / new is the median over pairs of timings. Its interval assumes no distribution "
            f"and has a confidence of at least {CONFIDENCE:.0%}. A row is faster or slower if the "
            f"interval excludes 1 and the median differs by more than {LEAST_DIFFERENCE:.0%}.",
        )
    )


def _interval(ratio: Ratio) -> str:
    if ratio.low is None or ratio.high is None:
        return "-"
    return f"{ratio.low:.2f} to {ratio.high:.2f}"


def comparison_as_json(command: str, commit: str, rows: Sequence[Measured]) -> str:
    """Return the comparison as JSON with all digits."""
    listed = [{**asdict(row), "verdict": row.ratio.verdict} for row in rows]
    return json.dumps({"command": command, "old": commit, "rows": listed}, indent=2) + "\n"


def update_comparison(document: Path, text: str) -> None:
    """Replace the comparison in a document.

    Raises
    ------
    UsageError
        If the document is missing or lacks the markers.
    """
    replace_generated_part(document, BEGIN, END, text)
