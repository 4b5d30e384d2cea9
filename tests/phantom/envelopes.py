"""The envelope behind the grey levels of a simulated image."""

import numpy as np

from usmicro.phantom import PhantomSettings
from usmicro.phantom.speckle import MEAN_ENVELOPE


def envelope_of(grey: np.ndarray, settings: PhantomSettings) -> np.ndarray:
    """Invert the log compression of a display with a linear grey map, but for clipping."""
    assert settings.curve == 0, "the inverse of an S-shaped grey map is not needed by any test"
    level_db = (np.asarray(grey, float) - settings.grey) * settings.dynamic_range / 255
    return MEAN_ENVELOPE * 10 ** (level_db / 20)
