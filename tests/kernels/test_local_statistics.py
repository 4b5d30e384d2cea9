import numpy as np
import pytest
from scipy import ndimage

from usmicro.kernels import local_statistics as kernels
from usmicro.kernels.exponential import LOG2_E, power_of_half


def image_of(seed: int, shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 1.0, shape).astype(np.float32) + np.float32(0.05)


def statistics(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance in the window around each pixel, in double precision."""
    mean = ndimage.uniform_filter(image.astype(float), 7, mode="mirror")
    return mean, ndimage.uniform_filter(image.astype(float) ** 2, 7, mode="mirror") - mean**2


def lee_in_numpy(image: np.ndarray, noise: float) -> np.ndarray:
    mean, variance = statistics(image)
    return mean + np.maximum(variance - noise * mean**2, 0) / variance * (image - mean)


def kuan_in_numpy(image: np.ndarray, noise: float) -> np.ndarray:
    mean, variance = statistics(image)
    gain = (1 - noise / (variance / mean**2)) / (1 + noise)
    return mean + np.maximum(gain, 0) * (image - mean)


def frost_in_numpy(image: np.ndarray, damping: float) -> np.ndarray:
    mean, variance = statistics(image)
    padded = np.pad(image.astype(float), 3, mode="reflect")
    total, weights = np.zeros(image.shape), np.zeros(image.shape)
    for i in range(7):
        for j in range(7):
            weight = np.exp(-damping * variance / mean**2 * np.hypot(i - 3, j - 3))
            total += weight * padded[i : i + image.shape[0], j : j + image.shape[1]]
            weights += weight
    return total / weights


def lee(image: np.ndarray, noise: np.float32, out: np.ndarray) -> None:
    kernels.linear_estimate(image, noise, np.float32(1), out)


def kuan(image: np.ndarray, noise: np.float32, out: np.ndarray) -> None:
    kernels.linear_estimate(image, noise, 1 + noise, out)


TWIN_OF = {lee: lee_in_numpy, kuan: kuan_in_numpy, kernels.frost: frost_in_numpy}


@pytest.mark.parametrize("filtered", TWIN_OF, ids=["lee", "kuan", "frost"])
@pytest.mark.parametrize("parameter", [0.05, 0.3, 1.2])
@pytest.mark.parametrize("shape", [(50, 67), (7, 8), (31, 40)])
def test_filters_equal_their_numpy_twins(filtered, parameter, shape):
    image = image_of(3, shape)
    out = np.empty_like(image)
    filtered(np.pad(image, 3, mode="reflect"), np.float32(parameter), out)
    np.testing.assert_allclose(out, TWIN_OF[filtered](image, parameter), rtol=4e-5)


def test_the_exponential_equals_that_of_numpy():
    exponents = np.concatenate([np.linspace(0, 3, 500), np.geomspace(3, 125, 500)])
    exponents = exponents.astype(np.float32)
    powers = [power_of_half(exponent) for exponent in exponents]
    np.testing.assert_allclose(powers, 2.0 ** -exponents.astype(float), rtol=5e-6)
    assert power_of_half(np.float32(1e9)) < 1e-37
    assert power_of_half(np.float32(0)) == 1
    assert pytest.approx(np.log2(np.e)) == LOG2_E
