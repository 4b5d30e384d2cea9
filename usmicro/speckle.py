"""Speckle reduction for envelope amplitude and for display images; it serves the anatomy, foci are detected without it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.arrays import BoolImage, FloatImage, checked_image
from usmicro.errors import ImageError
from usmicro.kernels import speckle as kernels

Method = Literal["srad", "lee"]
WHITE = 255.0
_SCALE_QUANTILE = 0.25  # structure raises a block's variation, so the homogeneous blocks are the low ones
_LOOKS_QUANTILE = 0.05  # the middle of the most homogeneous tenth
_CONSTANT = 1e-8  # blocks that vary less are borders or clipped, not speckle


def srad(image: ArrayLike, *, iterations: int = 30, time_step: float = 0.5, region: BoolImage | None = None) -> FloatImage:
    """Reduce speckle by speckle-reducing anisotropic diffusion.

    The speckle scale q0 of each iteration is the lower quartile of the coefficient of variation over blocks of 16 x 16 pixels,
    so that no homogeneous region need be chosen. Where the published scheme takes the diffusion coefficient of one of the two
    neighbours, their mean is taken, which makes the filter symmetric to flips.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Envelope amplitude, linear scale, not negative. For a display image see `despeckle`, which undoes the log compression.
    iterations : int
        0 returns the image as it is.
    time_step : float
        In (0, 1].
    region : array of bool, shape (rows, columns), optional
        Where the speckle scale is measured, for example the tissue; everywhere if not given.

    Returns
    -------
    array, shape (rows, columns), float32

    Raises
    ------
    ImageError
        If the image is not two-dimensional, is smaller than 3 x 3, holds NaN or negative values, or a parameter is out of range.

    References
    ----------
    Yu and Acton, IEEE Trans. Image Processing 11 (2002) 1260, equations 31 to 33 and 54 to 61.
    """
    image = _checked_amplitude(image, least=3)
    if iterations < 0 or not 0 < time_step <= 1:
        raise ImageError(f"expected iterations of 0 or more and a time step in (0, 1], found {iterations} and {time_step}")
    current = np.pad(image, 1, mode="edge")
    following, coefficient = np.empty_like(current), np.empty_like(current)
    for _ in range(iterations):
        variation = _variation(current, region, margin=1)
        if not variation.size:
            break  # constant everywhere: nothing to diffuse
        scale_squared = np.float32(np.quantile(variation, _SCALE_QUANTILE))
        kernels.srad_step(current, coefficient, scale_squared, np.float32(time_step / 4), following)
        current, following = following, current
    return np.ascontiguousarray(current[1:-1, 1:-1])


def lee(image: ArrayLike, *, looks: float | None = None, region: BoolImage | None = None) -> FloatImage:
    """Reduce speckle with the Lee filter over a window of 7 x 7 pixels.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Envelope amplitude, linear scale, not negative. For a display image see `despeckle`, which undoes the log compression.
    looks : float, optional
        Squared mean over variance of the amplitude in homogeneous speckle; from the most homogeneous tenth of the image if not given.
    region : array of bool, shape (rows, columns), optional
        Where `looks` is measured; everywhere if not given.

    Returns
    -------
    array, shape (rows, columns), float32

    Raises
    ------
    ImageError
        If the image is not two-dimensional, is smaller than 7 x 7, holds NaN or negative values, or `looks` is not positive.

    References
    ----------
    Lee, IEEE Trans. Pattern Analysis and Machine Intelligence 2 (1980) 165, equations 5 to 7.
    """
    image = _checked_amplitude(image, least=7)
    if looks is None:
        looks = estimate_looks(image, region=region)
    if not looks > 0:
        raise ImageError(f"expected a positive number of looks, found {looks}")
    peak = float(image.max())
    if peak == 0:
        return image.copy()
    scaled = image / np.float32(peak)  # squares of any gain stay within float32
    out = np.empty_like(image)
    kernels.lee(np.pad(scaled, 3, mode="reflect"), np.float32(1 / looks), out)
    return out * np.float32(peak)


def estimate_looks(image: ArrayLike, *, region: BoolImage | None = None) -> float:
    """Squared mean over variance of the amplitude in the most homogeneous tenth of the blocks of 16 x 16 pixels.

    Infinite where no block varies: nothing is speckle then.
    """
    variation = _variation(_checked_amplitude(image, least=1), region)
    return 1 / float(np.quantile(variation, _LOOKS_QUANTILE)) if variation.size else float("inf")


def despeckle(
    image: ArrayLike,
    *,
    method: Method = "srad",
    display: bool = True,
    dynamic_range_db: float = 60.0,
    iterations: int = 30,
    time_step: float = 0.5,
    looks: float | None = None,
    region: BoolImage | None = None,
) -> FloatImage:
    """Reduce speckle in a display image or in envelope amplitude.

    Both filters hold for multiplicative noise. A display image shows the logarithm of the amplitude, in which speckle is additive,
    so it is taken back to amplitude first, filtered, and compressed again. The dynamic range of the display is rarely known: an
    assumed one only stretches the amplitude scale, which the automatic speckle scale follows.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Grey level 0 to 255 of a display image, or amplitude with `display=False`.
    method : {"srad", "lee"}
    display : bool
        Whether the image is log-compressed.
    dynamic_range_db : float
        Dynamic range that grey levels 0 to 255 are taken to span, dB.
    iterations, time_step
        As in `srad`.
    looks
        As in `lee`.
    region : array of bool, shape (rows, columns), optional
        Where the speckle is measured, for example the tissue; everywhere if not given.

    Returns
    -------
    array, shape (rows, columns), float32
        In the unit of the input.

    Raises
    ------
    ImageError
        As in `srad` and `lee`, and if the method is unknown or the dynamic range is not positive.
    """
    if method not in ("srad", "lee"):
        raise ImageError(f"found the method {method!r}; expected srad or lee")
    if not dynamic_range_db > 0:
        raise ImageError(f"expected a positive dynamic range in dB, found {dynamic_range_db}")
    image = checked_image(image, least=3 if method == "srad" else 7)
    slope = np.float32(dynamic_range_db / 20 * np.log(10) / WHITE)
    amplitude = np.exp((image - np.float32(WHITE)) * slope) if display else image
    if method == "srad":
        filtered = srad(amplitude, iterations=iterations, time_step=time_step, region=region)
    else:
        filtered = lee(amplitude, looks=looks, region=region)
    return np.asarray(np.log(filtered) / slope + np.float32(WHITE), dtype=np.float32) if display else filtered


def _checked_amplitude(image: ArrayLike, *, least: int) -> FloatImage:
    image = checked_image(image, least=least)
    if image.size and image.min() < 0:
        raise ImageError(f"expected amplitude of 0 or more, found {image.min()}; a display image goes through despeckle")
    return image


def _variation(image: FloatImage, region: BoolImage | None, *, margin: int = 0) -> NDArray[np.float32]:
    """Squared coefficient of variation of the blocks that vary and lie in the region; `image` has a margin around it."""
    block = kernels.BLOCK
    shape = (image.shape[0] - 2 * margin) // block, (image.shape[1] - 2 * margin) // block
    if 0 in shape:  # smaller than a block: the image is the block
        mean = float(image.mean())
        variation = np.array([image.var() / mean**2 if mean else 0.0], np.float32)
    else:
        variation = np.empty(shape, np.float32)
        kernels.block_variation(image, margin, variation)
        if region is not None:
            inside = region[: shape[0] * block, : shape[1] * block].reshape(shape[0], block, shape[1], block).all(axis=(1, 3))
            if inside.any():
                variation = variation[inside]
    return np.asarray(variation[variation > _CONSTANT], dtype=np.float32)
