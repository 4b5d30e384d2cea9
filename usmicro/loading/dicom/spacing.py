"""The pixel spacing in the header of a DICOM file."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from usmicro.model.regions import same_spacing, tissue_parts
from usmicro.model.scan import LARGEST_ASPECT, Region, Spacing
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

_SAME_ASPECT = 0.02
"""Relative difference of two ratios of the sides of a pixel that is due to rounding. Chosen by
judgement."""
_LARGEST_EXTENT_MM = 350.0
"""Largest plausible width or height of an ultrasound image, mm. Chosen to be above the depth of any
clinical image; no measurement is recorded."""
_SMALLEST_EXTENT_MM = 2.0
"""Smallest plausible width or height of an ultrasound image, mm. Chosen to be below the size of any
clinical image; no measurement is recorded."""


def spacing_problem(spacing_mm: float, extent: int) -> str:
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
) -> tuple[Spacing, tuple[Remark, ...]]:
    """Return the spacing of the image according to the file.

    The spacing of the regions that show tissue is taken if they agree, and PixelSpacing if none of
    them has a spacing. If only the shape of the pixels is known, from PixelAspectRatio, the spacing
    is unknown but has an aspect.

    Parameters
    ----------
    header : pydicom.Dataset
    regions : tuple of Region
    rows, columns : int

    Returns
    -------
    spacing : Spacing
        Unknown if the file has no valid spacing. Unknown with the source "region" if the regions
        that are analysed have different ones, or only some have one.
    remarks : tuple
        Remarks on spacings that are not used or differ.
    """
    parts, of_parts = tissue_parts(regions)
    spacings = [part.region.spacing for part in parts]
    known = [spacing for spacing in spacings if spacing.known]
    remarks: list[Remark] = []
    aspect = _pixel_aspect_ratio(header, remarks)
    if known:
        if not all(same_spacing(known[0], spacing) for spacing in known):
            texts = list(dict.fromkeys(f"{one.x_mm:.4g} x {one.y_mm:.4g}" for one in known))
            text = f"the regions have pixels of {', '.join(texts)} mm (x, y)"
            remarks.append(ScanWarning(WarningCode.SPACING_DIFFERS, text))
            return Spacing(source="region"), tuple(remarks)
        left_out = any(isinstance(remark, ScanWarning) for remark in of_parts)
        if left_out or len(known) < len(spacings):  # that of one region is not that of the image
            return Spacing(source="region"), tuple(remarks)
        spacing = known[0]
        other = _image_spacing(header, rows, columns, [])
        if other.known and not same_spacing(spacing, other):
            remarks.append(
                f"PixelSpacing gives {other.x_mm:.4g} x {other.y_mm:.4g} mm (x, y), but the "
                f"regions give {spacing.x_mm:.4g} x {spacing.y_mm:.4g} mm; the regions are used"
            )
    else:
        spacing = _image_spacing(header, rows, columns, remarks)
        if not spacing.known and any(one.source == "rejected" for one in spacings):
            shapes = [one.aspect for one in spacings if one.source == "rejected"]
            spacing = Spacing(source="rejected", aspect=shapes[0])
    if not spacing.known:
        return replace(spacing, aspect=aspect or spacing.aspect), tuple(remarks)
    assert spacing.x_mm is not None
    assert spacing.y_mm is not None
    if aspect is not None and not math.isclose(
        spacing.y_mm / spacing.x_mm, aspect, rel_tol=_SAME_ASPECT
    ):
        remarks.append(
            f"PixelAspectRatio gives pixels {aspect:.3g} times as high as wide, but the spacing is "
            f"{spacing.x_mm:.4g} x {spacing.y_mm:.4g} mm (x, y); the spacing is used"
        )
    return spacing, tuple(remarks)


def _image_spacing(header: Any, rows: int, columns: int, remarks: list[Remark]) -> Spacing:
    """Return the spacing of the whole image from an attribute of the header."""
    unusable = Spacing()
    for keyword, values in _image_spacings(header, remarks):
        try:
            y_mm, x_mm = (float(value) for value in values)  # DICOM gives the row spacing first
        except (TypeError, ValueError):
            remarks.append(f"{keyword} is not used: expected two numbers")
            continue
        problem = spacing_problem(x_mm, columns) or spacing_problem(y_mm, rows)
        if not problem:
            return Spacing(x_mm, y_mm, "pixel spacing")
        text = f"{keyword} is not used: {problem}"
        if 0 < x_mm < math.inf and 0 < y_mm < math.inf:
            unusable = Spacing(source="rejected", aspect=y_mm / x_mm)
            remarks.append(ScanWarning(WarningCode.SPACING_REJECTED, text))
        else:
            remarks.append(text)
    return unusable


def _pixel_aspect_ratio(header: Any, remarks: list[Remark]) -> float | None:
    """Return the height of a pixel over its width from PixelAspectRatio, or None if it has none.

    A ratio of 1 also gives None: square pixels are assumed anyway.
    """
    try:
        value = header.get("PixelAspectRatio")
    except Exception:  # for a damaged value pydicom raises errors of almost any type
        value = "unreadable"
    if value is None or value == "":
        return None
    try:
        height, width = (float(number) for number in value)  # the vertical size comes first
        aspect = height / width
    except (TypeError, ValueError, ZeroDivisionError):
        remarks.append("PixelAspectRatio is not used: expected two numbers above 0")
        return None
    if not (height > 0 and width > 0 and 1 / LARGEST_ASPECT <= aspect <= LARGEST_ASPECT):
        remarks.append(
            f"PixelAspectRatio is not used: found {height:g} to {width:g}, expected two numbers "
            f"above 0 whose ratio is at most {LARGEST_ASPECT:g}"
        )
        return None
    return None if aspect == 1 else aspect


def _image_spacings(header: Any, remarks: list[Remark]) -> list[tuple[str, Any]]:
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
    # an enhanced ultrasound volume has its spacing in these
    shared = _pixel_measures(header, "SharedFunctionalGroupsSequence")
    each = _pixel_measures(header, "PerFrameFunctionalGroupsSequence")
    if len({str(value) for value in each}) > 1:
        remarks.append("PixelSpacing is not used: the frames have different ones")
        return []
    return spacings + [("PixelSpacing", value) for value in [*each[:1], *shared]]


def _pixel_measures(header: Any, keyword: str) -> list[Any]:
    """Return the values of PixelSpacing in a sequence of functional groups."""
    try:
        return [
            item.PixelSpacing
            for group in header.get(keyword) or []
            for item in group.get("PixelMeasuresSequence") or []
            if "PixelSpacing" in item
        ]
    except Exception:  # for a damaged sequence pydicom raises errors of almost any type
        return []
