"""Outlines of the areas on every frame of a cine, in little memory.

Which frames are shown is known only after the last one. A label image of each frame would then need
several gigabytes for a long cine; simplified outlines need a thousandth of it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage, ByteImage, area_of
from usmicro.model.packed_areas import packed, unpacked

KINDS = (AreaLabel.MASS, AreaLabel.DUCT, AreaLabel.NONMASS)
"""Values of a label image whose outlines are kept."""
TOLERANCES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Largest distance of a simplified outline from the true one, pixels: the first value that is
enough, or the last. The first is half a pixel, which is too small to be seen."""
MOST_CORNERS = 150
"""Number of corners of the areas of one kind on a frame, above which they are simplified further:
600 bytes. A mass has some 50. Chosen so that 10,000 frames need about 10 MB."""
_NUMBER = np.uint16
"""Type of the packed numbers. Images have at most 65,535 rows and columns."""

Corners = NDArray[np.int32]
"""Column and row of each corner of an outline, shape (n, 2), pixels of the input image. The last
corner is joined to the first."""


def simplified(area: BoolImage, fits: Callable[[list[Corners]], bool]) -> list[Corners]:
    """Return the outlines of an area, including those of its holes, with few corners.

    Parameters
    ----------
    area : array, shape (rows, columns), bool
    fits : function
        Says whether outlines are simple enough; the first of TOLERANCES for which they are is used.

    Returns
    -------
    list of array, shape (n, 2)
        The corners are centres of pixels of the area. An area of one pixel has one corner.
    """
    x, y, width, height = cv2.boundingRect(np.ascontiguousarray(area).view(np.uint8))
    part = area[y : y + height, x : x + width].astype(np.uint8)  # is much smaller
    contours, _ = cv2.findContours(part, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y))
    outlines: list[Corners] = []
    for tolerance in TOLERANCES:
        outlines = [cv2.approxPolyDP(contour, tolerance, True)[:, 0] for contour in contours]
        if fits(outlines):
            break
    return outlines


def _is_short(outlines: Sequence[Corners]) -> bool:
    return sum(len(corners) for corners in outlines) <= MOST_CORNERS


class FrameOutlines:
    """Outlines by frame and kind of area, and the tissue of each frame."""

    def __init__(self) -> None:
        self._shape = (0, 0)
        self._analysed = array("i")
        self._outlines: dict[int, bytes] = {}
        self._tissue: dict[int, bytes] = {}
        self._last_tissue = b""
        """The tissue of the last frame. Successive frames often have the same, which then needs
        memory once."""

    def add(self, frame: int, labels: ByteImage | None) -> None:
        """Add the next frame that was analysed.

        Parameters
        ----------
        frame : int
            Index in the scan.
        labels : array, shape (rows, columns), or None
            Label image; None if the frame shows no tissue.
        """
        self._analysed.append(frame)
        if labels is None:
            return
        self._shape = labels.shape[0], labels.shape[1]
        if (tissue := packed(~area_of(labels, AreaLabel.NOT_TISSUE))) != self._last_tissue:
            self._last_tissue = tissue
        self._tissue[frame] = self._last_tissue
        numbers: list[NDArray[np.uint16]] = []
        for kind in KINDS:
            area = area_of(labels, kind)
            for corners in simplified(area, _is_short) if area.any() else ():
                numbers += [
                    np.array([kind, len(corners)], _NUMBER),
                    corners.astype(_NUMBER).ravel(),
                ]
        if numbers:
            self._outlines[frame] = np.concatenate(numbers).tobytes()

    @property
    def analysed(self) -> list[int]:
        """Indices of the frames that were analysed, in order."""
        return self._analysed.tolist()

    def tissue(self, frame: int) -> BoolImage:
        """Return where a frame shows tissue, shape (rows, columns); nowhere if it shows none."""
        if (bits := self._tissue.get(frame)) is None:
            return np.zeros(self._shape, bool)
        return unpacked(bits, self._shape)

    def of_frame(self, frame: int) -> dict[int, list[Corners]]:
        """Return the outlines on a frame by value of `AreaLabel`, including those of holes."""
        found: dict[int, list[Corners]] = {}
        numbers = np.frombuffer(self._outlines.get(frame, b""), _NUMBER).astype(np.int32)
        at = 0
        while at < len(numbers):
            kind, count = int(numbers[at]), int(numbers[at + 1])
            found.setdefault(kind, []).append(numbers[at + 2 : at + 2 + 2 * count].reshape(-1, 2))
            at += 2 + 2 * count
        return found

    @property
    def size(self) -> int:
        """Size of the stored outlines and tissue in bytes, without the objects that hold them."""
        bits = {id(value): len(value) for value in self._tissue.values()}
        return sum(map(len, self._outlines.values())) + sum(bits.values())
