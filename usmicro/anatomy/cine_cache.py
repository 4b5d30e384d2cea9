"""Cache of the anatomy of a cine.

While the tissue is unchanged, the anatomy of an earlier frame is used again. If the tissue moves as
a whole, the stored anatomy is moved by the same shift. Otherwise masses are detected again, and
ducts and nonmass areas on every second frame.
"""

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

BLOCK = 16
"""Side, in grid pixels, of the blocks whose means are compared between frames. It averages out
speckle, which changes from frame to frame, and keeps the structure of the tissue."""
MOST_CHANGE = 0.15
"""Largest mean change of the blocks, as a fraction of their mean contrast, at which the tissue
counts as unchanged. Detecting the outlines again would change them as much. Chosen by eye on
simulated cines; no measurement is recorded."""
MOST_LAG = 2.0
"""Largest distance, in grid pixels, between the stored anatomy and the tissue, which has moved
since. Outlines are less accurate than this."""


@dataclass(slots=True)
class _CachedAnatomy:
    """The anatomy of one view."""

    tissue: FloatImage
    """Reduced tissue of the frame on which the anatomy was found."""
    found: Anatomy
    """The anatomy on that frame."""
    current: Anatomy
    """The anatomy moved to where it was on the last frame."""
    shift: tuple[int, int] = (0, 0)
    """Columns and rows from `found` to `current`."""
    drift: tuple[float, float] = (0.0, 0.0)
    """Motion of the tissue since `found` in grid pixels, as the sum of the motions between
    frames."""
    age: int = 0
    """Number of frames since `found`."""
    is_complete: bool = True
    """True if ducts and nonmass areas were found on the same frame as the masses."""

    def shows_same_tissue(self, tissue: FloatImage, shift: tuple[int, int]) -> bool:
        """True if another frame shows the tissue of `found`, shifted by columns and rows."""
        before = _blocks(self.tissue)
        back = np.array([[1, 0, shift[0] / REDUCTION], [0, 1, shift[1] / REDUCTION]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved_back = cv2.warpAffine(
            tissue, back, tissue.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        change = np.abs(_blocks(moved_back) - before).mean()
        return bool(change <= MOST_CHANGE * np.abs(before - before.mean()).mean())


@dataclass(slots=True)
class AnatomyCache:
    """Cache of the anatomies of the views of one cine."""

    _views: dict[int, _CachedAnatomy] = field(default_factory=dict)
    """By number of the view."""

    def find(
        self,
        view: View,
        tissue: FloatImage,
        shift: tuple[float, float] | None,
        settings: AnatomySettings,
    ) -> Anatomy:
        """Return the anatomy of a view of the next frame.

        It is the stored one if the image differs by speckle only, the stored one shifted if the
        tissue has moved as a whole, and detected again otherwise. The image is always compared with
        the frame on which the anatomy was detected, so that errors do not add up.

        In a sweep the tissue changes with every frame. The ducts and nonmass areas of a detection
        are used on the next frame too, moved along with the tissue, if the motion is known: two
        frames with a known motion are so close that they show the same ducts. To save time, the
        mass network then judges the view without its mirror image.

        Parameters
        ----------
        view : View
        tissue : array, float32
            From `usmicro.tracking.motion.reduced_tissue`.
        shift : (x, y) or None
            Motion of the tissue since the last frame in grid pixels; None if unknown.
        settings : AnatomySettings
        """
        cached = self._views.get(view.number)
        earlier: Anatomy | None = None
        is_sweep = False
        if cached is not None and cached.found.masses.shape == view.shape:
            cached.age += 1
            if shift is not None:
                cached.drift = (cached.drift[0] + shift[0], cached.drift[1] + shift[1])
                lag = np.hypot(*np.subtract(cached.drift, cached.shift))
                if lag <= MOST_LAG and cached.shows_same_tissue(tissue, cached.shift):
                    return cached.current
            drift = shift if cached.age == 1 else None  # since the last frame
            if drift is None:
                drift = tissue_shift(cached.tissue, tissue)
            if drift is not None:
                whole = (round(drift[0]), round(drift[1]))
                if cached.shows_same_tissue(tissue, whole):
                    cached.current = moved(cached.found, whole, view.tissue)
                    cached.shift, cached.drift = whole, drift
                    return cached.current
                if cached.is_complete and cached.age == 1:
                    earlier = moved(cached.found, whole, view.tissue)
            is_sweep = cached.age == 1
        anatomy = find_anatomy(view, settings, earlier=earlier, mirrored=not is_sweep)
        self._views[view.number] = _CachedAnatomy(
            tissue, anatomy, anatomy, is_complete=earlier is None
        )
        return anatomy


def moved(anatomy: Anatomy, shift: tuple[int, int], tissue: BoolImage) -> Anatomy:
    """Move an anatomy by whole grid pixels.

    Pixels that come into view take the value of the nearest pixel that was there before. Outside
    the tissue the anatomy is empty.

    Parameters
    ----------
    anatomy : Anatomy
    shift : (columns, rows)
        Smaller than the grid.
    tissue : array, shape of the grid, bool
    """
    (rows, columns), (right, down) = tissue.shape, shift
    kept = (
        slice(max(-down, 0), rows - max(down, 0)),
        slice(max(-right, 0), columns - max(right, 0)),
    )
    margins = max(down, 0), max(-down, 0), max(right, 0), max(-right, 0)

    def moved_image(name: str) -> Any:
        before = getattr(anatomy, name)
        as_bytes = before.view(np.uint8) if before.dtype == np.bool_ else before
        bordered = cv2.copyMakeBorder(
            np.ascontiguousarray(as_bytes[kept]), *margins, cv2.BORDER_REPLICATE
        )
        now = bordered.view(before.dtype)
        return now if tissue.all() else now * tissue

    images = ("mass_probability", "masses", "duct_probability", "ducts", "nonmass")
    return replace(anatomy, **{name: moved_image(name) for name in images})


def _blocks(tissue: FloatImage) -> FloatImage:
    """Means of the blocks of a reduced tissue image."""
    columns, rows = (max(n * REDUCTION // BLOCK, 1) for n in tissue.shape[::-1])
    return np.asarray(
        cv2.resize(tissue, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.float32
    )
