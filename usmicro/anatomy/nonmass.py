"""Nonmass areas: discrete areas that look altered, but not enough like a mass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from usmicro.anatomy.masses import Region
from usmicro.arrays import BoolImage, LabelImage
from usmicro.settings import AnatomySettings
from usmicro.view import View

SMALLEST_MM = 5.0
"""Diameter of the circle of the smallest area; smaller ones are speckle and fat lobules."""


def find_nonmass(
    view: View, scored: Sequence[tuple[float, Region]], masses: LabelImage, ducts: LabelImage, settings: AnatomySettings
) -> BoolImage:
    """Areas that are taken for no mass, but come near one.

    Parameters
    ----------
    view : View
    scored : sequence of (confidence, Region)
        As `usmicro.anatomy.masses.scored_regions` gives them.
    masses, ducts : array, shape of the view
        What was found already.
    settings : AnatomySettings
        `nonmass_threshold` to `mass_threshold` is the range of confidence of a nonmass area.
    """
    area = np.zeros(view.shape, np.bool_)
    for confidence, region in scored:
        if settings.nonmass_threshold <= confidence < settings.mass_threshold and region.features["size"] >= np.log(
            np.pi / 4 * SMALLEST_MM**2
        ):
            area[region.box] |= region.inside
    return np.asarray(area & (masses == 0) & (ducts == 0))
