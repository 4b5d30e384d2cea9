"""What a caller gives as a scan: the path of a file, an array, or a Scan."""

from __future__ import annotations

import os
from pathlib import Path

from numpy.typing import ArrayLike

from usmicro.errors import UsageError
from usmicro.loading import load
from usmicro.loading.spacing import with_user_spacing
from usmicro.model.scan import Scan, SpacingLike, spacing_of
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
        return source if known is None else with_user_spacing(source, known, overrides=False)
    if isinstance(source, (str, os.PathLike)):
        return load(Path(source), spacing=known, settings=settings)
    if source is None:
        raise UsageError("expected the path of a scan, an array or a usmicro.Scan, found None")
    return Scan.of_array(source, spacing=given, cine=False)
