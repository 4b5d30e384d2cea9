"""Parts of scans away from the lesion, analysed as images of their own: no mass belongs there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.accuracy.cases import TRAINED_ON, Case
from usmicro.evaluation.datasets import LESION_MARGIN_MM, largest_free_part, read_mask
from usmicro.model.arrays import BoolImage
from usmicro.model.scan import Spacing

MARGIN_PIXELS = 20
"""Distance in pixels kept from the outlines where the pixel size is unknown."""


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


def margin_of(spacing: Spacing) -> tuple[int, int]:
    """Columns and rows to keep away from an outline."""
    columns, rows = (
        MARGIN_PIXELS if mm is None else math.ceil(LESION_MARGIN_MM / mm)
        for mm in (spacing.x_mm, spacing.y_mm)
    )
    return columns, rows


def _lesions(case: Case) -> BoolImage:
    """All that is outlined on a scan, other findings included."""
    masks = [read_mask(path) for path in (*(case.outlines or ()), *case.other_outlines)]
    return np.asarray(np.logical_or.reduce(masks), dtype=np.bool_)
