"""Cut parts without lesion out of scans. They are analysed as images of their own.

No mass belongs on such a part, so every mass found there is a false positive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.accuracy.cases import TRAINED_ON, Case
from usmicro.evaluation.datasets import LESION_MARGIN_MM, largest_free_part, read_mask
from usmicro.model.arrays import BoolImage
from usmicro.model.scan import Spacing

MARGIN_PX = 20
"""Distance of a part from the outlines if the pixel size is unknown, pixels.

It equals LESION_MARGIN_MM at 0.1 mm per pixel.
"""


def parts_without_lesion(cases: Sequence[Case]) -> list[Case]:
    """Return the largest part without lesion of each outlined scan that has one."""
    parts = []
    for case in cases:
        if case.dataset not in TRAINED_ON or not case.outlines:
            continue
        part = largest_free_part(_lesion_mask(case), lesion_margin(case.spacing))
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


def lesion_margin(spacing: Spacing) -> tuple[int, int]:
    """Return the columns and rows between a part and the outlines."""
    columns, rows = (
        MARGIN_PX if mm is None else math.ceil(LESION_MARGIN_MM / mm)
        for mm in (spacing.x_mm, spacing.y_mm)
    )
    return columns, rows


def _lesion_mask(case: Case) -> BoolImage:
    """Return the mask of everything outlined on a scan, other findings included."""
    masks = [read_mask(path) for path in (*(case.outlines or ()), *case.other_outlines)]
    return np.asarray(np.logical_or.reduce(masks), dtype=np.bool_)
