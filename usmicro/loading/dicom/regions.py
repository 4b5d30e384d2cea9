"""Ultrasound regions (DICOM PS3.3 C.8.5.5) and the pixel spacing in a DICOM file."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from usmicro.model.scan import Region, RegionKind, Spacing, SpacingSource

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
_LARGER_IMAGE_RATIO = 1.5
"""A region belongs to a larger image if it ends beyond this many times the width and the height of
the image. Chosen by eye; no measurement is recorded."""
_LARGEST_EXTENT_MM = 350.0
"""Largest plausible width or height of an ultrasound image, mm. Chosen to be above the depth of any
clinical image; no measurement is recorded."""
_SMALLEST_EXTENT_MM = 2.0
"""Smallest plausible width or height of an ultrasound image, mm. Chosen to be below the size of any
clinical image; no measurement is recorded."""


def read_regions(
    header: Any, rows: int, columns: int
) -> tuple[tuple[Region, ...], tuple[str, ...]]:
    """Read the ultrasound regions of an image.

    Parameters
    ----------
    header : pydicom.Dataset
    rows, columns : int
        Size of the image; the regions are cropped to it.

    Returns
    -------
    regions : tuple of Region
        In the order of the file, without repetitions.
    notes : tuple of str
        Notes on regions that are cropped or not used.
    """
    regions: list[Region] = []
    notes: list[str] = []
    try:
        items = list(header.get("SequenceOfUltrasoundRegions") or [])
    except Exception as error:  # for a damaged sequence pydicom raises errors of almost any type
        reason = type(error).__name__
        return (), (
            f"the Sequence of Ultrasound Regions cannot be read ({reason}) and is not used",
        )
    for number, item in enumerate(items, start=1):
        region: Region | None = None
        try:
            region, region_notes = _read_region(item, rows, columns)
        except Exception as error:  # damaged items also raise errors of almost any type
            region_notes = [f"cannot be read ({type(error).__name__}: {error}) and is not used"]
        notes += [f"ultrasound region {number} {note}" for note in region_notes]
        if region is not None and region not in regions:
            regions.append(region)
    return tuple(regions), tuple(notes)


def _read_region(item: Any, rows: int, columns: int) -> tuple[Region | None, list[str]]:
    """Read one item of the sequence; the region is None if it cannot be used."""
    notes = []
    kind = _region_kind(
        _integer(item, "RegionSpatialFormat", 0), _integer(item, "RegionDataType", 0)
    )
    left = _integer(item, "RegionLocationMinX0")
    top = _integer(item, "RegionLocationMinY0")
    # the last column and row in the file are inside the region
    right = _integer(item, "RegionLocationMaxX1") + 1
    bottom = _integer(item, "RegionLocationMaxY1") + 1
    description = f"({kind}, columns {left} to {right - 1}, rows {top} to {bottom - 1})"
    image = f"the image of {columns} columns x {rows} rows"
    region = Region(kind, max(left, 0), max(top, 0), min(right, columns), min(bottom, rows))
    if region.right <= region.left or region.bottom <= region.top:
        return None, [f"{description} has no pixel inside {image} and is not used"]
    if right > _LARGER_IMAGE_RATIO * columns and bottom > _LARGER_IMAGE_RATIO * rows:
        return None, [
            f"{description} is not used: it belongs to a larger image than this one of "
            f"{columns} columns x {rows} rows, which may have been reduced in size"
        ]
    # many files end a region one pixel outside the image, which changes nothing
    if right > columns + 1 or bottom > rows + 1 or left < 0 or top < 0:
        notes.append(f"{description} extends outside {image} and was cropped")
    if kind not in ("tissue", "colour flow"):
        return region, notes
    x_mm, x_fault = _axis_spacing(item, "X", right - left)
    y_mm, y_fault = _axis_spacing(item, "Y", bottom - top)
    if faults := [fault for fault in (x_fault, y_fault) if fault]:
        notes.append(f"{description} has a spacing that is not used: {'; '.join(faults)}")
    if x_mm is None and y_mm is None:
        return region, notes
    return replace(region, spacing=Spacing(x_mm, y_mm, "region")), notes


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


def _axis_spacing(item: Any, axis: str, extent: int) -> tuple[float | None, str]:
    """Return the spacing along an axis in mm, and the problem if it cannot be used.

    The spacing is None if it cannot be used or is not a length. A negative PhysicalDelta only
    gives the direction of the axis. `extent` is the length of the region, pixels.
    """
    if _integer(item, f"PhysicalUnits{axis}Direction", 0) != _CENTIMETRES:
        return None, ""
    value = item.get(f"PhysicalDelta{axis}")
    spacing_mm = math.nan if value is None or value == "" else abs(float(value)) * 10
    problem = _spacing_problem(spacing_mm, extent)
    return (None, f"PhysicalDelta{axis}, {problem}") if problem else (spacing_mm, "")


def _spacing_problem(spacing_mm: float, extent: int) -> str:
    """Return the problem of a spacing along an axis of `extent` pixels, or an empty text."""
    if not math.isfinite(spacing_mm) or spacing_mm <= 0:
        return f"found {spacing_mm:g} mm, expected a number above 0"
    extent_mm = spacing_mm * extent
    if not _SMALLEST_EXTENT_MM <= extent_mm <= _LARGEST_EXTENT_MM:
        return (
            f"{spacing_mm:.4g} mm per pixel gives an image of {extent_mm:.4g} mm, "
            f"expected {_SMALLEST_EXTENT_MM:g} to {_LARGEST_EXTENT_MM:g} mm"
        )
    return ""


def file_spacing(
    header: Any, regions: tuple[Region, ...], rows: int, columns: int
) -> tuple[Spacing, tuple[str, ...]]:
    """Return the spacing of the image according to the file.

    It is that of the first tissue region with a spacing, otherwise that of the first colour-flow
    region, otherwise PixelSpacing.

    Parameters
    ----------
    header : pydicom.Dataset
    regions : tuple of Region
    rows, columns : int

    Returns
    -------
    spacing : Spacing
        Unknown if the file has no valid spacing.
    notes : tuple of str
        Notes on spacings that are not used.
    """
    for kind in ("tissue", "colour flow"):
        for region in regions:
            if region.kind == kind and region.spacing.known:
                return region.spacing, ()
    notes: list[str] = []
    source: SpacingSource = "pixel spacing"
    for keyword, values in _image_spacings(header):
        try:
            y_mm, x_mm = (float(value) for value in values)  # DICOM gives the row spacing first
        except (TypeError, ValueError):
            notes.append(f"{keyword} is not used: expected two numbers")
            continue
        problem = _spacing_problem(x_mm, columns) or _spacing_problem(y_mm, rows)
        if not problem:
            return Spacing(x_mm, y_mm, source), tuple(notes)
        notes.append(f"{keyword} is not used: {problem}")
    return Spacing(), tuple(notes)


def _image_spacings(header: Any) -> list[tuple[str, Any]]:
    """Return the keyword and value of each attribute with the spacing of the whole image.

    ImagerPixelSpacing is left out: it is the spacing of a detector.
    """
    spacings: list[tuple[str, Any]] = []
    for keyword in ("PixelSpacing", "NominalScannedPixelSpacing"):
        try:
            value = header.get(keyword)
        except Exception:  # for a damaged value pydicom raises errors of almost any type
            value = "unreadable"
        if value is not None and value != "":
            spacings.append((keyword, value))
    # an enhanced ultrasound volume has its spacing here
    for group in header.get("SharedFunctionalGroupsSequence") or []:
        for item in group.get("PixelMeasuresSequence") or []:
            if "PixelSpacing" in item:
                spacings.append(("PixelSpacing", item.PixelSpacing))
    return spacings
