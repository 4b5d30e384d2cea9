"""Whether a view looks like a breast scan: warnings about what is unusual, never a refusal."""

from __future__ import annotations

import numpy as np

from usmicro.model.view import View
from usmicro.model.warnings import ScanWarning, WarningCode
from usmicro.preparation.texture import texture_measures, texture_model

WIDEST_DEGREES = 60.0
"""Largest angle between the sides of the field of view of a breast scan, degrees.

On 2,715 breast scans of five data sets it is at most 51: 38 to 40 on 16 trapezoids of BrEaST, 51 on
one of BUSI. Curved abdominal probes have 60 to 75, cardiac probes 75 to 90."""
DEEPEST_MM = 80.0
"""Largest depth of a breast scan in mm; on 128 scans of BrEaST with known spacing it is at most
77."""
REDUCTION = 8
"""Every so many rows and columns of the tissue are used to measure its angle."""


def unusual_for_a_breast(view: View) -> tuple[ScanWarning, ...]:
    """Return what is unusual in a view if it is a breast scan.

    These are a field of view that is a wide sector or deeper than 8 cm, and a texture that is far
    from that of the training data. The depth is judged only if the pixel spacing is known.
    """
    warnings = []
    angle = field_angle(view)
    if angle > WIDEST_DEGREES:
        text = f"the sides of the field of view open by {angle:.0f} degrees"
        warnings.append(ScanWarning(WarningCode.WIDE_SECTOR, text))
    depth = field_depth_mm(view)
    if depth is not None and depth > DEEPEST_MM:
        text = f"the field of view is {depth / 10:.1f} cm deep"
        warnings.append(ScanWarning(WarningCode.DEEP_FIELD, text))
    measures = texture_measures(view)
    model = texture_model()
    if measures is not None and (distance := model.distance(measures)) > model.limit:
        text = (
            f"its texture is {distance:.0f} standard deviations from that of breast scans, where "
            f"at most {model.limit:.0f} are usual"
        )
        warnings.append(ScanWarning(WarningCode.UNUSUAL_TEXTURE, text))
    return tuple(warnings)


def field_angle(view: View) -> float:
    """Return the angle between the sides of the field of view in degrees; 0 for a linear scan."""
    if view.scan_lines.geometry == "linear":
        return 0.0
    rows, columns = np.nonzero(view.tissue[::REDUCTION, ::REDUCTION])
    if not rows.size:
        return 0.0
    x = columns * REDUCTION - view.scan_lines.apex_x
    y = rows * REDUCTION - view.scan_lines.apex_y
    angles = np.degrees(np.arctan2(x, y))
    return float(angles.max() - angles.min())


def field_depth_mm(view: View) -> float | None:
    """Return the depth of the lowest tissue below the transducer in mm; None if unknown."""
    rows = np.flatnonzero(view.tissue.any(axis=1))
    if not rows.size:
        return None
    lines = view.scan_lines
    return view.grid.in_mm(float(lines.depth(lines.middle_x, rows[-1] + 0.5)))
