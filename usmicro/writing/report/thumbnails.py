"""Thumbnail and outlines of an image, stored by the run.

The report only joins them. To make them from the stored pictures takes about ten times as long, and
one process does it while the workers have nothing to do.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from usmicro.writing.protocols import AnalysisLike
from usmicro.writing.report.pictures import Picture, picture_of
from usmicro.writing.report.run import cell_value
from usmicro.writing.tables import cell

THUMBNAILS = "report/thumbnails"
"""Folder of the thumbnails in that of the run."""


def thumbnail_file(folder: Path, stem: str) -> Path:
    """Return the path of the thumbnail and the outlines of an image."""
    return folder / THUMBNAILS / f"{stem}.json"


def encode_thumbnail(analysis: AnalysisLike, picture: bytes) -> bytes:
    """Return the thumbnail and the outlines of the key frame as JSON.

    Parameters
    ----------
    analysis : AnalysisLike
    picture : bytes
        From `encode_picture`.
    """
    shown = picture_of(
        picture,
        analysis.labels,
        # a report that is made from the tables knows these digits
        [
            replace(mass, x_px=_as_in_table(mass.x_px), y_px=_as_in_table(mass.y_px))
            for mass in analysis.masses
        ],
        analysis.frame,
        sector=analysis.summary.geometry == "sector",
    )
    return json.dumps(asdict(shown), separators=(",", ":"), allow_nan=False).encode("ascii")


def read_thumbnail(file: Path) -> Picture | None:
    """Read what `encode_thumbnail` stored; None if the file is missing or damaged."""
    try:
        return Picture(**json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _as_in_table(value: float) -> Any:
    """Return a number as it is read from a table."""
    return cell_value("", cell(value))
