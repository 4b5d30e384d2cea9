"""From the number of false positives per image that a user accepts to the listing confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from usmicro.foci.models import read_focus_models
from usmicro.foci.site import model_confidence, site_confidence
from usmicro.settings import FociSettings

ROUNDING = 1e-9
"""Relative margin for the rounding of log odds and back."""


def listing_confidence(settings: FociSettings) -> float:
    """Return the confidence from which a focus is listed.

    `settings.minimum_confidence` decides if it is given. Otherwise
    `settings.false_positives_per_image` is converted by the curve that was measured on images with
    a lesion, which two readers had read. Rates between two points of the curve are interpolated,
    both rate and confidence as logarithms; rates beyond its ends get the confidence of the end. The
    curve holds confidences of the models, from which that of the site follows.

    Raises
    ------
    SettingsError
        If the folder `settings.models` is not one of models.
    """
    if settings.minimum_confidence >= 0:
        return settings.minimum_confidence
    of_models = confidence_at(
        read_focus_models(settings.models).curve, settings.false_positives_per_image
    )
    return site_confidence(of_models, settings)


def listing_confidence_of_models(settings: FociSettings) -> float:
    """Return the confidence of the models from which a focus may be listed.

    It is a little below that which belongs to `listing_confidence`, so that rounding excludes none,
    if the confidence is calibrated to a site.
    """
    listed = listing_confidence(settings)
    of_models = model_confidence(listed, settings)
    return of_models if of_models == listed else of_models * (1 - ROUNDING)


def shown_confidence(settings: FociSettings, *, calibrated: bool = False) -> float:
    """Return the confidence from which the report shows foci when it is opened.

    It is that from which foci are listed. A run may list more foci than
    `settings.false_positives_per_image` would, for instance every candidate. Its report is readable
    only if it begins with those that this rate would list. If the confidence from which foci are
    listed was `calibrated` to the site, it decides, unless it lists every candidate.

    Raises
    ------
    SettingsError
        If the folder `settings.models` is not one of models.
    """
    if calibrated and settings.minimum_confidence > 0:
        return settings.minimum_confidence
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
