"""Detection of masses, ducts and nonmass areas on a view."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from usmicro.anatomy.ducts import find_ducts, predict_ducts
from usmicro.anatomy.mask_resampling import on_grid, soft_probability
from usmicro.anatomy.masses import NETWORK, find_masses, predict_masses, scored
from usmicro.anatomy.nonmass import find_nonmass
from usmicro.model.anatomy import Anatomy
from usmicro.model.scan import UserMasks
from usmicro.model.view import View
from usmicro.settings import AnatomySettings

DUCT_FRACTION = 0.6
"""A candidate mass is dropped if ducts cover at least this fraction of it. Chosen by eye on the
sample scans; no measurement is recorded."""


def find_anatomy(
    view: View,
    settings: AnatomySettings | None = None,
    given: UserMasks | None = None,
    *,
    earlier: Anatomy | None = None,
    mirrored: bool = True,
) -> Anatomy:
    """Find masses, ducts and nonmass areas.

    Networks (`usmicro.anatomy.network`) give the probability that each pixel lies inside a mass, a
    duct or a nonmass area. The size, shape and contrast of the connected regions decide which of
    them are kept, and their confidence.

    Parameters
    ----------
    view : View
    settings : AnatomySettings, optional
    given : UserMasks, optional
        The user's outlines at the size of the input image. Parts that are None are detected.
    earlier : Anatomy, optional
        Anatomy of an earlier frame of a cine, moved along with the tissue. Its ducts and nonmass
        areas are used, so that only masses are detected.
    mirrored : bool
        If a region is doubtful, average the mass probability over the view and its mirror image,
        which lists fewer false masses.

    Returns
    -------
    Anatomy
        On the grid of the view. Areas that the user outlined keep their numbers and have
        confidence 1.

    Raises
    ------
    SettingsError
        If `settings.mass_network` is not a usable network.
    """
    settings, given = settings or AnatomySettings(), given or UserMasks()
    if given.masses is None:
        network = Path(settings.mass_network) if settings.mass_network else NETWORK
        _, mass, regions = predict_masses(view, network, mirrored=mirrored)
        candidates = scored(regions)
    else:
        masses, candidates = on_grid(given.masses, view), []
        mass = soft_probability(masses, view)
    if given.ducts is None and earlier is not None:
        duct, ducts = earlier.duct_probability, earlier.ducts
        duct_confidence = earlier.duct_confidence
    elif given.ducts is None:
        tubes = predict_ducts(view)
        ducts, duct_confidence = find_ducts(view, tubes, mass, settings)
        duct = tubes.probability_on(view)
    else:
        ducts = on_grid(given.ducts, view)
        duct, duct_confidence = soft_probability(ducts, view), (1.0,) * int(ducts.max(initial=0))
    if given.masses is None:
        # the mass network responds to ducts too, but no mass is as long and thin
        outside_ducts = [
            (confidence, region)
            for confidence, region in candidates
            if (ducts[region.box] > 0)[region.inside].mean() < DUCT_FRACTION
        ]
        masses, confidence = find_masses(view, outside_ducts, settings)
    else:
        confidence = (1.0,) * int(masses.max(initial=0))
    if given.nonmass is not None:
        nonmass = on_grid(given.nonmass.astype(np.int32), view) > 0
    elif earlier is not None:
        nonmass = earlier.nonmass & (masses == 0)
    else:
        nonmass = find_nonmass(view, masses, ducts, settings)
    names = tuple(
        name for name in ("masses", "ducts", "nonmass") if getattr(given, name) is not None
    )
    return Anatomy(
        pixel_mm=view.grid.pixel_mm,
        mass_probability=mass,
        masses=masses,
        mass_confidence=confidence,
        duct_probability=duct,
        ducts=ducts,
        duct_confidence=duct_confidence,
        nonmass=nonmass,
        given=names,
    )
