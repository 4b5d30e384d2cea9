"""The anatomy of every frame of a cine, kept small until the Segmentation is written, and its division among the masses."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import numpy as np

from usmicro.model.arrays import BoolImage, ByteImage, LabelImage
from usmicro.model.findings import Mass
from usmicro.writing.polygons import divide_among


class FrameAreas:
    """Label images by frame, as a rule 1 mass, 2 duct, 3 nonmass area. Compressed, a frame takes some kilobytes."""

    def __init__(self) -> None:
        self._shape = (0, 0)
        self._kept: dict[tuple[int, int], bytes] = {}

    def add(
        self, frame: int, labels: ByteImage | LabelImage, values: Iterable[int] = (1, 2, 3)
    ) -> None:
        """Keep where the label image of a frame, shape (rows, columns), has some values; what is not tissue is left out."""
        self._shape = labels.shape
        for value in values:
            if (area := labels == value).any():
                self._kept[frame, value] = zlib.compress(np.packbits(area).tobytes(), 1)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._shape

    @property
    def frames(self) -> list[int]:
        """The frames that show any area."""
        return sorted({frame for frame, _ in self._kept})

    def frames_of(self, value: int) -> list[int]:
        """The frames that show areas of a value."""
        return sorted(frame for frame, kept in self._kept if kept == value)

    def area(self, frame: int, value: int) -> BoolImage:
        """Where a frame has a value; nowhere on a frame that was not kept."""
        pixels = self._shape[0] * self._shape[1]
        if (packed := self._kept.get((frame, value))) is None:
            return np.zeros(self._shape, bool)
        return (
            np.unpackbits(np.frombuffer(zlib.decompress(packed), np.uint8), count=pixels)
            .reshape(self._shape)
            .astype(bool)
        )

    def by_mass(self, masses: Sequence[Mass]) -> FrameAreas:
        """The same areas with a value for each mass: 1 to n the masses in their order (1 where there are none), then ducts, nonmass areas.

        Outlines of a frame belong to the mass whose centre, where it was surest, lies in them, else to the nearest: see `divide_among`.
        """
        divided, count = FrameAreas(), max(1, len(masses))
        divided._shape = self._shape
        for frame in self.frames:
            outlined = self.area(frame, 1)
            labels = divide_among(outlined, masses) if masses else outlined.astype(np.int32)
            for kind in (2, 3):
                labels[self.area(frame, kind)] = count + kind - 1
            divided.add(frame, labels, range(1, count + 3))
        return divided
