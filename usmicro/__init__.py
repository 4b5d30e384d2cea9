"""usmicro: echogenic foci in breast ultrasound, how each behaves and where it lies. Research use only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from usmicro.analysis import analyze
    from usmicro.batch import run
    from usmicro.foci import find_foci
    from usmicro.loading import load
    from usmicro.model.findings import Cluster, Focus, Mass
    from usmicro.model.scan import Scan
    from usmicro.result import Analysis
    from usmicro.settings import Settings
    from usmicro.speckle import despeckle

_HOMES = {
    "Analysis": "usmicro.result",
    "Cluster": "usmicro.model.findings",
    "Focus": "usmicro.model.findings",
    "Mass": "usmicro.model.findings",
    "Scan": "usmicro.model.scan",
    "Settings": "usmicro.settings",
    "analyze": "usmicro.analysis",
    "despeckle": "usmicro.speckle",
    "find_foci": "usmicro.foci",
    "load": "usmicro.loading",
    "run": "usmicro.batch",
}
__all__ = [
    "Analysis",
    "Cluster",
    "Focus",
    "Mass",
    "Scan",
    "Settings",
    "__version__",
    "analyze",
    "despeckle",
    "find_foci",
    "load",
    "run",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import usmicro` stays quick (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'usmicro' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
