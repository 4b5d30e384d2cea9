"""Anatomy: masses, ducts and nonmass areas of a view."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from usmicro.anatomy.ducts import find_ducts, predict_ducts
from usmicro.anatomy.masses import BORDER, NETWORK, SIZE, find_masses, scored_regions
from usmicro.anatomy.network import predict
from usmicro.anatomy.nonmass import find_nonmass
from usmicro.anatomy.mask_resampling import on_grid, soft_probability
from usmicro.model.anatomy import Anatomy
from usmicro.model.scan import UserMasks
from usmicro.model.view import View
from usmicro.settings import AnatomySettings

MOSTLY = 0.6
"""A region covered to this part by a duct is the duct."""


def find_anatomy(
    view: View,
    settings: AnatomySettings | None = None,
    given: UserMasks | None = None,
) -> Anatomy:
    """Find masses, ducts and nonmass areas.

    Networks (`usmicro.anatomy.network`) look for the insides of masses and of ducts; what they find is judged by size, shape and contrast.

    Parameters
    ----------
    view : View
    settings : AnatomySettings, optional
    given : UserMasks, optional
        Outlines at the size of the input image; what is given is taken as it is, what is None is looked for.

    Returns
    -------
    Anatomy
        On the grid of the view. Given masks keep their numbers and have confidence 1.
    """
    settings, given = settings or AnatomySettings(), given or UserMasks()
    if given.masses is None:
        prediction = predict(
            view,
            Path(settings.mass_network) if settings.mass_network else NETWORK,
            SIZE,
            border=BORDER,
        )
        mass = prediction.probability_on(view)
        scored = scored_regions(view, prediction, mass)
    else:
        masses, scored = on_grid(given.masses, view), []
        mass = soft_probability(masses, view)
    if given.ducts is None:
        tubes = predict_ducts(view)
        ducts, duct_confidence = find_ducts(view, tubes, mass, settings)
        duct = tubes.probability_on(view)
    else:
        ducts = on_grid(given.ducts, view)
        duct, duct_confidence = soft_probability(ducts, view), (1.0,) * int(ducts.max(initial=0))
    if given.masses is None:
        # a dark tube looks like the inside of a mass too, but no mass is that long and thin
        apart = [
            item for item in scored if (ducts[item[1].box] > 0)[item[1].inside].mean() < MOSTLY
        ]
        masses, confidence = find_masses(view, apart, settings)
    else:
        confidence = (1.0,) * int(masses.max(initial=0))
    areas = given.nonmass
    nonmass = (
        find_nonmass(view, masses, ducts, settings)
        if areas is None
        else on_grid(areas.astype(np.int32), view) > 0
    )
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
