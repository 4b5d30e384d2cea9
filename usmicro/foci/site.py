"""The confidence of foci at a site: its log odds, shifted and stretched as calibration found."""

from __future__ import annotations

import math

from usmicro.settings import FociSettings


def site_confidence(confidence: float, settings: FociSettings) -> float:
    """Return the confidence that is reported, from that of the models.

    Its log odds are `foci.confidence_slope` times those of the models, plus
    `foci.confidence_offset`. The order of foci does not change.
    """
    offset, slope = settings.confidence_offset, settings.confidence_slope
    if (offset, slope) == (0, 1) or not 0 < confidence < 1:
        return confidence
    return _probability(offset + slope * _log_odds(confidence))


def model_confidence(confidence: float, settings: FociSettings) -> float:
    """Return the confidence of the models from that which is reported."""
    offset, slope = settings.confidence_offset, settings.confidence_slope
    if (offset, slope) == (0, 1) or not 0 < confidence < 1:
        return confidence
    return _probability((_log_odds(confidence) - offset) / slope)


def _log_odds(probability: float) -> float:
    return math.log(probability) - math.log1p(-probability)


def _probability(log_odds: float) -> float:
    if log_odds < 0:  # no overflow for large magnitudes, and small results stay exact
        power = math.exp(log_odds)
        return power / (1 + power)
    return 1 / (1 + math.exp(-log_odds))
