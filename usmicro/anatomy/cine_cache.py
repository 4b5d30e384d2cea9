"""The anatomy of a cine: found anew where the image has changed, moved along where it only moves, and kept where it stays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from usmicro.anatomy.detection import find_anatomy
from usmicro.model.anatomy import Anatomy
from usmicro.model.arrays import BoolImage, FloatImage
from usmicro.model.view import View
from usmicro.settings import AnatomySettings
from usmicro.tracking.motion import REDUCTION, tissue_shift

CELL = 16
"""Grid pixels on which images are compared: what speckle does averages out, what tissue does remains."""
MOST_CHANGE = 0.15
"""Mean change over the mean contrast of the coarse image, up to which nothing has moved: outlines found anew would differ by as much."""
NEAR = 2.0
"""Grid pixels that the anatomy may lie beside where the tissue has moved to."""


@dataclass(slots=True)
class Known:
    """The anatomy of one view."""

    tissue: FloatImage
    """Of the frame that it was found on, as `reduced_tissue` has it."""
    found: Anatomy
    moved: Anatomy
    """Where it lay on the last frame."""
    shift: tuple[int, int] = (0, 0)
    """How far that is from where it was found, columns and rows."""
    drift: tuple[float, float] = (0.0, 0.0)
    """The same of the tissue, as the movements from frame to frame add up."""

    def same(self, tissue: FloatImage, shift: tuple[int, int]) -> bool:
        """Whether another frame shows the same tissue, shifted."""
        before = _cells(self.tissue)
        back = np.array([[1, 0, shift[0] / REDUCTION], [0, 1, shift[1] / REDUCTION]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        now = _cells(
            cv2.warpAffine(
                tissue, back, tissue.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE
            )
        )
        return bool(
            np.abs(now - before).mean() <= MOST_CHANGE * np.abs(before - before.mean()).mean()
        )


@dataclass(slots=True)
class AnatomyCache:
    """Anatomies of the views of one cine, each with the image that it was found on."""

    known: dict[int, Known] = field(default_factory=dict)
    """By view."""

    def find(
        self,
        view: View,
        tissue: FloatImage,
        shift: tuple[float, float] | None,
        settings: AnatomySettings,
    ) -> Anatomy:
        """The anatomy of a view: that of a former frame if the image is the same but for speckle, or has moved as a whole, else anew.

        Compared is always with the frame that the anatomy was found on, so that errors do not add up. `tissue` is what
        `usmicro.tracking.motion.reduced_tissue` gives of the view, `shift` how far it has moved since the last frame, where that is known.
        """
        known = self.known.get(view.number)
        if known is not None and known.found.masses.shape == view.shape:
            if shift is not None:
                known.drift = (known.drift[0] + shift[0], known.drift[1] + shift[1])
                if np.hypot(*np.subtract(known.drift, known.shift)) <= NEAR and known.same(
                    tissue, known.shift
                ):
                    return known.moved
            drift = tissue_shift(known.tissue, tissue)
            if drift is not None and known.same(
                tissue, whole := (round(drift[0]), round(drift[1]))
            ):
                known.moved, known.shift, known.drift = (
                    moved(known.found, whole, view.tissue),
                    whole,
                    drift,
                )
                return known.moved
        anatomy = find_anatomy(view, settings)
        self.known[view.number] = Known(tissue, anatomy, anatomy)
        return anatomy


def moved(anatomy: Anatomy, shift: tuple[int, int], tissue: BoolImage) -> Anatomy:
    """An anatomy moved by whole grid pixels, fewer than it has.

    What comes into view is as the nearest that was there; outside of the tissue there is nothing.
    """
    (rows, columns), (over, down) = tissue.shape, shift
    stays = slice(max(-down, 0), rows - max(down, 0)), slice(max(-over, 0), columns - max(over, 0))
    rim = max(down, 0), max(-down, 0), max(over, 0), max(-over, 0)

    def image(name: str) -> Any:
        before = getattr(anatomy, name)
        as_bytes = before.view(np.uint8) if before.dtype == np.bool_ else before
        now = cv2.copyMakeBorder(
            np.ascontiguousarray(as_bytes[stays]), *rim, cv2.BORDER_REPLICATE
        ).view(before.dtype)
        return now if tissue.all() else now * tissue

    return replace(
        anatomy,
        **{
            name: image(name)
            for name in ("mass_probability", "masses", "duct_probability", "ducts", "nonmass")
        },
    )


def _cells(tissue: FloatImage) -> FloatImage:
    size = (
        max(tissue.shape[1] * REDUCTION // CELL, 1),
        max(tissue.shape[0] * REDUCTION // CELL, 1),
    )
    return np.asarray(cv2.resize(tissue, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
