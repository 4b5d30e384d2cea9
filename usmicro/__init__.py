"""usmicro finds echogenic foci in breast ultrasound, assesses each and says where it lies.

Research use only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.2.1"

if TYPE_CHECKING:
    from usmicro import errors
    from usmicro.analysis import analyze
    from usmicro.anatomy.bare_image import Areas, find_ducts, find_masses
    from usmicro.batch import run
    from usmicro.calibration import calibrate
    from usmicro.comparison import compare
    from usmicro.evaluation.evaluate import evaluate
    from usmicro.exporting import export
    from usmicro.foci import find_foci
    from usmicro.foci.user_detector import load_detector
    from usmicro.loading import load
    from usmicro.model.findings import Candidate, Candidates, Cluster, Focus, Mass, TrackPoint
    from usmicro.model.scan import Scan, Spacing, UserMasks
    from usmicro.result import Analysis
    from usmicro.results import Results, read_results
    from usmicro.settings import Settings
    from usmicro.speckle import despeckle

_MODULES = {
    "Analysis": "usmicro.result",
    "Areas": "usmicro.anatomy.bare_image",
    "Candidate": "usmicro.model.findings",
    "Candidates": "usmicro.model.findings",
    "Cluster": "usmicro.model.findings",
    "Focus": "usmicro.model.findings",
    "Mass": "usmicro.model.findings",
    "Results": "usmicro.results",
    "Scan": "usmicro.model.scan",
    "Settings": "usmicro.settings",
    "Spacing": "usmicro.model.scan",
    "TrackPoint": "usmicro.model.findings",
    "UserMasks": "usmicro.model.scan",
    "analyze": "usmicro.analysis",
    "calibrate": "usmicro.calibration",
    "compare": "usmicro.comparison",
    "despeckle": "usmicro.speckle",
    "evaluate": "usmicro.evaluation",
    "export": "usmicro.exporting",
    "find_ducts": "usmicro.anatomy.bare_image",
    "find_foci": "usmicro.foci",
    "find_masses": "usmicro.anatomy.bare_image",
    "load": "usmicro.loading",
    "load_detector": "usmicro.foci.user_detector",
    "read_results": "usmicro.results",
    "run": "usmicro.batch",
}
"""Module of each public class and function."""
_SUBMODULES = ("errors", "evaluation", "phantom", "settings")
"""Modules that are there after `import usmicro`, too."""
__all__ = [
    "Analysis",
    "Areas",
    "Candidate",
    "Candidates",
    "Cluster",
    "Focus",
    "Mass",
    "Results",
    "Scan",
    "Settings",
    "Spacing",
    "TrackPoint",
    "UserMasks",
    "__version__",
    "analyze",
    "calibrate",
    "compare",
    "despeckle",
    "errors",
    "evaluate",
    "export",
    "find_ducts",
    "find_foci",
    "find_masses",
    "load",
    "load_detector",
    "read_results",
    "run",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562), so that `import usmicro` is quick."""
    from importlib import import_module

    if name in _SUBMODULES:
        return import_module(f"usmicro.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'usmicro' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
