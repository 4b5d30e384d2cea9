"""Comparison of two runs: what was gained, lost, moved or relabelled."""

from usmicro.comparison.result import RunComparison
from usmicro.comparison.runs import compare

__all__ = ["RunComparison", "compare"]
