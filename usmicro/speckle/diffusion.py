"""Speckle reduction by anisotropic diffusion, which stops at edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

from usmicro.errors import ImageError
from usmicro.kernels import diffusion as kernels
from usmicro.model.arrays import BoolImage, FloatImage
from usmicro.speckle.scale import checked_amplitude, whole_blocks

SCALE_QUANTILE = 0.25
"""Quantile of the coefficient of variation over blocks that is taken as the speckle scale.
Structure raises the variation of a block, so that homogeneous blocks lie at the low end. Chosen by
eye; no measurement is recorded."""


def srad(
    image: ArrayLike,
    *,
    iterations: int = 30,
    time_step: float = 0.5,
    region: BoolImage | None = None,
    parallel: bool = False,
) -> FloatImage:
    """Reduce speckle by speckle-reducing anisotropic diffusion.

    The speckle scale q0 of each iteration is the lower quartile of the coefficient of variation
    over blocks of 16 x 16 pixels, so that no homogeneous region must be chosen. The published
    scheme uses the diffusion coefficient of one of two neighbours. The mean of both is used here,
    which makes the filter symmetric under flips.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Envelope amplitude, linear scale, not negative. For a display image see `despeckle`, which
        undoes the log compression.
    iterations : int
        Number of iterations; 0 returns the image unchanged.
    time_step : float
        Time step in (0, 1].
    region : array of bool, shape (rows, columns), optional
        Where the speckle scale is measured, for example the tissue; everywhere if not given.
    parallel : bool
        Use all threads; the result is the same.

    Returns
    -------
    array, shape (rows, columns), float32

    Raises
    ------
    ImageError
        If the image is not two-dimensional, is smaller than 3 x 3, or holds NaN or negative values,
        or if a parameter is out of range.

    References
    ----------
    Yu and Acton, IEEE Trans. Image Processing 11 (2002) 1260, equations 31 to 33 and 54 to 61.
    """
    return _diffused(
        image, iterations, time_step, region, kernels.srad_parallel if parallel else kernels.srad
    )


def dpad(
    image: ArrayLike,
    *,
    iterations: int = 30,
    time_step: float = 0.5,
    region: BoolImage | None = None,
    parallel: bool = False,
) -> FloatImage:
    """Reduce speckle by detail-preserving anisotropic diffusion.

    It differs from `srad` in two ways: the coefficient of variation is taken from a window of
    5 x 5 pixels instead of the gradient, and its function is that of Kuan instead of Lee. The
    speckle scale is found as in `srad`; the paper uses the mode or median of all windows.

    Parameters, results and errors are those of `srad`.

    References
    ----------
    Aja-Fernandez and Alberola-Lopez, IEEE Trans. Image Processing 15 (2006) 2694.
    """
    return _diffused(
        image, iterations, time_step, region, kernels.dpad_parallel if parallel else kernels.dpad
    )


def _diffused(
    image: ArrayLike,
    iterations: int,
    time_step: float,
    region: BoolImage | None,
    kernel: Callable[..., Any],
) -> FloatImage:
    """Check the arguments of `srad` or `dpad`, and apply its kernel."""
    image = checked_amplitude(image, least=3)
    if iterations < 0 or not 0 < time_step <= 1:
        raise ImageError(
            "expected iterations of 0 or more and a time step in (0, 1], "
            f"found {iterations} and {time_step}"
        )
    inside = whole_blocks(image.shape, region)
    if not inside.size:
        # the image is smaller than a block: it is continued by its mirror image, which does not
        # change the diffusion
        rows, columns = image.shape
        below, right = (max(n, -(-kernels.BLOCK // n) * n) - n for n in image.shape)
        mirrored = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REFLECT)
        diffused = _diffused(mirrored, iterations, time_step, None, kernel)
        return np.ascontiguousarray(diffused[:rows, :columns])
    margin = kernels.MARGIN
    padded = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    rate = np.float32(time_step / 4)
    out = kernel(padded, np.empty_like(padded), iterations, rate, inside, SCALE_QUANTILE)
    return np.ascontiguousarray(out[margin:-margin, margin:-margin])
