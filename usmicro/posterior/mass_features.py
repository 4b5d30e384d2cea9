"""Posterior feature of a mass: shadowing, enhancement, both or none."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from usmicro.model.arrays import BoolImage
from usmicro.model.findings import Posterior, PosteriorFeature
from usmicro.model.view import View
from usmicro.numerics.logistic import read_models
from usmicro.posterior.mass_profile import mass_profile
from usmicro.settings import ShadowSettings

MODELS = Path(__file__).with_name("masses.json")
"""The logistic models `enhancement` and `shadowing`, fitted by `python -m training.posterior`."""
FEATURES = {
    "enhancement": ("near", "deep", "spread", "bright"),
    "shadowing": ("near", "spread", "dark", "black"),
}
"""Inputs of each model: fields of `MassProfile`. docs/accuracy.md says what else was tried."""


def posterior_feature(
    view: View,
    mass: BoolImage,
    settings: ShadowSettings = ShadowSettings(),  # noqa: B008  (frozen)
) -> Posterior:
    """Assess the posterior feature of a mass.

    The tissue behind the middle of the mass is ranked against that beside it at equal depth. Two
    logistic models of these ranks give the probabilities of enhancement and of shadowing. The
    feature is "combined" if both are above their thresholds.

    Parameters
    ----------
    view : View
    mass : array, shape of the view, bool
    settings : ShadowSettings

    Returns
    -------
    Posterior
        Its score is the probability of enhancement minus that of shadowing.

    References
    ----------
    Trimming and comparison at equal depth: Horsch, Giger, Vyborny, Venta, Medical Physics 29
    (2002) 157.
    """
    profile = mass_profile(view, mass, settings)
    if profile is None:
        return Posterior("not assessable")
    models, features = read_models(MODELS), asdict(profile)
    enhancement = float(models["enhancement"].probability(features))
    shadowing = float(models["shadowing"].probability(features))
    return Posterior(feature_of(enhancement, shadowing, settings), enhancement - shadowing)


def feature_of(enhancement: float, shadowing: float, settings: ShadowSettings) -> PosteriorFeature:
    """Return the feature of a mass from the probabilities of enhancement and of shadowing."""
    enhanced = enhancement > settings.posterior_enhancement
    shadowed = shadowing > settings.posterior_shadowing
    if enhanced and shadowed:
        return "combined"
    return "enhancement" if enhanced else "shadowing" if shadowed else "none"
