"""Masks of the public data sets, and the parts of an image without lesion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from usmicro.errors import UsageError
from usmicro.model.arrays import BoolImage, LabelImage

Rectangle = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; right and bottom are one past the end."""

LEAST_FRACTION = 1 / 3
"""Smallest width and height of a part without lesion, as fractions of those of the image.

Chosen by judgement; no measurement is recorded. A larger value leaves more images without a part.
"""

LESION_MARGIN_MM = 2.0
"""Distance in mm of a part without lesion from all lesion outlines.

Chosen by judgement; no measurement is recorded. It is weighed against the loss of parts: nearly
every image of the data sets shows a lesion.
"""


def read_mask(path: Path) -> BoolImage:
    """Read a mask file. A pixel belongs to the mask if one of its colours is above 127.

    Raises
    ------
    UsageError
        If the file cannot be read as an image.
    """
    mask = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if mask is None:
        raise UsageError(f"{path}: expected a mask, found nothing that can be read")
    return np.asarray(mask.max(axis=2) > 127)


def read_label_image(paths: Sequence[Path], shape: tuple[int, int]) -> LabelImage:
    """Read masks into one label image of `shape` (rows, columns).

    Returns
    -------
    array, shape (rows, columns), int32
        0 outside all masks, n inside the n-th mask. Where masks overlap the later one counts.

    Raises
    ------
    UsageError
        If a mask cannot be read or has another shape.
    """
    labels = np.zeros(shape, np.int32)
    for number, path in enumerate(paths, start=1):
        mask = read_mask(path)
        if mask.shape != shape:
            raise UsageError(
                f"{path}: expected a mask of {shape[0]} x {shape[1]} pixels, "
                f"found a mask of {mask.shape[0]} x {mask.shape[1]} pixels"
            )
        labels[mask] = number
    return labels


def largest_free_part(lesions: BoolImage, margin: tuple[int, int]) -> Rectangle | None:
    """Find the largest part of an image without lesion.

    The candidates are the four bands beside, above and below all lesions.

    Parameters
    ----------
    lesions : array, shape (rows, columns)
        True inside a lesion outline; not empty.
    margin : (int, int)
        Distance of the part from the lesions: columns, rows.

    Returns
    -------
    Rectangle or None
        None if every band is narrower than a third of the image in width or in height.
    """
    rows, columns = lesions.shape
    lesion_rows, lesion_columns = (np.flatnonzero(lesions.any(axis=axis)) for axis in (1, 0))
    left, right = int(lesion_columns[0]) - margin[0], int(lesion_columns[-1]) + 1 + margin[0]
    top, bottom = int(lesion_rows[0]) - margin[1], int(lesion_rows[-1]) + 1 + margin[1]
    bands = [
        (0, 0, left, rows),
        (right, 0, columns, rows),
        (0, 0, columns, top),
        (0, bottom, columns, rows),
    ]
    large_bands = [
        band
        for band in bands
        if band[2] - band[0] >= LEAST_FRACTION * columns
        and band[3] - band[1] >= LEAST_FRACTION * rows
    ]
    return max(large_bands, key=rectangle_area, default=None)


def rectangle_area(rectangle: Rectangle) -> int:
    """Return the number of pixels in a rectangle."""
    left, top, right, bottom = rectangle
    return (right - left) * (bottom - top)


def intersection_over_union(one: Rectangle, other: Rectangle) -> float:
    """Return the area that two rectangles share, as a fraction of the area that they cover."""
    columns = min(one[2], other[2]) - max(one[0], other[0])
    rows = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(columns, 0) * max(rows, 0)
    covered = rectangle_area(one) + rectangle_area(other) - shared
    return shared / covered if covered else 0.0
