"""Differences between the records of two runs: settings, versions, options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from usmicro.writing.report.run import Run

COMPARED = ("usmicro", "settings", "listed_from_confidence", "options", "versions", "platform")
"""Entries of run.json that are compared."""
PERFORMANCE = frozenset(("options.workers", "options.cluster"))
"""Entries that do not change results."""


@dataclass(frozen=True, slots=True)
class RecordDifference:
    """An entry of run.json that differs."""

    name: str
    a: str
    """Its value in the first run; empty if there is none."""
    b: str
    """Its value in the second run, likewise."""


def compare_records(a: Run, b: Run) -> list[RecordDifference]:
    """Return the entries of run.json that differ and may change results."""
    entries = [dict(_entries({key: run.record.get(key) for key in COMPARED})) for run in (a, b)]
    names = dict.fromkeys((*entries[0], *entries[1]))
    values = [(name, *(_text(one.get(name)) for one in entries)) for name in names]
    return [
        RecordDifference(name, one, other)
        for name, one, other in values
        if name not in PERFORMANCE and one != other
    ]


def _entries(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the names and values of nested entries; settings are named as on the command line."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _entries(value, "" if key == "settings" else f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
