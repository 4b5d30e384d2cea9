"""Findings on one image as GeoJSON, in the form that QuPath imports.

Objects and their properties follow QuPath 0.4 and newer: every finding is an annotation with a
name, a class with a colour, and measurements. Positions are pixels of the image; the upper left
pixel covers 0 to 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import ByteImage, LabelImage
from usmicro.writing.drawing import AREAS, LABEL_COLOURS
from usmicro.writing.polygons import Polygon, outline_corners, polygons
from usmicro.writing.report.run import Row

AREA_COLOURS = {value: (name, colour) for value, name, colour in AREAS}
"""Name and colour of each kind of area, by its value in the label image."""
NOT_MEASUREMENTS = ("image", "frame", "mass", "focus", "outline_px", "x_px", "y_px")
"""Columns that are no measurement: what the object is, or where."""
DIGITS = 2
"""Decimals of positions, in pixels."""


def encode_geojson(
    labels: ByteImage,
    shared: LabelImage,
    masses: Sequence[Row],
    foci: Sequence[Row],
    *,
    key_frame: int = 0,
) -> bytes:
    """Encode the findings on an image.

    Parameters
    ----------
    labels : array, shape (rows, columns), uint8
        Label image of the key frame.
    shared : array, shape (rows, columns), int
        1 to n in the areas of the masses, in their order; 0 elsewhere.
    masses : sequence of dict, length n
        Rows of masses.csv.
    foci : sequence of dict
        Rows of foci.csv. Those of a cine lie on the plane of their best frame.
    key_frame : int
        Index of the frame that the label image shows.

    Returns
    -------
    bytes
        A FeatureCollection as UTF-8. Areas have no holes. A focus is a point, or an area if it is a
        clump with an outline.
    """
    features = [
        *_masses(shared, masses, key_frame),
        *_areas(labels, key_frame),
        *map(_focus, foci),
    ]
    lines = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    return f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n'.encode()


def _masses(shared: LabelImage, masses: Sequence[Row], frame: int) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(masses, start=1):
        if outlines := polygons(shared == number):
            yield _feature(
                _polygons(outlines, frame),
                f"mass {row['mass']}",
                *AREA_COLOURS[AreaLabel.MASS],
                row,
            )


def _areas(labels: ByteImage, frame: int) -> Iterator[dict[str, Any]]:
    for value in (AreaLabel.DUCT, AreaLabel.NONMASS):
        name, colour = AREA_COLOURS[value]
        for number, outline in enumerate(polygons(labels == value), start=1):
            yield _feature(_polygons([outline], frame), f"{name} {number}", name, colour, {})


def _focus(row: Row) -> dict[str, Any]:
    frame = int(row["frame"] or 0)
    if row["outline_px"]:
        geometry = _polygons([outline_corners(row["outline_px"]) + 0.5], frame)
    else:
        position = [round(row["x_px"] + 0.5, DIGITS), round(row["y_px"] + 0.5, DIGITS)]
        geometry = {"type": "Point", "coordinates": position, "plane": _plane(frame)}
    label = row["label"]
    return _feature(geometry, f"focus {row['focus']}", f"{label} focus", LABEL_COLOURS[label], row)


def _polygons(outlines: Sequence[Polygon], frame: int) -> dict[str, Any]:
    """Return areas as a polygon, or several polygons."""
    rings = [
        [[round(float(x), DIGITS), round(float(y), DIGITS)] for x, y in np.vstack([o, o[:1]])]
        for o in outlines
    ]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings, "plane": _plane(frame)}
    coordinates = [[ring] for ring in rings]
    return {"type": "MultiPolygon", "coordinates": coordinates, "plane": _plane(frame)}


def _plane(frame: int) -> dict[str, int]:
    """Return the plane of a frame; -1 stands for all channels."""
    return {"c": -1, "z": 0, "t": frame}


def _feature(
    geometry: Mapping[str, Any],
    name: str,
    kind: str,
    colour: Sequence[int],
    row: Mapping[str, Any],
) -> dict[str, Any]:
    """Return an annotation; values that were not measured are left out."""
    known = {
        column: value
        for column, value in row.items()
        if value is not None and column not in NOT_MEASUREMENTS
    }
    numbers = {key: value for key, value in known.items() if isinstance(value, int | float)}
    words = {key: str(value) for key, value in known.items() if key not in numbers}
    properties: dict[str, Any] = {
        "objectType": "annotation",
        "name": name,
        "classification": {"name": kind, "color": list(colour)},
    }
    if numbers:
        properties["measurements"] = numbers
    if words:
        properties["metadata"] = words
    return {"type": "Feature", "geometry": dict(geometry), "properties": properties}
