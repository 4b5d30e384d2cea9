import numpy as np
import pytest
from scipy import ndimage

from usmicro.kernels import speckle as kernels


def image_of(seed: int, shape: tuple[int, int] = (50, 67)) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 1.0, shape).astype(np.float32) + np.float32(0.05)


def srad_in_numpy(image: np.ndarray, q0: float, time_step: float) -> np.ndarray:
    """Yu & Acton 2002, equations 54 to 58 in double precision, with the mean of both neighbours' coefficients at an interface."""
    padded = np.pad(image.astype(float), 1, mode="edge")
    here = padded[1:-1, 1:-1]
    differences = [padded[:-2, 1:-1] - here, padded[2:, 1:-1] - here, padded[1:-1, :-2] - here, padded[1:-1, 2:] - here]
    gradient = np.sqrt(sum(d**2 for d in differences)) / here
    laplacian = sum(differences) / here
    q = np.sqrt((0.5 * gradient**2 - laplacian**2 / 16) / (1 + laplacian / 4) ** 2)
    coefficient = np.clip(1 / (1 + (q**2 - q0**2) / (q0**2 * (1 + q0**2))), 0, 1)
    around = np.pad(coefficient, 1, mode="edge")
    neighbours = [around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]]
    divergence = sum((coefficient + other) / 2 * d for other, d in zip(neighbours, differences, strict=True))
    return here + time_step / 4 * divergence


@pytest.mark.parametrize("q0", [0.1, 0.5, 1.2])
def test_srad_step_follows_the_published_equations(q0):
    image = image_of(1)
    current = np.pad(image, 1, mode="edge")
    out, coefficient = np.empty_like(current), np.empty_like(current)
    expected = image
    for _ in range(3):
        kernels.srad_step(current, coefficient, np.float32(q0**2), np.float32(0.5 / 4), out)
        current, out = out, current
        expected = srad_in_numpy(expected, q0, 0.5)
        np.testing.assert_allclose(current[1:-1, 1:-1], expected, rtol=3e-5)


def test_srad_step_replicates_the_border():
    current = np.pad(image_of(2), 1, mode="edge")
    out = np.empty_like(current)
    kernels.srad_step(current, np.empty_like(current), np.float32(0.2), np.float32(0.1), out)
    np.testing.assert_array_equal(out, np.pad(out[1:-1, 1:-1], 1, mode="edge"))


@pytest.mark.parametrize("looks", [0.8, 3.6, 20.0])
def test_lee_equals_its_numpy_twin(looks):
    image = image_of(3)
    mean = ndimage.uniform_filter(image.astype(float), 7, mode="mirror")
    variance = ndimage.uniform_filter(image.astype(float) ** 2, 7, mode="mirror") - mean**2
    gain = np.maximum(variance - mean**2 / looks, 0) / variance
    out = np.empty_like(image)
    kernels.lee(np.pad(image, 3, mode="reflect"), np.float32(1 / looks), out)
    np.testing.assert_allclose(out, mean + gain * (image - mean), rtol=2e-5)


@pytest.mark.parametrize("margin", [0, 1])
def test_block_variation_equals_its_numpy_twin(margin):
    image = image_of(4)
    blocks = image[:48, :64].reshape(3, 16, 4, 16).astype(float)
    out = np.empty((3, 4), np.float32)
    kernels.block_variation(np.pad(image, margin, mode="edge"), margin, out)
    np.testing.assert_allclose(out, blocks.var(axis=(1, 3)) / blocks.mean(axis=(1, 3)) ** 2, rtol=1e-5)


def test_block_variation_sees_a_small_variance_on_a_large_mean():
    image = 1000 + np.random.default_rng(5).normal(size=(16, 16)).astype(np.float32)
    out = np.empty((1, 1), np.float32)
    kernels.block_variation(image, 0, out)
    assert out[0, 0] == pytest.approx(image.astype(float).var() / image.astype(float).mean() ** 2, rel=1e-4)
