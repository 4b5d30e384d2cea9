"""Preparation: one View for each tissue region of a frame."""

from usmicro.preparation.cine_cache import ScreenCache
from usmicro.preparation.views import prepare

__all__ = ["ScreenCache", "prepare"]
