"""True foci, and how detected foci are matched with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from usmicro.evaluation.metrics import LEAST_DISTANCE_PX, Detections, match
from usmicro.model.findings import Focus


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A true focus. An unknown property is None."""

    x: tuple[float, ...]
    """Column in each frame, pixels of the image; a single value holds for all frames."""
    y: tuple[float, ...]
    """Row in each frame, likewise."""
    diameter: float
    """Pixels of the image."""
    contrast_db: float | None = None
    """Peak of the focus relative to the mean echo around it, dB."""
    label: str | None = None
    """One of "intramass", "extramass" and "intraductal"."""
    shadow: bool | None = None
    twinkling: bool | None = None

    def at(self, frame: int) -> tuple[float, float, float]:
        """Return column, row and diameter in a frame, pixels."""
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
    least_distance: float = LEAST_DISTANCE_PX,
    decided: Mapping[int, int] | None = None,
) -> Detections:
    """Match the foci of an image or cine with its targets, as `match` does.

    A focus of a cine is first moved to its place in the first frame.

    Parameters
    ----------
    foci : sequence of Focus
    targets : sequence of Target
    ignored : sequence of Target
        A focus on one of these is neither a hit nor a false positive.
    least_distance : float
        A focus hits a target within half its diameter, and always within this distance in pixels.
    decided : mapping of int to int, optional
        Foci on which a reader has decided: number of the focus, and index of its target, or -1 for
        a rejected focus.
    """
    decided = decided or {}
    points = [_place_in_first_frame(focus, targets) for focus in foci]
    confidence = [focus.confidence for focus in foci]
    return match(
        points,
        confidence,
        [target.at(0) for target in targets],
        [target.at(0) for target in ignored],
        least_distance=least_distance,
        decided={
            index: decided[focus.focus]
            for index, focus in enumerate(foci if decided else ())
            if focus.focus in decided
        },
    )


def _place_in_first_frame(focus: Focus, targets: Sequence[Target]) -> tuple[float, float]:
    """Return column and row of a focus in the first frame.

    The focus is assumed to move as the target nearest to it.
    """
    if not targets or focus.frame == 0:
        return focus.x_px, focus.y_px
    places = [target.at(focus.frame) for target in targets]
    nearest = int(np.argmin([np.hypot(x - focus.x_px, y - focus.y_px) for x, y, _ in places]))
    x, y, _ = targets[nearest].at(0)
    return focus.x_px + x - places[nearest][0], focus.y_px + y - places[nearest][1]
