"""Echogenic foci: detection at a constant false-alarm rate, measures and confidence."""

from usmicro.foci.detection import find_candidates, find_foci

__all__ = ["find_candidates", "find_foci"]
