"""The scan areas of a frame: where the file declares tissue, or else where the pixels show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from usmicro.model.arrays import BoolImage, ByteImage, bounding_box
from usmicro.model.regions import TissuePart, described, tissue_parts
from usmicro.model.scan import Region, Spacing
from usmicro.model.view import Grid, ScanLines
from usmicro.model.warnings import Remark, ScanWarning, WarningCode
from usmicro.preparation.cine_cache import ScreenCache
from usmicro.preparation.scan_area import LEAST_COVERED, LEAST_TEXTURE, find_scan_areas
from usmicro.preparation.scan_outline import Box, ScanArea, Side
from usmicro.preparation.spacing import pixel_aspect

# regions that do not fit the pixels
ENLARGED, REDUCED = 0.04, 0.03
"""A picture was made larger after export if its tissue ends beyond the right and lower ends of the
regions by this fraction of their size, and made smaller if it ends this fraction before them.

Chosen so that simulated screens resized by 0.95 or less and by 1.05 or more are noticed; the tissue
of the same screens at their own size ends within 0.01."""
MUCH_ENLARGED = 0.15
"""If the tissue ends beyond both ends by this fraction, the picture was made larger, wherever the
tissue begins. Regions that are drawn tightly leave out a part of the tissue on all sides; in
simulated sectors that was at most 0.03. Chosen by judgement."""
LEAST_SHIFT, LEAST_SHIFT_PIXELS = 0.007, 4
"""In a picture made smaller, the tissue begins at least this fraction of the size of the regions,
and this number of pixels, before them. Chosen in the same way."""
LEAST_CENTRE_SHIFT = 0.04
"""Or the middle of the tissue lies further left than that of the regions by this fraction of their
width: a sector is narrower than its region, so that it may begin later. Chosen in the same way."""
SHIFT_TOLERANCE = 0.35
"""In a picture stretched along one axis, the tissue begins where the factor says, within this
fraction of the shift. Chosen by judgement: well below 1, so that tissue that begins where its
region begins does not count as shifted."""
LEAST_INSIDE = 0.1
"""A scan area belongs to the regions if it shares at least this fraction of its own pixels or of
theirs; otherwise it is a picture that the file does not declare. Chosen by judgement."""
LEAST_TEXTURED = 0.05
"""Smallest fraction of textured pixels in a strip beyond the regions that is worth a search.
Chosen by judgement: it only saves time."""

# depth 0 according to the file
FACE_TOLERANCE_MM = 1.0
"""The row of depth 0 in the file is used if it lies at most this far below the first row of tissue,
in mm: further below, tissue would lie before the transducer. Chosen by judgement."""
DEEPEST_FACE_MM = 60.0
"""It is used if it lies at most this far above the first row of tissue, in mm. A picture that
begins deeper does not show a breast. Chosen by judgement."""
NOTED_FACE_MM = 0.3
"""It gets a note if it moves depth 0 by more than this, in mm. Chosen by judgement."""


@dataclass(frozen=True, slots=True)
class TissueArea:
    """A scan area with what the file says about it."""

    area: ScanArea
    spacing: Spacing
    others: BoolImage | None = None
    """True in pixels that belong to another region, shape of the frame; None if there are none."""
    face_row: float | None = None
    """Row of the frame at depth 0 according to the file."""
    remarks: tuple[Remark, ...] = ()

    @property
    def mask(self) -> BoolImage:
        """True in the tissue of this area."""
        return self.area.mask if self.others is None else self.area.mask & ~self.others


def find_tissue_areas(
    grey: ByteImage,
    regions: Sequence[Region],
    spacing: Spacing,
    cache: ScreenCache | None = None,
) -> tuple[list[TissueArea], Sequence[Region]]:
    """Find the scan areas of a frame with their spacing.

    They are ordered from left to right, and one above the other from top to bottom.

    They are searched for in each declared region that shows tissue. They are searched for on the
    whole frame if there is none, or if the regions do not fit the pixels.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8
    regions : sequence of Region
        Regions that the file declares.
    spacing : Spacing
        Spacing of the frame. It holds in regions without a spacing of their own unless it comes
        from another region.
    cache : ScreenCache, optional
        Cache of a cine.

    Returns
    -------
    areas : list of TissueArea
        Empty if nothing looks like tissue. Remarks on the whole frame are with the first area.
    regions : sequence of Region
        The same regions; none if they do not fit.
    """
    parts, notes = tissue_parts(regions)
    remarks: list[Remark] = [*notes]
    if parts and (misfit := _misfit(grey, parts, regions, cache)):
        if spacing.of_table:
            remarks = [misfit]
        else:
            remarks = [ScanWarning(WarningCode.REGIONS_DO_NOT_FIT, misfit)]
            spacing = Spacing(source="rejected")
        parts, regions = (), ()
    if parts:
        found = [area for part in parts for area in _areas_of(part, grey, spacing, cache)]
    else:
        whole = (0, 0, grey.shape[1], grey.shape[0])
        found = [TissueArea(area, spacing) for area in _search(grey, whole, spacing, cache)]
    remarks += _of_left_out(found, regions)
    if found and remarks:
        found[0] = replace(found[0], remarks=(*remarks, *found[0].remarks))
    return found, regions


def spacing_in(region: Region, spacing: Spacing) -> Spacing:
    """Return the spacing of a region, given that of its frame.

    The spacing of the frame holds in a region without one, unless it is that of another region.
    """
    if region.spacing.known:
        return region.spacing
    if spacing.source in ("given", "pixel spacing"):
        return spacing
    if "rejected" in (region.spacing.source, spacing.source):
        return Spacing(source="rejected", aspect=region.spacing.aspect or spacing.aspect)
    return Spacing(aspect=spacing.aspect)


def _areas_of(
    part: TissuePart, grey: ByteImage, spacing: Spacing, cache: ScreenCache | None
) -> list[TissueArea]:
    """Return the scan areas of one declared part of the screen."""
    region = part.region
    spacing = spacing_in(region, spacing)
    remarks: tuple[Remark, ...] = ()
    if not spacing.known and spacing.source != "rejected":
        text = f"the {described(region)} has no pixel spacing in mm"
        remarks = (ScanWarning(WarningCode.REGION_UNCALIBRATED, text),)
    box = (region.left, region.top, region.right, region.bottom)
    others = None
    if part.covered:
        others = np.zeros(grey.shape, dtype=np.bool_)
        for other in part.covered:
            others[other.top : other.bottom, other.left : other.right] = True
    found = []
    for area in _search(grey, box, spacing, cache, single=not part.joined):
        if others is None or (area.mask & ~others).any():
            found.append(TissueArea(area, spacing, others, region.face_row, remarks))
    return found


def _of_left_out(found: Sequence[TissueArea], regions: Sequence[Region]) -> list[str]:
    """Return notes on the parts of the screen that look like tissue and are not used.

    There is none if another scan area, or a region that shows no tissue, covers the part.
    """
    notes = []
    for left, top, right, bottom in (box for area in found for box in area.area.left_out):
        part = (slice(top, bottom), slice(left, right))
        used = any(area.mask[part].mean() >= LEAST_COVERED for area in found)
        declared = np.zeros(found[0].mask.shape, dtype=np.bool_)
        for region in regions:
            if region.kind not in ("tissue", "colour flow"):
                declared[region.top : region.bottom, region.left : region.right] = True
        if not used and declared[part].mean() < LEAST_COVERED:
            notes.append(
                f"the part of the screen in columns {left} to {right - 1}, rows {top} to "
                f"{bottom - 1} looks like tissue but is not used: it is neither a part of the scan "
                "nor a second scan of similar size"
            )
    return notes


def _search(
    grey: ByteImage,
    box: Box,
    spacing: Spacing,
    cache: ScreenCache | None,
    *,
    single: bool = False,
) -> list[ScanArea]:
    """Search for scan areas in a part of the frame; return them in pixels of the frame."""
    left, top, right, bottom = box
    window = grey[top:bottom, left:right]
    aspect = pixel_aspect(spacing)
    if cache is None:
        areas = find_scan_areas(window, aspect=aspect, single=single)
    else:
        areas = cache.scan_areas(window, box, aspect=aspect, single=single)
    if window.shape == grey.shape:
        return areas
    moved = []
    for area in areas:
        mask = np.zeros(grey.shape, dtype=np.bool_)
        mask[top:bottom, left:right] = area.mask
        begin_x, begin_y, end_x, end_y = area.box
        place = (begin_x + left, begin_y + top, end_x + left, end_y + top)
        left_out = tuple((x + left, y + top, r + left, b + top) for x, y, r, b in area.left_out)
        moved.append(ScanArea(mask, place, _moved(area.sides, left, top), left_out))
    return moved


def _moved(sides: tuple[Side, Side] | None, left: int, top: int) -> tuple[Side, Side] | None:
    """Convert sides from the pixels of a part of the frame to those of the frame."""
    if sides is None:
        return None
    first, second = (Side(side.offset + left - side.slope * top, side.slope) for side in sides)
    return first, second


# ---- regions that do not fit the pixels ----


def _misfit(
    grey: ByteImage,
    parts: Sequence[TissuePart],
    regions: Sequence[Region],
    cache: ScreenCache | None,
) -> str:
    """Return how the tissue contradicts the declared regions, or an empty text.

    A picture that is resized after export keeps its old regions. The tissue of a larger picture
    then ends beyond them on the right and below. That of a smaller picture begins above them, lies
    further to the left, and ends before them.

    In a cine, the first frame that shows tissue decides.
    """
    known = None if cache is None else cache.values.get("misfit")
    if known is not None:
        return str(known.value)
    declared = _box_around([part.region for part in parts])
    shown = _shown_tissue(grey, declared, parts, regions)
    if shown is None:
        return ""
    text = _contradiction(shown, declared)
    if cache is not None:
        cache.recent("misfit", lambda: text)
    return text


def _shown_tissue(
    grey: ByteImage, declared: Box, parts: Sequence[TissuePart], regions: Sequence[Region]
) -> Box | None:
    """Return the box around the tissue that belongs to the declared regions; None if unknown.

    It is `declared` if there is nothing beyond the regions that could be tissue.
    """
    if not _may_extend(grey, declared):
        return declared
    inside = np.zeros(grey.shape, dtype=np.bool_)
    for part in parts:
        region = part.region
        inside[region.top : region.bottom, region.left : region.right] = True
    foreign = np.zeros(grey.shape, dtype=np.bool_)
    for region in regions:
        if region.kind not in ("tissue", "colour flow", "other"):
            foreign[region.top : region.bottom, region.left : region.right] = True
    foreign &= ~inside
    own = []
    for area in find_scan_areas(grey):
        mask = area.mask & ~foreign
        smaller = min(np.count_nonzero(mask), np.count_nonzero(inside))
        if smaller and np.count_nonzero(mask & inside) >= LEAST_INSIDE * smaller:
            own.append(mask)
    return bounding_box(np.logical_or.reduce(own)) if own else None


def _may_extend(grey: ByteImage, box: Box) -> bool:
    """Return False if the strips beside a box show nothing like tissue.

    Tissue that contradicts the regions extends to the right, below or above.
    """
    left, top, right, bottom = box
    across, down = (max(LEAST_SHIFT_PIXELS, round(ENLARGED * size)) for size in _size(box))
    on_the_right = grey[top:bottom, right + 1 : right + across]
    below = grey[bottom + 1 : bottom + down, left:right]
    above = grey[max(top - LEAST_SHIFT_PIXELS, 0) : top, left:right]
    return any(_texture(strip) > LEAST_TEXTURED for strip in (on_the_right, below, above))


def _texture(strip: ByteImage) -> float:
    """Return the fraction of pixels that differ from a neighbour on either axis."""
    if min(strip.shape) < 2:
        return 0.0
    levels = strip.astype(np.int16)
    across = np.abs(levels[1:, 1:] - levels[1:, :-1]) > LEAST_TEXTURE
    down = np.abs(levels[1:, 1:] - levels[:-1, 1:]) > LEAST_TEXTURE
    return float(np.mean(across | down))


def _contradiction(shown: Box, declared: Box) -> str:
    """Return how the box around the tissue contradicts that of the regions, or an empty text."""
    size = _size(declared)
    scaled = [(shown[i] - declared[i]) / size[i % 2] for i in range(4)]
    begins, ends = scaled[:2], scaled[2:]
    changed = ""
    begins_inside = min(begins) > -LEAST_SHIFT
    if min(ends) > ENLARGED and (begins_inside or min(ends) > MUCH_ENLARGED):
        changed = "larger"
    elif any(
        _is_stretched(shown[axis], shown[axis + 2], declared[axis], declared[axis + 2])
        for axis in range(2)
    ):
        changed = "larger on one axis"
    left, above = (declared[i] - shown[i] for i in range(2))
    least = [max(LEAST_SHIFT * length, LEAST_SHIFT_PIXELS) for length in size]
    centre = (begins[0] + ends[0]) / 2
    to_the_left = left >= least[0] or centre < -LEAST_CENTRE_SHIFT
    if above >= least[1] and to_the_left and max(ends) < -REDUCED:
        changed = "smaller"
    if not changed:
        return ""
    places = [
        f"columns {left} to {right - 1}, rows {top} to {bottom - 1}"
        for left, top, right, bottom in (shown, declared)
    ]
    return (
        f"the tissue is in {places[0]}, but its regions are in {places[1]}, as if the image had "
        f"been made {changed} after export; the regions are not used"
    )


def _is_stretched(begin: int, end: int, declared_begin: int, declared_end: int) -> bool:
    """Return True if tissue is a stretched copy of its region along one axis.

    It then begins and ends later by the same factor. If another picture lies beside the region, the
    tissue only ends later.
    """
    size = declared_end - declared_begin
    expected = declared_begin * end / declared_end
    shift = expected - declared_begin
    return (
        end - declared_end > ENLARGED * size
        and shift >= max(LEAST_SHIFT * size, LEAST_SHIFT_PIXELS)
        and abs(begin - expected) <= SHIFT_TOLERANCE * shift
    )


def _size(box: Box) -> tuple[int, int]:
    left, top, right, bottom = box
    return right - left, bottom - top


def _box_around(regions: Sequence[Region]) -> Box:
    """Return the box around regions."""
    return (
        min(region.left for region in regions),
        min(region.top for region in regions),
        max(region.right for region in regions),
        max(region.bottom for region in regions),
    )


# ---- depth 0 according to the file ----


def at_declared_face(
    scan_lines: ScanLines, grid: Grid, face_row: float | None
) -> tuple[ScanLines, tuple[Remark, ...]]:
    """Return scan lines whose depth is counted from the row of depth 0 in the file.

    Only a linear scan is changed. In a sector, writers use the apex as well as the transducer face
    as reference pixel. A row that cannot be that of the face is not used.

    Parameters
    ----------
    scan_lines : ScanLines
        Their face is at the first row of the tissue.
    grid : Grid
    face_row : float or None
        Row of the image at depth 0; None if the file does not give it.
    """
    if face_row is None or scan_lines.geometry != "linear":
        return scan_lines, ()
    face = float(grid.from_image(0.0, face_row)[1])
    above_mm = (scan_lines.face - face) * grid.pixel_mm
    if not -FACE_TOLERANCE_MM <= above_mm <= DEEPEST_FACE_MM:
        return scan_lines, (
            f"the reference pixel of the file puts depth 0 at row {face_row:.0f}, which does not "
            "fit the tissue; depth is measured from the first row of the tissue",
        )
    remarks: tuple[Remark, ...] = ()
    if abs(above_mm) > NOTED_FACE_MM:
        remarks = (
            f"depth is measured from row {face_row:.0f}, where the reference pixel of the file "
            "puts depth 0",
        )
    return replace(scan_lines, face=face), remarks
