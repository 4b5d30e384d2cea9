"""The anatomy of every frame of a cine, kept small until the Segmentation is written."""

from __future__ import annotations

import zlib

import numpy as np

from usmicro.arrays import BoolImage, ByteImage


class FrameAreas:
    """Label images by frame: 1 mass, 2 duct, 3 nonmass area. Compressed, a frame takes some kilobytes."""

    def __init__(self) -> None:
        self._shape = (0, 0)
        self._kept: dict[tuple[int, int], bytes] = {}

    def add(self, frame: int, labels: ByteImage) -> None:
        """Keep the label image of a frame, shape (rows, columns); what is not tissue is left out."""
        self._shape = labels.shape
        for value in (1, 2, 3):
            if (area := labels == value).any():
                self._kept[frame, value] = zlib.compress(np.packbits(area).tobytes(), 1)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._shape

    def frames_of(self, value: int) -> list[int]:
        """The frames that show areas of a value."""
        return sorted(frame for frame, kept in self._kept if kept == value)

    def area(self, frame: int, value: int) -> BoolImage:
        """Where a frame has a value; nowhere on a frame that was not kept."""
        pixels = self._shape[0] * self._shape[1]
        if (packed := self._kept.get((frame, value))) is None:
            return np.zeros(self._shape, bool)
        return np.unpackbits(np.frombuffer(zlib.decompress(packed), np.uint8), count=pixels).reshape(self._shape).astype(bool)
