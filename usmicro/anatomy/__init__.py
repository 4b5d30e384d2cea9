"""Anatomy: masses, ducts and nonmass areas of a view."""

from __future__ import annotations

import numpy as np

from usmicro.anatomy.features import coarse_view
from usmicro.anatomy.given import on_grid, soft_probability
from usmicro.anatomy.masses import MASS_PIXEL_MM, find_masses, on_view
from usmicro.anatomy.network import shipped_model
from usmicro.findings import Anatomy
from usmicro.scan import GivenMasks
from usmicro.settings import AnatomySettings, SpeckleSettings
from usmicro.view import View


def find_anatomy(
    view: View,
    settings: AnatomySettings | None = None,
    speckle: SpeckleSettings | None = None,
    given: GivenMasks | None = None,
) -> Anatomy:
    """Find masses, ducts and nonmass areas.

    Parameters
    ----------
    view : View
    settings : AnatomySettings, optional
    speckle : SpeckleSettings, optional
        How the image is despeckled where ducts are looked for.
    given : GivenMasks, optional
        Outlines at the size of the input image; what is given is taken as it is, what is None is looked for.

    Returns
    -------
    Anatomy
        On the grid of the view.
    """
    settings = settings or AnatomySettings()
    given = given or GivenMasks()
    if given.masses is not None:
        masses = on_grid(given.masses, view)
        probability = soft_probability(masses, view)
        confidence = (1.0,) * int(masses.max(initial=0))
    else:
        coarse = coarse_view(view, MASS_PIXEL_MM)
        low = shipped_model("mass").probability(coarse)
        probability = on_view(low, view) * view.tissue
        masses, confidence = find_masses(view, coarse, low, settings)
    ducts = on_grid(given.ducts, view) if given.ducts is not None else np.zeros(view.shape, np.int32)
    nonmass = on_grid(given.nonmass.astype(np.int32), view) > 0 if given.nonmass is not None else np.zeros(view.shape, np.bool_)
    names = tuple(name for name in ("masses", "ducts", "nonmass") if getattr(given, name) is not None)
    return Anatomy(probability, masses, confidence, ducts, nonmass, names)
