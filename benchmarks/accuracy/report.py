"""Results as tables, as JSON and as the generated part of docs/accuracy.md."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.reliability import Bin
from usmicro.errors import UsageError
from usmicro.evaluation.metrics import Estimate
from usmicro.evaluation.rows import Row

BEGIN, END = "<!-- begin: written by python -m benchmarks.accuracy -->", "<!-- end -->"
PACKAGES = ("usmicro", "numpy", "scipy", "scikit-image", "opencv-python-headless", "numba")


@dataclass(frozen=True, slots=True)
class Section:
    """The results of one pass."""

    rows: Sequence[Row]
    bins: Sequence[Bin] = ()
    """Of the reliability tables."""


Sections = Mapping[str, Section]
"""By pass: whole images, true outlines given, other detectors."""


def shown(value: float) -> str:
    """A number for a table; a dash where there is none."""
    return (
        "-"
        if not np.isfinite(value)
        else f"{value:.3g}"
        if abs(value) >= 100 or value == round(value)
        else f"{value:.3f}"
    )


def interval(estimate: Estimate) -> str:
    """The confidence interval for a table; empty where there is none."""
    return f"{shown(estimate.low)} to {shown(estimate.high)}" if np.isfinite(estimate.low) else ""


def table(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table, which also reads well on a terminal."""
    cells = [("data", "measure", "value", "95 % interval", "images")]
    cells += [
        (
            row.dataset,
            row.measure,
            shown(row.estimate.value),
            interval(row.estimate),
            str(row.images),
        )
        for row in rows
    ]
    return _aligned(cells)


def reliability_table(bins: Sequence[Bin]) -> str:
    """Reliability tables of all statements as one Markdown table."""
    cells = [("data", "probability", "from", "to", "number", "mean", "share true", "95 % interval")]
    cells += [
        (
            b.dataset,
            b.statement,
            f"{b.low:.2f}",
            f"{b.high:.2f}",
            str(b.number),
            f"{b.stated:.3f}",
            shown(b.right.value),
            interval(b.right),
        )
        for b in bins
    ]
    return _aligned(cells)


def _aligned(cells: Sequence[tuple[str, ...]]) -> str:
    """Cells as a Markdown table, the first line as its head."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def as_text(section: Section) -> str:
    """The results of one pass for a terminal."""
    return "\n\n".join(
        [table(section.rows), *([reliability_table(section.bins)] if section.bins else [])]
    )


def versions() -> dict[str, str]:
    """Python and the packages that the results depend on."""
    return {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def as_json(sections: Sections, command: str) -> str:
    """All results with the command and the versions; what could not be measured is null."""

    def number(value: float) -> float | None:
        return value if np.isfinite(value) else None

    results: list[dict[str, Any]] = [
        {
            "pass": section,
            "data": row.dataset,
            "measure": row.measure,
            "value": number(row.estimate.value),
            "low": number(row.estimate.low),
            "high": number(row.estimate.high),
            "images": row.images,
        }
        for section, content in sections.items()
        for row in content.rows
    ]
    reliability: list[dict[str, Any]] = [
        {
            "pass": section,
            "data": one.dataset,
            "probability": one.statement,
            "from": one.low,
            "to": one.high,
            "number": one.number,
            "mean": one.stated,
            "true": number(one.right.value),
            "low": number(one.right.low),
            "high": number(one.right.high),
        }
        for section, content in sections.items()
        for one in content.bins
    ]
    found = {
        "command": command,
        "versions": versions(),
        "results": results,
        "reliability": reliability,
    }
    return json.dumps(found, indent=1) + "\n"


def as_markdown(sections: Sections, command: str) -> str:
    """The generated part of docs/accuracy.md."""
    parts = [
        f"```\n{command}\n```",
        ", ".join(f"{name} {number}" for name, number in versions().items()) + ".",
    ]
    for section, content in sections.items():
        parts.append(f"### {section}")
        parts += [
            table(list(group)) for _, group in groupby(content.rows, key=lambda row: row.dataset)
        ]
        parts += [reliability_table(content.bins)] if content.bins else []
    return "\n\n".join(parts)


def refresh(document: Path, sections: Sections, command: str) -> None:
    """Replace what stands between the markers of a document.

    Raises
    ------
    UsageError
        If the document is missing or lacks the markers.
    """
    text = document.read_text(encoding="utf-8") if document.is_file() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UsageError(
            f"{document}: expected the lines {BEGIN} and {END}, between which results are written; found them not"
        )
    document.write_text(
        f"{before}{BEGIN}\n\n{as_markdown(sections, command)}\n\n{END}{after}", encoding="utf-8"
    )
