"""What a caller gives as a scan: the path of a file, an array, or a Scan."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from numpy.typing import ArrayLike

from usmicro.errors import UsageError
from usmicro.loading import load
from usmicro.loading.spacing import with_user_spacing
from usmicro.model.scan import Scan, Spacing, SpacingLike, spacing_of
from usmicro.settings import LoadingSettings

ScanLike = str | os.PathLike[str] | ArrayLike | Scan
"""Path of a scan file, array, or `Scan`."""


def scan_of(
    source: ScanLike,
    spacing: SpacingLike | None = None,
    *,
    settings: LoadingSettings | None = None,
) -> Scan:
    """Return the scan that a caller gave.

    Parameters
    ----------
    source : str, path, array or Scan
        A path is loaded with `usmicro.load`. An array becomes a scan with `Scan.of_array`, but one
        of shape (3 or 4, rows, columns), which is ambiguous, is refused.
    spacing : float, pair of float or Spacing, optional
        Distance between pixel centres in mm; a pair is (between columns, between rows). Like
        `--spacing` it is used only if the file or the scan has no spacing of its own.
    settings : LoadingSettings, optional
        How a file is read.

    Raises
    ------
    ScanError
        If the file cannot be read.
    ImageError
        If the array is no image or cine.
    UsageError
        If the spacing is not positive, or the source is nothing of this kind.
    """
    # an unknown spacing is none
    given = None if spacing is None else spacing_of(spacing)
    known = given if given is not None and given.known else None
    if isinstance(source, Scan):
        scan = source if known is None else with_user_spacing(source, known, overrides=False)
        return _with_note(scan, known)
    if isinstance(source, (str, os.PathLike)):
        return _with_note(load(Path(source), spacing=known, settings=settings), known)
    if source is None:
        raise UsageError("expected the path of a scan, an array or a usmicro.Scan, found None")
    return Scan.of_array(source, spacing=given, cine=False)


def _with_note(scan: Scan, given: Spacing | None) -> Scan:
    """Return a scan with a note if it has a spacing of its own that the given one differs from."""
    if given is None:
        return scan
    own = [scan.spacing, *(region.spacing for region in scan.regions)]
    others = [one for one in own if one.known and not _equal(one, given)]
    if not others:
        return scan
    note = (
        f"the spacing that was given, {given.x_mm:.4g} x {given.y_mm:.4g} mm, is not used: "
        f"the scan has one of its own, {others[0].x_mm:.4g} x {others[0].y_mm:.4g} mm"
    )
    return replace(scan, notes=(*scan.notes, note))


def _equal(one: Spacing, other: Spacing) -> bool:
    """Return True if two known spacings are the same."""
    return (one.x_mm, one.y_mm) == (other.x_mm, other.y_mm)
