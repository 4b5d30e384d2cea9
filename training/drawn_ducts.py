"""Draw ducts into real scans. This module is not a program."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from training.pictures import Picture
from usmicro.phantom.random_objects import random_duct

GREY_PER_DB = 255 / 60
"""Grey levels per dB of the usual dynamic range of 60 dB."""

LUMEN_DB = (5.0, 15.0)
"""Range by which a drawn lumen is darker than its surroundings, dB.

Chosen by eye on the development scans; no measurement is recorded.
"""

WALL_DB = (0.0, 6.0)
"""Range by which a drawn wall is brighter than its surroundings, dB.

Chosen by eye on the development scans; no measurement is recorded.
"""

DARKEST_GREY = 25.0
"""Mean grey level of the tissue below which no duct is drawn, because it would not be seen.

Chosen by eye on the development scans; no measurement is recorded.
"""

SMALLEST_MM2 = 3.0
"""Smallest area of a drawn lumen within the picture, mm2."""

MOST_COVERED = 0.02
"""Largest fraction of a drawn lumen that lies in a mass, in another duct or outside the tissue."""

GAP_MM = 2.0
"""Distance between drawn ducts, mm."""


def with_ducts(picture: Picture, generator: np.random.Generator) -> Picture:
    """Return a picture with up to three ducts drawn into it."""
    mm = picture.pixel_mm
    grey, ducts = picture.grey.astype(np.float32), np.zeros(picture.grey.shape, np.bool_)
    occupied = ndimage.binary_dilation(picture.outline, iterations=5) | ~picture.tissue
    y, x = (axis * mm for axis in np.mgrid[: grey.shape[0], : grey.shape[1]])
    for _ in range(int(generator.integers(0, 4))):
        middle_x = generator.uniform(0, x.max())
        middle_y = generator.uniform(2, 0.8 * y.max())
        duct = random_duct(generator, middle_x, middle_y)
        distance = duct.distance(x, y).astype(np.float32)
        inside = distance < 0
        if (
            inside.sum() < SMALLEST_MM2 / mm**2
            or occupied[inside].mean() > MOST_COVERED
            or grey[inside].mean() < DARKEST_GREY
        ):
            continue
        lumen = np.clip(0.5 - distance / 0.15, 0, 1)
        wall = np.clip(1 - np.abs(distance - duct.wall / 2 - 0.1) / duct.wall, 0, 1)
        wall_db = generator.uniform(*WALL_DB)
        lumen_db = generator.uniform(*LUMEN_DB)
        grey += GREY_PER_DB * (wall_db * wall - lumen_db * lumen)
        occupied |= distance < GAP_MM
        ducts |= distance < duct.wall
    return replace(picture, grey=np.clip(np.rint(grey), 0, 255).astype(np.uint8), ducts=ducts)
