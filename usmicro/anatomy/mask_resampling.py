"""The user's masks, resampled to the grid of a view."""

from __future__ import annotations

import cv2
import numpy as np

from usmicro.errors import ImageError
from usmicro.model.arrays import FloatImage, LabelImage
from usmicro.model.view import View

SOFT_EDGE_MM = 0.5
"""Width, in mm, of the edge over which the probability of an area of the user's masks falls from 1
to 0. Outlines drawn by hand are not more accurate. Chosen by eye; no measurement is recorded."""


def on_grid(labels: LabelImage, view: View) -> LabelImage:
    """Resample a label image to the grid of a view by nearest neighbour.

    Parameters
    ----------
    labels : array, shape of the input image, int32
    view : View

    Returns
    -------
    array, shape of the grid, int32
        The labels at the pixel centres of the grid; 0 outside the input image.

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
    # halves are always rounded up, so that rounding errors of the step do not matter
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
    """Return a probability for areas of the user's masks, both with the shape of the grid.

    It is 1 inside and 0 outside, with an edge of SOFT_EDGE_MM centred on the outline.
    """
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
