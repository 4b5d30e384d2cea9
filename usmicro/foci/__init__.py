"""Hyperechoic foci: detection with a constant false-alarm rate, and what is measured at each."""

from usmicro.foci.detection import find_candidates, find_foci

__all__ = ["find_candidates", "find_foci"]
