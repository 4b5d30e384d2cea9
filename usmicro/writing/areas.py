"""Anatomy of every frame of a cine, compressed, and its division among the masses."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import numpy as np

from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage, ByteImage, LabelImage
from usmicro.model.findings import Mass
from usmicro.writing.polygons import divide_among

ANATOMY = (AreaLabel.MASS, AreaLabel.DUCT, AreaLabel.NONMASS)
"""Values of a label image that are stored; the rest is tissue or not tissue."""
COMPRESSION = 1
"""Level of zlib, of 0 to 9: the fastest that compresses. A frame takes some kilobytes."""


class FrameAreas:
    """Areas by frame and value, compressed; they are needed when all frames have been analysed."""

    def __init__(self) -> None:
        self._shape = (0, 0)
        self._packed: dict[tuple[int, int], bytes] = {}
        self._last: dict[int, bytes] = {}
        """The last areas of each value. Successive frames often have the same, which then need
        memory once."""

    def add(
        self, frame: int, labels: ByteImage | LabelImage, values: Iterable[int] = ANATOMY
    ) -> None:
        """Store the areas of a frame.

        Parameters
        ----------
        frame : int
        labels : array, shape (rows, columns)
            Label image.
        values : iterable of int
            Values of the label image that are stored.
        """
        self._shape = labels.shape
        for value in values:
            if (area := labels == value).any():
                packed = zlib.compress(np.packbits(area).tobytes(), COMPRESSION)
                if packed != self._last.get(int(value)):
                    self._last[int(value)] = packed
                self._packed[frame, int(value)] = self._last[int(value)]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._shape

    @property
    def frames(self) -> list[int]:
        """Frames that show any area."""
        return sorted({frame for frame, _ in self._packed})

    def frames_of(self, value: int) -> list[int]:
        """Return the frames that show areas of a value."""
        return sorted(frame for frame, stored in self._packed if stored == value)

    def area(self, frame: int, value: int) -> BoolImage:
        """Return the area of a value on a frame, shape (rows, columns); it may be empty."""
        if (packed := self._packed.get((frame, value))) is None:
            return np.zeros(self._shape, bool)
        bits = np.frombuffer(zlib.decompress(packed), np.uint8)
        pixels = np.unpackbits(bits, count=self._shape[0] * self._shape[1])
        return pixels.reshape(self._shape).astype(bool)

    def by_mass(self, masses: Sequence[Mass]) -> FrameAreas:
        """Return the same areas with a value for each mass.

        On each frame a connected area of mass belongs to the mass whose centre, measured on the
        frame of that mass, lies in it, or else to the nearest mass; see `divide_among`.

        Parameters
        ----------
        masses : sequence of Mass, length n

        Returns
        -------
        FrameAreas
            1 to n the masses in their order, n + 1 ducts, n + 2 nonmass areas. If there are no
            masses, n is 1.
        """
        divided, count = FrameAreas(), max(1, len(masses))
        divided._shape = self._shape
        for frame in self.frames:
            area = self.area(frame, AreaLabel.MASS)
            labels = divide_among(area, masses) if masses else area.astype(np.int32)
            for value, kind in enumerate((AreaLabel.DUCT, AreaLabel.NONMASS), start=count + 1):
                labels[self.area(frame, kind)] = value
            divided.add(frame, labels, range(1, count + 3))
        return divided
