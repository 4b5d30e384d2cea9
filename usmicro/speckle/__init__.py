"""Speckle reduction, for users.

Foci are detected on the unfiltered image, since filters that smooth speckle also smooth small
points.
"""

from usmicro.speckle.diffusion import dpad, srad
from usmicro.speckle.display import METHODS, despeckle
from usmicro.speckle.patches import nonlocal_means, obnlm
from usmicro.speckle.scale import estimate_looks
from usmicro.speckle.windows import frost, kuan, lee, median

__all__ = [
    "METHODS",
    "despeckle",
    "dpad",
    "estimate_looks",
    "frost",
    "kuan",
    "lee",
    "median",
    "nonlocal_means",
    "obnlm",
    "srad",
]
