"""Outlines of areas as polygons, for programs that do not read label images."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, LabelImage
from usmicro.model.findings import Mass

TOLERANCE = 0.3
"""Largest distance, in pixels, of a simplified outline from the true one: less than half a pixel,
so that the polygon covers the same pixels."""

Polygon = NDArray[np.float64]
"""Column and row of each corner, shape (n, 2). The last corner is joined to the first. The upper
left pixel covers 0 to 1."""


def outline_corners(outline_px: str) -> Polygon:
    """Return the corners (m, 2) of `Focus.outline_px`: column and row of the input image."""
    return np.array([corner.split(",") for corner in outline_px.split()], dtype=np.float64)


def polygons(area: BoolImage) -> list[Polygon]:
    """Return the outer outlines of the connected parts of an area.

    Parameters
    ----------
    area : array, shape (rows, columns), bool

    Returns
    -------
    list of array, shape (n, 2)
        The largest part first; holes are covered.
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


def divide_among(area: BoolImage, masses: Sequence[Mass]) -> LabelImage:
    """Divide an area among masses.

    A connected part belongs to the mass whose centre lies in it, or else to the nearest one. Masses
    that touch are divided where the area between them is narrow, by a watershed of the distance to
    its edge.

    Parameters
    ----------
    area : array, shape (rows, columns), bool
    masses : sequence of Mass, length n

    Returns
    -------
    array, shape (rows, columns), int32
        0 outside the area, 1 to n in the order of the masses.
    """
    shared = np.zeros(area.shape, np.int32)
    if masses:
        shares, left, top = _shares(area, masses)
        shared[top : top + shares.shape[0], left : left + shares.shape[1]] = shares
    return shared


def _shares(area: BoolImage, masses: Sequence[Mass]) -> tuple[LabelImage, int, int]:
    """Divide an area among masses; return only the box of the area, its first column and row."""
    x, y, columns, rows = cv2.boundingRect(np.ascontiguousarray(area).view(np.uint8))
    inside = area[y : y + rows, x : x + columns].astype(np.uint8)  # is much smaller
    shared = np.zeros(inside.shape, np.int32)
    if not inside.size:
        return shared, x, y
    count, parts, statistics, middles = cv2.connectedComponentsWithStats(inside)
    centres = np.array([(mass.x_px, mass.y_px) for mass in masses])
    row = np.clip(np.rint(centres[:, 1]).astype(int), 0, area.shape[0] - 1) - y
    column = np.clip(np.rint(centres[:, 0]).astype(int), 0, area.shape[1] - 1) - x
    in_box = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    home = np.where(in_box, parts[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)], 0)
    centres -= (x, y)
    for number in range(1, count):
        left, top, width, height = (int(value) for value in statistics[number, :4])
        box = slice(top, top + height), slice(left, left + width)
        part = parts[box] == number
        own = np.flatnonzero(home == number)
        if len(own) > 1:
            shared[box] += _divided(
                part, list(zip(row[own] - top, column[own] - left, own + 1, strict=True))
            )
        else:
            nearest = own[0] if len(own) else int(np.hypot(*(centres - middles[number]).T).argmin())
            shared[box][part] = nearest + 1
    return shared, x, y


def _divided(part: BoolImage, seeds: Sequence[tuple[int, int, int]]) -> LabelImage:
    """Divide a connected part among seeds.

    Each seed is a row, a column, and the number that its share gets.
    """
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
    """Return where to write the number of each mass.

    That is the highest point of its outline, or its centre if it has none. A mass that was measured
    on another frame of a cine is left out unless its centre lies in the area.

    Returns
    -------
    list of (number, column, row)
    """
    rows, columns = area.shape

    def outlined(mass: Mass) -> bool:
        row, column = round(mass.y_px), round(mass.x_px)
        return 0 <= row < rows and 0 <= column < columns and bool(area[row, column])

    shown = [mass for mass in masses if mass.frame == frame or outlined(mass)]
    if not shown:
        return []
    shares, left, first_row = _shares(area, shown)
    tops = []
    for number, mass in enumerate(shown, start=1):
        own = shares == number
        if (filled := own.any(axis=1)).any():
            row = int(filled.argmax())
            column = float((np.flatnonzero(own[row]) + left).mean())
            tops.append((mass.mass, round(column, 1), float(row + first_row)))
        else:
            tops.append((mass.mass, mass.x_px, mass.y_px))
    return tops
