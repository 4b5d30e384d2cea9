"""Foci that are there, and how those that were found are matched with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from usmicro.evaluation.metrics import Detections, match
from usmicro.model.findings import Focus


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A focus that is there; in pixels of the image. What is not known of it is None."""

    x: tuple[float, ...]
    """Column in each frame; a single value holds for all."""
    y: tuple[float, ...]
    diameter: float
    contrast_db: float | None = None
    """Peak over the echoes around it."""
    label: str | None = None
    shadow: bool | None = None
    twinkling: bool | None = None

    def at(self, frame: int) -> tuple[float, float, float]:
        """Column, row and diameter in a frame."""
        return (
            self.x[min(frame, len(self.x) - 1)],
            self.y[min(frame, len(self.y) - 1)],
            self.diameter,
        )


def match_foci(
    foci: Sequence[Focus],
    targets: Sequence[Target],
    ignored: Sequence[Target] = (),
    *,
    least_distance: float = 6.0,
) -> Detections:
    """Match the foci of an image with its targets, as `match` does; in a cine, where they would be in the first frame.

    Parameters
    ----------
    foci : sequence of Focus
    targets, ignored : sequence of Target
        A focus on one that is ignored is neither a hit nor false.
    least_distance : float
        A focus hits a target within half of the diameter of that, and always within so many pixels.
    """
    points = [_in_first_frame(focus, targets) for focus in foci]
    confidence = [focus.confidence for focus in foci]
    return match(
        points,
        confidence,
        [target.at(0) for target in targets],
        [target.at(0) for target in ignored],
        least_distance=least_distance,
    )


def _in_first_frame(focus: Focus, targets: Sequence[Target]) -> tuple[float, float]:
    """Where a focus of a cine would be in the first frame, by the motion of the target nearest to it."""
    if not targets or focus.frame == 0:
        return focus.x_px, focus.y_px
    there = [target.at(focus.frame) for target in targets]
    nearest = int(np.argmin([np.hypot(x - focus.x_px, y - focus.y_px) for x, y, _ in there]))
    x, y, _ = targets[nearest].at(0)
    return focus.x_px + x - there[nearest][0], focus.y_px + y - there[nearest][1]
