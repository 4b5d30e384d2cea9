"""Speckle filters beside other implementations."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import skimage.restoration
from scipy.ndimage import uniform_filter

from benchmarks.speed.comparison import Comparison, Peer, agreeing
from benchmarks.speed.inputs import Inputs
from benchmarks.speed.peers import findpeaks_filter, installed
from usmicro import speckle
from usmicro.kernels import local_statistics as kernels
from usmicro.model.arrays import FloatImage

ITERATIONS = 50
LOOKS = 3.6
"""Squared signal-to-noise ratio of Rayleigh speckle's amplitude; given, so that nobody's estimate is timed."""
CROP = np.s_[:96, :128]
CROPS = 64
"""How many of them an image has."""


def _speckle_scale_in_numpy(image: FloatImage) -> float:
    """Lower quartile of the squared coefficient of variation of blocks of 16 x 16 pixels."""
    rows, columns = image.shape[0] // 16, image.shape[1] // 16
    blocks = image[: rows * 16, : columns * 16].reshape(rows, 16, columns, 16)
    variation = blocks.var(axis=(1, 3)) / blocks.mean(axis=(1, 3)) ** 2
    return float(np.quantile(variation[variation > 1e-8], 0.25))


def srad_in_numpy(image: FloatImage, iterations: int, time_step: float = 0.5) -> FloatImage:
    """SRAD by the published equations, as ours takes them, in plain NumPy."""
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
    """DPAD by the published equations, as ours takes them, in NumPy and SciPy's box means."""
    for _ in range(iterations):
        scale = _speckle_scale_in_numpy(image)
        mean = uniform_filter(image, 5, mode="nearest")
        variance = np.maximum(uniform_filter(image * image, 5, mode="nearest") - mean**2, 0)
        c = np.minimum((1 + mean**2 / (variance + np.float32(1e-30))) / (1 + 1 / scale), 1)
        padded, around = np.pad(image, 1, mode="edge"), np.pad(c, 1, mode="edge")
        sides = (np.s_[:-2, 1:-1], np.s_[2:, 1:-1], np.s_[1:-1, :-2], np.s_[1:-1, 2:])
        flux = sum((c + around[side]) * (padded[side] - image) for side in sides)
        image = (image + time_step / 8 * flux).astype(np.float32)
    return image


def lee_by(mean_of: Any, image: FloatImage, *, kuan: bool = False) -> FloatImage:
    """Lee's or Kuan's filter from a library's box mean."""
    mean = mean_of(image)
    variance = mean_of(image * image) - mean * mean
    gain = np.maximum(variance - mean * mean / np.float32(LOOKS), 0) / (
        variance + np.float32(1e-30)
    )
    return np.asarray(mean + gain / np.float32(1 + kuan / LOOKS) * (image - mean))


def scipy_mean(image: FloatImage) -> FloatImage:
    """Box mean by SciPy."""
    return np.asarray(uniform_filter(image, 7, mode="mirror"))


def opencv_mean(image: FloatImage) -> FloatImage:
    """Box mean by OpenCV."""
    return np.asarray(cv2.blur(image, (7, 7), borderType=cv2.BORDER_REFLECT_101))


def frost_in_numpy(image: FloatImage, damping: float = 2.0) -> FloatImage:
    """Frost's filter, a pass over the image for each pixel of the window."""
    mean = opencv_mean(image)
    decay = (
        -damping * (opencv_mean(image * image) - mean * mean) / (mean * mean + np.float32(1e-30))
    )
    padded = np.pad(image, 3, mode="reflect")
    total, weights = np.zeros_like(image), np.zeros_like(image)
    for i in range(7):
        for j in range(7):
            weight = np.exp(decay * np.float32(np.hypot(i - 3, j - 3)))
            total += weight * padded[i : i + image.shape[0], j : j + image.shape[1]]
            weights += weight
    return np.asarray(total / weights)


def diffusion_peers(inputs: Inputs) -> dict[str, Peer]:
    """Diffusion filters: other algorithms than SRAD but for the PyPI package, at equal numbers of steps."""
    image, levels = inputs.amplitude, inputs.grey
    peers = {"NumPy": Peer(lambda: srad_in_numpy(image, ITERATIONS))}
    if srad := installed("srad"):
        # it counts one step more than asked for, rounds to bytes, and takes a fixed scale
        peers["srad (PyPI)"] = Peer(
            lambda: srad.SRAD(levels, ITERATIONS - 1, 0.05, 1),
            remark="another speckle scale and function",
        )
    if medpy := installed("medpy.filter.smoothing"):
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
    if diplib := installed("diplib"):
        peers["diplib Perona-Malik"] = Peer(
            lambda: diplib.PeronaMalikDiffusion(image, iterations=ITERATIONS, K=0.1),
            remark="another algorithm",
        )
    if sitk := installed("SimpleITK"):
        whole = sitk.GetImageFromArray(image)
        peers["SimpleITK gradient diffusion"] = Peer(
            lambda: sitk.GradientAnisotropicDiffusion(whole, 0.1, 3.0, 1, ITERATIONS),
            remark="another algorithm",
        )
    return peers


def findpeaks_peer(inputs: Inputs, name: str, **options: Any) -> dict[str, Peer]:
    """A filter of findpeaks on one crop, its time taken for all of them."""
    function, part = findpeaks_filter(name), inputs.grey[CROP].copy()
    remark = "timed on 1/64 of the image; window of 6 x 6, rounds to whole numbers"
    return (
        {"findpeaks": Peer(lambda: function(part, win_size=7, **options), CROPS, remark)}
        if function
        else {}
    )


def comparisons(inputs: Inputs) -> list[Comparison]:
    """All speckle filters."""
    image, grey, levels = inputs.amplitude, inputs.grey, inputs.bytes
    pixels, size = image.size, image.nbytes
    strength = 20.0
    padded, out = np.pad(image, kernels.MARGIN, mode="reflect"), np.empty_like(image)

    def by_opencv(strength: float) -> FloatImage:
        return np.asarray(cv2.fastNlMeansDenoising(levels, None, strength, 7, 21))

    nlm: Any = skimage.restoration.denoise_nl_means
    scaled = grey / 255
    pairs = (
        220 * pixels
    )  # offsets of the search window but its middle, each for both pixels of a pair
    return [
        Comparison(
            "SRAD, 50 iterations",
            lambda: speckle.srad(image, iterations=ITERATIONS),
            lambda: speckle.srad(image, iterations=ITERATIONS, parallel=True),
            diffusion_peers(inputs),
            bytes_moved=ITERATIONS * 2 * size,
            operations=ITERATIONS * pixels * 46,
            check=lambda: agreeing(
                speckle.srad(image, iterations=10) / srad_in_numpy(image, 10),
                1,
                within=1e-3,
                what="NumPy, ratio of 10 iterations",
            ),
        ),
        Comparison(
            "DPAD, 50 iterations",
            lambda: speckle.dpad(image, iterations=ITERATIONS),
            lambda: speckle.dpad(image, iterations=ITERATIONS, parallel=True),
            {"NumPy": Peer(lambda: dpad_in_numpy(image, ITERATIONS))},  # no package has it
            bytes_moved=ITERATIONS * 2 * size,
            operations=ITERATIONS * pixels * 60,
            check=lambda: agreeing(
                speckle.dpad(image, iterations=10) / dpad_in_numpy(image, 10),
                1,
                within=1e-3,
                what="NumPy, ratio of 10 iterations",
            ),
        ),
        Comparison(
            "Lee 7 x 7",
            lambda: speckle.lee(image, looks=LOOKS),
            peers={
                "SciPy uniform_filter": Peer(lambda: lee_by(scipy_mean, image)),
                "OpenCV blur, NumPy": Peer(lambda: lee_by(opencv_mean, image)),
                **findpeaks_peer(inputs, "lee"),
            },
            bytes_moved=2 * size,
            operations=pixels * 40,
            check=lambda: agreeing(
                speckle.lee(image, looks=LOOKS),
                lee_by(scipy_mean, image),
                within=1e-4 * float(image.max()),
                what="SciPy",
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
                "OpenCV blur, NumPy": Peer(lambda: lee_by(opencv_mean, image, kuan=True)),
                **findpeaks_peer(inputs, "kuan"),
            },
            bytes_moved=2 * size,
            operations=pixels * 41,
            check=lambda: agreeing(
                speckle.kuan(image, looks=LOOKS),
                lee_by(scipy_mean, image, kuan=True),
                within=1e-4 * float(image.max()),
                what="SciPy",
            ),
        ),
        Comparison(
            "Frost 7 x 7",
            lambda: speckle.frost(image),
            peers={"NumPy": Peer(lambda: frost_in_numpy(image)), **findpeaks_peer(inputs, "frost")},
            bytes_moved=2 * size,
            operations=pixels * 180,
            check=lambda: agreeing(
                speckle.frost(image),
                frost_in_numpy(image),
                within=1e-4 * float(image.max()),
                what="NumPy",
            ),
        ),
        Comparison(
            "NLM 7 / 21",
            lambda: speckle.nonlocal_means(grey, strength=strength),
            lambda: speckle.nonlocal_means(grey, strength=strength, parallel=True),
            {
                "OpenCV fastNlMeans": Peer(lambda: by_opencv(strength), remark="bytes"),
                "scikit-image fast": Peer(
                    lambda: nlm(
                        scaled, patch_size=7, patch_distance=10, h=strength / 255, fast_mode=True
                    ),
                    remark="weights a little otherwise",
                ),
            },
            bytes_moved=2 * size,
            operations=pairs * 36,
            check=lambda: agreeing(
                speckle.nonlocal_means(grey, strength=strength),
                by_opencv(strength),
                within=2,
                what="OpenCV, grey levels of 255",
            ),
        ),
        *(
            Comparison(
                f"OBNLM 7 / {2 * search + 1}",
                lambda search=search: speckle.obnlm(grey, strength=1.5, search=search),  # type: ignore[misc]
                lambda search=search: speckle.obnlm(
                    grey, strength=1.5, search=search, parallel=True
                ),  # type: ignore[misc]
                {
                    "our NLM 7 / 21": Peer(
                        lambda: speckle.nonlocal_means(grey, strength=strength),
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
            check=lambda: agreeing(
                speckle.median(grey)[2:-2, 2:-2],
                median_by_scipy(grey)[2:-2, 2:-2],
                within=0,
                what="SciPy",
            ),
        ),
    ]


def median_by_scipy(image: FloatImage) -> FloatImage:
    """SciPy's median."""
    from scipy.ndimage import median_filter

    return np.asarray(median_filter(image, 5, mode="nearest"))
