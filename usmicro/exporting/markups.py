"""The foci of one image as a list of points for 3D Slicer (Markups, .mrk.json)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from usmicro.writing.report.run import Row

SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/"
    "Schema/markups-schema-v1.0.3.json#"
)
"""Format that the file states: version 1.0.3 of the Markups schema of 3D Slicer."""
AXES = (-1.0, -0.0, -0.0, -0.0, -1.0, -0.0, 0.0, 0.0, 1.0)
"""Orientation of a point as 3D Slicer writes it; it has no meaning for points."""


def encode_markups(foci: Sequence[Row]) -> bytes:
    """Encode the foci of an image.

    3D Slicer places a PNG, JPEG, BMP or TIFF picture with the centre of its upper left pixel at the
    origin, and one mm for each pixel, unless the file states another resolution. Column and row of
    a focus are therefore its coordinates L and P. Slicer shows R and A, with the opposite signs.

    Parameters
    ----------
    foci : sequence of dict
        Rows of foci.csv.

    Returns
    -------
    bytes
        JSON as UTF-8.
    """
    points = [_point(row) for row in foci]
    markups = {
        "type": "Fiducial",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": True,
        "fixedNumberOfControlPoints": False,
        "labelFormat": "%N-%d",
        "lastUsedControlPointNumber": len(points),
        "controlPoints": points,
    }
    content = {"@schema": SCHEMA, "markups": [markups]}
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _point(row: Row) -> dict[str, Any]:
    """Return a focus as a point."""
    facts = {
        "confidence": row["confidence"],
        "shadow": row["shadow"],
        "twinkling": row["twinkling"],
        "diameter_px": row["diameter_px"],
        "frame": row["frame"],
    }
    known = [f"{name} {value}" for name, value in facts.items() if value is not None]
    return {
        "id": str(row["focus"]),
        "label": f"{row['focus']} {row['label']}",
        "description": ", ".join(known),
        "associatedNodeID": "",
        "position": [float(row["x_px"]), float(row["y_px"]), 0.0],
        "orientation": list(AXES),
        "selected": True,
        "locked": True,
        "visibility": True,
        "positionStatus": "defined",
    }
