"""The table of groups of a run, groups.csv: counts over the images of each group."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from usmicro.batch.results import Result

GROUPS = "groups.csv"
"""Name of the table in the output folder."""
_COUNTED = ("frames", "foci", "intramass", "extramass", "intraductal", "masses")
"""Fields of a `Summary` that are summed."""
_PLACES = {
    "calcified_in_mass": "in a mass",
    "calcified_outside_mass": "outside a mass",
    "calcified_intraductal": "intraductal",
}
"""Columns that count the images with a calcification in a place, and the word for the place."""
GROUPS_COLUMNS = (
    *("group", "images", "failed"),
    *_COUNTED,
    *("clusters", "foci_per_image", "masses_per_image", "foci_with_shadow", "foci_twinkling"),
    *("calcified", *_PLACES, "calcified_fraction", "calcification_score"),
)
"""Columns of the table."""


class GroupCounts:
    """Counts the results of the images of each group."""

    def __init__(self, groups: Iterable[str]) -> None:
        """Begin to count.

        Parameters
        ----------
        groups : iterable of str
            All groups, also those that may get no result. The empty text is the group of images
            without a group.
        """
        self._counts: dict[str, Counter[str]] = {group: Counter() for group in groups}
        self._scores: dict[str, list[float]] = {group: [] for group in self._counts}

    def add(self, group: str, result: Result) -> None:
        """Count a result."""
        counts = self._counts[group]
        counts.update(["images", result.status])
        summary = result.summary
        if summary is None:
            return
        counts.update({name: getattr(summary, name) for name in _COUNTED})
        counts["clusters"] += len(result.clusters)
        counts["foci_with_shadow"] += sum(focus.shadow == "yes" for focus in result.foci)
        counts["foci_twinkling"] += sum(focus.twinkling == "yes" for focus in result.foci)
        places = summary.calcification.split("+")
        counts["calcified"] += places != ["none"]
        counts.update({column: word in places for column, word in _PLACES.items()})
        if math.isfinite(summary.calcification_score):
            self._scores[group].append(summary.calcification_score)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each group, sorted by name; images without a group come last.

        What is measured on images is None for a group without an analysed image.
        """
        return [
            self._row(group)
            for group in sorted(self._counts, key=lambda group: (not group, group))
            if group or self._counts[group]
        ]

    def _row(self, group: str) -> dict[str, Any]:
        counts, scores = self._counts[group], self._scores[group]
        done = counts["ok"]
        row: dict[str, Any] = {name: counts[name] if done else None for name in GROUPS_COLUMNS}
        for column, total in (
            ("foci_per_image", "foci"),
            ("masses_per_image", "masses"),
            ("calcified_fraction", "calcified"),
        ):
            row[column] = counts[total] / done if done else None
        return row | {
            "group": group or None,
            "images": counts["images"],
            "failed": counts["failed"],
            "calcification_score": sum(scores) / len(scores) if scores else None,
        }
