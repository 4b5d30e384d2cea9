"""Confidence of a focus or mass over the frames of a cine.

A still shows one plane. A sweep shows hundreds, so that a confidence that lists one false focus per
still lists hundreds per minute. A focus that is seen steadily for about a second shows that the
plane rests on it; it counts as in a still. A focus that is seen for less was passed by the plane:
its highest confidence decides, and more of it is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

PASSING_SECONDS, RESTING_SECONDS = 0.4, 0.9
"""A focus that is seen for at most the first time counts as passed by the plane; one that is seen
for at least the second one counts as in a still. In a sweep of 10 mm/s a focus is visible for
0.3 s. The false foci and the sensitivity hardly depend on them (`python -m benchmarks.sweeps`)."""
PASSING_PENALTY = 2.7
"""Log odds that a focus loses if the plane has only passed it. Chosen so that normal tissue gives
about 10 false foci per minute of sweep, by `python -m benchmarks.sweeps`."""
ASSUMED_FRAME_RATE = 20.0
"""Frames per second if the file does not give them: usual for B-mode of the breast."""
LEAST_FRAMES = 6
"""Least number of frames that count as RESTING_SECONDS, where few frames are analysed."""
_TINY = 1e-9
"""Smallest probability, and smallest distance from 1, whose log odds are computed."""


def frame_rate_of(times: Sequence[float], analysed: int) -> float:
    """Return the number of frames that are analysed per second.

    Parameters
    ----------
    times : sequence of float
        Time of each frame of the scan in s; empty if unknown.
    analysed : int
        Number of frames that were analysed, evenly spread over the scan.
    """
    if len(times) < 2 or times[-1] <= times[0]:
        return ASSUMED_FRAME_RATE
    return (len(times) - 1) / (times[-1] - times[0]) * min(analysed / len(times), 1.0)


def resting_frames(frame_rate: float) -> float:
    """Return the number of frames from which a focus counts as steady, at frames per second."""
    return max(frame_rate * RESTING_SECONDS, LEAST_FRAMES)


def track_confidence(
    highest: float, total: float, *, seen: int, span: int, analysed: int, frame_rate: float
) -> float:
    """Return the confidence of a focus in a cine.

    Parameters
    ----------
    highest, total : float
        Highest confidence and sum of the confidences over the frames that show it.
    seen : int
        Number of frames that show it.
    span : int
        Number of frames from the first to the last one that shows it.
    analysed : int
        Number of frames that were analysed. In a cine that is shorter than RESTING_SECONDS, a focus
        on all frames counts as in a still.
    frame_rate : float
        Frames that are analysed per second.
    """
    resting = min(resting_frames(frame_rate), analysed)
    passing = resting * PASSING_SECONDS / RESTING_SECONDS
    steadiness = min(max((seen - passing) / (resting - passing), 0.0), 1.0)
    passed = _log_odds(highest) - PASSING_PENALTY
    rested = _log_odds(total / span)
    return 1 / (1 + math.exp(-(passed + steadiness * (rested - passed))))


def _log_odds(probability: float) -> float:
    kept = min(max(probability, _TINY), 1 - _TINY)
    return math.log(kept / (1 - kept))
