"""Sequence of Ultrasound Regions (DICOM PS3.3 C.8.5.5) and the spacing that a file states."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from usmicro.model.scan import Region, RegionKind, Spacing, SpacingSource

_CENTIMETRES = 3
_FLAT, _M_MODE, _SPECTRAL = 1, 2, 3
"""RegionSpatialFormat: two-dimensional, M-mode, spectral."""
_BARS: dict[int, RegionKind] = {0xD: "grey bar", 0xE: "colour bar"}
_FLAT_KINDS: dict[int, RegionKind] = {1: "tissue", 2: "colour flow"}
_SPECTRAL_DATA = range(3, 8)
"""RegionDataType: pulsed and continuous wave Doppler and their mean, mode and maximum traces."""
_FOREIGN = 1.5
"""A region that ends so many times farther than the image, across and down, was written for another size of the image."""
LARGEST_EXTENT_MM = 350.0
SMALLEST_EXTENT_MM = 2.0
"""No ultrasound image is deeper or shallower: a spacing that says so is wrong."""


def read_regions(
    header: Any, rows: int, columns: int
) -> tuple[tuple[Region, ...], tuple[str, ...]]:
    """Regions of the screen and notes about those that cannot be used.

    Parameters
    ----------
    header : pydicom.Dataset
    rows, columns : int
        Size of the image, which the regions are cut to.

    Returns
    -------
    regions : tuple of Region
        In the order of the file, each once.
    notes : tuple of str
    """
    regions: list[Region] = []
    notes: list[str] = []
    try:
        items = list(header.get("SequenceOfUltrasoundRegions") or [])
    except Exception as error:  # a damaged sequence makes pydicom raise nearly every kind there is
        return (), (
            f"the Sequence of Ultrasound Regions cannot be read ({type(error).__name__}) and is not used",
        )
    for number, item in enumerate(items, start=1):
        try:
            region, notes_of_region = _region(item, rows, columns)
        except Exception as error:  # as above
            region, notes_of_region = (
                None,
                [f"cannot be read ({type(error).__name__}: {error}) and is not used"],
            )
        notes += [f"ultrasound region {number} {note}" for note in notes_of_region]
        if region is not None and region not in regions:
            regions.append(region)
    return tuple(regions), tuple(notes)


def _region(item: Any, rows: int, columns: int) -> tuple[Region | None, list[str]]:
    notes = []
    kind = _kind(_whole(item, "RegionSpatialFormat", 0), _whole(item, "RegionDataType", 0))
    corners = (
        "RegionLocationMinX0",
        "RegionLocationMinY0",
        "RegionLocationMaxX1",
        "RegionLocationMaxY1",
    )
    left, top, right, bottom = (_whole(item, corner) for corner in corners)
    right, bottom = right + 1, bottom + 1  # the file's last column and row are inside
    words = f"({kind}, columns {left} to {right - 1}, rows {top} to {bottom - 1})"
    cut = Region(kind, max(left, 0), max(top, 0), min(right, columns), min(bottom, rows))
    if cut.right <= cut.left or cut.bottom <= cut.top:
        return None, [
            f"{words} has no pixel inside the image of {columns} columns x {rows} rows and is not used"
        ]
    if right > _FOREIGN * columns and bottom > _FOREIGN * rows:
        return None, [
            f"{words} is that of a larger image than this one of {columns} columns x {rows} rows, which may have been made smaller: "
            "neither its place nor its spacing is used"
        ]
    if (
        right > columns + 1 or bottom > rows + 1 or left < 0 or top < 0
    ):  # one past the end is a common slip that changes nothing
        notes.append(
            f"{words} reaches outside the image of {columns} columns x {rows} rows and was cut"
        )
    if kind not in ("tissue", "colour flow"):
        return cut, notes
    x_mm, x_fault = _delta(item, "X", right - left)
    y_mm, y_fault = _delta(item, "Y", bottom - top)
    if faults := [fault for fault in (x_fault, y_fault) if fault]:
        notes.append(f"{words} has a spacing that is not used: {'; '.join(faults)}")
    if x_mm is None and y_mm is None:
        return cut, notes
    return replace(cut, spacing=Spacing(x_mm, y_mm, "region")), notes


def _kind(spatial_format: int, data_type: int) -> RegionKind:
    if data_type in _BARS:
        return _BARS[data_type]
    if spatial_format == _FLAT:
        return _FLAT_KINDS.get(data_type, "other")
    if spatial_format == _M_MODE:
        return "m-mode"
    if spatial_format == _SPECTRAL or data_type in _SPECTRAL_DATA:
        return "spectral"
    return "other"


def _whole(item: Any, keyword: str, default: int | None = None) -> int:
    value = item.get(keyword)
    if value is None or value == "":
        if default is None:
            raise ValueError(f"{keyword} is missing")
        return default
    number = int(value)
    # these are signed, or unsigned holding a negative number, in files of several makers
    return number - 2**32 if number >= 2**31 else number


def _delta(item: Any, axis: str, extent: int) -> tuple[float | None, str]:
    """Spacing in mm along an axis, from a delta in cm, and what is wrong if there is none.

    A negative delta only says which way the axis points.
    """
    if _whole(item, f"PhysicalUnits{axis}Direction", 0) != _CENTIMETRES:
        return None, ""
    value = item.get(f"PhysicalDelta{axis}")
    spacing_mm = math.nan if value is None or value == "" else abs(float(value)) * 10
    fault = implausible(spacing_mm, extent)
    return (None, f"PhysicalDelta{axis}, {fault}") if fault else (spacing_mm, "")


def implausible(spacing_mm: float, extent: int) -> str:
    """Say what is wrong with a spacing along an axis of `extent` pixels; empty if nothing is."""
    if not math.isfinite(spacing_mm) or spacing_mm <= 0:
        return f"found {spacing_mm:g} mm, expected a number above 0"
    if not SMALLEST_EXTENT_MM <= spacing_mm * extent <= LARGEST_EXTENT_MM:
        return f"{spacing_mm:.4g} mm a pixel would make it {spacing_mm * extent:.4g} mm across"
    return ""


def file_spacing(
    header: Any, regions: tuple[Region, ...], rows: int, columns: int
) -> tuple[Spacing, tuple[str, ...]]:
    """Spacing of the image as the file states it: that of the first tissue region, else of a colour-flow region, else PixelSpacing.

    Parameters
    ----------
    header : pydicom.Dataset
    regions : tuple of Region
    rows, columns : int

    Returns
    -------
    spacing : Spacing
    notes : tuple of str
    """
    for kind in ("tissue", "colour flow"):
        for region in regions:
            if region.kind == kind and region.spacing.known:
                return region.spacing, ()
    notes: list[str] = []
    source: SpacingSource = "pixel spacing"
    for keyword, values in _stated(header):
        try:
            y_mm, x_mm = (
                float(value) for value in values
            )  # between rows first, then between columns
        except (TypeError, ValueError):
            notes.append(f"{keyword} is not two numbers and is not used")
            continue
        faults = [fault for fault in (implausible(x_mm, columns), implausible(y_mm, rows)) if fault]
        if not faults:
            return Spacing(x_mm, y_mm, source), tuple(notes)
        notes.append(f"{keyword} is not used: {faults[0]}")
    return Spacing(), tuple(notes)


def _stated(header: Any) -> list[tuple[str, Any]]:
    """Attributes of the image as a whole that hold its spacing; ImagerPixelSpacing is that of a detector and so is not one of them."""
    found: list[tuple[str, Any]] = []
    for keyword in ("PixelSpacing", "NominalScannedPixelSpacing"):
        try:
            value = header.get(keyword)
        except Exception:  # a damaged value makes pydicom raise nearly every kind there is
            value = "unreadable"
        if value is not None and value != "":
            found.append((keyword, value))
    for group in (
        header.get("SharedFunctionalGroupsSequence") or []
    ):  # of an enhanced ultrasound volume
        found += [
            ("PixelSpacing", item.PixelSpacing)
            for item in group.get("PixelMeasuresSequence") or []
            if "PixelSpacing" in item
        ]
    return found
