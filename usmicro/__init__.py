"""usmicro finds echogenic foci in breast ultrasound, assesses each and says where it lies.

Research use only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0.dev0"

if TYPE_CHECKING:
    from usmicro.analysis import analyze
    from usmicro.batch import run
    from usmicro.calibration import calibrate
    from usmicro.comparison import compare
    from usmicro.foci import find_foci
    from usmicro.loading import load
    from usmicro.model.findings import Cluster, Focus, Mass
    from usmicro.model.scan import Scan
    from usmicro.result import Analysis
    from usmicro.results import Results, read_results
    from usmicro.settings import Settings
    from usmicro.speckle import despeckle

_MODULES = {
    "Analysis": "usmicro.result",
    "Cluster": "usmicro.model.findings",
    "Focus": "usmicro.model.findings",
    "Mass": "usmicro.model.findings",
    "Results": "usmicro.results",
    "Scan": "usmicro.model.scan",
    "Settings": "usmicro.settings",
    "analyze": "usmicro.analysis",
    "calibrate": "usmicro.calibration",
    "compare": "usmicro.comparison",
    "despeckle": "usmicro.speckle",
    "find_foci": "usmicro.foci",
    "load": "usmicro.loading",
    "read_results": "usmicro.results",
    "run": "usmicro.batch",
}
__all__ = [
    "Analysis",
    "Cluster",
    "Focus",
    "Mass",
    "Results",
    "Scan",
    "Settings",
    "__version__",
    "analyze",
    "calibrate",
    "compare",
    "despeckle",
    "find_foci",
    "load",
    "read_results",
    "run",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562), so that `import usmicro` is quick."""
    if name not in _MODULES:
        raise AttributeError(f"module 'usmicro' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
