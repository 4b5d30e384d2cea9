"""Preparation: from the frame of a scan to one View for each tissue region."""

from usmicro.preparation.cine_cache import ScreenCache
from usmicro.preparation.views import prepare

__all__ = ["ScreenCache", "prepare"]
