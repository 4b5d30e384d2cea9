"""Outlines of areas as polygons, for programs that take no label image."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, LabelImage
from usmicro.model.findings import Mass

TOLERANCE = 0.3
"""How far a simplified outline may lie from the true one, in pixels."""

Polygon = NDArray[np.float64]
"""Shape (n, 2): column and row of the corners, of which the last is joined to the first; the upper left pixel covers 0 to 1."""


def polygons(area: BoolImage) -> list[Polygon]:
    """The outer outlines of the connected parts of an area, largest part first; holes are covered.

    Parameters
    ----------
    area : array, shape (rows, columns)
    """
    count, parts, statistics, _ = cv2.connectedComponentsWithStats(area.astype(np.uint8))
    largest_first = sorted(
        range(1, count), key=lambda part: (-int(statistics[part, cv2.CC_STAT_AREA]), part)
    )
    return [_outline(parts, part, statistics[part]) for part in largest_first]


def _outline(parts: LabelImage, part: int, statistics: NDArray[np.int32]) -> Polygon:
    from skimage.measure import find_contours

    left, top, width, height = (int(value) for value in statistics[:4])
    inside = np.pad(parts[top : top + height, left : left + width] == part, 1)
    contours = find_contours(inside.astype(np.float64), 0.5, fully_connected="high")  # type: ignore[no-untyped-call]
    outer = max(contours, key=lambda contour: float(np.prod(np.ptp(contour, axis=0))))
    # contour positions are relative to pixel centres of the padded part
    corners = (outer[:-1, ::-1] + (left - 1 + 0.5, top - 1 + 0.5)).astype(np.float32)
    return np.asarray(
        cv2.approxPolyDP(corners[:, np.newaxis], TOLERANCE, True)[:, 0], dtype=np.float64
    )


def share_among(area: BoolImage, masses: Sequence[Mass]) -> LabelImage:
    """The pixels of an area by the mass that they belong to: 0 none, 1 to n in the order of the masses.

    A connected part belongs to the mass whose centre lies in it, to the nearest one if there is none. Masses that touch are parted where
    the area is narrow between them, by a watershed of the distance to its edge.
    """
    shared = np.zeros(area.shape, np.int32)
    if not masses:
        return shared
    count, parts, statistics, middles = cv2.connectedComponentsWithStats(area.astype(np.uint8))
    centres = np.array([(mass.x_px, mass.y_px) for mass in masses])
    row = np.clip(np.rint(centres[:, 1]).astype(int), 0, area.shape[0] - 1)
    column = np.clip(np.rint(centres[:, 0]).astype(int), 0, area.shape[1] - 1)
    home = parts[row, column]
    for number in range(1, count):
        left, top, width, height = (int(value) for value in statistics[number, :4])
        box = slice(top, top + height), slice(left, left + width)
        part = parts[box] == number
        own = np.flatnonzero(home == number)
        if len(own) > 1:
            shared[box] += _parted(
                part, list(zip(row[own] - top, column[own] - left, own + 1, strict=True))
            )
        else:
            nearest = own[0] if len(own) else int(np.hypot(*(centres - middles[number]).T).argmin())
            shared[box][part] = nearest + 1
    return shared


def _parted(part: BoolImage, seeds: Sequence[tuple[int, int, int]]) -> LabelImage:
    """A connected part divided among seeds, each a row, a column and the number that its share gets; 0 elsewhere."""
    from scipy.ndimage import distance_transform_edt
    from skimage.segmentation import watershed

    markers = np.zeros(part.shape, np.int32)
    for row, column, number in seeds:
        markers[row, column] = number
    # padded, so that the edge of the image is an edge of the area too; by SciPy, since the last
    # digits of OpenCV's exact distance transform differ from call to call
    inside = distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1]
    return np.asarray(watershed(-inside, markers, connectivity=2, mask=part), np.int32)  # type: ignore[no-untyped-call]


def mass_tops(
    area: BoolImage, masses: Sequence[Mass], frame: int
) -> list[tuple[int, float, float]]:
    """Where to write the number of each mass: its number, and column and row of the highest point of its outline.

    A mass without an outline has its centre there. One that a cine shows best on another frame is left out unless its centre lies in
    the area.
    """
    rows, columns = area.shape

    def outlined(mass: Mass) -> bool:
        row, column = round(mass.y_px), round(mass.x_px)
        return 0 <= row < rows and 0 <= column < columns and bool(area[row, column])

    shown = [mass for mass in masses if mass.frame == frame or outlined(mass)]
    shared = share_among(area, shown)
    tops = []
    for number, mass in enumerate(shown, start=1):
        own = shared == number
        if (filled := own.any(axis=1)).any():
            top = int(filled.argmax())
            tops.append((mass.mass, round(float(np.flatnonzero(own[top]).mean()), 1), float(top)))
        else:
            tops.append((mass.mass, mass.x_px, mass.y_px))
    return tops
