"""The result of a comparison of two runs, and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields

from usmicro.comparison.differences import (
    CHANGES,
    Difference,
    ImageDifferences,
    Kind,
    totals,
)
from usmicro.comparison.paired import PairedMeasure
from usmicro.comparison.records import RecordDifference
from usmicro.evaluation.result import Cells
from usmicro.evaluation.rows import finite
from usmicro.writing.report.run import Run

DIFFERENCE_COLUMNS = tuple(field.name for field in fields(Difference))
"""Columns of comparison.csv."""


@dataclass(frozen=True)
class RunComparison:
    """The differences between two runs, A and B."""

    a: Run
    b: Run
    images: list[ImageDifferences]
    """All images of both runs, sorted by name."""
    records: list[RecordDifference]
    """Settings, versions and options that differ."""
    measures: list[PairedMeasure] = field(default_factory=list)
    """Measures of both runs against the same labels; empty without labels."""
    remarks: list[str] = field(default_factory=list)
    """Remarks for the reader."""
    resampled: str = "images"
    """What was resampled for the intervals of the measures: "images" or "patients"."""

    @property
    def rows(self) -> list[Difference]:
        """All differences, by image."""
        return [row for image in self.images for row in image.rows]

    def to_rows(self) -> list[Cells]:
        """Return the differences as dictionaries."""
        return [asdict(row) for row in self.rows]

    def images_table(self) -> list[Cells]:
        """Return one row for each image, with the numbers of differences."""
        return [_image_row(image) for image in self.images]

    def measures_table(self) -> list[Cells]:
        """Return the measures of both runs and their paired difference."""
        return [
            {
                "measure": measure.name,
                "a": finite(measure.a),
                "b": finite(measure.b),
                "difference": finite(measure.difference.value),
                "low": finite(measure.difference.low),
                "high": finite(measure.difference.high),
                "images": measure.images,
            }
            for measure in self.measures
        ]

    def records_table(self) -> list[Cells]:
        """Return the settings, versions and options that differ."""
        return [asdict(record) for record in self.records]

    def lines(self) -> list[str]:
        """Return a short summary."""
        both = sum(image.a is not None and image.b is not None for image in self.images)
        lines = [f"A: {self.a.folder}", f"B: {self.b.folder}"]
        lines += [f"{counted(both, 'image')} in both runs"]
        lines += [
            f"{record.name}: {record.a or 'nothing'} in A, {record.b or 'nothing'} in B"
            for record in self.records
        ]
        lines += self._findings()
        return lines

    def _findings(self) -> list[str]:
        """Return the totals of the differences, one line for each kind."""
        counts, lines = totals(self.images), []
        kinds: tuple[tuple[Kind, str, int], ...] = (
            ("focus", "foci", sum(image.same_foci for image in self.images)),
            ("mass", "masses", sum(image.same_masses for image in self.images)),
        )
        for kind, plural, same in kinds:
            changes = [
                f"{counts[kind, change]} {wording(change)}"
                for change in CHANGES[kind]
                if counts[kind, change]
            ]
            if changes:
                lines.append(f"{plural}: {same} in both runs, {', '.join(changes)}")
        if changes := [
            f"{counts['image', change]} {wording(change)}"
            for change in CHANGES["image"]
            if counts["image", change]
        ]:
            lines.append(f"images: {', '.join(changes)}")
        if not lines:
            lines.append("no difference in the findings")
        if other := sum(image.other_confidence for image in self.images):
            lines.append(
                f"the confidence of {counted(other, 'focus', 'foci')} in both runs differs"
            )
        return lines


def wording(change: str) -> str:
    """Return a kind of difference in words."""
    words = {
        "label": "with another label",
        "shadow": "with another shadow verdict",
        "twinkling": "with another twinkling verdict",
        "outline": "with another outline",
        "orientation": "with another orientation",
        "posterior": "with another posterior feature",
        "status": "with another status",
        "size": "with another size",
        "calcification": "with another calcification",
    }
    return words.get(change, change)


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number of things in words."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _image_row(image: ImageDifferences) -> Cells:
    a, b = image.a or {}, image.b or {}
    row: Cells = {"image": image.image}
    for column in ("status", "foci", "masses", "calcification", "calcification_score"):
        row[f"{column}_a"], row[f"{column}_b"] = a.get(column), b.get(column)
    is_compared = a.get("status") == b.get("status") == "ok" and not _other_size(image)
    row["foci_same"] = image.same_foci if is_compared else None
    for change in CHANGES["focus"]:
        row[f"foci_{change}"] = image.count("focus", change) if is_compared else None
    row["foci_other_confidence"] = image.other_confidence if is_compared else None
    row["masses_same"] = image.same_masses if is_compared else None
    for change in CHANGES["mass"]:
        row[f"masses_{change}"] = image.count("mass", change) if is_compared else None
    return row


def _other_size(image: ImageDifferences) -> bool:
    sizes = [(row.get("rows"), row.get("columns")) for row in (image.a, image.b) if row is not None]
    return len(set(sizes)) > 1


def with_differences(images: Sequence[ImageDifferences]) -> list[ImageDifferences]:
    """Return the images that have any difference."""
    return [image for image in images if image.rows]
