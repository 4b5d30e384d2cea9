"""Echogenic foci: detection at a constant false-alarm rate, measurements and confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usmicro.foci.detection import find_candidates, find_foci

__all__ = ["find_candidates", "find_foci"]


def __getattr__(name: str) -> Any:
    """Import the detection when it is first used (PEP 562).

    The main process of a run with several workers reads operating points from this package, and
    needs no compiled kernels: the import of numba is a third of its start.
    """
    if name not in __all__:
        raise AttributeError(f"module 'usmicro.foci' has no attribute {name!r}")
    from usmicro.foci import detection

    return getattr(detection, name)
