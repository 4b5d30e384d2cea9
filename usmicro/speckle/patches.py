"""Speckle reduction by the mean of similar patches."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

from usmicro.errors import ImageError
from usmicro.kernels import blockwise_means
from usmicro.kernels import nonlocal_means as kernels
from usmicro.kernels.exponential import LOG2_E
from usmicro.model.arrays import BoolImage, FloatImage, checked_image
from usmicro.speckle.scale import estimate_noise

DARKEST = 1.0
"""Lower limit of the grey levels in Pearson's distance, which divides by them: one step of an 8-bit
display."""
LARGEST_SEARCH = 15
"""Largest radius of the search window of `obnlm`, pixels. At this radius, the weights of a tile of
16 x 256 blocks take 16 MB in each thread: 961 for each block."""


def nonlocal_means(
    image: ArrayLike,
    *,
    strength: float | None = None,
    region: BoolImage | None = None,
    parallel: bool = False,
) -> FloatImage:
    """Reduce noise by non-local means: patches of 7 x 7 pixels, search window of 21 x 21 pixels.

    The weight of a pixel is exp(-d / strength^2), where d is the mean squared difference of the
    patches around both pixels.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Values whose noise is about equally strong everywhere, such as the grey level of a display
        image.
    strength : float, optional
        Strength in the unit of the image; if not given, the standard deviation in the most
        homogeneous tenth of the image.
    region : array of bool, shape (rows, columns), optional
        Where `strength` is measured; everywhere if not given.
    parallel : bool
        Use all threads; the result is the same.

    Returns
    -------
    array, shape (rows, columns), float32

    Raises
    ------
    ImageError
        If the image is not two-dimensional, is smaller than 7 x 7 or holds NaN, or if `strength` is
        not positive.

    References
    ----------
    Buades, Coll and Morel, Proc. CVPR 2 (2005) 60; the distance is not weighted by a Gaussian.
    """
    image = checked_image(image, least=kernels.PATCH)
    squared_strength = _squared_strength(image, strength, 0, region)
    if squared_strength == 0:
        return image.copy()
    margin = kernels.MARGIN
    right = kernels.padded_columns(image.shape[1]) - image.shape[1] - margin
    padded = cv2.copyMakeBorder(image, margin, margin, margin, right, cv2.BORDER_REFLECT_101)
    out = np.empty_like(image)
    kernel = kernels.nonlocal_means_parallel if parallel else kernels.nonlocal_means
    kernel(padded, np.float32(LOG2_E / squared_strength), out)
    return out


def obnlm(
    image: ArrayLike,
    *,
    strength: float | None = None,
    search: int = 6,
    region: BoolImage | None = None,
    parallel: bool = False,
) -> FloatImage:
    """Reduce speckle by the optimised Bayesian non-local means filter.

    Blocks of 7 x 7 pixels around every second pixel are restored as a whole. A block becomes the
    mean of the blocks in its search window with weights exp(-d / strength^2), where d is the mean
    of (a - b)^2 / b over block a and candidate b. A pixel is the mean over the blocks that contain
    it. The distance suits noise whose variance grows with the grey level, as that of
    log-compressed speckle that was smoothed for display. The preselection of candidates in the
    paper is left out.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Grey level 0 to 255 of a display image.
    strength : float, optional
        Strength in square roots of the unit of the image; if not given, the square root of variance
        over mean in the most homogeneous tenth of the image.
    search : int
        Radius of the search window in pixels, 1 to 15.
    region : array of bool, shape (rows, columns), optional
        Where `strength` is measured; everywhere if not given.
    parallel : bool
        Use all threads; the result is the same.

    Returns
    -------
    array, shape (rows, columns), float32

    Raises
    ------
    ImageError
        If the image is not two-dimensional, is smaller than 7 x 7, or holds NaN or negative values,
        or if a parameter is out of range.

    References
    ----------
    Coupe, Hellier, Kervrann and Barillot, IEEE Trans. Image Processing 18 (2009) 2221.
    """
    image = checked_image(image, least=blockwise_means.PATCH)
    if image.min() < 0:
        raise ImageError(f"expected grey levels of 0 or more, found {image.min()}")
    if not 1 <= search <= LARGEST_SEARCH:
        raise ImageError(
            f"expected a search radius of 1 to {LARGEST_SEARCH} pixels, found {search}"
        )
    squared_strength = _squared_strength(image, strength, 1, region)
    if squared_strength == 0:
        return image.copy()
    padded = _padded_to_tiles(image, search)
    bounded = np.maximum(padded, np.float32(DARKEST))
    block = blockwise_means.PATCH, blockwise_means.PATCH
    means = np.asarray(cv2.blur(bounded, block), dtype=np.float32)
    images = padded, bounded**2, np.reciprocal(bounded), means
    values, squares, inverse, averages = map(_split_even_odd, images)
    out = np.empty_like(image)
    kernel = blockwise_means.obnlm_parallel if parallel else blockwise_means.obnlm
    decay = np.float32(LOG2_E / squared_strength)
    kernel(values, squares, inverse, averages, search, decay, out)
    return out


def _squared_strength(
    image: FloatImage, strength: float | None, power: int, region: BoolImage | None
) -> float:
    """Return the squared strength; measured by `estimate_noise` if it is not given."""
    if strength is None:
        return estimate_noise(image, power=power, region=region)
    if not strength > 0:
        raise ImageError(f"expected a positive strength, found {strength}")
    return strength**2


def _padded_to_tiles(image: FloatImage, search: int) -> FloatImage:
    """Pad an image by its mirror image to whole tiles of the kernel, with a margin."""
    margin = blockwise_means.left_padding(search)
    # a block is at every second pixel
    tile_rows, tile_columns = 2 * blockwise_means.ROWS, 2 * blockwise_means.COLUMNS
    bottom = margin + -image.shape[0] % tile_rows
    right = margin + -image.shape[1] % tile_columns + 2 * blockwise_means.LANES
    padded = cv2.copyMakeBorder(image, margin, bottom, margin, right, cv2.BORDER_REFLECT_101)
    return np.asarray(padded, dtype=np.float32)


def _split_even_odd(image: FloatImage) -> FloatImage:
    """Separate even and odd rows and columns: shape (2, 2, rows / 2, columns / 2)."""
    rows, columns = image.shape
    return np.ascontiguousarray(image.reshape(rows // 2, 2, columns // 2, 2).transpose(1, 3, 0, 2))
