"""Simulated views of speckle with a dark mass."""

import numpy as np

from tests.posterior.scans import GREY_PER_DB, speckle


def ellipse(shape, x, y, a, b):
    """Mask of an ellipse with the half axes `a` and `b`."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return ((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 <= 1


def scan_with_mass(seed, *, behind=()):
    """Speckle with a dark mass, and its mask; `behind` is (first, last, dB) of columns below it."""
    grey = speckle(seed) - 15 * GREY_PER_DB  # breast tissue is darker than the middle of the scale
    mass = ellipse((500, 480), 240, 150, 80, 50)
    for first, last, decibels in behind:
        grey[150:, first:last] += decibels * GREY_PER_DB
    grey[mass] = speckle(seed)[mass] - 25 * GREY_PER_DB
    return grey, mass
