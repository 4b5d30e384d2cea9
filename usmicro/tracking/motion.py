"""Tissue motion between two frames, by phase correlation."""

from __future__ import annotations

import numpy as np

from usmicro.model.arrays import BoolImage, FloatImage

REDUCTION = 2
"""Side, in grid pixels, of the blocks that are averaged before two frames are compared. It makes
the correlation four times cheaper; the shift is only used to predict positions within a gate."""
LEAST_SIDE = 8
"""Smallest side of a reduced image, in pixels, on which a correlation peak is meaningful."""
LEAST_PEAK = 0.3
"""Peak of the phase correlation above which two frames show the same tissue, shifted. It is about
0.1 for pairs of different scans, by eye on the development scans."""


def reduced_tissue(grey: FloatImage, tissue: BoolImage) -> FloatImage:
    """Reduce a view to the image that `tissue_shift` compares.

    Parameters
    ----------
    grey : array, shape (rows, columns), float32
    tissue : array, shape (rows, columns), bool

    Returns
    -------
    array, shape (rows // REDUCTION, columns // REDUCTION), float32
        Block averages of the tissue minus its mean; 0 outside the tissue.
    """
    import cv2

    mask = tissue.view(np.uint8)
    centred = (grey - np.float32(cv2.mean(grey, mask)[0])) * mask
    size = (max(grey.shape[1] // REDUCTION, 1), max(grey.shape[0] // REDUCTION, 1))
    return np.asarray(cv2.resize(centred, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def tissue_shift(before: FloatImage, now: FloatImage) -> tuple[float, float] | None:
    """Estimate the displacement of the tissue between two frames.

    Parameters
    ----------
    before, now : array, float32
        Two images made by `reduced_tissue`.

    Returns
    -------
    (x, y) or None
        Displacement in grid pixels; None if it cannot be estimated, because the frames differ too
        much or are too small.

    References
    ----------
    Kuglin and Hines, Proc. International Conference on Cybernetics and Society (1975) 163: phase
    correlation.
    """
    import cv2

    if before.shape != now.shape or min(now.shape) < LEAST_SIDE:
        return None
    window = cv2.createHanningWindow(now.shape[::-1], cv2.CV_32F)
    (x, y), peak = cv2.phaseCorrelate(before, now, window)
    return (x * REDUCTION, y * REDUCTION) if peak >= LEAST_PEAK else None
