"""A colour box without an outline: the echoes inside have a tint of their own."""

from __future__ import annotations

import numpy as np

from usmicro.model.arrays import BoolImage, ByteImage

COARSE = 4
"""Pixels averaged before tints are compared: lossy coding halves the resolution of colour."""
DIM = 20
"""Brightest channel from which a tint can be seen."""
STRONGEST = 0.45
"""Range of the channels over the brightest from which a colour is of flow, or drawn, and no tint."""
WINDOW = 5
"""Coarse pixels over which tints are averaged."""
APART = 0.025
"""Difference of the two tints, (red - blue) / (red + green + blue): lossy coding makes one of 0.01."""
DISTINCT = 3.0
"""The same over their mean spread."""
FILLS = 0.8
"""Share of its convex outline that a box fills; shadows and vessels at its edge are missing."""
LEAST_SIDE = 5
"""Coarse pixels that a box measures at least in both directions."""
LARGEST = 0.8
"""Share of the echoes that a box covers at most: the others show the usual tint."""


def find_tinted_box(frame: ByteImage) -> BoolImage | None:
    """Find the part of the echoes that is tinted differently from the rest.

    The two tints are told apart by Otsu's threshold on the locally averaged tint; the smaller part is a colour box if it is in one piece
    and fills its convex outline.

    Parameters
    ----------
    frame : array, shape (rows, columns, 3), uint8
        RGB.

    Returns
    -------
    bool array, shape (rows, columns), or None

    References
    ----------
    Otsu, IEEE Trans. Systems, Man, and Cybernetics 9 (1979) 62.
    """
    import cv2

    rows, columns = frame.shape[:2]
    if min(rows, columns) < 2 * LEAST_SIDE * COARSE:
        return None
    small = cv2.resize(
        frame, (columns // COARSE, rows // COARSE), interpolation=cv2.INTER_AREA
    ).astype(np.float32)
    brightest = small.max(axis=2)
    usable = (brightest >= DIM) & (brightest - small.min(axis=2) <= STRONGEST * brightest)
    tint = np.where(
        usable, (small[..., 0] - small[..., 2]) / np.maximum(small.sum(axis=2), 1), np.float32(0)
    )
    share = cv2.blur(usable.astype(np.float32), (WINDOW, WINDOW))
    known = share > 0.3
    if not known.any():
        return None
    mean = cv2.blur(tint, (WINDOW, WINDOW)) / np.maximum(share, np.float32(1e-3))
    values = mean[known]
    levels = np.clip((values + 0.25) * 510, 0, 255).astype(np.uint8)  # a level is a tint of 0.002
    cut, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    high = levels > cut
    if not high.any() or high.all():
        return None
    above, below = values[high], values[~high]
    gap = float(np.median(above) - np.median(below))
    spread = float(above.std() + below.std()) / 2
    inside = np.zeros(known.shape, np.uint8)
    inside[known] = high if high.sum() <= len(high) / 2 else ~high
    if gap < max(APART, DISTINCT * spread) or inside.sum() > LARGEST * known.sum():
        return None
    # flow, and echoes too dim to show a tint, are holes in it
    closed = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    _, _, width, height, area = stats[largest].tolist()
    if min(width, height) < LEAST_SIDE or area < 0.8 * inside.sum():
        return None
    points = cv2.findNonZero((labels == largest).astype(np.uint8))
    hull = cv2.convexHull(points)
    drawn = cv2.fillConvexPoly(np.zeros_like(inside), hull, 1)
    if area < FILLS * drawn.sum():
        return None
    corners = np.rint((hull + 0.5) * COARSE - 0.5).astype(np.int32)
    return np.asarray(cv2.fillConvexPoly(np.zeros((rows, columns), np.uint8), corners, 1) > 0)
