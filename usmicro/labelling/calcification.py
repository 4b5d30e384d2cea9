"""Calcification descriptor of an image: where its calcifications lie, in terms of BI-RADS."""

from __future__ import annotations

from collections.abc import Sequence

from usmicro.foci.operating_point import listing_confidence
from usmicro.model.findings import Focus, Label
from usmicro.settings import Settings


def describe_calcification(labels: Sequence[Label]) -> str:
    """Join the descriptors of the BI-RADS ultrasound lexicon for foci with these labels.

    Returns
    -------
    str
        For instance "in a mass+outside a mass"; "none" without foci.

    References
    ----------
    American College of Radiology, ACR BI-RADS Atlas (2013), Ultrasound, section on calcifications.
    """
    descriptors: dict[Label, str] = {
        "intramass": "in a mass",
        "extramass": "outside a mass",
        "intraductal": "intraductal",
    }
    present = (descriptor for label, descriptor in descriptors.items() if label in labels)
    return "+".join(present) or "none"


def calcification_of_image(foci: Sequence[Focus], score: float, settings: Settings) -> str:
    """Describe the calcifications of an image.

    Parameters
    ----------
    foci : sequence of Focus
        All foci of the image, listed or not, the most confident first.
    score : float
        Calcification score of the image, 0 to 1. Below `settings.labels.calcification` the
        descriptor is "none".
    settings : Settings

    Returns
    -------
    str
        Descriptor for the listed foci, or for the most confident focus if none is listed.
    """
    if score < settings.labels.calcification:
        return describe_calcification([])
    least = listing_confidence(settings.foci)
    listed = [focus for focus in foci if focus.confidence >= least]
    return describe_calcification([focus.label for focus in listed or foci[:1]])
