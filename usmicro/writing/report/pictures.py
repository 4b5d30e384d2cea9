"""Pictures of the report: the clean key frame that a run stores, and the thumbnail and outlines made from what is stored."""

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
THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 200, 60
LEAST_SIDE = 20
"""Rows that a slanted side of a sector must have for its apex to be told."""
LONGEST_PATH = 8000
"""At most so many characters for the outlines of one kind; rougher outlines are drawn where there would be more."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Picture:
    """What the report knows of one image from its stored files."""

    box: Box | None = None
    """Left, top, width and height of what is shown, in pixels of the input image."""
    thumbnail: str = ""
    """A data URI; empty if the picture is not there."""
    outlines: tuple[tuple[str, str], ...] = ()
    """Kind of area and its outlines, as an SVG path in pixels of the input image."""
    tops: tuple[tuple[int, float, float], ...] = ()
    """Number of a mass, and column and row of the highest point of its outline."""
    apex: tuple[float, float] | None = None
    """Of a sector: where its beams come from."""


def tissue_box(labels: ByteImage) -> Box:
    """Left, top, width and height of the tissue; the whole image if there is none."""
    rows, columns = (
        np.flatnonzero((labels != AreaLabel.NOT_TISSUE).any(axis=axis)) for axis in (1, 0)
    )
    if not len(rows):
        return 0, 0, labels.shape[1], labels.shape[0]
    return int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


def sector_apex(labels: ByteImage) -> tuple[float, float] | None:
    """Column and row where the slanted sides of a sector scan meet, from which its beams run; None where they cannot be told.

    The scan area of a sector is laid between two straight sides and two arcs, so that its sides are those of the mask.
    """
    tissue = labels != AreaLabel.NOT_TISSUE
    rows = np.flatnonzero(tissue.any(axis=1))
    if (
        len(rows) < LEAST_SIDE or cv2.connectedComponents(tissue.astype(np.uint8))[0] != 2
    ):  # two views have two apexes
        return None
    lines = []
    for side in (tissue, tissue[:, ::-1]):
        edge = side[rows].argmax(axis=1)
        count = int(edge.argmin()) + 1  # below its widest row the lower arc begins
        if count < LEAST_SIDE:
            return None
        half = count // 2
        slope = float(np.median((edge[count - half : count] - edge[:half]) / (count - half)))
        lines.append((slope, float(np.median(edge[:count] - slope * rows[:count]))))
    (left_slope, left), (right_slope, mirrored) = lines
    right = (
        tissue.shape[1] - 1 - mirrored
    )  # seen in a mirror, the right side leans as the left one does
    if left_slope >= 0 or right_slope >= 0:
        return None
    row = (right - left) / (left_slope + right_slope)
    return left + left_slope * row, row


def encode_picture(frame: Frame, labels: ByteImage) -> bytes:
    """The frame as JPEG without any findings, black outside the tissue and cropped to it, at most 900 pixels a side."""
    picture = rgb_of(frame)
    picture[labels == AreaLabel.NOT_TISSUE] = (
        0  # before anything is mixed: names that a scanner prints there must not bleed in
    )
    left, top, width, height = tissue_box(labels)
    return _jpeg(
        _shrunk(picture[top : top + height, left : left + width], PICTURE_SIDE), PICTURE_QUALITY
    )


def read_picture(
    picture_file: Path,
    mask_file: Path,
    masses: Sequence[Mass],
    frame: int = 0,
    *,
    sector: bool = False,
) -> Picture:
    """What a run stored of one image, of a cine its key frame; what is missing or damaged is left empty."""
    labels = _read(mask_file, cv2.IMREAD_GRAYSCALE)
    if labels is None:
        return Picture()
    box = tissue_box(labels)
    stored_width = box[2] * min(1.0, PICTURE_SIDE / max(box[2:]))
    half = (
        stored_width >= 2 * THUMBNAIL_SIDE
    )  # JPEG can be decoded at half size, in a fraction of the time
    stored = _read(picture_file, cv2.IMREAD_REDUCED_COLOR_2 if half else cv2.IMREAD_COLOR)
    thumbnail = ""
    if stored is not None:
        encoded = _jpeg(_shrunk(stored[..., ::-1], THUMBNAIL_SIDE), THUMBNAIL_QUALITY)
        thumbnail = f"data:image/jpeg;base64,{base64.b64encode(encoded).decode()}"
    apex = sector_apex(labels) if sector else None
    outlines = tuple(
        (name, path) for value, name, _ in AREAS if (path := outline_path(labels == value))
    )
    return Picture(box, thumbnail, outlines, tuple(mass_tops(labels == 1, masses, frame)), apex)


def outline_path(area: BoolImage) -> str:
    """The outlines of an area, holes included, as an SVG path; empty if the area is."""
    contours, _ = cv2.findContours(area.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    path = ""
    for tolerance in (0.5, 1.0, 2.0, 4.0, 8.0):
        path = "".join(
            _closed(cv2.approxPolyDP(contour, tolerance, True)[:, 0]) for contour in contours
        )
        if len(path) <= LONGEST_PATH:
            break
    return path


def _closed(points: NDArray[np.int32]) -> str:
    """A closed line; relative steps, which are shorter to write."""
    steps = np.diff(points, axis=0)
    return (
        f"M{points[0, 0]} {points[0, 1]}l{' '.join(f'{x} {y}' for x, y in steps)}z"
        if len(steps)
        else ""
    )


def _shrunk(picture: ByteImage, side: int) -> ByteImage:
    rows, columns = picture.shape[:2]
    scale = side / max(rows, columns)
    if scale >= 1:
        return picture
    return np.asarray(
        cv2.resize(
            picture,
            (max(1, round(columns * scale)), max(1, round(rows * scale))),
            interpolation=cv2.INTER_AREA,
        )
    )


def _jpeg(picture: ByteImage, quality: int) -> bytes:
    grey = (picture[..., :1] == picture).all()
    pixels = np.ascontiguousarray(picture[..., 0] if grey else picture[..., ::-1])
    done, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done, "OpenCV encodes every 8-bit image as JPEG"
    return bytes(encoded.tobytes())


def _read(file: Path, flags: int) -> ByteImage | None:
    """A picture; None if it is not there or no picture."""
    try:
        content = np.fromfile(file, np.uint8)
    except OSError:
        return None
    return cv2.imdecode(content, flags) if len(content) else None
