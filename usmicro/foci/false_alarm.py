"""False alarms: probability that speckle alone responds as strongly as a candidate.

The responses of speckle depend on its statistics, grey map, smoothing, compounding and size. Their
distributions nearly coincide once they are standardised: two quantiles of the responses of all
bright blobs of a view, most of which are speckle, become 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usmicro.numerics.quantiles import quantile

LEAST_RESPONSE = 0.15
"""Smallest response of the bright blobs from which the quantiles are computed.

LOG10_PROBABILITY was measured with this value. Chosen by eye; no measurement is recorded.
"""
ANCHORS = (0.8, 0.95)
"""Quantiles of the responses of a view at which the standardised response is 0 and 1.

They must be high enough to describe the tail and low enough that foci hardly change them. Chosen by
eye; the resulting false-alarm rates are in docs/accuracy.md, "Whether the false-alarm rate holds".
"""
LEAST_BLOBS = 200
"""Smallest number of bright blobs of a view from which quantiles are computed.

Very small views have fewer and get DEFAULT_ANCHORS.
Chosen by eye; no measurement is recorded.
"""
DEFAULT_ANCHORS = (0.82, 1.07)
"""Responses at the ANCHORS for a view with too few blobs.

They are the means over the speckle of `python -m training.false_alarm --images 60`.
"""
STANDARDISED = np.arange(0.5, 4.01, 0.5)
"""Standardised responses of the table."""
LOG10_PROBABILITY = np.array([-0.98, -1.30, -1.67, -2.07, -2.50, -2.97, -3.44, -3.96])
"""Decimal logarithm of the probability that a blob of speckle reaches each response.

From `python -m training.false_alarm --images 60`: mean over kinds of speckle, whose standard
deviation is at most 0.2.
"""
LEAST_LOG10_PROBABILITY = -300.0
"""Decimal logarithm of the smallest probability that is reported.

A clean bright dot on dark speckle responds far beyond the simulated responses. Its extrapolated
probability would be 0 in 64-bit numbers (below 1e-308), which has no logarithm.
"""
LEAST_SCALE = 1e-6
"""Smallest difference between the responses at the two ANCHORS, so that it can be divided by: a
view whose blobs are all equal has none."""
SLOPE = (LOG10_PROBABILITY[-1] - LOG10_PROBABILITY[-3]) / (STANDARDISED[-1] - STANDARDISED[-3])
"""Slope of the end of the table, by which it is extrapolated beyond the simulated responses."""


@dataclass(frozen=True, slots=True)
class SpeckleResponses:
    """Scale of the responses of the speckle of one view, from all of its bright blobs."""

    blobs: int
    """Number of bright blobs."""
    lower: float
    """Response at which the standardised response is 0."""
    upper: float
    """Response at which the standardised response is 1."""

    @classmethod
    def of(cls, response: NDArray[np.float64]) -> SpeckleResponses:
        """Return the scale for a view, from all its responses (n,) of LEAST_RESPONSE or more."""
        lower, upper = (
            (quantile(response, share) for share in ANCHORS)
            if len(response) >= LEAST_BLOBS
            else DEFAULT_ANCHORS
        )
        return cls(len(response), lower, upper)

    def false_alarm(self, response: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability that speckle alone responds as strongly, for responses (n,).

        Responses below the table get the probability of its first entry.
        """
        scale = max(self.upper - self.lower, LEAST_SCALE)
        standardised = (np.asarray(response) - self.lower) / scale
        beyond = np.maximum(standardised - STANDARDISED[-1], 0)
        tabled = np.interp(standardised, STANDARDISED, LOG10_PROBABILITY)
        return np.asarray(10 ** np.maximum(tabled + SLOPE * beyond, LEAST_LOG10_PROBABILITY))
