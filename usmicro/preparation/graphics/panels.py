"""Panels that are drawn over the tissue: areas of one grey level, such as filled body marks."""

from __future__ import annotations

import cv2
import numpy as np

from usmicro.model.arrays import BoolImage, ByteImage, bounding_box
from usmicro.preparation.connected_parts import ConnectedParts

GREY_RANGE = (40, 245)
"""Smallest and largest grey level of a panel. Darker areas may be cysts or shadows, brighter ones
saturated echoes."""
MOST_TEXTURE = 2
"""Largest difference of the grey levels of touching pixels in a panel after lossy coding. Chosen
by eye on BUS-UCLM."""
SIDE, LEAST_AREA = 7, 1000
"""Side of the squares that fit into a panel, and its smallest area, in pixels. Smooth tissue that
was enlarged has such squares, too, but in smaller areas."""
MOST_DEVIATION = 2.5
"""Largest standard deviation of the grey level in a panel. Chosen by eye on BUS-UCLM."""
SAME_LEVEL = 4
"""Largest difference of the grey levels of two parts of a panel. Chosen by judgement."""
FILLED_SHARE = 0.4
"""Smallest fraction of its bounding box that a panel fills if the box counts as the panel: an oval
fills 0.7, the breast on the panels of BUS-UCLM 0.5 to 0.8. Chosen by eye on BUS-UCLM."""
GAP, RIM = 21, 12
"""Size of the drawings within a panel that are closed, and width of its rim, which may be bevelled,
in pixels. Chosen by eye on BUS-UCLM."""


def find_panels(grey: ByteImage) -> BoolImage:
    """Find flat areas of a middle grey level, with the drawings on them and their rim.

    Parameters
    ----------
    grey : array, shape (rows, columns), uint8

    Returns
    -------
    array, shape (rows, columns), bool
    """
    spread = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    flat = (spread <= MOST_TEXTURE) & (grey > GREY_RANGE[0]) & (grey < GREY_RANGE[1])
    opened = cv2.erode(flat.view(np.uint8), np.ones((SIDE, SIDE), np.uint8), borderValue=1)
    if not opened.any():
        return np.zeros(grey.shape, dtype=bool)
    opened = cv2.dilate(opened, np.ones((SIDE, SIDE), np.uint8))
    if cv2.countNonZero(opened) < LEAST_AREA:
        return np.zeros(grey.shape, dtype=bool)
    found = ConnectedParts.of(opened)
    number_of, level = found.numbers(), grey[opened.view(np.bool_)].astype(np.int64)
    mean = np.bincount(number_of, level) / found.area
    variance = np.bincount(number_of, level**2) / found.area - mean**2
    flat_parts = (found.area >= LEAST_AREA) & (variance <= MOST_DEVIATION**2)
    panels = np.zeros_like(grey)
    for number in np.flatnonzero(flat_parts).tolist():
        left, top, right, bottom = found.box[number]
        # drawings cut off corners, which have the same level
        around = slice(max(top - GAP, 0), bottom + GAP), slice(max(left - GAP, 0), right + GAP)
        part = np.zeros(grey[around].shape, np.uint8)
        rows, columns = found.pixels_of(number)
        part[rows - around[0].start, columns - around[1].start] = 1
        near = cv2.dilate(part, np.ones((2 * GAP + 1, 2 * GAP + 1), np.uint8))
        same = np.abs(grey[around] - float(mean[number])) <= SAME_LEVEL
        whole = (opened[around] & near).view(np.bool_) & same
        left, top, right, bottom = bounding_box(whole)
        if whole.sum() >= FILLED_SHARE * (right - left) * (bottom - top):
            panels[around][top:bottom, left:right] = 1
        else:
            panels[around][whole] = 1
    mask = np.zeros(grey.shape, dtype=bool)
    if not panels.any():
        return mask
    left, top, right, bottom = bounding_box(panels.view(np.bool_))
    around = slice(max(top - GAP, 0), bottom + GAP), slice(max(left - GAP, 0), right + GAP)
    padded = cv2.copyMakeBorder(panels[around], GAP, GAP, GAP, GAP, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((GAP, GAP), np.uint8))
    closed = np.ascontiguousarray(closed[GAP:-GAP, GAP:-GAP])
    reach = 2 * RIM + 1
    mask[around] = cv2.dilate(closed, np.ones((reach, reach), np.uint8)) > 0
    return mask
