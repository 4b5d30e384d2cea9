"""How strong the speckle of an image is, from blocks that show nothing else."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.errors import ImageError
from usmicro.kernels import diffusion as kernels
from usmicro.model.arrays import BoolImage, FloatImage, checked_image

BLOCK = kernels.BLOCK
HOMOGENEOUS = 0.05
"""Quantile of the blocks' variation that is taken for speckle alone, the middle of the most homogeneous tenth."""


def checked_amplitude(image: ArrayLike, *, least: int) -> FloatImage:
    """As `checked_image`, and without negative values."""
    image = checked_image(image, least=least)
    if image.size and image.min() < 0:
        raise ImageError(
            f"expected amplitude of 0 or more, found {image.min()}; a display image goes through despeckle"
        )
    return image


def estimate_looks(image: ArrayLike, *, region: BoolImage | None = None) -> float:
    """Squared mean over variance of the amplitude in the most homogeneous tenth of the blocks of 16 x 16 pixels.

    Infinite where no block varies: nothing is speckle then.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Envelope amplitude, linear scale, not negative.
    region : array of bool, shape (rows, columns), optional
        Where to look, for example the tissue; everywhere if not given.

    Raises
    ------
    ImageError
        If the image is not two-dimensional or holds NaN or negative values, or the region has another shape.
    """
    image = checked_amplitude(image, least=1)
    inside = whole_blocks(image.shape, region)
    if not inside.size:  # smaller than a block: the image is the block
        mean, variance = float(image.mean()), float(image.var())
        return mean**2 / variance if variance > kernels.CONSTANT * mean**2 else float("inf")
    margin = kernels.MARGIN
    padded = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    variation = np.empty(inside.shape, np.float32)
    kernels.all_block_variation(padded, variation)
    scale = float(kernels.lower_quantile(variation, inside, HOMOGENEOUS))
    return 1 / scale if scale else float("inf")


def estimate_noise(image: FloatImage, *, power: int, region: BoolImage | None = None) -> float:
    """Variance of the grey level over its mean to a `power`, in the most homogeneous tenth of the blocks; 0 where no block varies."""
    inside = whole_blocks(image.shape, region)
    rows, columns = inside.shape
    if not inside.size:
        mean, variance = np.array([image.mean()]), np.array([image.var()])
    else:
        blocks = image[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
        mean, variance = blocks.mean(axis=(1, 3))[inside], blocks.var(axis=(1, 3))[inside]
    varies = variance > kernels.CONSTANT * mean**2
    return (
        float(np.quantile(variance[varies] / mean[varies] ** power, HOMOGENEOUS))
        if varies.any()
        else 0.0
    )


def whole_blocks(shape: tuple[int, ...], region: BoolImage | None) -> NDArray[np.bool_]:
    """Which whole blocks lie in the region; all where none does, as without a region."""
    rows, columns = shape[0] // BLOCK, shape[1] // BLOCK
    everywhere = np.ones((rows, columns), bool)
    if region is None:
        return everywhere
    region = np.asarray(region, dtype=bool)
    if region.shape != tuple(shape):
        raise ImageError(
            f"expected a region of the image's shape {tuple(shape)}, found {region.shape}"
        )
    inside = np.asarray(
        region[: rows * BLOCK, : columns * BLOCK]
        .reshape(rows, BLOCK, columns, BLOCK)
        .all(axis=(1, 3))
    )
    return inside if inside.any() else everywhere
