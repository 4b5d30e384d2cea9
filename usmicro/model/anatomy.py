"""Anatomy: the masses, ducts and nonmass areas of a view, and the labels of label images."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from usmicro.model.arrays import BoolImage, FloatImage, LabelImage


class AreaLabel(IntEnum):
    """Pixel values of the label images in `masks/` and of `Analysis.labels`."""

    TISSUE = 0
    MASS = 1
    DUCT = 2
    NONMASS = 3
    NOT_TISSUE = 255


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Anatomy:
    """Masses, ducts and nonmass areas of one view, on its grid; equal only to itself, so that what follows from it can be remembered."""

    mass_probability: FloatImage
    """0 to 1: how much each pixel looks like the inside of a mass."""
    masses: LabelImage
    """0 none, 1 to n the masses."""
    mass_confidence: tuple[float, ...]
    """One value a mass, 0 to 1."""
    duct_probability: FloatImage
    """0 to 1: how much each pixel looks like the inside of a duct."""
    ducts: LabelImage
    """0 none, 1 to n the ducts, lumen and wall."""
    duct_confidence: tuple[float, ...]
    """One value a duct, 0 to 1."""
    nonmass: BoolImage
    """Discrete areas of altered echotexture that do not form a mass."""
    given: tuple[str, ...] = ()
    """Which of `masses`, `ducts`, `nonmass` come from the user's own masks."""
