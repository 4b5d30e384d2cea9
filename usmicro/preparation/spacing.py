"""Whether a pixel spacing can be right, and the estimate that stands in for an unknown one."""

from __future__ import annotations

import math

import numpy as np

from usmicro.model.scan import LARGEST_ASPECT, Spacing
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

DEPTH_LIMITS_MM = (8.0, 250.0)
"""Smallest and largest depth of a scan, in mm, at which a spacing is used. The smallest is below
that of a 24 MHz probe for the skin, the largest beyond that of an abdominal probe. Chosen by
judgement."""
WIDTH_LIMITS_MM = (4.0, 400.0)
"""The same for its width: the width of a narrow part of a split screen, and that of a wide sector.
Chosen by judgement."""
LARGEST_RATIO = 5.0
"""Largest ratio of a spacing and its estimate at which it is used, either way.

A spacing in cm is tenfold too small. On the 128 images of BrEaST-Lesions-USG the true spacing is
0.73 to 1.61 times the estimate (to which the estimate was fitted), so that one in cm is below a
fifth.
"""
NOMINAL_LOG_MM, NOMINAL_LOG_SECTOR = 3.727, 0.225
"""Logarithm of the size of a linear scan in mm, and its increase for a sector; see
`nominal_pixel_mm`."""
MM_PER_INCH = 25.4
SIMILAR_RATIO = 2.5
"""Two spacings agree for the purpose of a guess if their ratio is at most this. Tenfold mistakes
stay apart at anything below the square root of 10."""


def nominal_pixel_mm(width: float, height: float, *, sector: bool, aspect: float = 1.0) -> float:
    """Estimate the width of an input pixel in mm from the size of the scan area in pixels.

    A breast transducer is 38 to 50 mm wide and is set to a depth of about 40 mm. A sector is wider
    than its transducer. The formula was fitted to 128 images of BrEaST-Lesions-USG with known
    spacing: leaving one out, the median error is 8 % and the ninth decile 16 %. The speckle size
    adds nothing (alone: 13 % and 34 %), nor does the depth alone (7 % and 35 %).

    Parameters
    ----------
    width, height : float
        Size of the scan area in input pixels.
    sector : bool
        True for a sector.
    aspect : float
        Height of a pixel over its width.
    """
    size_mm = math.exp(NOMINAL_LOG_MM + NOMINAL_LOG_SECTOR * sector)
    return float(size_mm / (width**0.6 * (height * aspect) ** 0.4))


def pixel_aspect(spacing: Spacing) -> float:
    """Return the height of an input pixel over its width; 1 if it is unknown or implausible."""
    x_mm, y_mm = spacing.x_mm, spacing.y_mm
    if x_mm is None or y_mm is None:
        aspect = 1.0 if spacing.aspect is None else spacing.aspect
    elif 0 < x_mm < np.inf and 0 < y_mm < np.inf:
        aspect = y_mm / x_mm
    else:
        aspect = 1.0
    return aspect if 1 / LARGEST_ASPECT <= aspect <= LARGEST_ASPECT else 1.0


def credible(
    spacing: Spacing, width: float, height: float, *, sector: bool
) -> tuple[Spacing, tuple[Remark, ...]]:
    """Return a spacing if it can be right, otherwise one without mm and a warning.

    A spacing is rejected if it makes the scan shallower or deeper, narrower or wider than any scan
    of a breast, if its pixels are far from square, or if it differs several times from
    `nominal_pixel_mm`. The shape of the pixels is kept.

    Parameters
    ----------
    spacing : Spacing
    width, height : float
        Size of the scan area in input pixels.
    sector : bool
        True for a sector.

    Returns
    -------
    spacing : Spacing
        Its source is "rejected" if `spacing` is not used.
    remarks : tuple
    """
    x_mm, y_mm = spacing.x_mm, spacing.y_mm
    aspect = pixel_aspect(spacing)
    shape = None if aspect == 1 else aspect
    if x_mm is None and y_mm is None:
        return Spacing(source=spacing.source, aspect=shape), ()
    if x_mm is None or y_mm is None:
        return Spacing(), (
            f"spacing is known along {'x' if y_mm is None else 'y'} only, "
            "so that no lengths in mm are given",
        )
    problem = _problem(x_mm, y_mm, width, height, sector=sector)
    if not problem:
        return spacing, ()
    text = f"a spacing of {x_mm:.4g} x {y_mm:.4g} mm (x, y) {problem}"
    return (
        Spacing(source="rejected", aspect=shape),
        (ScanWarning(WarningCode.SPACING_REJECTED, text),),
    )


def _problem(x_mm: float, y_mm: float, width: float, height: float, *, sector: bool) -> str:
    """Return why a spacing cannot be right, with a guess at the reason; empty if it can be."""
    if not (np.isfinite(x_mm) and np.isfinite(y_mm) and x_mm > 0 and y_mm > 0):
        return "is not a length"
    if not 1 / LARGEST_ASPECT <= y_mm / x_mm <= LARGEST_ASPECT:
        return "is too different on the two axes"
    estimate = nominal_pixel_mm(width, height, sector=sector, aspect=y_mm / x_mm)
    guess = _guess(x_mm, estimate)
    width_mm, depth_mm = width * x_mm, height * y_mm
    if not (
        DEPTH_LIMITS_MM[0] <= depth_mm <= DEPTH_LIMITS_MM[1]
        and WIDTH_LIMITS_MM[0] <= width_mm <= WIDTH_LIMITS_MM[1]
    ):
        return (
            f"makes the scan {width_mm:.3g} mm wide and {depth_mm:.3g} mm deep, which is "
            f"impossible for a breast{guess}"
        )
    if not 1 / LARGEST_RATIO <= x_mm / estimate <= LARGEST_RATIO:
        return (
            f"makes the scan {width_mm:.3g} mm wide and {depth_mm:.3g} mm deep; about "
            f"{estimate:.2g} mm per pixel is usual for an image of this size{guess}"
        )
    return ""


def _guess(x_mm: float, estimate: float) -> str:
    """Return a guess at the unit of a wrong spacing as the end of a sentence, or an empty text."""
    readings = {
        "in cm": x_mm * 10,
        "in m": x_mm * 1000,
        "in micrometres": x_mm / 1000,
        "in tenths of a mm": x_mm / 10,
        "pixels per mm": 1 / x_mm,
        "pixels per cm": 10 / x_mm,
        "dots per inch": MM_PER_INCH / x_mm,
    }
    distances = {
        unit: abs(math.log(mm / estimate)) for unit, mm in readings.items() if math.isfinite(mm)
    }
    unit = min(distances, key=lambda name: distances[name], default="")
    if not unit or distances[unit] > math.log(SIMILAR_RATIO):
        return ""
    return f": is it {'given as ' if 'per' in unit else ''}{unit}?"
