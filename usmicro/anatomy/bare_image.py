"""Masses and ducts of a bare image, for callers who have a plain array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.anatomy.detection import find_anatomy
from usmicro.model.anatomy import Anatomy
from usmicro.model.arrays import FloatImage, LabelImage
from usmicro.model.probability_maps import ProbabilityMaps
from usmicro.model.scan import SpacingLike, UserMasks
from usmicro.model.view import View
from usmicro.preparation.bare_image import views_of_image
from usmicro.settings import AnatomySettings


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """Masses, or ducts, of one image; all arrays of pixels have its rows and columns."""

    labels: LabelImage
    """0 outside, 1 to n inside the areas. `usmicro.analyze` takes it as `masks={"masses": labels}`
    or `masks={"ducts": labels}`."""
    confidence: NDArray[np.float64]
    """Confidence of each area, 0 to 1, shape (n,)."""
    probability: FloatImage
    """Probability, 0 to 1, that a pixel lies in such an area; 0 outside the tissue."""

    def __len__(self) -> int:
        return len(self.confidence)


def find_masses(
    image: ArrayLike,
    *,
    spacing: SpacingLike | None = None,
    settings: AnatomySettings | None = None,
) -> Areas:
    """Find masses in a bare B-mode image.

    They are those that `usmicro.analyze` finds.

    Parameters
    ----------
    image : array, shape (rows, columns) or (rows, columns, 3 or 4)
        Grey levels or RGB of the display, as in `Scan.of_array`; echogenic tissue is bright.
    spacing : float, pair of float or Spacing, optional
        Distance between pixel centres, mm; a pair is (between columns, between rows). Without it a
        usual imaging depth is assumed.
    settings : AnatomySettings, optional
        `mass_threshold` is the confidence from which a mass is listed.

    Returns
    -------
    Areas

    Raises
    ------
    ImageError
        If the array is not one image, or shows no tissue.
    UsageError
        If the spacing is not positive.
    """
    return _areas("mass", image, spacing, settings)


def find_ducts(
    image: ArrayLike,
    *,
    spacing: SpacingLike | None = None,
    settings: AnatomySettings | None = None,
) -> Areas:
    """Find milk ducts in a bare B-mode image.

    They are those that `usmicro.analyze` finds.

    Parameters
    ----------
    image : array, shape (rows, columns) or (rows, columns, 3 or 4)
        Grey levels or RGB of the display, as in `Scan.of_array`; echogenic tissue is bright.
    spacing : float, pair of float or Spacing, optional
        Distance between pixel centres, mm; a pair is (between columns, between rows). Without it a
        usual imaging depth is assumed.
    settings : AnatomySettings, optional
        `duct_threshold` is the confidence from which a duct is listed.

    Returns
    -------
    Areas

    Raises
    ------
    ImageError
        If the array is not one image, or shows no tissue.
    UsageError
        If the spacing is not positive.
    """
    return _areas("duct", image, spacing, settings)


def _areas(
    kind: Literal["mass", "duct"],
    image: ArrayLike,
    spacing: SpacingLike | None,
    settings: AnatomySettings | None,
) -> Areas:
    """Find the areas of one kind; those of the views of a split screen are numbered on."""
    views, shape = views_of_image(image, spacing)
    without_nonmass = UserMasks(nonmass=np.zeros(shape, bool))  # they are not asked for
    anatomies = [(view, find_anatomy(view, settings, without_nonmass)) for view in views]
    labels = np.zeros(shape, np.int32)
    confidence: list[float] = []
    for view, anatomy in anatomies:
        areas, of_view = _of_kind(kind, anatomy)
        drawn = _at_image_size(areas * view.tissue, view, shape)
        np.copyto(labels, drawn + np.int32(len(confidence)), where=drawn > 0)
        confidence += of_view
    probability = ProbabilityMaps.of(shape, anatomies)[kind]
    return Areas(labels, np.array(confidence, dtype=float), probability)


def _of_kind(
    kind: Literal["mass", "duct"], anatomy: Anatomy
) -> tuple[LabelImage, tuple[float, ...]]:
    """Return the label image of the areas of one kind on the grid, and their confidences."""
    if kind == "mass":
        return anatomy.masses, anatomy.mass_confidence
    return anatomy.ducts, anatomy.duct_confidence


def _at_image_size(labels: LabelImage, view: View, shape: tuple[int, int]) -> LabelImage:
    """Resample the labels of a view by nearest neighbour; 0 outside its grid."""
    drawn = cv2.warpAffine(
        labels.astype(np.uint16),  # OpenCV does not resample 32-bit integers
        view.grid.image_matrix,
        (shape[1], shape[0]),
        flags=cv2.INTER_NEAREST,
    )
    return np.asarray(drawn, dtype=np.int32)
