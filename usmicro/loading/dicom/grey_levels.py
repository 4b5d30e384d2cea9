"""Brightness of stored values: modality and VOI look-up tables, windows, inversion.

References
----------
DICOM PS3.3, C.11.1, C.11.2 and C.11.6; PS3.4, N.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.loading.dicom.bit_layout import BitLayout
from usmicro.loading.dicom.lookup_tables import grey_table
from usmicro.model.arrays import Frame
from usmicro.model.pixel_values import rescale
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

_NARROW_WINDOW = 0.9
"""A window on 8-bit pixels gets a note if it is narrower than this fraction of the value range.
Chosen by eye; no measurement is recorded."""
_DARK, _BRIGHT = 0.25, 0.75
"""Fractions of white below and above which a pixel counts as dark and as bright. Chosen by
judgement."""
_MOST_WHITE = 0.5
"""A warning is given if a window makes more than this fraction of the pixels white. Screens of
ultrasound systems are mostly black; chosen by judgement."""
_LEAST_PEAK = 1 / 8
"""A warning is given if a window leaves the brightest pixel darker than this fraction of white.
Chosen by judgement."""
_SIGMOID_STEPS = 65535
"""Number of steps from black to white of a sigmoid window: those of 16 bits."""
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
_UNUSED_BITS = 2
"""If the first frame leaves at least this many of the upper bits unused, so that it would be darker
than a quarter of white, pixels of more than 8 bits are rescaled from the bits that the file uses.
Chosen by judgement."""


@dataclass(frozen=True)
class GreyLevels:
    """Brightness of each code of the stored pixels."""

    measure: NDArray[Any]
    """Quantity of each code that rises with brightness, or falls if `is_inverted`."""
    ends: tuple[float, float] | None
    """Values of `measure` that become black and white, or white and black if `is_inverted`; None
    if the values that are used in the file decide."""
    is_inverted: bool = False

    def table(self, ends: tuple[float, float]) -> Frame:
        """Return the grey level of each code, uint8 or uint16."""
        levels: Frame = rescale(self.measure, *ends)
        return np.asarray(np.invert(levels)) if self.is_inverted else levels


@dataclass(frozen=True, slots=True)
class _Window:
    """A window in units of the stored values, or of the modality look-up table."""

    low: float
    high: float
    function: str


def grey_levels(
    header: Any, photometric: str, layout: BitLayout, codes: Frame, *, is_little_endian: bool
) -> tuple[GreyLevels, list[Remark]]:
    """Find how the stored values of a grey image are displayed.

    Parameters
    ----------
    header : pydicom.Dataset
    photometric : str
        "MONOCHROME1" or "MONOCHROME2".
    layout : BitLayout
    codes : array, uint8 or uint16
        Codes of the first frame.
    is_little_endian : bool
        Byte order of the tables in the header.

    Returns
    -------
    levels : GreyLevels
    remarks : list of Remark

    Raises
    ------
    ValueError
        If the rescale slope or a look-up table cannot be read.
    """
    slope, intercept = _number(header, "RescaleSlope") or 1.0, _number(header, "RescaleIntercept")
    remarks: list[Remark] = []
    values: NDArray[Any] = layout.values()
    modality, voi = (
        grey_table(items[0], is_little_endian=is_little_endian)
        if (items := header.get(f"{kind}LUTSequence"))
        else None
        for kind in ("Modality", "VOI")
    )
    if modality is not None:
        values, slope, intercept = modality(values), 1.0, 0.0
        remarks.append("the modality look-up table was applied")
    window, window_remarks = _window(header, slope, intercept)
    if voi is not None:
        values, slope = voi(slope * values + intercept), 1.0
        remarks.append("the VOI look-up table was applied")
        levels = GreyLevels(values, (0.0, float(max(voi.entries.max(), 1))))
    elif window is not None and layout.bits > 8:
        levels = _windowed(values, window)
        remarks += [_window_note(layout, window), *window_remarks]
    elif modality is not None:
        levels = GreyLevels(values, (0.0, float(max(modality.entries.max(), 1))))
    else:
        levels, range_remarks = unwindowed_levels(layout, codes)
        remarks += range_remarks
        if window is not None and window.high - window.low < _NARROW_WINDOW * (2**layout.bits - 1):
            remarks.append(
                f"the window {window.low:g} to {window.high:g} is not applied to "
                f"{layout.bits}-bit pixels"
            )
    asks_inversion = (
        photometric == "MONOCHROME1" or str(header.get("PresentationLUTShape") or "") == "INVERSE"
    )
    levels = replace(levels, is_inverted=asks_inversion != (slope < 0))
    return levels, [*remarks, *_unapplied(header), *_doubts(levels, codes)]


def _number(header: Any, keyword: str) -> float:
    """Return a number of the header, 0 if it has none or not a finite one.

    Raises
    ------
    ValueError
        If it is a text.
    """
    try:
        value = float(header.get(keyword) or 0)
    except (TypeError, ValueError):
        raise ValueError(f"expected a number as {keyword}") from None
    return value if np.isfinite(value) else 0.0


def _window(header: Any, slope: float, intercept: float) -> tuple[_Window | None, list[Remark]]:
    """Return the first window in units of the stored values, None if there is no valid one."""
    try:
        centres, widths = (
            np.atleast_1d(np.asarray(header[key].value, dtype=float))
            for key in ("WindowCenter", "WindowWidth")
        )
        centre, width = float(centres[0]), float(widths[0])
    except (KeyError, TypeError, ValueError, IndexError):
        return None, []
    function = str(header.get("VOILUTFunction") or "LINEAR").upper()
    least_width = 1 if function == "LINEAR" else 0
    if not (np.isfinite([centre, width]).all() and width > least_width):
        return None, []
    remarks: list[Remark] = []
    if centres.size > 1:
        remarks.append(f"the first of {centres.size} windows was used")
    if function not in _FUNCTIONS:
        text = "the function of the window is not one of the standard; it was read as linear"
        remarks.append(ScanWarning(WarningCode.GREY_LEVELS, text))
    if function not in _FUNCTIONS[1:]:
        centre, width = centre - 0.5, width - 1
    low, high = sorted((centre + side * width / 2 - intercept) / slope for side in (-1, 1))
    return _Window(low, high, function), remarks


def _windowed(values: NDArray[Any], window: _Window) -> GreyLevels:
    """Return the levels of a window."""
    if window.function != "SIGMOID":
        return GreyLevels(values, (window.low, window.high))
    centre, width = (window.low + window.high) / 2, window.high - window.low
    exponents = np.clip(-4 * (values - centre) / width, -50, 50)
    return GreyLevels(_SIGMOID_STEPS / (1 + np.exp(exponents)), (0.0, float(_SIGMOID_STEPS)))


def _window_note(layout: BitLayout, window: _Window) -> str:
    shape = "sigmoid window" if window.function == "SIGMOID" else "window"
    return (
        f"{layout.bits}-bit pixels were rescaled from the {shape} {window.low:g} to {window.high:g}"
    )


def unwindowed_levels(layout: BitLayout, codes: Frame) -> tuple[GreyLevels, list[Remark]]:
    """Return the levels of values without a window, such as those of colours, and remarks.

    They are rescaled from all bits, or from those that are used in the file.
    """
    values = layout.values()
    highest = int(codes.max())
    is_dark = 0 < highest < (1 << layout.bits) >> _UNUSED_BITS
    is_bipolar = layout.is_signed and not layout.is_offset
    if is_bipolar or layout.bits == 16 or (layout.bits > 8 and is_dark):
        note = (
            f"{layout.bits}-bit pixels were rescaled so that the highest bit used in the file "
            "is the top bit"
        )
        return GreyLevels(values, None), [note]
    levels = GreyLevels(values, (float(values.min()), float(values.max())))
    note = f"{layout.bits}-bit pixels were rescaled to 16 bits"
    return levels, [note] if layout.bits > 8 else []


def _unapplied(header: Any) -> list[Remark]:
    """Return warnings about parts of the header that change the picture and are not applied."""
    remarks: list[Remark] = []
    if header.get("PresentationLUTSequence"):
        text = "the presentation look-up table is not applied"
        remarks.append(ScanWarning(WarningCode.GREY_LEVELS, text))
    is_mixed = str(header.get("PixelPresentation") or "") in ("COLOR", "MIXED")
    if is_mixed and "RedPaletteColorLookupTableDescriptor" in header:
        first = header.RedPaletteColorLookupTableDescriptor[1]
        text = f"stored values from {first} on stand for colours; they were read as grey levels"
        remarks.append(ScanWarning(WarningCode.GREY_LEVELS, text))
    return remarks


def _doubts(levels: GreyLevels, codes: Frame) -> list[Remark]:
    """Return warnings if the header makes the first frame almost white or almost black."""
    if levels.ends is None:
        return []
    table = levels.table(levels.ends)
    frame = table[codes] / np.iinfo(table.dtype).max
    texts = []
    dark, bright = float(np.mean(frame < _DARK)), float(np.mean(frame > _BRIGHT))
    if levels.is_inverted and bright > max(dark, _MOST_WHITE):
        texts.append("the header asks to invert the image, which makes most of it white")
    elif codes.dtype == np.uint16 and np.mean(frame == 1) > _MOST_WHITE:
        texts.append("the window or look-up table makes most of the image white")
    elif codes.dtype == np.uint16 and codes.max() > 0 and frame.max() < _LEAST_PEAK:
        texts.append("the window or look-up table makes the image almost black")
    return [ScanWarning(WarningCode.GREY_LEVELS, text) for text in texts]
