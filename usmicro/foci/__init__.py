"""Echogenic foci: detection at a constant false-alarm rate, measurements and confidence."""

from usmicro.foci.detection import find_candidates, find_foci

__all__ = ["find_candidates", "find_foci"]
