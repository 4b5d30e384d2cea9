"""Finished runs as files of other programs: QuPath and 3D Slicer."""

from usmicro.exporting.export import export

__all__ = ["export"]
