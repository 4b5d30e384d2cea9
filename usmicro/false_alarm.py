"""False alarms: how probable it is that speckle alone responds as strongly as a candidate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOG10_PROBABILITY = np.array([-1.0, -2.0, -3.0, -4.0, -5.0])
RESPONSES = np.array([0.8, 1.06, 1.36, 1.63, 1.87])


def cell_area(speckle: tuple[float, float]) -> float:
    """Area of a speckle cell in pixels: the integral of a Gaussian autocovariance of these full widths at half maximum.

    References
    ----------
    Wagner, Smith, Sandrik, Lopez, IEEE Trans. Sonics and Ultrasonics 30 (1983) 156.
    """
    return float(np.pi / (4 * np.log(2)) * speckle[0] * speckle[1])


def false_alarm(response: ArrayLike) -> NDArray[np.float64]:
    """Probability that speckle alone gives a response as strong, per speckle cell."""
    return np.asarray(10 ** np.interp(response, RESPONSES, LOG10_PROBABILITY))


def response_at(probability: float) -> float:
    """The response that speckle alone reaches with a probability, per speckle cell."""
    return float(np.interp(-np.log10(probability), -LOG10_PROBABILITY, RESPONSES))
