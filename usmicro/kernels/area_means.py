"""Means of an image over the pixels of a coarser grid."""

from __future__ import annotations

import numpy as np

from usmicro.kernels._jit import Float1D, Float2D, jit

LEAST_PART = 1e-3
"""Smallest part of a row that counts, as in `cv2.INTER_AREA`."""


@jit
def area_means_of_rows(image: Float2D, out: Float2D) -> None:
    """Reduce the number of rows of an image: each new row is the mean of what it covers.

    Old rows that lie in two new ones count in both, by their parts in them.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    out : array, shape (fewer rows, columns), float32
        Receives the means.
    """
    rows = len(image)
    scale = 1 / (len(out) / rows)  # rounded as by OpenCV
    for r in range(len(out)):
        start = r * scale
        end, covered = start + scale, min(scale, rows - start)
        last = min(int(np.floor(end)), rows - 1)
        first = min(int(np.ceil(start)), last)
        out[r] = 0
        if first - start > LEAST_PART:
            _add(image[first - 1], np.float32((first - start) / covered), out[r])
        for whole in range(first, last):
            _add(image[whole], np.float32(1 / covered), out[r])
        if end - last > LEAST_PART:
            _add(image[last], np.float32(min(end - last, 1.0, covered) / covered), out[r])


@jit
def _add(row: Float1D, weight: np.float32, out: Float1D) -> None:
    """Add a row, (columns,), times a weight to another one."""
    for c in range(out.size):
        out[c] += row[c] * weight
