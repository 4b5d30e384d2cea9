"""Linking of the masses on one frame to the masses of the frames before, by their overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from usmicro.model.arrays import BoolImage, LabelImage, bounding_box

LEAST_OVERLAP = 0.3
"""Two outlines are one mass if they share at least this fraction of the smaller one. The section of
a mass grows and shrinks while the plane crosses it, so that the smaller one counts. Chosen by
judgement."""
LOST_FRAMES = 8
"""Number of frames for which a mass continues without an outline: about 0.4 s of a sweep. The
confidence of an outline often falls below its threshold in between. With 20 frames, masses that lie
behind one another in a simulated sweep became one. Chosen by judgement."""


@dataclass(slots=True)
class _Outlined:
    """The last outline of a mass."""

    inside: BoolImage
    """True in the mass, cropped to it."""
    x: float
    """Grid column of its left edge, moved along with the tissue."""
    y: float
    """Grid row of its upper edge, likewise."""
    last_seen: int


class MassLinker:
    """Assigns each mass of one view of a cine to a track; tracks are numbered from 1."""

    def __init__(self) -> None:
        self._live: dict[int, _Outlined] = {}
        self._count = 0

    def update(
        self,
        index: int,
        labels: LabelImage,
        numbers: Sequence[int],
        shift: tuple[float, float] | None,
    ) -> list[int]:
        """Link the masses of the next frame.

        Parameters
        ----------
        index : int
            Index of the frame among the frames that are analysed; larger than at the last call.
        labels : array, shape (rows, columns)
            0 outside masses, else the number of the mass.
        numbers : sequence of int, length n
            Numbers of the masses.
        shift : (x, y) or None
            Motion of the tissue since the last frame in grid pixels; None if unknown.

        Returns
        -------
        list of int, length n
            Number of the track of each mass.
        """
        self._live = {
            number: outlined
            for number, outlined in self._live.items()
            if index - outlined.last_seen <= LOST_FRAMES + 1
        }
        for outlined in self._live.values():
            outlined.x += 0 if shift is None else shift[0]
            outlined.y += 0 if shift is None else shift[1]
        if not len(numbers):
            return []
        masses = [_outlined(labels == number, index) for number in numbers]
        tracks = list(self._live)
        linked = [0] * len(masses)
        if tracks:
            from scipy.optimize import linear_sum_assignment

            overlaps = np.array(
                [[_overlap(self._live[track], mass) for mass in masses] for track in tracks]
            )
            for row, column in zip(*linear_sum_assignment(-overlaps), strict=True):
                if overlaps[row, column] >= LEAST_OVERLAP:
                    linked[column] = tracks[row]
        for i, mass in enumerate(masses):
            if not linked[i]:
                self._count += 1
                linked[i] = self._count
            self._live[linked[i]] = mass
        return linked


def _outlined(inside: BoolImage, index: int) -> _Outlined:
    left, top, right, bottom = bounding_box(inside)
    return _Outlined(inside[top:bottom, left:right].copy(), float(left), float(top), index)


def _overlap(before: _Outlined, now: _Outlined) -> float:
    """Return the area that two outlines share, as a fraction of the smaller one."""
    right, down = round(now.x - before.x), round(now.y - before.y)
    (rows, columns), (rows_now, columns_now) = before.inside.shape, now.inside.shape
    left, top = max(right, 0), max(down, 0)
    width, height = min(columns, right + columns_now) - left, min(rows, down + rows_now) - top
    if width <= 0 or height <= 0:
        return 0.0
    shared = (
        before.inside[top : top + height, left : left + width]
        & now.inside[top - down : top - down + height, left - right : left - right + width]
    )
    smaller = min(int(before.inside.sum()), int(now.inside.sum()))
    return int(shared.sum()) / max(smaller, 1)
