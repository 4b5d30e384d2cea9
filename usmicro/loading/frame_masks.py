"""The masks of single frames of a cine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from usmicro.loading.dicom.segmentation import Segmentation, Structure
from usmicro.model.arrays import BoolImage
from usmicro.model.scan import UserMasks
from usmicro.numerics.components import label_components


class FrameMasks(Mapping[int, UserMasks]):
    """The masks of the frames that segmentations name, by frame number from 0.

    They are made each time they are read, since a cine may have thousands of frames.
    """

    def __init__(
        self,
        areas: Mapping[Structure, BoolImage],
        segmentations: Sequence[Segmentation],
        shape: tuple[int, int],
    ) -> None:
        self._pictures = {
            structure: area.astype(np.int32) if structure == "nonmass" else label_components(area)
            for structure, area in areas.items()
        }
        self._segmentations, self._shape = segmentations, shape
        self._frames = frozenset[int]().union(
            *(segmentation.frames for segmentation in segmentations)
        )

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._frames))

    def __getitem__(self, frame: int) -> UserMasks:
        if frame not in self._frames:
            raise KeyError(frame)
        return self.on(frame)

    def on(self, frame: int | None) -> UserMasks:
        """Return the masks of a frame, or for None the masks that are used for all frames."""
        labels = {structure: picture.copy() for structure, picture in self._pictures.items()}
        last_number = Counter({structure: int(image.max()) for structure, image in labels.items()})
        for segmentation in self._segmentations:
            if not segmentation.outlines(frame):
                continue
            numbers = {}
            for segment, structure in sorted(segmentation.structures.items()):
                last_number[structure] += 1
                numbers[segment] = last_number[structure]
                labels.setdefault(structure, np.zeros(self._shape, np.int32))
            for segment, area in segmentation.areas(frame):
                labels[segmentation.structures[segment]][area] = numbers[segment]
        nonmass = labels.get("nonmass")
        return UserMasks(
            labels.get("mass"), labels.get("duct"), None if nonmass is None else nonmass > 0
        )
