"""Crops of the pictures that a run has stored for its report, with what is marked on them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import cv2
import numpy as np

from usmicro.model.arrays import ByteImage
from usmicro.writing.report.film import FILMS
from usmicro.writing.report.page import PICTURES
from usmicro.writing.report.pictures import Box, read_image, tissue_box
from usmicro.writing.report.run import Run

FOCUS_SIDE = 120
"""Smallest side of a crop around a focus, pixels of the image: some 9 mm, which shows whether a
focus lies in a mass and what casts shadows nearby. Chosen by eye on the sample scans."""
DIAMETERS = 4
"""A crop around a large focus is this many diameters wide."""
MARGIN = 0.2
"""Margin around a mass, as a fraction of its size. Chosen by eye on the sample scans."""
MOST_SIDE = 320
"""Largest side of a crop in the page, pixels. Weighs detail against the size of the page."""
QUALITY = 80
"""JPEG quality of a crop. Chosen by eye on the sample scans."""
LEAST_RADIUS = 7.0
"""Smallest radius of a ring, pixels of the image, so that the focus stays visible in it."""
RING = 0.9
"""Radius of a ring, diameters of the focus."""


@dataclass(frozen=True, slots=True)
class Ring:
    """A ring around a position."""

    kind: str
    """How it is drawn: "found", "true", "false", "before" or "after"."""
    x_px: float
    y_px: float
    diameter_px: float
    is_subject: bool = False
    """True for what the crop is about; it is drawn bolder."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Outlines of areas."""

    kind: str
    path: str
    """SVG path, pixels of the image."""


class Crops:
    """The pictures of a run; the last one that was read is kept.

    A run stores the key frame of each image, and further frames of a cine for the film of its
    report. All show the same part of the image.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._name: str | None = None
        self._frame: int | None = None
        self._picture: ByteImage | None = None
        self._box: Box = (0, 0, 0, 0)
        self._is_known = False
        """False if the label image is missing, so that the part that pictures show is unknown."""

    def around_focus(
        self, row: Mapping[str, Any], x_px: float, y_px: float, diameter_px: float | None
    ) -> Box:
        """Return the part of an image around a focus; `row` is its row of images.csv."""
        half = max(FOCUS_SIDE, DIAMETERS * (diameter_px or 0.0)) / 2
        return self._inside(row, (x_px - half, y_px - half, x_px + half, y_px + half))

    def around(self, row: Mapping[str, Any], corners: Box) -> Box:
        """Return the part of an image around an area; `corners` is its bounding box."""
        left, top, width, height = corners
        margin = MARGIN * max(width, height)
        return self._inside(
            row, (left - margin, top - margin, left + width + margin, top + height + margin)
        )

    def _inside(self, row: Mapping[str, Any], part: tuple[float, float, float, float]) -> Box:
        """Return whole pixels within the part of the image that the stored picture shows."""
        self._read_box(row["image"])
        shown_left, shown_top, shown_width, shown_height = self._box
        left = int(np.clip(round(part[0]), shown_left, shown_left + shown_width - 1))
        top = int(np.clip(round(part[1]), shown_top, shown_top + shown_height - 1))
        right = int(np.clip(round(part[2]), left + 1, shown_left + shown_width))
        bottom = int(np.clip(round(part[3]), top + 1, shown_top + shown_height))
        return left, top, right - left, bottom - top

    def draw(
        self,
        image: str,
        frame: int,
        box: Box,
        rings: Sequence[Ring] = (),
        outlines: Sequence[Outline] = (),
        *,
        title: str,
    ) -> str:
        """Return a part of a frame with rings and outlines as SVG; empty if it is not stored."""
        self._read(image, frame)
        if self._picture is None:
            return ""
        left, top, width, height = box
        shown_left, shown_top, shown_width, shown_height = self._box
        rows, columns = self._picture.shape[:2]
        x_scale, y_scale = columns / shown_width, rows / shown_height
        first_column = int((left - shown_left) * x_scale)
        first_row = int((top - shown_top) * y_scale)
        last_column = max(int(np.ceil((left + width - shown_left) * x_scale)), first_column + 1)
        last_row = max(int(np.ceil((top + height - shown_top) * y_scale)), first_row + 1)
        part = self._picture[first_row:last_row, first_column:last_column]
        # the stored pixels that are cut out do not end exactly at the edges of the box
        x, y = first_column / x_scale + shown_left, first_row / y_scale + shown_top
        part_width, part_height = part.shape[1] / x_scale, part.shape[0] / y_scale
        shapes = "".join(_circle(ring) for ring in rings)
        shapes += "".join(
            f'<path class="{outline.kind}" transform="translate(0.5 0.5)" d="{outline.path}"/>'
            for outline in outlines
            if outline.path
        )
        return (
            f'<svg class="crop" viewBox="{left} {top} {width} {height}" role="img" '
            f'aria-label="{escape(title, quote=True)}">'
            f'<image x="{x:.2f}" y="{y:.2f}" width="{part_width:.2f}" height="{part_height:.2f}" '
            f'preserveAspectRatio="none" href="{_data_uri(part)}"/>{shapes}</svg>'
        )

    def _read(self, image: str, frame: int) -> None:
        """Read the picture of a frame."""
        self._read_box(image)
        if self._frame == frame:
            return
        self._frame, self._picture = frame, None
        if self._is_known:
            if frame == self._run.key_frame(image):
                file = self._run.file(PICTURES, image, ".jpg")
            else:
                file = self._run.file(FILMS, image, f"/{frame:06d}.jpg")
            self._picture = read_image(file, cv2.IMREAD_COLOR)

    def _read_box(self, image: str) -> None:
        """Find the part of an image that its pictures show."""
        if self._name == image:
            return
        row = next(row for row in self._run.images if row["image"] == image)
        labels = read_image(self._run.file("masks", image, ".png"), cv2.IMREAD_GRAYSCALE)
        whole = (0, 0, row["columns"] or 1, row["rows"] or 1)
        self._name, self._frame, self._picture = image, None, None
        self._box = whole if labels is None else tissue_box(labels)
        self._is_known = labels is not None


def _circle(ring: Ring) -> str:
    style = f"{ring.kind} subject" if ring.is_subject else ring.kind
    radius = max(LEAST_RADIUS, RING * ring.diameter_px)
    centre = f'cx="{ring.x_px + 0.5:.1f}" cy="{ring.y_px + 0.5:.1f}"'
    return f'<circle class="{style}" {centre} r="{radius:.1f}"/>'


def _data_uri(picture: ByteImage) -> str:
    """Encode a picture (blue, green, red) as a data URI."""
    longest = max(picture.shape[:2])
    if longest > MOST_SIDE:
        size = tuple(max(1, round(side * MOST_SIDE / longest)) for side in picture.shape[1::-1])
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    if (picture[..., :1] == picture).all():
        picture = picture[..., 0]
    pixels = np.ascontiguousarray(picture)
    done, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done, "OpenCV can encode every 8-bit image as JPEG"
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
