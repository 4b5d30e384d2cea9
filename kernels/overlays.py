"""Matching of small drawings, pixel by pixel where one is possible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool2D, Float2D, jit

Int2D = NDArray[np.int32]


@jit
def match_drawing(image: Float2D, possible: Bool2D, template: Float2D, correlation: float, strength: float, out: Int2D) -> int:
    """Write to `out`, shape (n, 2), the first n top left corners (row, column) at which a template of zero mean matches; give their number.

    A match has a normalised cross-correlation of at least `correlation` and a sum of products of at least `strength`. Only
    corners whose template centre lies on a pixel of `possible` are tried.
    """
    height, width = template.shape
    energy = np.float32(0)
    for i in range(height):
        for j in range(width):
            energy += template[i, j] * template[i, j]
    count = 0
    for r in range(image.shape[0] - height + 1):
        for c in range(image.shape[1] - width + 1):
            if not possible[r + height // 2, c + width // 2]:
                continue
            product = np.float32(0)
            for i in range(height):
                for j in range(width):
                    product += image[r + i, c + j] * template[i, j]
            if product < strength:  # most stop here
                continue
            total = np.float32(0)
            total_squared = np.float32(0)
            for i in range(height):
                for j in range(width):
                    value = image[r + i, c + j]
                    total += value
                    total_squared += value * value
            power = total_squared - total * total / np.float32(height * width)
            if product * product >= correlation * correlation * power * energy and count < out.shape[0]:
                out[count, 0] = r
                out[count, 1] = c
                count += 1
    return count
