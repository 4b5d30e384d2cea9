"""From the number of false positives per image that a user accepts to the listing confidence."""

from __future__ import annotations

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
    rates, confidences = zip(*read_focus_models(settings.models).curve, strict=True)
    rate = np.log(settings.false_positives_per_image)
    return float(np.exp(np.interp(rate, np.log(rates), np.log(confidences))))
