"""The label image of a frame: masses, ducts and nonmass areas at the size of the input image."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from usmicro.model.anatomy import Anatomy, AreaLabel
from usmicro.model.arrays import ByteImage, Frame, area_of
from usmicro.model.view import View


def label_image(frame: Frame, anatomies: Iterable[tuple[View, Anatomy]]) -> ByteImage:
    """Draw the label image of a frame.

    Parameters
    ----------
    frame : array, shape (rows, columns) or (rows, columns, 3)
    anatomies : iterable of (View, Anatomy)
        All views of the frame, each with its anatomy.

    Returns
    -------
    array, shape (rows, columns), uint8
        Values of `AreaLabel`.
    """
    labels = np.full(frame.shape[:2], AreaLabel.NOT_TISSUE, np.uint8)
    for view, anatomy in anatomies:
        _draw(view, anatomy, labels)
    return labels


def _draw(view: View, anatomy: Anatomy, labels: ByteImage) -> None:
    """Resample the anatomy of a view by nearest neighbour and draw it into `labels`."""
    on_grid = np.full(view.shape, AreaLabel.TISSUE, np.uint8)
    for inside, label in (
        (anatomy.nonmass, AreaLabel.NONMASS),
        (anatomy.masses > 0, AreaLabel.MASS),
        (anatomy.ducts > 0, AreaLabel.DUCT),
        (~view.tissue, AreaLabel.NOT_TISSUE),
    ):
        if inside.any():
            np.putmask(on_grid, inside, np.uint8(label))
    drawn = cv2.warpAffine(
        on_grid,
        view.grid.image_matrix,
        (labels.shape[1], labels.shape[0]),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=int(AreaLabel.NOT_TISSUE),
    )
    # several times as fast as NumPy's copy under a mask
    cv2.copyTo(drawn, (~area_of(drawn, AreaLabel.NOT_TISSUE)).view(np.uint8), labels)
