"""Comparison of two runs: what was gained, lost, moved or relabelled."""

from usmicro.comparison.runs import compare
from usmicro.comparison.result import RunComparison

__all__ = ["RunComparison", "compare"]
