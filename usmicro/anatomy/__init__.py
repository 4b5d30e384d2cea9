"""Anatomy: masses, ducts and nonmass areas of a view."""

from __future__ import annotations

import numpy as np

from usmicro.anatomy.ducts import find_ducts
from usmicro.anatomy.features import coarse_view
from usmicro.anatomy.given import on_grid, soft_probability
from usmicro.anatomy.masses import MASS_PIXEL_MM, find_masses, on_view, scored_regions
from usmicro.anatomy.network import shipped_model
from usmicro.anatomy.nonmass import find_nonmass
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

    A pixel model looks at smoothed grey and texture around every coarse pixel (`usmicro.anatomy.features`), its connected regions are
    judged by size, shape and contrast. Equalised grey makes the result the same for every gain and grey map.

    Parameters
    ----------
    view : View
    settings : AnatomySettings, optional
    speckle : SpeckleSettings, optional
        Not used: averaging over coarse pixels reduces the speckle as far as the anatomy needs.
    given : GivenMasks, optional
        Outlines at the size of the input image; what is given is taken as it is, what is None is looked for.

    Returns
    -------
    Anatomy
        On the grid of the view. Given masks keep their numbers and have confidence 1.
    """
    settings, given = settings or AnatomySettings(), given or GivenMasks()
    coarse = coarse_view(view, MASS_PIXEL_MM)
    low = shipped_model("mass").probability(coarse)
    scored = scored_regions(view, coarse, low)
    if given.masses is not None:
        masses = on_grid(given.masses, view)
        confidence = (1.0,) * int(masses.max(initial=0))
        probability = soft_probability(masses, view)
    else:
        masses, confidence = find_masses(view, scored, settings)
        probability = np.where(view.tissue, on_view(low, view), np.float32(0))
    ducts = on_grid(given.ducts, view) if given.ducts is not None else find_ducts(view, probability, settings)
    if given.nonmass is not None:
        nonmass = on_grid(given.nonmass.astype(np.int32), view) > 0
    else:
        nonmass = find_nonmass(view, scored, masses, ducts, settings)
    names = tuple(name for name in ("masses", "ducts", "nonmass") if getattr(given, name) is not None)
    return Anatomy(probability, masses, confidence, ducts, nonmass, names)


__all__ = ["find_anatomy"]
