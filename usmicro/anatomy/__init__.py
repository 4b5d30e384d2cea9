"""Anatomy: masses, ducts and nonmass areas of a view."""

from usmicro.anatomy.detection import find_anatomy

__all__ = ["find_anatomy"]
