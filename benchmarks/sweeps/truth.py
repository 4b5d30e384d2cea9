"""What a sweep shows, and which listed foci are right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

SEEN_LOSS_DB = 12.0
"""A focus is seen on the frames on which the elevational distance costs its echo less than this."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A true focus of a sweep."""

    x_px: tuple[float, ...]
    """Column in each frame."""
    y_px: tuple[float, ...]
    """Row in each frame."""
    loss_db: tuple[float, ...]
    """Loss of its echo in each frame by its elevational distance, dB."""
    reach_px: float
    """Distance up to which a detected focus is this one."""


def true_focus(
    points: Sequence[tuple[int, float, float]], foci: Sequence[Shown], least_px: float
) -> int | None:
    """Return the index of the true focus at most points of a track; None if it follows none.

    Parameters
    ----------
    points : sequence of (frame, x, y)
        The track.
    foci : sequence of Shown
    least_px : float
        Smallest distance that counts as a hit.
    """
    hits = np.zeros(len(foci), int)
    for i, focus in enumerate(foci):
        reach = max(focus.reach_px, least_px)
        hits[i] = sum(
            focus.loss_db[frame] <= SEEN_LOSS_DB
            and np.hypot(focus.x_px[frame] - x, focus.y_px[frame] - y) <= reach
            for frame, x, y in points
        )
    if not len(foci) or hits.max() * 2 < len(points):
        return None
    return int(hits.argmax())


def were_shown(foci: Iterable[Shown]) -> list[int]:
    """Return the indices of the foci whose middle the plane reaches within 3 dB."""
    return [i for i, focus in enumerate(foci) if min(focus.loss_db) <= 3.0]
