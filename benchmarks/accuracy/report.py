"""Write the results as tables, as JSON and as the generated part of docs/accuracy.md."""

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
from benchmarks.markdown import replace_generated_part, table
from usmicro.evaluation.metrics import Estimate
from usmicro.evaluation.rows import Row, finite

BEGIN, END = "<!-- begin: written by python -m benchmarks.accuracy -->", "<!-- end -->"
"""Lines of a document between which the results are written."""

PACKAGES = ("usmicro", "numpy", "scipy", "scikit-image", "opencv-python-headless", "numba")
"""Packages on which the results depend."""


@dataclass(frozen=True, slots=True)
class Section:
    """The results of one pass over the cases."""

    rows: Sequence[Row]
    bins: Sequence[Bin] = ()
    """Ranges of the reliability tables."""


Sections = Mapping[str, Section]
"""Results by name of the pass: whole images, true outlines given, other detectors."""


def format_number(value: float) -> str:
    """Format a number for a table; "-" if it is NaN or infinite."""
    if not np.isfinite(value):
        return "-"
    return f"{value:.3g}" if abs(value) >= 100 or value == round(value) else f"{value:.3f}"


def format_interval(estimate: Estimate) -> str:
    """Format a confidence interval for a table; empty without interval."""
    if not np.isfinite(estimate.low):
        return ""
    return f"{format_number(estimate.low)} to {format_number(estimate.high)}"


def measures_table(rows: Sequence[Row]) -> str:
    """Return the measures as a Markdown table with aligned columns."""
    head = ("data", "measure", "value", "95 % interval", "images")
    lines = [
        (
            row.dataset,
            row.measure,
            format_number(row.estimate.value),
            format_interval(row.estimate),
            str(row.images),
        )
        for row in rows
    ]
    return table(head, lines)


def reliability_table(bins: Sequence[Bin]) -> str:
    """Return the reliability tables of all probabilities as one Markdown table."""
    head = ("data", "probability", "from", "to", "number", "mean", "share true", "95 % interval")
    lines = [
        (
            one.dataset,
            one.statement,
            f"{one.low:.2f}",
            f"{one.high:.2f}",
            str(one.number),
            f"{one.mean_stated:.3f}",
            format_number(one.fraction_right.value),
            format_interval(one.fraction_right),
        )
        for one in bins
    ]
    return table(head, lines)


def as_text(section: Section) -> str:
    """Return the results of one pass as text for a terminal."""
    tables = [measures_table(section.rows)]
    if section.bins:
        tables.append(reliability_table(section.bins))
    return "\n\n".join(tables)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages on which the results depend."""
    return {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def as_json(sections: Sections, command: str) -> str:
    """Return all results as JSON, with the command and the versions. NaN is written as null."""
    results: list[dict[str, Any]] = [
        {
            "pass": name,
            "data": row.dataset,
            "measure": row.measure,
            "value": finite(row.estimate.value),
            "low": finite(row.estimate.low),
            "high": finite(row.estimate.high),
            "images": row.images,
        }
        for name, section in sections.items()
        for row in section.rows
    ]
    reliability: list[dict[str, Any]] = [
        {
            "pass": name,
            "data": one.dataset,
            "probability": one.statement,
            "from": one.low,
            "to": one.high,
            "number": one.number,
            "mean": one.mean_stated,
            "true": finite(one.fraction_right.value),
            "low": finite(one.fraction_right.low),
            "high": finite(one.fraction_right.high),
        }
        for name, section in sections.items()
        for one in section.bins
    ]
    content = {
        "command": command,
        "versions": versions(),
        "results": results,
        "reliability": reliability,
    }
    return json.dumps(content, indent=1) + "\n"


def as_markdown(sections: Sections, command: str) -> str:
    """Return the generated part of docs/accuracy.md."""
    numbers = ", ".join(f"{name} {number}" for name, number in versions().items())
    parts = [f"```\n{command}\n```", f"{numbers}."]
    for name, section in sections.items():
        parts.append(f"### {name}")
        by_dataset = groupby(section.rows, key=lambda row: row.dataset)
        parts += [measures_table(list(rows)) for _, rows in by_dataset]
        if section.bins:
            parts.append(reliability_table(section.bins))
    return "\n\n".join(parts)


def update_document(document: Path, sections: Sections, command: str) -> None:
    """Replace the text between the markers of a document by the results.

    Raises
    ------
    UsageError
        If the document is missing or lacks the markers.
    """
    replace_generated_part(document, BEGIN, END, as_markdown(sections, command))
