"""Parts of scans away from the lesion, analysed as images of their own: no mass belongs there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from benchmarks.accuracy.cases import TRAINED_ON, Case, Rectangle
from usmicro.errors import UsageError
from usmicro.model.arrays import BoolImage
from usmicro.model.scan import Spacing

LEAST = 1 / 3
"""A part is at least this much of the scan's width and of its height."""
MARGIN_MM, MARGIN_PIXELS = 2.0, 20
"""Distance kept from the outlines; in pixels where the spacing is unknown."""


def parts_without_lesion(cases: Sequence[Case]) -> list[Case]:
    """For each outlined scan the largest part without lesion; scans that have none are left out."""
    parts = []
    for case in cases:
        if case.dataset in TRAINED_ON and case.outlines:
            part = largest_free_part(_lesions(case), margin_of(case.spacing))
            if part is not None:
                parts.append(
                    replace(
                        case,
                        dataset=f"{case.dataset} away from lesions",
                        part=part,
                        outlines=(),
                        other_outlines=(),
                        calcification=None,
                        posterior=None,
                    )
                )
    return parts


def largest_free_part(lesions: BoolImage, margin: tuple[int, int]) -> Rectangle | None:
    """The largest of the bands beside, above and below all lesions; None if each is narrower than a third of the scan.

    Parameters
    ----------
    lesions : array, shape (rows, columns)
        Where a lesion is outlined; not empty.
    margin : (int, int)
        Columns and rows to keep away from them.
    """
    rows, columns = lesions.shape
    in_rows, in_columns = (np.flatnonzero(lesions.any(axis=axis)) for axis in (1, 0))
    left, right = int(in_columns[0]) - margin[0], int(in_columns[-1]) + 1 + margin[0]
    top, bottom = int(in_rows[0]) - margin[1], int(in_rows[-1]) + 1 + margin[1]
    bands = [
        (0, 0, left, rows),
        (right, 0, columns, rows),
        (0, 0, columns, top),
        (0, bottom, columns, rows),
    ]
    large = [
        band
        for band in bands
        if band[2] - band[0] >= LEAST * columns and band[3] - band[1] >= LEAST * rows
    ]
    return max(large, key=lambda band: (band[2] - band[0]) * (band[3] - band[1]), default=None)


def margin_of(spacing: Spacing) -> tuple[int, int]:
    """Columns and rows to keep away from an outline."""
    columns, rows = (
        MARGIN_PIXELS if mm is None else math.ceil(MARGIN_MM / mm)
        for mm in (spacing.x_mm, spacing.y_mm)
    )
    return columns, rows


def _lesions(case: Case) -> BoolImage:
    """All that is outlined on a scan, other findings included."""
    masks = []
    for path in (*(case.outlines or ()), *case.other_outlines):
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise UsageError(f"{path}: expected a mask, found nothing that can be read")
        masks.append(mask > 0)
    return np.asarray(np.logical_or.reduce(masks), dtype=np.bool_)
