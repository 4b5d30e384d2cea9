import numpy as np
import pytest
from scipy import ndimage

from usmicro.kernels import diffusion as kernels

MARGIN = kernels.MARGIN


def image_of(seed: int, shape: tuple[int, int] = (50, 67)) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 1.0, shape).astype(np.float32) + np.float32(0.05)


def variation_in_numpy(image: np.ndarray) -> np.ndarray:
    rows, columns = image.shape[0] // 16, image.shape[1] // 16
    blocks = image[: rows * 16, : columns * 16].reshape(rows, 16, columns, 16).astype(float)
    return blocks.var(axis=(1, 3)) / blocks.mean(axis=(1, 3)) ** 2


def diffused_in_numpy(image: np.ndarray, coefficient: np.ndarray, time_step: float) -> np.ndarray:
    """One time step in double precision, by equations 57 and 58 of Yu and Acton (2002).

    The coefficient between two pixels is the mean of theirs.
    """
    padded, neighbours = np.pad(image, 1, mode="edge"), np.pad(coefficient, 1, mode="edge")
    sides = [np.s_[:-2, 1:-1], np.s_[2:, 1:-1], np.s_[1:-1, :-2], np.s_[1:-1, 2:]]
    return image + time_step / 4 * sum(
        (coefficient + neighbours[side]) / 2 * (padded[side] - image) for side in sides
    )


def srad_in_numpy(image: np.ndarray, scale: float, time_step: float) -> np.ndarray:
    """One time step of SRAD, by equations 54 to 56 of Yu and Acton (2002)."""
    padded = np.pad(image, 1, mode="edge")
    differences = [
        padded[:-2, 1:-1] - image,
        padded[2:, 1:-1] - image,
        padded[1:-1, :-2] - image,
        padded[1:-1, 2:] - image,
    ]
    gradient = np.sqrt(sum(d**2 for d in differences)) / image
    laplacian = sum(differences) / image
    q = np.sqrt((0.5 * gradient**2 - laplacian**2 / 16) / (1 + laplacian / 4) ** 2)
    coefficient = np.clip(1 / (1 + (q**2 - scale) / (scale * (1 + scale))), 0, 1)
    return diffused_in_numpy(image, coefficient, time_step)


def dpad_in_numpy(image: np.ndarray, scale: float, time_step: float) -> np.ndarray:
    """One time step of DPAD (Aja-Fernandez and Alberola-Lopez 2006), windows of 5 x 5 pixels."""
    mean = ndimage.uniform_filter(image, 5, mode="nearest")
    squared = (ndimage.uniform_filter(image**2, 5, mode="nearest") - mean**2) / mean**2
    return diffused_in_numpy(image, np.minimum((1 + 1 / squared) / (1 + 1 / scale), 1), time_step)


STEPS = {"srad": srad_in_numpy, "dpad": dpad_in_numpy}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize(
    ("shape", "share"),
    [((50, 67), 0.25), ((50, 67), 0.9), ((150, 40), 0.5)],  # 150 rows make two bands
)
def test_diffusion_follows_the_published_equations(name, shape, share):
    image = image_of(1, shape)
    padded = np.pad(image, MARGIN, mode="edge")
    inside = np.ones((shape[0] // 16, shape[1] // 16), bool)
    out = getattr(kernels, name)(
        padded, np.empty_like(padded), 4, np.float32(0.5 / 4), inside, share
    )
    expected = image.astype(float)
    for _ in range(4):
        expected = STEPS[name](expected, np.quantile(variation_in_numpy(expected), share), 0.5)
    np.testing.assert_allclose(out[MARGIN:-MARGIN, MARGIN:-MARGIN], expected, rtol=1e-4)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("shape", [(300, 131), (20, 64)])
def test_all_threads_give_the_same_result(name, shape):
    padded = np.pad(image_of(2, shape), MARGIN, mode="edge")
    inside = np.ones((shape[0] // 16, shape[1] // 16), bool)
    serial, parallel = (
        getattr(kernels, name + kind)(
            padded.copy(), np.empty_like(padded), 5, np.float32(0.1), inside, 0.25
        )
        for kind in ("", "_parallel")
    )
    np.testing.assert_array_equal(parallel, serial)
    np.testing.assert_array_equal(
        serial, np.pad(serial[MARGIN:-MARGIN, MARGIN:-MARGIN], MARGIN, mode="edge")
    )


def test_only_blocks_inside_set_the_speckle_scale():
    padded = np.pad(image_of(3, (64, 64)), MARGIN, mode="edge")
    variation = variation_in_numpy(padded[MARGIN:-MARGIN, MARGIN:-MARGIN]).astype(np.float32)
    inside = np.zeros((4, 4), bool)
    inside[1, 2] = True
    assert kernels.variation_quantile(variation, inside, 0.25) == variation[1, 2]
    assert kernels.variation_quantile(variation, np.zeros((4, 4), bool), 0.25) == 0


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_the_quantile_of_variations_equals_that_of_numpy(count):
    values = np.random.default_rng(count).gamma(1, 1, (1, count)).astype(np.float32)
    for share in (0, 0.05, 0.25, 1):
        result = kernels.variation_quantile(values, np.ones((1, count), bool), share)
        assert result == pytest.approx(np.quantile(values, share), rel=1e-6)


def test_block_variations_equal_their_numpy_twin():
    image = image_of(4)
    out = np.empty((3, 4), np.float32)
    kernels.block_variations(np.pad(image, MARGIN, mode="edge"), out)
    np.testing.assert_allclose(out, variation_in_numpy(image), rtol=1e-5)


def test_block_variations_keep_a_small_variance_beside_a_large_mean():
    image = 1000 + np.random.default_rng(5).normal(size=(16, 16)).astype(np.float32)
    out = np.empty((1, 1), np.float32)
    kernels.block_variations(np.pad(image, MARGIN), out)
    assert out[0, 0] == pytest.approx(variation_in_numpy(image)[0, 0], rel=1e-4)
