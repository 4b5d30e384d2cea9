"""Declared regions that overlap: each pixel of tissue belongs to one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from usmicro.model.scan import Region, Spacing
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

SAME_SPACING = 0.005
"""Two spacings are the same if they differ by at most this fraction: by 0.2 mm over 40 mm. Chosen
by judgement."""
LEAST_SHARED = 0.1
"""Two regions of the same spacing show one picture if they share at least this fraction of the
smaller one. The halves of a dual view share one or two columns at most. Chosen by judgement."""
LEAST_FILLED = 0.95
"""Two regions are joined only if they fill at least this fraction of the box around both. Chosen by
judgement."""
LEAST_OUTSIDE = 0.5
"""A region of colour flow is a picture of its own if at least this fraction of it lies outside the
tissue regions; otherwise it is a colour box inside them. Chosen by judgement."""
LEAST_FREE = 0.1
"""A region is analysed on its own if at least this fraction of its pixels belongs to no other
region. Chosen by judgement: a narrower strip shows no anatomy."""


@dataclass(frozen=True, slots=True)
class TissuePart:
    """A part of the screen that is analysed."""

    region: Region
    covered: tuple[Region, ...] = ()
    """Regions whose pixels do not belong to this part."""
    joined: bool = False
    """True if the region is the box around several declared regions."""


def tissue_parts(regions: Iterable[Region]) -> tuple[tuple[TissuePart, ...], tuple[Remark, ...]]:
    """Return the parts of the screen that show tissue, from left to right, and remarks.

    These are the tissue regions, and the regions of colour flow that lie outside of them: a region
    of colour flow inside a tissue region is the colour box. Where regions of the same spacing
    overlap, they are joined. Where others overlap, a pixel belongs to the region of high priority,
    or else to the larger region, or else to the first. There is a warning if a region of another
    spacing and the same priority is left out: it may be an enlarged inset.

    Parameters
    ----------
    regions : iterable of Region
        In the order of the file.

    Returns
    -------
    parts : tuple of TissuePart
        Empty if no region shows tissue or colour flow.
    remarks : tuple of Remark

    References
    ----------
    DICOM PS3.3 C.8.5.5.1.3: pixels of a region with high priority replace those of one with low
    priority; where both have the same priority, the standard leaves it open.
    """
    regions = list(dict.fromkeys(regions))
    tissue = [region for region in regions if region.kind == "tissue"]
    flow = [
        region
        for region in regions
        if region.kind == "colour flow" and free_fraction(region, tissue) >= LEAST_OUTSIDE
    ]
    parts, joined_notes = _joined([*tissue, *flow])
    remarks: list[Remark] = [*joined_notes]
    over = [region for region in regions if region.kind in ("spectral", "m-mode")]
    kept: list[TissuePart] = []
    for part in sorted(parts, key=lambda part: _rank(part.region)):
        region = part.region
        covered = [other.region for other in kept if _shared(other.region, region)]
        drawn_over = [
            other for other in over if _shared(other, region) and _rank(other) < _rank(region)
        ]
        free = free_fraction(region, covered)
        if free < LEAST_FREE:
            rest = f"; {100 * free:.0f} % of its pixels are left out" if free > 0 else ""
            text = (
                f"the {described(region)} lies in another region that has priority and is not "
                f"analysed on its own{rest}"
            )
            may_be_inset = any(_contradicts(region, other) for other in covered)
            remarks.append(
                ScanWarning(WarningCode.SPACING_DIFFERS, f"{text}, although its spacing differs")
                if may_be_inset
                else text
            )
            continue
        # a spectrum that covers all of a region is a mistake of the file
        if free_fraction(region, [*covered, *drawn_over]) >= LEAST_FREE:
            covered += drawn_over
        if covered:
            remarks.append(
                f"the {described(region)} overlaps with another region that has priority; the "
                "pixels in both are analysed only once"
            )
        kept.append(replace(part, covered=tuple(covered)))
    kept.sort(key=lambda part: (part.region.left, part.region.top))
    return tuple(kept), tuple(remarks)


def _contradicts(first: Region, second: Region) -> bool:
    """Return True if two regions of the same priority have different spacings in mm."""
    return (
        first.low_priority == second.low_priority
        and first.spacing.known
        and second.spacing.known
        and not same_spacing(first.spacing, second.spacing)
    )


def same_spacing(first: Spacing, second: Spacing) -> bool:
    """Return True if two spacings are the same on both axes, or unknown on the same axes."""
    for one, other in ((first.x_mm, second.x_mm), (first.y_mm, second.y_mm)):
        if one is None or other is None:
            if one is not other:
                return False
        elif abs(one - other) > SAME_SPACING * max(one, other):
            return False
    return True


def described(region: Region) -> str:
    """Return the kind and the place of a region for a message."""
    return (
        f"{region.kind} region (columns {region.left} to {region.right - 1}, "
        f"rows {region.top} to {region.bottom - 1})"
    )


def free_fraction(region: Region, others: Sequence[Region]) -> float:
    """Return the fraction of the pixels of a region that lie in none of the others."""
    if not others:
        return 1.0
    free = np.ones((region.bottom - region.top, region.right - region.left), dtype=bool)
    for other in others:
        rows = slice(max(other.top - region.top, 0), max(other.bottom - region.top, 0))
        columns = slice(max(other.left - region.left, 0), max(other.right - region.left, 0))
        free[rows, columns] = False
    return float(free.mean())


def _rank(region: Region) -> tuple[bool, int]:
    """Return a sort key: high priority comes first, then the larger region."""
    return region.low_priority, -region.area


def _shared(first: Region, second: Region) -> int:
    """Return the number of pixels that two regions share."""
    across = min(first.right, second.right) - max(first.left, second.left)
    down = min(first.bottom, second.bottom) - max(first.top, second.top)
    return max(across, 0) * max(down, 0)


def _joined(regions: Sequence[Region]) -> tuple[list[TissuePart], list[str]]:
    """Join regions of the same spacing that overlap; return the parts and notes."""
    parts: list[TissuePart] = []
    notes: list[str] = []
    for region in regions:
        part = TissuePart(region)
        while True:
            other = next((other for other in parts if _is_one(other.region, part.region)), None)
            if other is None:
                break
            parts.remove(other)
            notes.append(
                f"the {described(part.region)} and the {described(other.region)} overlap and have "
                "the same spacing; they are analysed as one"
            )
            part = _union(other, part)
        parts.append(part)
    return parts, notes


def _is_one(first: Region, second: Region) -> bool:
    """Return True if two regions show one picture."""
    shared = _shared(first, second)
    around = _box_around(first, second)
    return (
        first.kind == second.kind
        and same_spacing(first.spacing, second.spacing)
        and shared >= LEAST_SHARED * min(first.area, second.area)
        and first.area + second.area - shared >= LEAST_FILLED * around.area
    )


def _box_around(first: Region, second: Region) -> Region:
    """Return the box around two regions, otherwise like the first."""
    return replace(
        first,
        left=min(first.left, second.left),
        top=min(first.top, second.top),
        right=max(first.right, second.right),
        bottom=max(first.bottom, second.bottom),
    )


def _union(first: TissuePart, second: TissuePart) -> TissuePart:
    """Return the part that covers two parts of the same spacing."""
    region = _box_around(first.region, second.region)
    rows = {part.region.face_row for part in (first, second)} - {None}
    region = replace(
        region,
        low_priority=first.region.low_priority and second.region.low_priority,
        face_row=rows.pop() if len(rows) == 1 else None,
    )
    # a box that is one of the two regions joins nothing
    grown = region.area > max(first.region.area, second.region.area)
    return TissuePart(region, joined=grown or first.joined or second.joined)
