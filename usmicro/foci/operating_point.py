"""From the number of false positives per image that a user accepts to the listing confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from usmicro.foci.models import read_focus_models
from usmicro.settings import FociSettings


def listing_confidence(settings: FociSettings) -> float:
    """Return the confidence from which a focus is listed.

    `settings.minimum_confidence` decides if it is given. Otherwise
    `settings.false_positives_per_image` is converted by the curve that was measured on images with
    a lesion, which two readers had read. Rates between two points of the curve are interpolated,
    both rate and confidence as logarithms; rates beyond its ends get the confidence of the end.

    Raises
    ------
    SettingsError
        If the folder `settings.models` is not one of models.
    """
    if settings.minimum_confidence >= 0:
        return settings.minimum_confidence
    return confidence_at(
        read_focus_models(settings.models).curve, settings.false_positives_per_image
    )


def shown_confidence(settings: FociSettings) -> float:
    """Return the confidence from which the report shows foci when it is opened.

    It is that from which foci are listed. A run may list more foci than
    `settings.false_positives_per_image` would, for instance every candidate. Its report is readable
    only if it begins with those that this rate would list.

    Raises
    ------
    SettingsError
        If the folder `settings.models` is not one of models.
    """
    by_rate = replace(settings, minimum_confidence=-1.0)
    return max(listing_confidence(settings), listing_confidence(by_rate))


def confidence_at(curve: Sequence[tuple[float, float]], rate: float) -> float:
    """Return the confidence that gives a rate of false positives per image.

    Parameters
    ----------
    curve : sequence of (float, float)
        Pairs of false positives per image and confidence, by rising rate; all are above 0.
    rate : float
        False positives per image.
    """
    rates, confidences = zip(*curve, strict=True)
    return float(np.exp(np.interp(np.log(rate), np.log(rates), np.log(confidences))))
