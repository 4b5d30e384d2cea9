"""A colour box without an outline, found because the echoes inside have another tint."""

from __future__ import annotations

import numpy as np

from usmicro.model.arrays import BoolImage, ByteImage

REDUCTION = 4
"""Side, in pixels, of the blocks that are averaged before tints are compared. Lossy coding halves
the resolution of colour."""
LEAST_BRIGHTNESS = 20
"""Smallest level of the brightest channel at which a tint is measurable. Chosen by eye; no
measurement is recorded."""
MOST_SATURATION = 0.45
"""Largest range of the channels, as a fraction of the brightest, that counts as a tint. Stronger
colours are flow or graphics. Chosen by eye; no measurement is recorded."""
WINDOW = 5
"""Side, in reduced pixels, of the window over which tints are averaged."""
LEAST_KNOWN = 0.3
"""Smallest fraction of a window that must show a tint. Chosen by eye; no measurement is
recorded."""
LEAST_DIFFERENCE = 0.025
"""Smallest difference of the two tints, (red - blue) / (red + green + blue). Lossy coding causes
one of 0.01."""
LEAST_SEPARATION = 3.0
"""Smallest difference of the two tints as a multiple of their mean spread. Chosen by eye; no
measurement is recorded."""
FILLED_FRACTION = 0.8
"""Smallest fraction of its convex outline that a box fills. Shadows and vessels at its edge are
missing. Chosen by eye; no measurement is recorded."""
ONE_PIECE = 0.8
"""Smallest fraction of the tinted pixels that the largest part must hold. Chosen by eye; no
measurement is recorded."""
LEAST_SIDE = 5
"""Smallest side of a box in reduced pixels. Chosen by eye; no measurement is recorded."""
LARGEST_FRACTION = 0.8
"""Largest fraction of the echoes that a box covers: the others show the usual tint."""


def find_tinted_box(frame: ByteImage) -> BoolImage | None:
    """Find the part of the echoes whose tint differs from that of the rest.

    Otsu's threshold on the locally averaged tint separates two tints. The smaller part is a colour
    box if it is in one piece and fills its convex outline.

    Parameters
    ----------
    frame : array, shape (rows, columns, 3), uint8
        RGB.

    Returns
    -------
    bool array, shape (rows, columns), or None
        True inside the box; None if there is none.

    References
    ----------
    Otsu, IEEE Trans. Systems, Man, and Cybernetics 9 (1979) 62.
    """
    import cv2

    rows, columns = frame.shape[:2]
    if min(rows, columns) < 2 * LEAST_SIDE * REDUCTION:
        return None
    small = cv2.resize(
        frame, (columns // REDUCTION, rows // REDUCTION), interpolation=cv2.INTER_AREA
    ).astype(np.float32)
    red, green, blue = cv2.split(small)
    brightest = cv2.max(cv2.max(red, green), blue)
    darkest = cv2.min(cv2.min(red, green), blue)
    usable = (brightest >= LEAST_BRIGHTNESS) & (brightest - darkest <= MOST_SATURATION * brightest)
    tint = np.where(usable, (red - blue) / np.maximum(red + green + blue, 1), np.float32(0))
    share = cv2.blur(usable.astype(np.float32), (WINDOW, WINDOW))
    known = share > LEAST_KNOWN
    if not known.any():
        return None
    mean = cv2.blur(tint, (WINDOW, WINDOW)) / np.maximum(share, np.float32(1e-3))
    values = mean[known]
    levels = np.clip((values + 0.25) * 510, 0, 255).astype(np.uint8)  # one level is a tint of 0.002
    cut, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    high = levels > cut
    if not high.any() or high.all():
        return None
    above, below = values[high], values[~high]
    gap = float(np.median(above) - np.median(below))
    spread = float(above.std() + below.std()) / 2
    inside = np.zeros(known.shape, np.uint8)
    inside[known] = high if high.sum() <= len(high) / 2 else ~high
    if (
        gap < max(LEAST_DIFFERENCE, LEAST_SEPARATION * spread)
        or inside.sum() > LARGEST_FRACTION * known.sum()
    ):
        return None
    # flow, and echoes too dark to show a tint, leave holes
    closed = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    _, _, width, height, area = stats[largest].tolist()
    if min(width, height) < LEAST_SIDE or area < ONE_PIECE * inside.sum():
        return None
    points = cv2.findNonZero((labels == largest).astype(np.uint8))
    hull = cv2.convexHull(points)
    drawn = cv2.fillConvexPoly(np.zeros_like(inside), hull, 1)
    if area < FILLED_FRACTION * drawn.sum():
        return None
    corners = np.rint((hull + 0.5) * REDUCTION - 0.5).astype(np.int32)
    return np.asarray(cv2.fillConvexPoly(np.zeros((rows, columns), np.uint8), corners, 1) > 0)
