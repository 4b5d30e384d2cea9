"""Compare speckle filters with other implementations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
import skimage.restoration
from scipy.ndimage import uniform_filter

from benchmarks.speed.comparison import Comparison, Peer, check_agreement
from benchmarks.speed.inputs import Inputs
from benchmarks.speed.peers import findpeaks_filter, import_if_installed
from usmicro import speckle
from usmicro.kernels import local_statistics as kernels
from usmicro.model.arrays import FloatImage

ITERATIONS = 50
"""Number of steps of the diffusion filters."""

CHECKED_ITERATIONS = 10
"""Number of steps after which diffusion filters are compared with NumPy."""

LOOKS = 3.6
"""Number of looks for the filters of Lee and Kuan, given so that no estimate is timed.

About the squared signal-to-noise ratio of the amplitude of Rayleigh speckle, pi / (4 - pi) = 3.66.
"""

STRENGTH = 20.0
"""Strength of nonlocal means, grey levels."""

CROP = np.s_[:96, :128]
"""Part of the image on which findpeaks is timed: 1 / CROPS of it."""

CROPS = 64
"""Number of such parts of an image."""

TINY = np.float32(1e-30)
"""Added to denominators that may be 0."""


def _speckle_scale_in_numpy(image: FloatImage) -> float:
    """Return the lower quartile of the squared coefficient of variation of 16 x 16 blocks."""
    rows, columns = image.shape[0] // 16, image.shape[1] // 16
    blocks = image[: rows * 16, : columns * 16].reshape(rows, 16, columns, 16)
    variation = blocks.var(axis=(1, 3)) / blocks.mean(axis=(1, 3)) ** 2
    return float(np.quantile(variation[variation > 1e-8], 0.25))


def srad_in_numpy(image: FloatImage, iterations: int, time_step: float = 0.5) -> FloatImage:
    """Filter with SRAD in NumPy, by the equations that `usmicro.speckle.srad` uses."""
    for _ in range(iterations):
        scale = _speckle_scale_in_numpy(image)
        padded = np.pad(image, 1, mode="edge")
        up, down, left, right = (
            padded[s] - image
            for s in (np.s_[:-2, 1:-1], np.s_[2:, 1:-1], np.s_[1:-1, :-2], np.s_[1:-1, 2:])
        )
        laplacian = up + down + left + right
        gradient = up**2 + down**2 + left**2 + right**2
        squared = (0.5 * gradient - laplacian**2 / 16) / (image + laplacian / 4) ** 2
        c = np.pad(
            np.clip(1 / (1 + (squared - scale) / (scale * (1 + scale))), 0, 1), 1, mode="edge"
        )
        own = c[1:-1, 1:-1]
        flux = (
            (own + c[:-2, 1:-1]) * up
            + (own + c[2:, 1:-1]) * down
            + (own + c[1:-1, :-2]) * left
            + (own + c[1:-1, 2:]) * right
        )
        image = (image + time_step / 8 * flux).astype(np.float32)
    return image


def dpad_in_numpy(image: FloatImage, iterations: int, time_step: float = 0.5) -> FloatImage:
    """Filter with DPAD in NumPy and SciPy, by the equations that `usmicro.speckle.dpad` uses."""
    for _ in range(iterations):
        scale = _speckle_scale_in_numpy(image)
        mean = uniform_filter(image, 5, mode="nearest")
        variance = np.maximum(uniform_filter(image * image, 5, mode="nearest") - mean**2, 0)
        c = np.minimum((1 + mean**2 / (variance + TINY)) / (1 + 1 / scale), 1)
        padded, around = np.pad(image, 1, mode="edge"), np.pad(c, 1, mode="edge")
        sides = (np.s_[:-2, 1:-1], np.s_[2:, 1:-1], np.s_[1:-1, :-2], np.s_[1:-1, 2:])
        flux = sum((c + around[side]) * (padded[side] - image) for side in sides)
        image = (image + time_step / 8 * flux).astype(np.float32)
    return image


def lee_from_means(
    mean_of: Callable[[FloatImage], FloatImage], image: FloatImage, *, kuan: bool = False
) -> FloatImage:
    """Filter with Lee, or with Kuan, by a function that computes the mean over 7 x 7 pixels."""
    mean = mean_of(image)
    variance = mean_of(image * image) - mean * mean
    gain = np.maximum(variance - mean * mean / np.float32(LOOKS), 0) / (variance + TINY)
    return np.asarray(mean + gain / np.float32(1 + kuan / LOOKS) * (image - mean))


def scipy_mean(image: FloatImage) -> FloatImage:
    """Return the mean over 7 x 7 pixels, with SciPy."""
    return np.asarray(uniform_filter(image, 7, mode="mirror"))


def opencv_mean(image: FloatImage) -> FloatImage:
    """Return the mean over 7 x 7 pixels, with OpenCV."""
    return np.asarray(cv2.blur(image, (7, 7), borderType=cv2.BORDER_REFLECT_101))


def frost_in_numpy(image: FloatImage, damping: float = 2.0) -> FloatImage:
    """Filter with Frost in NumPy, with one pass over the image for each pixel of the window."""
    mean = opencv_mean(image)
    decay = -damping * (opencv_mean(image * image) - mean * mean) / (mean * mean + TINY)
    padded = np.pad(image, 3, mode="reflect")
    total, weights = np.zeros_like(image), np.zeros_like(image)
    for i in range(7):
        for j in range(7):
            weight = np.exp(decay * np.float32(np.hypot(i - 3, j - 3)))
            total += weight * padded[i : i + image.shape[0], j : j + image.shape[1]]
            weights += weight
    return np.asarray(total / weights)


def diffusion_peers(inputs: Inputs) -> dict[str, Peer]:
    """Return diffusion filters of other libraries with the same number of steps.

    Only the PyPI package srad uses the same algorithm.
    """
    image, levels = inputs.amplitude, inputs.grey
    peers = {"NumPy": Peer(lambda: srad_in_numpy(image, ITERATIONS))}
    if srad := import_if_installed("srad"):
        # srad makes one step more than it is given, rounds to bytes, and has a fixed scale
        peers["srad (PyPI)"] = Peer(
            lambda: srad.SRAD(levels, ITERATIONS - 1, 0.05, 1),
            remark="another speckle scale and diffusion function",
        )
    if medpy := import_if_installed("medpy.filter.smoothing"):
        peers["MedPy Perona-Malik"] = Peer(
            lambda: medpy.anisotropic_diffusion(image, niter=ITERATIONS), remark="another algorithm"
        )
    contrib: Any = getattr(cv2, "ximgproc", None)
    if contrib is not None:
        colour = np.repeat(inputs.bytes[..., None], 3, axis=2)
        peers["OpenCV anisotropicDiffusion"] = Peer(
            lambda: contrib.anisotropicDiffusion(colour, 0.1, 20, ITERATIONS),
            remark="another algorithm, three channels of bytes",
        )
    if diplib := import_if_installed("diplib"):
        peers["diplib Perona-Malik"] = Peer(
            lambda: diplib.PeronaMalikDiffusion(image, iterations=ITERATIONS, K=0.1),
            remark="another algorithm",
        )
    if sitk := import_if_installed("SimpleITK"):
        whole = sitk.GetImageFromArray(image)
        peers["SimpleITK gradient diffusion"] = Peer(
            lambda: sitk.GradientAnisotropicDiffusion(whole, 0.1, 3.0, 1, ITERATIONS),
            remark="another algorithm",
        )
    return peers


def findpeaks_peer(inputs: Inputs, name: str, **options: Any) -> dict[str, Peer]:
    """Return a filter of findpeaks, timed on one crop; empty if findpeaks is not installed."""
    function, part = findpeaks_filter(name), inputs.grey[CROP].copy()
    if function is None:
        return {}
    remark = "timed on 1/64 of the image; window of 6 x 6, rounds to whole numbers"
    return {"findpeaks": Peer(lambda: function(part, win_size=7, **options), CROPS, remark)}


def comparisons(inputs: Inputs) -> list[Comparison]:
    """Return the rows of the speckle filters."""
    image, grey, levels = inputs.amplitude, inputs.grey, inputs.bytes
    pixels, size = image.size, image.nbytes
    padded, out = np.pad(image, kernels.MARGIN, mode="reflect"), np.empty_like(image)

    def nlm_by_opencv() -> FloatImage:
        return np.asarray(cv2.fastNlMeansDenoising(levels, None, STRENGTH, 7, 21))

    nlm: Any = skimage.restoration.denoise_nl_means
    scaled = grey / 255
    # the 440 offsets of the search window other than 0, each used for both pixels of a pair
    pairs = 220 * pixels
    return [
        Comparison(
            "SRAD, 50 iterations",
            lambda: speckle.srad(image, iterations=ITERATIONS),
            lambda: speckle.srad(image, iterations=ITERATIONS, parallel=True),
            diffusion_peers(inputs),
            bytes_moved=ITERATIONS * 2 * size,
            operations=ITERATIONS * pixels * 46,
            check=lambda: check_agreement(
                speckle.srad(image, iterations=CHECKED_ITERATIONS)
                / srad_in_numpy(image, CHECKED_ITERATIONS),
                1,
                within=1e-3,
                name=f"NumPy, ratio of {CHECKED_ITERATIONS} iterations",
            ),
        ),
        Comparison(
            "DPAD, 50 iterations",
            lambda: speckle.dpad(image, iterations=ITERATIONS),
            lambda: speckle.dpad(image, iterations=ITERATIONS, parallel=True),
            # no other package has DPAD
            {"NumPy": Peer(lambda: dpad_in_numpy(image, ITERATIONS))},
            bytes_moved=ITERATIONS * 2 * size,
            operations=ITERATIONS * pixels * 60,
            check=lambda: check_agreement(
                speckle.dpad(image, iterations=CHECKED_ITERATIONS)
                / dpad_in_numpy(image, CHECKED_ITERATIONS),
                1,
                within=1e-3,
                name=f"NumPy, ratio of {CHECKED_ITERATIONS} iterations",
            ),
        ),
        Comparison(
            "Lee 7 x 7",
            lambda: speckle.lee(image, looks=LOOKS),
            peers={
                "SciPy uniform_filter": Peer(lambda: lee_from_means(scipy_mean, image)),
                "OpenCV blur, NumPy": Peer(lambda: lee_from_means(opencv_mean, image)),
                **findpeaks_peer(inputs, "lee"),
            },
            bytes_moved=2 * size,
            operations=pixels * 40,
            check=lambda: check_agreement(
                speckle.lee(image, looks=LOOKS),
                lee_from_means(scipy_mean, image),
                within=1e-4 * float(image.max()),
                name="SciPy",
            ),
        ),
        Comparison(
            "Lee 7 x 7, kernel alone",
            lambda: kernels.linear_estimate(padded, np.float32(1 / LOOKS), np.float32(1), out),
            bytes_moved=2 * size,
            operations=pixels * 40,
        ),
        Comparison(
            "Kuan 7 x 7",
            lambda: speckle.kuan(image, looks=LOOKS),
            peers={
                "OpenCV blur, NumPy": Peer(lambda: lee_from_means(opencv_mean, image, kuan=True)),
                **findpeaks_peer(inputs, "kuan"),
            },
            bytes_moved=2 * size,
            operations=pixels * 41,
            check=lambda: check_agreement(
                speckle.kuan(image, looks=LOOKS),
                lee_from_means(scipy_mean, image, kuan=True),
                within=1e-4 * float(image.max()),
                name="SciPy",
            ),
        ),
        Comparison(
            "Frost 7 x 7",
            lambda: speckle.frost(image),
            peers={"NumPy": Peer(lambda: frost_in_numpy(image)), **findpeaks_peer(inputs, "frost")},
            bytes_moved=2 * size,
            operations=pixels * 180,
            check=lambda: check_agreement(
                speckle.frost(image),
                frost_in_numpy(image),
                within=1e-4 * float(image.max()),
                name="NumPy",
            ),
        ),
        Comparison(
            "NLM 7 / 21",
            lambda: speckle.nonlocal_means(grey, strength=STRENGTH),
            lambda: speckle.nonlocal_means(grey, strength=STRENGTH, parallel=True),
            {
                "OpenCV fastNlMeans": Peer(lambda: nlm_by_opencv(), remark="bytes"),
                "scikit-image fast": Peer(
                    lambda: nlm(
                        scaled, patch_size=7, patch_distance=10, h=STRENGTH / 255, fast_mode=True
                    ),
                    remark="slightly different weights",
                ),
            },
            bytes_moved=2 * size,
            operations=pairs * 36,
            check=lambda: check_agreement(
                speckle.nonlocal_means(grey, strength=STRENGTH),
                nlm_by_opencv(),
                within=2,
                name="OpenCV, grey levels of 255",
            ),
        ),
        *(
            Comparison(
                f"OBNLM 7 / {2 * search + 1}",
                partial(speckle.obnlm, grey, strength=1.5, search=search),
                partial(speckle.obnlm, grey, strength=1.5, search=search, parallel=True),
                {
                    "our NLM 7 / 21": Peer(
                        lambda: speckle.nonlocal_means(grey, strength=STRENGTH),
                        remark="another algorithm",
                    )
                },
                bytes_moved=2 * size,
                operations=(2 * search + 1) ** 2 * pixels / 4 * 80,
            )
            for search in (6, 10)
        ),
        Comparison(
            "median 5 x 5",
            lambda: speckle.median(grey),
            peers={"SciPy": Peer(lambda: median_by_scipy(grey))},
            check=lambda: check_agreement(
                speckle.median(grey)[2:-2, 2:-2],
                median_by_scipy(grey)[2:-2, 2:-2],
                within=0,
                name="SciPy",
            ),
        ),
    ]


def median_by_scipy(image: FloatImage) -> FloatImage:
    """Return the median over 5 x 5 pixels, with SciPy."""
    from scipy.ndimage import median_filter

    return np.asarray(median_filter(image, 5, mode="nearest"))
