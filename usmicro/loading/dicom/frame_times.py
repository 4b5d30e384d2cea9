"""Times of the frames of a DICOM cine."""

from __future__ import annotations

import math
from typing import Any


def frame_times(header: Any, frames: int) -> tuple[float, ...]:
    """Return the time of each frame since the first in s.

    They come from FrameTimeVector (the time since the frame before, ms), else from FrameTime (ms),
    else from CineRate (frames per second), see DICOM PS3.3 C.7.6.5.

    Parameters
    ----------
    header : pydicom.Dataset
    frames : int
        Number of frames that are read.

    Returns
    -------
    tuple of float
        Empty for a single frame, and if the header gives no valid time.
    """
    if frames < 2:
        return ()
    vector = header.get("FrameTimeVector")
    try:
        steps = [] if vector is None else [float(value) / 1000 for value in vector]
    except (TypeError, ValueError):
        steps = []
    if len(steps) == frames and all(math.isfinite(step) and step >= 0 for step in steps[1:]):
        times = [0.0]
        for step in steps[1:]:
            times.append(times[-1] + step)
        return tuple(times)
    step = _positive(header.get("FrameTime")) / 1000
    rate = _positive(header.get("CineRate"))
    step = step or (1 / rate if rate else 0.0)
    return tuple(frame * step for frame in range(frames)) if step else ()


def _positive(value: Any) -> float:
    """Return a value of the header; 0 if it is missing or not a positive number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
