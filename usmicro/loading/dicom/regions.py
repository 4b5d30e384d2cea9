"""Ultrasound regions of a DICOM file (PS3.3 C.8.5.5)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from usmicro.loading.dicom.spacing import file_spacing, spacing_problem
from usmicro.model.scan import Region, RegionKind, Spacing, SpacingSource
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

_CENTIMETRES = 3
"""Value of PhysicalUnitsXDirection and PhysicalUnitsYDirection for cm."""
_TWO_DIMENSIONAL, _M_MODE, _SPECTRAL = 1, 2, 3
"""Values of RegionSpatialFormat."""
_BAR_KINDS: dict[int, RegionKind] = {0xD: "grey bar", 0xE: "colour bar"}
"""Kinds of region by RegionDataType, for any RegionSpatialFormat."""
_TWO_DIMENSIONAL_KINDS: dict[int, RegionKind] = {1: "tissue", 2: "colour flow"}
"""Kinds of two-dimensional region by RegionDataType."""
_SPECTRAL_DATA_TYPES = range(3, 8)
"""Values of RegionDataType for pulsed-wave and continuous-wave Doppler and for their mean, mode
and maximum traces."""
_TOLERATED_PIXELS = 2
"""Number of pixels by which a region of tissue or colour flow may end outside the image: writers
mistake the last pixel for the one after it. Beyond, the region belongs to another image. Chosen by
judgement."""
_TOLERATED_FRACTION = 0.05
"""The same for other regions, such as traces and bars, which writers place less carefully, as a
fraction of the size of the image. Chosen by judgement."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """What a header says about the place and the size of its pixels."""

    regions: tuple[Region, ...]
    """In the order of the file, without repetitions."""
    spacing: Spacing
    """Spacing of the whole image."""
    remarks: tuple[Remark, ...]


def read_geometry(header: Any, rows: int, columns: int) -> Geometry:
    """Read the ultrasound regions and the pixel spacing of an image.

    If the regions do not fit the pixels, none is used and no spacing either: the picture was then
    resized or cropped after export, and PixelSpacing may be as old as the regions.

    Parameters
    ----------
    header : pydicom.Dataset
    rows, columns : int
        Size of the image; the regions are cropped to it.
    """
    regions, remarks = read_regions(header, rows, columns)
    if any(
        isinstance(remark, ScanWarning) and remark.code == WarningCode.REGIONS_DO_NOT_FIT
        for remark in remarks
    ):
        return Geometry((), Spacing(source="rejected"), remarks)
    spacing, of_spacing = file_spacing(header, regions, rows, columns)
    return Geometry(regions, spacing, (*remarks, *of_spacing))


def read_regions(
    header: Any, rows: int, columns: int
) -> tuple[tuple[Region, ...], tuple[Remark, ...]]:
    """Read the ultrasound regions of an image.

    Parameters
    ----------
    header : pydicom.Dataset
    rows, columns : int
        Size of the image; the regions are cropped to it.

    Returns
    -------
    regions : tuple of Region
        In the order of the file, without repetitions. Empty if they do not fit the image.
    remarks : tuple
        Remarks on regions that are cropped, not used, or do not fit.
    """
    regions: list[Region] = []
    remarks: list[Remark] = []
    beyond: list[str] = []
    try:
        items = list(header.get("SequenceOfUltrasoundRegions") or [])
    except Exception as error:  # for a damaged sequence pydicom raises errors of almost any type
        reason = type(error).__name__
        return (), (
            f"the Sequence of Ultrasound Regions cannot be read ({reason}) and is not used",
        )
    for number, item in enumerate(items, start=1):
        region: Region | None = None
        name = f"ultrasound region {number}"
        try:
            box = _Box.of(item)
            if box.is_beyond(rows, columns):
                beyond.append(f"region {number}, {box}")
            region, of_region = _read_region(item, box, rows, columns, f"{name} ({box})")
            remarks += of_region
        except Exception as error:  # damaged items also raise errors of almost any type
            remarks.append(
                f"{name} cannot be read ({type(error).__name__}: {error}) and is not used"
            )
        if region is not None and region not in regions:
            regions.append(region)
    if beyond:
        text = (
            f"the image has {columns} columns x {rows} rows, but its regions reach beyond "
            f"({'; '.join(beyond)}), as if it had been made smaller or cropped after export; the "
            "regions are not used"
        )
        return (), (ScanWarning(WarningCode.REGIONS_DO_NOT_FIT, text),)
    return tuple(regions), tuple(remarks)


@dataclass(frozen=True, slots=True)
class _Box:
    """Place of a region as the file gives it, with its kind."""

    kind: RegionKind
    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def of(cls, item: Any) -> _Box:
        """Read the place of a region from an item of the sequence."""
        spatial_format, data_type = (
            _integer(item, keyword, 0) for keyword in ("RegionSpatialFormat", "RegionDataType")
        )
        left = _integer(item, "RegionLocationMinX0")
        top = _integer(item, "RegionLocationMinY0")
        # the last column and row in the file are inside the region
        right = _integer(item, "RegionLocationMaxX1") + 1
        bottom = _integer(item, "RegionLocationMaxY1") + 1
        return cls(_region_kind(spatial_format, data_type), left, top, right, bottom)

    def __str__(self) -> str:
        return (
            f"{self.kind}, columns {self.left} to {self.right - 1}, "
            f"rows {self.top} to {self.bottom - 1}"
        )

    @property
    def is_empty(self) -> bool:
        """True if the last column or row comes before the first."""
        return self.right <= self.left or self.bottom <= self.top

    def is_beyond(self, rows: int, columns: int) -> bool:
        """Return True if the region ends so far outside the image that it belongs to another."""
        if self.is_empty:
            return False
        across, down = self.right - columns, self.bottom - rows
        if self.kind in ("tissue", "colour flow"):
            return max(across, down) > _TOLERATED_PIXELS
        return max(across / columns, down / rows) > _TOLERATED_FRACTION


def _read_region(
    item: Any, box: _Box, rows: int, columns: int, name: str
) -> tuple[Region | None, list[Remark]]:
    """Read one item of the sequence; the region is None if it cannot be used.

    `name` begins the remarks.
    """
    remarks: list[Remark] = []
    image = f"the image of {columns} columns x {rows} rows"
    if box.is_empty:
        return None, [f"{name} ends before it begins and is not used"]
    region = Region(
        box.kind,
        max(box.left, 0),
        max(box.top, 0),
        min(box.right, columns),
        min(box.bottom, rows),
        low_priority=bool(_integer(item, "RegionFlags", 0) & 1),
    )
    if region.right <= region.left or region.bottom <= region.top:
        return None, [f"{name} has no pixel inside {image} and is not used"]
    # many files end a region one pixel outside the image, which changes nothing
    if box.right > columns + 1 or box.bottom > rows + 1 or box.left < 0 or box.top < 0:
        remarks.append(f"{name} extends outside {image} and was cropped")
    if box.kind not in ("tissue", "colour flow"):
        return region, remarks
    x_mm, y_mm = _axis_spacing(item, "X"), _axis_spacing(item, "Y")
    source: SpacingSource = "none" if x_mm is None and y_mm is None else "region"
    problems: list[str] = []
    aspect = y_mm / x_mm if x_mm and y_mm else None
    extents = {"X": (x_mm, box.right - box.left), "Y": (y_mm, box.bottom - box.top)}
    for axis, (spacing_mm, extent) in extents.items():
        if spacing_mm is None or not (problem := spacing_problem(spacing_mm, extent)):
            continue
        problems.append(f"PhysicalDelta{axis}, {problem}")
        if 0 < spacing_mm < math.inf:
            source = "rejected"
        x_mm, y_mm = (None, y_mm) if axis == "X" else (x_mm, None)
    if problems:
        text = f"{name} has a spacing that is not used: {'; '.join(problems)}"
        is_impossible = source == "rejected"
        remarks.append(ScanWarning(WarningCode.SPACING_REJECTED, text) if is_impossible else text)
    if source == "region" and x_mm is None and y_mm is None:
        source = "none"
    if y_mm is not None:
        region = replace(region, face_row=_face_row(item, box.top, y_mm))
    if source != "rejected" or not aspect or not math.isfinite(aspect):
        aspect = None
    return replace(region, spacing=Spacing(x_mm, y_mm, source, aspect)), remarks


def _face_row(item: Any, top: int, y_mm: float) -> float | None:
    """Return the row of the image at depth 0 according to the reference pixel.

    The reference pixel is counted from the upper left corner of the region and may lie outside of
    it. Values that a writer also stores without knowing the depth give None: a reference pixel at
    the corner of the region or of the image with the value 0, and an axis that points upwards.

    References
    ----------
    DICOM PS3.3 C.8.5.5.1.
    """
    row = item.get("ReferencePixelY0")
    if row is None or row == "":
        return None
    row = _integer(item, "ReferencePixelY0")
    value = item.get("ReferencePixelPhysicalValueY")
    depth_mm = 0.0 if value is None or value == "" else float(value) * 10
    if float(item.PhysicalDeltaY) < 0 or not math.isfinite(depth_mm):
        return None
    if depth_mm == 0 and row in (0, -top):
        return None
    return top + row - depth_mm / y_mm


def _region_kind(spatial_format: int, data_type: int) -> RegionKind:
    """Return the kind of a region from its RegionSpatialFormat and RegionDataType."""
    if data_type in _BAR_KINDS:
        return _BAR_KINDS[data_type]
    if spatial_format == _TWO_DIMENSIONAL:
        return _TWO_DIMENSIONAL_KINDS.get(data_type, "other")
    if spatial_format == _M_MODE:
        return "m-mode"
    if spatial_format == _SPECTRAL or data_type in _SPECTRAL_DATA_TYPES:
        return "spectral"
    return "other"


def _integer(item: Any, keyword: str, default: int | None = None) -> int:
    """Return an attribute as an integer; without a default it must be present."""
    value = item.get(keyword)
    if value is None or value == "":
        if default is None:
            raise ValueError(f"{keyword} is missing")
        return default
    number = int(value)
    # files of several manufacturers store negative numbers in unsigned attributes
    return number - 2**32 if number >= 2**31 else number


def _axis_spacing(item: Any, axis: str) -> float | None:
    """Return the spacing along an axis in mm; None if it is not a length, NaN if it is missing.

    A negative PhysicalDelta only gives the direction of the axis.
    """
    if _integer(item, f"PhysicalUnits{axis}Direction", 0) != _CENTIMETRES:
        return None
    value = item.get(f"PhysicalDelta{axis}")
    return math.nan if value is None or value == "" else abs(float(value)) * 10
