"""Pictures of the report.

A run stores the key frame without findings. The report makes a thumbnail and outlines from it.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage, ByteImage, Frame
from usmicro.model.findings import Mass
from usmicro.writing.drawing import AREAS, rgb_of
from usmicro.writing.polygons import mass_tops

PICTURE_SIDE, PICTURE_QUALITY = 900, 75
"""Largest side in pixels, and JPEG quality of the stored picture. Weighs detail against the size of
the files. Chosen by eye on the sample scans; no measurement is recorded."""
THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 200, 60
"""Largest side in pixels, and JPEG quality of a thumbnail. Weighs detail against the size of the
page. Chosen by eye on the sample scans; no measurement is recorded."""
LEAST_SIDE_ROWS = 20
"""Smallest number of rows of a slanted side of a sector: shorter sides give no reliable slope.
Chosen by eye on the sample scans; no measurement is recorded."""
LONGEST_PATH = 8000
"""Largest number of characters of the outlines of one kind of area, before they are simplified
further. Weighs detail against the size of the page. Chosen by eye on the sample scans; no
measurement is recorded."""
TOLERANCES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Largest distance of a simplified outline from the true one, pixels: the first value that gives a
path of at most LONGEST_PATH characters, or the last. The first is half a pixel, which is too small
to be seen."""

Box = tuple[int, int, int, int]
"""Left, top, width and height, pixels of the input image."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Data of one image that the report reads from stored files."""

    box: Box | None = None
    """Part of the input image that is shown; None if the label image is missing."""
    thumbnail: str = ""
    """Data URI of the thumbnail; empty if the picture is missing."""
    outlines: tuple[tuple[str, str], ...] = ()
    """Kind of area, and its outlines as an SVG path in pixels of the input image."""
    tops: tuple[tuple[int, float, float], ...] = ()
    """Number of a mass, and column and row of the highest point of its outline, pixels."""
    apex: tuple[float, float] | None = None
    """Column and row of the apex of a sector, from which its scan lines start."""


def tissue_box(labels: ByteImage) -> Box:
    """Return the bounding box of the tissue, or the whole image if there is no tissue."""
    rows, columns = (
        np.flatnonzero((labels != AreaLabel.NOT_TISSUE).any(axis=axis)) for axis in (1, 0)
    )
    if not len(rows):
        return 0, 0, labels.shape[1], labels.shape[0]
    return int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


def sector_apex(labels: ByteImage) -> tuple[float, float] | None:
    """Return the apex of a sector scan, where its slanted sides meet.

    The scan area of a sector lies between two straight sides and two arcs. The sides are therefore
    those of the label image.

    Returns
    -------
    (float, float) or None
        Column and row; None if the sides are too short or not slanted, or if there are two views.
    """
    tissue = labels != AreaLabel.NOT_TISSUE
    rows = np.flatnonzero(tissue.any(axis=1))
    parts = cv2.connectedComponents(tissue.astype(np.uint8))[0] - 1
    if len(rows) < LEAST_SIDE_ROWS or parts != 1:
        return None
    lines = []
    for side in (tissue, tissue[:, ::-1]):
        edge = side[rows].argmax(axis=1)
        count = int(edge.argmin()) + 1  # the lower arc begins below the widest row
        if count < LEAST_SIDE_ROWS:
            return None
        half = count // 2
        slope = float(np.median((edge[count - half : count] - edge[:half]) / (count - half)))
        lines.append((slope, float(np.median(edge[:count] - slope * rows[:count]))))
    (left_slope, left), (right_slope, mirrored) = lines
    right = tissue.shape[1] - 1 - mirrored  # the right side was measured in the mirrored image
    if left_slope >= 0 or right_slope >= 0:
        return None
    row = (right - left) / (left_slope + right_slope)
    return left + left_slope * row, row


def encode_picture(
    frame: Frame, labels: ByteImage, *, side: int = PICTURE_SIDE, quality: int = PICTURE_QUALITY
) -> bytes:
    """Encode a frame as JPEG without findings, for the report.

    It is black outside the tissue, cropped to it, and at most `side` pixels a side.
    """
    picture = rgb_of(frame)
    # before the picture is shrunk, so that printed names do not bleed into the tissue
    picture[labels == AreaLabel.NOT_TISSUE] = 0
    left, top, width, height = tissue_box(labels)
    tissue = picture[top : top + height, left : left + width]
    return _jpeg(_shrunk(tissue, side), quality)


def read_picture(
    picture_file: Path,
    mask_file: Path,
    masses: Sequence[Mass],
    frame: int = 0,
    *,
    sector: bool = False,
) -> Picture:
    """Read what a run stored of one image; what is missing or damaged is left empty.

    Parameters
    ----------
    picture_file, mask_file : Path
        Picture from `encode_picture`, and label image.
    masses : sequence of Mass
    frame : int
        Index of the key frame.
    sector : bool
        True if the scan has the geometry of a sector.
    """
    labels = _read(mask_file, cv2.IMREAD_GRAYSCALE)
    if labels is None:
        return Picture()
    box = tissue_box(labels)
    stored_width = box[2] * min(1.0, PICTURE_SIDE / max(box[2:]))
    half = stored_width >= 2 * THUMBNAIL_SIDE  # JPEG is decoded faster at half size
    stored = _read(picture_file, cv2.IMREAD_REDUCED_COLOR_2 if half else cv2.IMREAD_COLOR)
    thumbnail = ""
    if stored is not None:
        encoded = _jpeg(_shrunk(stored[..., ::-1], THUMBNAIL_SIDE), THUMBNAIL_QUALITY)
        thumbnail = f"data:image/jpeg;base64,{base64.b64encode(encoded).decode()}"
    apex = sector_apex(labels) if sector else None
    outlines = tuple(
        (name, path) for value, name, _ in AREAS if (path := outline_path(labels == value))
    )
    tops = tuple(mass_tops(labels == AreaLabel.MASS, masses, frame))
    return Picture(box, thumbnail, outlines, tops, apex)


def outline_path(area: BoolImage) -> str:
    """Return the outlines of an area, including holes, as an SVG path; empty for no area."""
    contours, _ = cv2.findContours(area.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    path = ""
    for tolerance in TOLERANCES:
        path = "".join(
            _closed(cv2.approxPolyDP(contour, tolerance, True)[:, 0]) for contour in contours
        )
        if len(path) <= LONGEST_PATH:
            break
    return path


def _closed(points: NDArray[np.int32]) -> str:
    """Return a closed line with relative steps, which are shorter than positions."""
    steps = np.diff(points, axis=0)
    return (
        f"M{points[0, 0]} {points[0, 1]}l{' '.join(f'{x} {y}' for x, y in steps)}z"
        if len(steps)
        else ""
    )


def _shrunk(picture: ByteImage, side: int) -> ByteImage:
    """Return a picture of at most `side` pixels a side."""
    rows, columns = picture.shape[:2]
    scale = side / max(rows, columns)
    if scale >= 1:
        return picture
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _jpeg(picture: ByteImage, quality: int) -> bytes:
    """Encode an RGB picture as JPEG, in grey if it has no colour."""
    grey = (picture[..., :1] == picture).all()
    pixels = np.ascontiguousarray(picture[..., 0] if grey else picture[..., ::-1])
    done, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done, "OpenCV can encode every 8-bit image as JPEG"
    return bytes(encoded.tobytes())


def _read(file: Path, flags: int) -> ByteImage | None:
    """Read a picture; return None if it is missing or damaged."""
    try:
        content = np.fromfile(file, np.uint8)
    except OSError:
        return None
    return cv2.imdecode(content, flags) if len(content) else None
