"""False alarms: how probable it is that speckle alone responds as strongly as a candidate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RESPONSES = np.arange(0.7, 1.75, 0.1)
LOG10_PROBABILITY = np.array([-1.07, -1.26, -1.49, -1.74, -2.02, -2.32, -2.65, -2.99, -3.37, -3.76, -4.19])
"""From `python -m training.false_alarm`: mean over Rayleigh and K-distributed speckle, one and three looks, and cell shapes, of
which one standard deviation is 0.2."""
SLOPE = (LOG10_PROBABILITY[-1] - LOG10_PROBABILITY[-2]) / (RESPONSES[-1] - RESPONSES[-2])
"""At which the table goes on beyond what could be simulated."""


def cell_area(speckle: tuple[float, float]) -> float:
    """Area of a speckle cell in pixels: the integral of a Gaussian autocovariance of these full widths at half maximum.

    References
    ----------
    Wagner, Smith, Sandrik, Lopez, IEEE Trans. Sonics and Ultrasonics 30 (1983) 156.
    """
    return float(np.pi / (4 * np.log(2)) * speckle[0] * speckle[1])


def false_alarm(response: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that speckle alone gives a response as strong, per speckle cell; below the table it is that of its first entry."""
    beyond = np.maximum(response - RESPONSES[-1], 0)
    return np.asarray(10 ** (np.interp(response, RESPONSES, LOG10_PROBABILITY) + SLOPE * beyond))


def response_at(probability: float) -> float:
    """The response that speckle alone reaches with a probability, per speckle cell."""
    wanted = float(np.log10(probability))
    inside = float(np.interp(-wanted, -LOG10_PROBABILITY, RESPONSES))
    return inside + float(min(wanted - LOG10_PROBABILITY[-1], 0.0) / SLOPE)
