"""Writing: findings to files. Knows findings only, nothing of how scans are read."""

from usmicro.writing.files import write_atomically
from usmicro.writing.indexed_png import encode_with_drawing
from usmicro.writing.masks import encode_labels, encode_png
from usmicro.writing.overlays import draw
from usmicro.writing.tables import (
    CLUSTERS_COLUMNS,
    FOCI_COLUMNS,
    IMAGES_COLUMNS,
    MASSES_COLUMNS,
    table_writer,
)

__all__ = [
    "CLUSTERS_COLUMNS",
    "FOCI_COLUMNS",
    "IMAGES_COLUMNS",
    "MASSES_COLUMNS",
    "draw",
    "encode_labels",
    "encode_png",
    "encode_with_drawing",
    "table_writer",
    "write_atomically",
]
