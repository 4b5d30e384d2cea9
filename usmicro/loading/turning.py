"""Rotations by right angles and mirrorings of an image, as files prescribe them for display."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from usmicro.model.arrays import Frame

_NAMES = {
    (False, False, False): "unchanged",
    (False, False, True): "mirrored left to right",
    (False, True, False): "mirrored top to bottom",
    (False, True, True): "turned by 180 degrees",
    (True, False, False): "mirrored along its diagonal from top left to bottom right",
    (True, False, True): "turned by 90 degrees clockwise",
    (True, True, False): "turned by 90 degrees counter-clockwise",
    (True, True, True): "mirrored along its diagonal from top right to bottom left",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """One of the eight rotations and mirrorings: first rows and columns are swapped, then reversed.

    Rows are reversed by mirroring top to bottom, columns by mirroring left to right.
    """

    swaps_axes: bool = False
    reverses_rows: bool = False
    reverses_columns: bool = False

    @property
    def changes(self) -> bool:
        """True unless the image stays as it is."""
        return self.swaps_axes or self.reverses_rows or self.reverses_columns

    def __str__(self) -> str:
        """Describe what happens to the image, as a participle."""
        return _NAMES[self.swaps_axes, self.reverses_rows, self.reverses_columns]

    def __call__(self, image: Frame) -> Frame:
        """Return the turned image; its first two axes are rows and columns."""
        if self.swaps_axes:
            image = image.swapaxes(0, 1)
        if self.reverses_rows:
            image = image[::-1]
        if self.reverses_columns:
            image = image[:, ::-1]
        return np.ascontiguousarray(image)

    def of_size(self, rows: int, columns: int) -> tuple[int, int]:
        """Return the rows and columns of an image of this size after the turn."""
        return (columns, rows) if self.swaps_axes else (rows, columns)

    def of_aspect(self, aspect: float | None) -> float | None:
        """Return the height of a pixel over its width after the turn."""
        return 1 / aspect if aspect and self.swaps_axes else aspect


UPRIGHT = Turn()
"""The turn that changes nothing."""


def turn_of_orientation(orientation: int) -> Turn:
    """Return the turn that an orientation tag of TIFF or EXIF prescribes, 1 (none) to 8.

    References
    ----------
    TIFF 6.0, section 8, Orientation.
    """
    return Turn(orientation >= 5, orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7))


def turn_of_matrix(a: float, b: float, c: float, d: float, tolerance: float) -> Turn | None:
    """Return the turn of the matrix x' = ax + cy, y' = bx + dy; None if it is another transform.

    The length of its axes does not matter. `tolerance` is the largest value of an entry that counts
    as 0, as a fraction of the largest entry.
    """
    largest = max(map(abs, (a, b, c, d)))
    if not np.isfinite(largest) or largest == 0:
        return None
    a, b, c, d = (value if abs(value) > tolerance * largest else 0.0 for value in (a, b, c, d))
    if a and d and not b and not c:
        return Turn(False, d < 0, a < 0)
    if b and c and not a and not d:
        return Turn(True, b < 0, c < 0)
    return None
