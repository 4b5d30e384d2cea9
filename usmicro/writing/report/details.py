"""Details of an image that the report loads when the reader asks for them.

They are the candidates that are not listed, and the grey levels behind and beside each focus. A
page that is opened from a folder may not read a JSON file, but it may add a script. The details are
therefore a script that hands them to the page.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.model.findings import Candidate, ShadowProfile
from usmicro.writing.protocols import AnalysisLike
from usmicro.writing.report.embedding import safe_json

DETAILS = "report/details"
"""Folder of the details in that of the run."""
CALLBACK = "usmicroDetails"
"""Function of the page that a script of details calls."""
CANDIDATE_COLUMNS = (
    "x_px",
    "y_px",
    "diameter_px",
    "diameter_mm",
    "contrast",
    "confidence",
    "reason",
)
"""Columns of `Candidate` that the report shows."""
PROFILE_STEPS = 64
"""Largest number of depths of a stored profile; neighbouring depths of a longer one are averaged.
The plot in the report is about 300 pixels wide, and a resolution cell is longer than a step."""


def details_file(folder: Path, stem: str) -> Path:
    """Return the path of the details of an image."""
    return folder / DETAILS / f"{stem}.js"


def encode_details(analysis: AnalysisLike, most: int) -> bytes:
    """Return the details of an image as a script.

    Parameters
    ----------
    analysis : AnalysisLike
    most : int
        Largest number of candidates that are not listed, and of profiles; the most confident ones.
    """
    unlisted = [row for row in analysis.candidates if row.listed == "no"]
    profiles = {
        focus.focus: _profile(focus.shadow_profile)
        for focus in analysis.foci[:most]
        if focus.shadow_profile is not None
    }
    details = {
        "frame": analysis.frame,
        "columns": CANDIDATE_COLUMNS,
        "candidates": [_candidate(row) for row in unlisted[:most]],
        "omitted": max(0, len(unlisted) - most),
        "profiles": profiles,
    }
    return f"{CALLBACK}({safe_json(details)});\n".encode("ascii")


def _candidate(row: Candidate) -> list[Any]:
    """Return the stored columns of a candidate."""
    return [_short(getattr(row, name)) for name in CANDIDATE_COLUMNS]


def _short(value: Any) -> Any:
    """Return a number with five significant digits; None if it is not finite."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _profile(profile: ShadowProfile) -> dict[str, Any]:
    """Return a profile of at most PROFILE_STEPS depths, grey levels with one decimal."""
    depth = profile.depth_px if profile.depth_mm is None else profile.depth_mm
    size = math.ceil(len(depth) / PROFILE_STEPS)
    return {
        "unit": "px" if profile.depth_mm is None else "mm",
        "depth": _averaged(depth, size, 2),
        "strip": _averaged(profile.strip, size, 1),
        "left": _averaged(profile.left, size, 1),
        "right": _averaged(profile.right, size, 1),
    }


def _averaged(values: NDArray[np.float32], size: int, decimals: int) -> list[float | None]:
    """Average groups of `size` neighbouring values; None for a group without a known value."""
    groups = np.full((math.ceil(len(values) / size), size), np.nan)
    groups.reshape(-1)[: len(values)] = values
    known = np.isfinite(groups)
    sums, counts = np.where(known, groups, 0).sum(axis=1), known.sum(axis=1)
    return [
        round(total / count, decimals) if count else None
        for total, count in zip(sums.tolist(), counts.tolist(), strict=True)
    ]
