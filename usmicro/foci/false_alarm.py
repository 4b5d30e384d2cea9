"""False alarms: how probable it is that speckle alone responds as strongly as a candidate.

The responses of speckle depend on its statistics, grey map, smoothing, compounding and cell size, but nearly the same curve comes out
for all of them once two quantiles of all bright blobs of a view, most of which are speckle, are taken as 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usmicro.numerics.quantiles import quantile

LEAST = 0.15
"""Response from which a bright blob counts among those of a view."""
ANCHORS = (0.8, 0.95)
"""Quantiles of the responses of a view's blobs that are 0 and 1 of the standardised response."""
FEWEST = 200
"""Blobs that show what speckle does; with fewer, as in very small views, its usual anchors are taken."""
USUAL = (0.82, 1.07)
"""Mean anchors of the same speckle."""
STANDARDISED = np.arange(0.5, 4.01, 0.5)
LOG10_PROBABILITY = np.array([-0.98, -1.30, -1.67, -2.07, -2.50, -2.97, -3.44, -3.96])
"""From `python -m training.false_alarm --images 60`: mean over kinds of speckle; one standard deviation of these is at most 0.2."""
SLOPE = (LOG10_PROBABILITY[-1] - LOG10_PROBABILITY[-3]) / (STANDARDISED[-1] - STANDARDISED[-3])
"""At which the table goes on beyond what could be simulated."""


@dataclass(frozen=True, slots=True)
class SpeckleResponses:
    """What the bright blobs of one view say about the responses of its speckle."""

    blobs: int
    """How many there are."""
    lower: float
    upper: float
    """Responses at ANCHORS."""

    @classmethod
    def of(cls, response: NDArray[np.float64]) -> SpeckleResponses:
        """From the responses of all blobs of a view, those of LEAST or more."""
        lower, upper = (
            (quantile(response, share) for share in ANCHORS) if len(response) >= FEWEST else USUAL
        )
        return cls(len(response), lower, upper)

    def false_alarm(self, response: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability that a bright blob of speckle responds as strongly; below the table it is that of its first entry."""
        standardised = (np.asarray(response) - self.lower) / (self.upper - self.lower)
        beyond = np.maximum(standardised - STANDARDISED[-1], 0)
        return np.asarray(
            10 ** (np.interp(standardised, STANDARDISED, LOG10_PROBABILITY) + SLOPE * beyond)
        )
