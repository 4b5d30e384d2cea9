"""Outlines that a user gives, carried to the grid."""

from __future__ import annotations

import cv2
import numpy as np

from usmicro.errors import ImageError
from usmicro.model.arrays import FloatImage, LabelImage
from usmicro.model.view import View

SOFT_EDGE_MM = 0.5
"""How far from a given outline the mass probability takes to fall from 1 to 0: no hand draws better."""


def on_grid(labels: LabelImage, view: View) -> LabelImage:
    """Labels of the input image at the grid's pixel centres, nearest neighbour; ids are kept, 0 outside the input image.

    Raises
    ------
    ImageError
        If the labels are not two-dimensional.
    """
    if labels.ndim != 2:
        raise ImageError(
            f"expected a two-dimensional label image, found an array of shape {labels.shape}"
        )
    rows, columns = view.shape
    x, y = view.grid.to_image(np.arange(columns), np.arange(rows))
    # exact halves go to the same side whatever the rounding of the step
    x, y = (
        np.floor(np.asarray(x) + 0.5).astype(np.intp),
        np.floor(np.asarray(y) + 0.5).astype(np.intp),
    )
    inside = ((y >= 0) & (y < labels.shape[0]))[:, None] & ((x >= 0) & (x < labels.shape[1]))[
        None, :
    ]
    taken = labels[
        np.clip(y, 0, labels.shape[0] - 1)[:, None], np.clip(x, 0, labels.shape[1] - 1)[None, :]
    ]
    return np.where(inside, taken, 0).astype(np.int32)


def soft_probability(masses: LabelImage, view: View) -> FloatImage:
    """1 inside the given masses, 0 outside, with an edge of 0.5 mm centred on the outline."""
    inside = (masses > 0).astype(np.uint8)
    if not inside.any():
        return np.zeros(masses.shape, np.float32)
    if inside.all():
        return np.ones(masses.shape, np.float32)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5) - cv2.distanceTransform(
        1 - inside, cv2.DIST_L2, 5
    )
    return np.asarray(
        np.clip(0.5 + distance * view.grid.pixel_mm / SOFT_EDGE_MM, 0, 1), dtype=np.float32
    )
