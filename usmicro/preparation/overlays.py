"""Burned-in text, calipers and cursors: bright, small and sharp, and none of them an echo."""

from __future__ import annotations

import cv2
import numpy as np

from usmicro.arrays import BoolImage, ByteImage


def find_overlays(grey: ByteImage, tissue: BoolImage) -> BoolImage:
    """Find burned-in graphics on a frame.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8
    tissue : array, shape (rows, columns), bool
        Scan area.

    Returns
    -------
    array, shape (rows, columns), bool
        Pixels that a graphic touches.
    """
    thin = np.minimum(
        cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((5, 5), np.uint8)),
        cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((1, 5), np.uint8)),
    )
    strokes = (thin > 110) & tissue
    return np.asarray(cv2.dilate(strokes.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
