"""Batch: many scans in, tables, overlays and masks out; the one code path of the command line and of Python."""

from usmicro.batch.results import Result
from usmicro.batch.runs import run

__all__ = ["Result", "run"]
