"""Pictures of the report.

A run stores the key frame without findings. The report makes a thumbnail and outlines from it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from usmicro.errors import UsageError
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage, ByteImage, Frame, area_of
from usmicro.model.findings import Mass
from usmicro.model.frame_outlines import Corners, simplified
from usmicro.writing.drawing import AREAS, on_black
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


def tissue_of(labels: ByteImage) -> BoolImage:
    """Return where a label image has tissue, shape (rows, columns)."""
    return ~area_of(labels, AreaLabel.NOT_TISSUE)


def tissue_box(labels: ByteImage) -> Box:
    """Return the bounding box of the tissue, or the whole image if there is no tissue."""
    left, top, width, height = cv2.boundingRect(tissue_of(labels).view(np.uint8))
    return (left, top, width, height) if width else (0, 0, labels.shape[1], labels.shape[0])


def sector_apex(labels: ByteImage) -> tuple[float, float] | None:
    """Return the apex of a sector scan, where its slanted sides meet.

    The scan area of a sector lies between two straight sides and two arcs. The sides are therefore
    those of the label image.

    Returns
    -------
    (float, float) or None
        Column and row; None if the sides are too short or not slanted, or if there are two views.
    """
    tissue = tissue_of(labels)
    rows = np.flatnonzero(tissue.any(axis=1))
    parts = cv2.connectedComponents(tissue.view(np.uint8))[0] - 1
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
    frame: Frame,
    labels: ByteImage,
    *,
    tissue: BoolImage | None = None,
    side: int = PICTURE_SIDE,
    quality: int = PICTURE_QUALITY,
) -> bytes:
    """Encode a frame as JPEG without findings, for the report.

    It is black outside the tissue, cropped to the tissue of the label image, and at most `side`
    pixels a side. The tissue is that of the label image, unless it is given.
    """
    if tissue is None:
        tissue = tissue_of(labels)
    left, top, width, height = tissue_box(labels)
    box = slice(top, top + height), slice(left, left + width)
    # before the picture is shrunk, so that printed names do not bleed into the tissue
    return _jpeg(_shrunk(on_black(frame[box], tissue[box]), side), quality)


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
    masses, frame, sector
        As in `picture_of`.
    """
    labels = read_image(mask_file, cv2.IMREAD_GRAYSCALE)
    if labels is None:
        return Picture()
    return picture_of(_content(picture_file), labels, masses, frame, sector=sector)


def picture_of(
    encoded: bytes,
    labels: ByteImage,
    masses: Sequence[Mass],
    frame: int = 0,
    *,
    sector: bool = False,
) -> Picture:
    """Return what the report shows of an image.

    Parameters
    ----------
    encoded : bytes
        Picture from `encode_picture`; empty if it is missing.
    labels : array, shape (rows, columns), uint8
        Label image.
    masses : sequence of Mass
    frame : int
        Index of the key frame.
    sector : bool
        True if the scan has the geometry of a sector.
    """
    box = tissue_box(labels)
    stored_width = box[2] * min(1.0, PICTURE_SIDE / max(box[2:]))
    half = stored_width >= 2 * THUMBNAIL_SIDE  # JPEG is decoded faster at half size
    stored = _decoded(encoded, cv2.IMREAD_REDUCED_COLOR_2 if half else cv2.IMREAD_COLOR)
    thumbnail = ""
    if stored is not None:
        shrunk = cv2.cvtColor(_shrunk(stored, THUMBNAIL_SIDE), cv2.COLOR_BGR2RGB)
        content = base64.b64encode(_jpeg(np.asarray(shrunk), THUMBNAIL_QUALITY)).decode()
        thumbnail = f"data:image/jpeg;base64,{content}"
    apex = sector_apex(labels) if sector else None
    areas = {value: area_of(labels, value) for value, _, _ in AREAS}
    outlines = tuple(
        (name, path) for value, name, _ in AREAS if (path := outline_path(areas[value]))
    )
    tops = tuple(mass_tops(areas[AreaLabel.MASS], masses, frame))
    return Picture(box, thumbnail, outlines, tops, apex)


def outline_path(area: BoolImage) -> str:
    """Return the outlines of an area, including holes, as an SVG path; empty for no area."""
    paths = [""]  # each is written once, to be tested and returned

    def is_short(outlines: list[Corners]) -> bool:
        paths.append(svg_path(outlines))
        return len(paths[-1]) <= LONGEST_PATH

    simplified(area, is_short)
    return paths[-1]


def svg_path(outlines: Iterable[Corners]) -> str:
    """Return outlines, arrays of shape (n, 2), as an SVG path."""
    return "".join(map(_closed, outlines))


def _closed(points: Corners) -> str:
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
    """Encode a grey or an RGB picture as JPEG, in grey if it has no colour."""
    if picture.ndim == 3:
        red, green, blue = (picture[..., channel] for channel in range(3))
        grey = np.array_equal(red, green) and np.array_equal(red, blue)
        picture = (
            cv2.extractChannel(picture, 0) if grey else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        )
    done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done, "OpenCV can encode every 8-bit image as JPEG"
    return bytes(encoded.tobytes())


def read_image(file: Path, flags: int) -> ByteImage | None:
    """Read a picture; return None if it is missing or damaged."""
    return _decoded(_content(file), flags)


def _content(file: Path) -> bytes:
    """Return the content of a file; empty if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _decoded(content: bytes, flags: int) -> ByteImage | None:
    """Decode a picture; return None if it is empty or damaged."""
    return cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None


def stored_picture(file: Path, flags: int) -> ByteImage:
    """Read a picture that a run stored; `flags` are those of OpenCV's `imdecode`.

    Raises
    ------
    UsageError
        If it is missing or damaged.
    """
    picture = read_image(file, flags)
    if picture is None:
        raise UsageError(
            f"{file}: the picture is missing or cannot be read; "
            "write it again with usmicro run --resume"
        )
    return picture
