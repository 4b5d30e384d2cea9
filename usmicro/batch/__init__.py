"""Batch runs: analyse many scans and write tables, overlays and masks.

The command line and `usmicro.run` use the same code.
"""

from usmicro.batch.results import Result
from usmicro.batch.runs import Run, run

__all__ = ["Result", "Run", "run"]
