"""Sampling of images along rays, such as scan lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool2D, Float1D, Float2D, jit


@jit
def sample_along_rays(
    image: Float2D, usable: Bool2D, x: Float1D, y: Float1D, dx: Float1D, dy: Float1D, out: Float2D
) -> None:
    """Sample an image at regular steps along rays, with bilinear interpolation.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    usable : array, shape (rows, columns), bool
        Pixels that samples may use.
    x, y : array, shape (rays,), float32
        First sample of each ray, pixels.
    dx, dy : array, shape (rays,), float32
        Step from one sample to the next, pixels.
    out : array, shape (rays, steps), float32
        Receives the samples; NaN if any of the four pixels around a sample is outside the image or
        not usable.
    """
    rows, columns = image.shape
    rays, steps = out.shape
    for i in range(rays):
        for k in range(steps):
            px = x[i] + k * dx[i]
            py = y[i] + k * dy[i]
            out[i, k] = np.nan
            if px >= 0 and py >= 0 and px <= columns - 1 and py <= rows - 1:
                c = min(int(px), columns - 2)
                r = min(int(py), rows - 2)
                if usable[r, c] and usable[r, c + 1] and usable[r + 1, c] and usable[r + 1, c + 1]:
                    u = px - c
                    v = py - r
                    above = image[r, c] + u * (image[r, c + 1] - image[r, c])
                    below = image[r + 1, c] + u * (image[r + 1, c + 1] - image[r + 1, c])
                    out[i, k] = above + v * (below - above)


@jit
def sample_labels_along_rays(
    labels: NDArray[np.int32],
    x: Float1D,
    y: Float1D,
    dx: Float1D,
    dy: Float1D,
    out: NDArray[np.int32],
) -> None:
    """Take the label of the nearest pixel at regular steps along rays.

    Parameters
    ----------
    labels : array, shape (rows, columns), int32
    x, y, dx, dy : array, shape (rays,), float32
        First sample and step of each ray, pixels, as in `sample_along_rays`.
    out : array, shape (rays, steps), int32
        Receives the labels; -1 outside the image.
    """
    rows, columns = labels.shape
    rays, steps = out.shape
    for i in range(rays):
        for k in range(steps):
            c = int(np.floor(x[i] + k * dx[i] + np.float32(0.5)))
            r = int(np.floor(y[i] + k * dy[i] + np.float32(0.5)))
            out[i, k] = labels[r, c] if 0 <= r < rows and 0 <= c < columns else -1
