"""Types of the columns of the tables that a run writes."""

from __future__ import annotations

from dataclasses import fields
from typing import Literal

from usmicro.model.findings import Cluster, Focus, Mass, Summary, TrackPoint
from usmicro.writing.tables import (
    CLUSTERS_COLUMNS,
    FOCI_COLUMNS,
    IMAGES_COLUMNS,
    MASSES_COLUMNS,
    TRACKS_COLUMNS,
)

ColumnType = Literal["int", "float", "text"]

ROWS_OF = {
    "images": Summary,
    "masses": Mass,
    "foci": Focus,
    "clusters": Cluster,
    "tracks": TrackPoint,
}
COLUMNS = {
    "images": IMAGES_COLUMNS,
    "masses": MASSES_COLUMNS,
    "foci": FOCI_COLUMNS,
    "clusters": CLUSTERS_COLUMNS,
    "tracks": TRACKS_COLUMNS,
}
OF_IMAGES: dict[str, ColumnType] = {"seconds": "float"}
"""Types of numbers in images.csv that are not in the summary of an analysis."""


def column_types(table: str) -> dict[str, ColumnType]:
    """Return the type of each column of a table, in the order of the columns.

    Parameters
    ----------
    table : str
        "images", "masses", "foci", "clusters" or "tracks".
    """
    by_annotation: dict[str, ColumnType] = {"int": "int", "float": "float"}
    of_rows = {
        field.name: by_annotation.get(str(field.type).removesuffix(" | None"), "text")
        for field in fields(ROWS_OF[table])
    }
    return {name: of_rows.get(name) or OF_IMAGES.get(name, "text") for name in COLUMNS[table]}
