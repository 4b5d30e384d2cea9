"""Spacing that a user gives: one number for all, or a table by image."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from usmicro.errors import UsageError
from usmicro.model.scan import Scan, Spacing

_COLUMNS = "image, spacing_mm or image, spacing_x_mm, spacing_y_mm"


@dataclass(frozen=True)
class GivenSpacing:
    """What --spacing says. A number serves the images that carry no spacing; a row of a table wins for its image."""

    number: Spacing | None = None
    table: Mapping[str, Spacing] = field(default_factory=dict)
    """By file name or path below INPUT."""

    def for_image(self, name: str) -> tuple[Spacing | None, bool]:
        """Spacing of an image, None if nothing is given for it, and whether it wins over what the file says."""
        row = self.table.get(name) or self.table.get(PurePosixPath(name).name)
        return (row, True) if row is not None else (self.number, False)

    def unused(self, names: Iterable[str]) -> tuple[str, ...]:
        """Rows of the table that serve none of these images: often a misspelt name."""
        used = {key for name in names for key in (name, PurePosixPath(name).name)}
        return tuple(sorted(set(self.table) - used))


def read_spacing(given: str | float | Path | None) -> GivenSpacing:
    """Read what a user gives as spacing: a number in mm, or the path of a CSV table.

    Raises
    ------
    UsageError
        If the number is not positive, or the table cannot be read, lacks its columns, repeats an image or holds a value that is
        not a positive number.
    """
    if given is None:
        return GivenSpacing()
    try:
        number = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return GivenSpacing(table=_read_table(Path(given)))  # type: ignore[arg-type]
    return GivenSpacing(number=positive(number, number, f"--spacing {given}"))


def positive(x_mm: float, y_mm: float, source: str) -> Spacing:
    """Give a spacing whose values are checked.

    Raises
    ------
    UsageError
        If a value is not positive and finite.
    """
    for value in (x_mm, y_mm):
        if not (value > 0 and math.isfinite(value)):
            raise UsageError(f"{source}: expected a spacing in mm above 0, found {value}")
    return Spacing(x_mm, y_mm, "given")


def _read_table(path: Path) -> dict[str, Spacing]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--spacing {path}: expected a number in mm or a UTF-8 CSV file ({_COLUMNS}), found {error}"
        ) from error
    lines = text.splitlines()
    rows = csv.DictReader(
        lines, delimiter=";" if lines and ";" in lines[0] else ",", skipinitialspace=True
    )
    columns = [(column or "").strip() for column in rows.fieldnames or ()]
    rows.fieldnames = columns
    keys = (
        ("spacing_mm", "spacing_mm")
        if "spacing_mm" in columns
        else ("spacing_x_mm", "spacing_y_mm")
    )
    if "image" not in columns or not set(keys) <= set(columns):
        raise UsageError(
            f"--spacing {path}: expected the columns {_COLUMNS}, found {', '.join(columns) or 'none'}"
        )
    table: dict[str, Spacing] = {}
    for row in rows:
        source = f"--spacing {path}, line {rows.line_num}"
        image = PurePosixPath((row["image"] or "").strip().replace("\\", "/")).as_posix()
        if image == ".":
            raise UsageError(f"{source}: expected the name of an image, found an empty cell")
        try:
            x_mm, y_mm = (float(row[key]) for key in keys)
        except (TypeError, ValueError):
            found = ", ".join(str(row[key]) for key in dict.fromkeys(keys))
            raise UsageError(
                f"{source}: expected a spacing in mm for {image}, found {found!r}"
            ) from None
        if image in table:
            raise UsageError(f"{source}: {image} has two rows; expected one")
        table[image] = positive(x_mm, y_mm, f"{source}, {image}")
    return table


def with_given(scan: Scan, spacing: Spacing, *, wins: bool) -> Scan:
    """Give a scan the spacing that a user gives, where it has none of its own or, if that `wins`, everywhere.

    Raises
    ------
    UsageError
        If a value is missing, or not positive and finite.
    """
    if spacing.x_mm is None or spacing.y_mm is None:
        raise UsageError(
            f"{scan.name}: expected a spacing with both x and y in mm, found {spacing.x_mm} and {spacing.y_mm}"
        )
    spacing = positive(spacing.x_mm, spacing.y_mm, scan.name)
    if scan.spacing.known and not wins:
        return scan
    regions = (
        tuple(replace(region, spacing=Spacing()) for region in scan.regions)
        if wins
        else scan.regions
    )
    note = ("spacing given by the user used instead of the file's",) if scan.spacing.known else ()
    return replace(scan, spacing=spacing, regions=regions, notes=(*scan.notes, *note))
