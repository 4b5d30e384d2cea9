"""Pixel spacing given by the user: one number for all images, or a table with a row per image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from usmicro.errors import UsageError
from usmicro.loading.mask_names import composed
from usmicro.loading.user_table import path_in_table, read_user_table
from usmicro.model.scan import LARGEST_ASPECT, Scan, Spacing, SpacingLike, spacing_of
from usmicro.model.warnings import ScanWarning, WarningCode

_ASPECT_TOLERANCE = 0.02
"""Largest difference of the logarithms of two shapes of a pixel that are the same: tables give a
spacing with two or three digits. Chosen by judgement."""
_OVERRULED_CODES = (
    WarningCode.SPACING_REJECTED,
    WarningCode.SPACING_DIFFERS,
    WarningCode.REGION_UNCALIBRATED,
    WarningCode.REGIONS_DO_NOT_FIT,
)
"""Warnings about the spacing of a file, which become notes if the user's spacing is used."""
_COLUMNS = "image, spacing_mm or image, spacing_x_mm, spacing_y_mm"


@dataclass(frozen=True)
class UserSpacing:
    """Value of --spacing."""

    number: Spacing | None = None
    """Spacing of all images whose files have none."""
    table: Mapping[str, Spacing] = field(default_factory=dict)
    """Spacing by file name or path below INPUT, in composed Unicode; it replaces the spacing in the
    file."""

    def for_image(self, name: str) -> tuple[Spacing | None, bool]:
        """Return the spacing given for an image, and whether it replaces the one in the file.

        The spacing is None if none is given for the image.
        """
        name = composed(name)
        row = self.table.get(name) or self.table.get(PurePosixPath(name).name)
        return (row, True) if row is not None else (self.number, False)

    def unused(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the names in the table that match none of these images, often misspelt ones."""
        used = {key for name in map(composed, names) for key in (name, PurePosixPath(name).name)}
        return tuple(sorted(set(self.table) - used))


def read_spacing(given: str | Path | SpacingLike | None) -> UserSpacing:
    """Read the value of --spacing: a number in mm, or the path of a CSV table.

    A program may also give a pair of numbers (between columns, between rows) or a `Spacing`.

    Raises
    ------
    UsageError
        If the number is not positive, or if the table cannot be read, lacks its columns, repeats
        an image or has a value that is not a positive number.
    """
    if given is None:
        return UserSpacing()
    if not isinstance(given, str | Path | int | float):
        return UserSpacing(number=spacing_of(given))
    try:
        number = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return UserSpacing(table=_read_table(Path(given)))  # type: ignore[arg-type]
    return UserSpacing(number=checked_spacing(number, number, f"--spacing {given}"))


def checked_spacing(x_mm: float, y_mm: float, source: str) -> Spacing:
    """Return a spacing whose values are checked; `source` begins the error message.

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
    """Read a CSV table with commas or semicolons; return the spacing by image."""
    content = read_user_table(
        path, f"--spacing {path}", f"a number in mm or a UTF-8 CSV file ({_COLUMNS})"
    )
    columns = content.columns
    has_one_value = "spacing_mm" in columns
    if has_one_value and {"spacing_x_mm", "spacing_y_mm"} & set(columns):
        raise UsageError(
            f"--spacing {path}: expected the columns {_COLUMNS}, found both kinds; "
            "remove one of them"
        )
    keys = ("spacing_mm",) * 2 if has_one_value else ("spacing_x_mm", "spacing_y_mm")
    if "image" not in columns or not set(keys) <= set(columns):
        found = ", ".join(columns) or "none"
        raise UsageError(f"--spacing {path}: expected the columns {_COLUMNS}, found {found}")
    table: dict[str, Spacing] = {}
    for source, row in content.rows:
        image = path_in_table(row["image"])
        if not image:
            raise UsageError(f"{source}: expected the name of an image, found an empty cell")
        try:
            x_mm, y_mm = (float(row[key]) for key in keys)
        except ValueError:
            found = ", ".join(str(row[key]) for key in dict.fromkeys(keys))
            raise UsageError(
                f"{source}: expected a spacing in mm for {image}, found {found!r}"
            ) from None
        if image in table:
            raise UsageError(f"{source}: {image} has two rows, expected one; remove one of them")
        table[image] = checked_spacing(x_mm, y_mm, f"{source}, {image}")
    return table


def _is_close(aspect: float, other: float) -> bool:
    """Return True if two shapes of a pixel are the same but for rounding."""
    return abs(math.log(aspect / other)) <= _ASPECT_TOLERANCE


def _aspect_of(scan: Scan) -> float | None:
    """Return the height of a pixel over its width according to the file; None if unknown."""
    for spacing in (scan.spacing, *(region.spacing for region in scan.regions)):
        aspect = spacing.aspect
        if spacing.x_mm is not None and spacing.y_mm is not None:
            aspect = spacing.y_mm / spacing.x_mm
        if aspect is not None and 1 / LARGEST_ASPECT <= aspect <= LARGEST_ASPECT:
            return aspect
    return None


def _without_number(scan: Scan, number: float, aspect: float) -> Scan:
    """Return a scan of non-square pixels without the number that the user gave for both axes."""
    warning = ScanWarning(
        WarningCode.PIXEL_SHAPE,
        f"a pixel is {aspect:.4g} times as high as wide, but one spacing of {number:.4g} mm was "
        "given for both",
    )
    return replace(
        scan,
        spacing=Spacing(source="rejected", aspect=aspect),
        regions=tuple(replace(region, spacing=Spacing()) for region in scan.regions),
        warnings=(*scan.warnings, warning),
    )


def with_user_spacing(scan: Scan, spacing: Spacing, *, overrides: bool) -> Scan:
    """Return a scan with the user's spacing.

    A number for all scans is not used for a file that was resized after export, whose spacing is
    unlikely to be that of the others. One number for both axes is not used if the file says that
    its pixels are not square: the number may measure either side of a pixel.

    Parameters
    ----------
    scan : Scan
    spacing : Spacing
    overrides : bool
        True if `spacing` replaces the spacing in the file and that of its regions. Otherwise it is
        used only if the file has no spacing.

    Raises
    ------
    UsageError
        If a value is missing, or not positive and finite.
    """
    if spacing.x_mm is None or spacing.y_mm is None:
        raise UsageError(
            f"{scan.name}: expected a spacing with both x and y in mm, "
            f"found {spacing.x_mm} and {spacing.y_mm}"
        )
    spacing = checked_spacing(spacing.x_mm, spacing.y_mm, scan.name)
    has_own = scan.spacing.known or any(region.spacing.known for region in scan.regions)
    was_resized = any(warning.code == WarningCode.REGIONS_DO_NOT_FIT for warning in scan.warnings)
    if (has_own or was_resized) and not overrides:
        return scan
    regions, notes = scan.regions, scan.notes
    if overrides:
        regions = tuple(replace(region, spacing=Spacing()) for region in regions)
    aspect = _aspect_of(scan)
    if aspect is not None and spacing.x_mm is not None and spacing.y_mm is not None:
        if spacing.x_mm == spacing.y_mm and not _is_close(aspect, 1.0):
            return _without_number(scan, spacing.x_mm, aspect)
        if not _is_close(aspect, spacing.y_mm / spacing.x_mm):
            notes = (
                *notes,
                f"the file says that a pixel is {aspect:.4g} times as high as wide, the spacing "
                f"given by the user says {spacing.y_mm / spacing.x_mm:.4g} times; the latter is "
                "used",
            )
    if has_own:
        notes = (*notes, "the spacing given by the user replaces the spacing in the file")
    overruled = [warning for warning in scan.warnings if warning.code in _OVERRULED_CODES]
    return replace(
        scan,
        spacing=replace(spacing, of_table=overrides),
        regions=regions,
        notes=(*notes, *(warning.text for warning in overruled)),
        warnings=tuple(warning for warning in scan.warnings if warning not in overruled),
    )
