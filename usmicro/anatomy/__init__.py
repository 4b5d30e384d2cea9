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
from usmicro.settings import AnatomySettings
from usmicro.view import View

MOSTLY = 0.6
"""A region covered to this part by a duct is the duct."""


def find_anatomy(
    view: View,
    settings: AnatomySettings | None = None,
    given: GivenMasks | None = None,
) -> Anatomy:
    """Find masses, ducts and nonmass areas.

    A pixel model looks at smoothed grey and texture around every coarse pixel (`usmicro.anatomy.features`), its connected regions are
    judged by size, shape and contrast. Equalised grey makes the result the same for every gain and grey map.

    Parameters
    ----------
    view : View
    settings : AnatomySettings, optional
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
    if given.masses is None:
        probability = np.where(view.tissue, on_view(low, view), np.float32(0))
    else:
        probability = soft_probability(on_grid(given.masses, view), view)
    ducts = find_ducts(view, probability, settings) if given.ducts is None else on_grid(given.ducts, view)
    # a dark tube looks like the inside of a mass too, but no mass is that long and thin
    scored = [item for item in scored_regions(view, coarse, low) if (ducts[item[1].box] > 0)[item[1].inside].mean() < MOSTLY]
    if given.masses is None:
        masses, confidence = find_masses(view, scored, settings)
    else:
        masses = on_grid(given.masses, view)
        confidence = (1.0,) * int(masses.max(initial=0))
    if given.nonmass is None:
        nonmass = find_nonmass(view, scored, masses, ducts, settings)
    else:
        nonmass = on_grid(given.nonmass.astype(np.int32), view) > 0
    names = tuple(name for name in ("masses", "ducts", "nonmass") if getattr(given, name) is not None)
    return Anatomy(probability, masses, confidence, ducts, nonmass, names)


__all__ = ["find_anatomy"]
