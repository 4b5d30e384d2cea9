"""Context of each candidate: how confident the other candidates around it are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.foci.measures import distances, log_odds

Floats = NDArray[np.float64]

RADII_MM = (3.0, 8.0)
"""Radii, in mm, in which the confidences of other candidates are summed.

The smaller is the spacing of clustered foci, the larger about half the width of a mass. Chosen by
judgement; no measurement is recorded.
"""
LEAST_SUM = 0.02
"""Addend to sums of confidences before logarithms are taken.

It is about the confidence of a single unlikely candidate. Chosen by judgement; no measurement is
recorded.
"""


def context_features(x: Floats, y: Floats, confidence: Floats) -> dict[str, Floats]:
    """Return what the other candidates of a view tell about each candidate.

    Parameters
    ----------
    x, y : array, shape (n,)
        Positions of the candidates of one view in mm of its grid.
    confidence : array, shape (n,)
        Confidence of each candidate from its own measures alone.

    Returns
    -------
    dict of array, shape (n,), float64
        - `log_near_3mm`, `log_near_8mm`: logarithm of the sum of the confidences of the others
          within 3 and 8 mm;
        - `log_elsewhere`: logarithm of that sum over the whole view;
        - `best_other`: log odds of the highest confidence of the others.
    """
    distance = distances(x, y)
    np.fill_diagonal(distance, np.inf)
    sums = {
        f"log_near_{radius:.0f}mm": np.log((distance <= radius) @ confidence + LEAST_SUM)
        for radius in RADII_MM
    }
    total = np.maximum(confidence.sum() - confidence, 0)
    return sums | {
        "log_elsewhere": np.log(total + LEAST_SUM),
        "best_other": log_odds(_highest_other(confidence)),
    }


def _highest_other(confidence: Floats) -> Floats:
    """Return the highest confidence of the other candidates, 0 if there is none."""
    if len(confidence) < 2:
        return np.zeros(len(confidence))
    second, highest = np.partition(confidence, -2)[-2:]
    others = np.full(len(confidence), highest)
    others[np.argmax(confidence)] = second
    return others
