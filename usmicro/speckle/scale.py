"""Strength of the speckle of an image, measured in its homogeneous blocks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.errors import ImageError
from usmicro.kernels import diffusion as kernels
from usmicro.model.arrays import BoolImage, FloatImage, checked_image

BLOCK = kernels.BLOCK
"""Side of a block in pixels."""
HOMOGENEOUS_QUANTILE = 0.05
"""Quantile of the variation over blocks that is taken for speckle alone: the middle of the most
homogeneous tenth. Lower quantiles are more random, higher ones contain more structure; no
measurement is recorded."""


def checked_amplitude(image: ArrayLike, *, least: int) -> FloatImage:
    """Check an image as `checked_image` does, and that it holds no negative values."""
    image = checked_image(image, least=least)
    if image.size and image.min() < 0:
        raise ImageError(
            f"expected amplitude of 0 or more, found {image.min()}; "
            "use despeckle for a display image"
        )
    return image


def estimate_looks(image: ArrayLike, *, region: BoolImage | None = None) -> float:
    """Estimate the equivalent number of looks of the speckle.

    It is the squared mean over the variance of the amplitude in the most homogeneous tenth of the
    blocks of 16 x 16 pixels.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Envelope amplitude, linear scale, not negative.
    region : array of bool, shape (rows, columns), optional
        Where the speckle is measured, for example the tissue; everywhere if not given.

    Returns
    -------
    float
        Infinity if no block varies.

    Raises
    ------
    ImageError
        If the image is not two-dimensional or holds NaN or negative values, or if the region has
        another shape.
    """
    image = checked_amplitude(image, least=1)
    inside = whole_blocks(image.shape, region)
    if not inside.size:  # the image is smaller than a block and counts as one
        mean, variance = float(image.mean()), float(image.var())
        return mean**2 / variance if variance > kernels.LEAST_VARIATION * mean**2 else float("inf")
    margin = kernels.MARGIN
    padded = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    variation = np.empty(inside.shape, np.float32)
    kernels.block_variations(padded, variation)
    scale = float(kernels.variation_quantile(variation, inside, HOMOGENEOUS_QUANTILE))
    return 1 / scale if scale else float("inf")


def estimate_noise(image: FloatImage, *, power: int, region: BoolImage | None = None) -> float:
    """Estimate the variance of the noise divided by a power of the mean grey level.

    It is measured in the most homogeneous tenth of the blocks.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    power : int
        Power of the mean grey level.
    region : array of bool, shape (rows, columns), optional
        Where the noise is measured; everywhere if not given.

    Returns
    -------
    float
        0 if no block varies.
    """
    inside = whole_blocks(image.shape, region)
    rows, columns = inside.shape
    if not inside.size:
        mean, variance = np.array([image.mean()]), np.array([image.var()])
    else:
        blocks = image[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
        mean, variance = blocks.mean(axis=(1, 3))[inside], blocks.var(axis=(1, 3))[inside]
    varies = variance > kernels.LEAST_VARIATION * mean**2
    if not varies.any():
        return 0.0
    return float(np.quantile(variance[varies] / mean[varies] ** power, HOMOGENEOUS_QUANTILE))


def whole_blocks(shape: tuple[int, ...], region: BoolImage | None) -> NDArray[np.bool_]:
    """Return a mask of the blocks that lie wholly in a region, shape (rows, columns) of blocks.

    All blocks are used if none lies in the region, or if there is no region.
    """
    rows, columns = shape[0] // BLOCK, shape[1] // BLOCK
    everywhere = np.ones((rows, columns), bool)
    if region is None:
        return everywhere
    region = np.asarray(region, dtype=bool)
    if region.shape != tuple(shape):
        raise ImageError(
            f"expected a region with the shape of the image, {tuple(shape)}, found {region.shape}"
        )
    inside = np.asarray(
        region[: rows * BLOCK, : columns * BLOCK]
        .reshape(rows, BLOCK, columns, BLOCK)
        .all(axis=(1, 3))
    )
    return inside if inside.any() else everywhere
