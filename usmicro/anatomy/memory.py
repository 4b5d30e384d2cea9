"""The anatomy of a cine: found anew where the image has changed, and kept where it has not."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from usmicro.anatomy import find_anatomy
from usmicro.arrays import FloatImage
from usmicro.findings import Anatomy
from usmicro.scan import GivenMasks
from usmicro.settings import AnatomySettings
from usmicro.view import View

COARSE = 16
"""Grid pixels on which images are compared: what speckle does averages out, what tissue does remains."""
MOST_CHANGE = 0.15
"""Mean change over the mean contrast of the coarse image, up to which nothing has moved: outlines found anew would differ by as much."""


@dataclass(slots=True)
class AnatomyMemory:
    """Anatomies of the views of one cine, each with the coarse image that it was found on."""

    known: dict[int, tuple[FloatImage, Anatomy]] = field(default_factory=dict)
    """By view."""

    def find(self, view: View, settings: AnatomySettings, given: GivenMasks | None) -> Anatomy:
        """The anatomy of a view: that of a former frame if the image is the same but for speckle, else as `find_anatomy` finds it.

        Compared is always with the frame that the anatomy was found on, so that slow movement does not add up.
        """
        if given is not None:
            return find_anatomy(view, settings, given)
        size = (max(view.shape[1] // COARSE, 1), max(view.shape[0] // COARSE, 1))
        coarse = np.asarray(cv2.resize(view.grey, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
        if view.number in self.known:
            before, anatomy = self.known[view.number]
            if anatomy.masses.shape == view.shape and np.abs(coarse - before).mean() <= MOST_CHANGE * np.abs(before - before.mean()).mean():
                return anatomy
        anatomy = find_anatomy(view, settings)
        self.known[view.number] = coarse, anatomy
        return anatomy
