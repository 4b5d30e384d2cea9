"""What the networks say around places of an anatomy, smoothed once for an anatomy, since labels and confidences both ask."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from usmicro.anatomy.around import AROUND_MM
from usmicro.anatomy.remembered import remembered
from usmicro.model.anatomy import Anatomy
from usmicro.model.arrays import FloatImage
from usmicro.model.view import View

Network = Literal["mass", "duct"]


def surroundings(
    view: View, anatomy: Anatomy, network: Network, row: NDArray[np.int_], column: NDArray[np.int_]
) -> NDArray[np.float64]:
    """Probability of mass or duct around grid pixels, as `usmicro.anatomy.around` has it."""
    return np.asarray(
        _smoothed(anatomy, network, view.grid.pixels(AROUND_MM))[row, column], dtype=float
    )


@remembered
def _smoothed(anatomy: Anatomy, network: Network, sigma: float) -> FloatImage:
    import cv2

    probability = anatomy.mass_probability if network == "mass" else anatomy.duct_probability
    return np.asarray(cv2.GaussianBlur(probability, (0, 0), sigma))
