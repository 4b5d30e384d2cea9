"""Settings for a site, fitted to its own labels."""

from usmicro.calibration.fitting import calibrate
from usmicro.calibration.result import Calibration

__all__ = ["Calibration", "calibrate"]
