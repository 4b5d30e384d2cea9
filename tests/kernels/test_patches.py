import numpy as np
import pytest
from scipy import ndimage

from usmicro.kernels.blockwise_means import WEIGHT_MARGIN, left_padding
from usmicro.kernels.exponential import LOG2_E
from usmicro.kernels.nonlocal_means import (
    GROUP,
    LANES,
    PATCH_RADIUS,
    SEARCH,
    TILE,
    padded_columns,
)
from usmicro.speckle import nonlocal_means, obnlm


def grey_of(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """A step with noise, whose grey levels reach 0."""
    image = np.random.default_rng(seed).normal(60, 25, shape)
    image[:, shape[1] // 2 :] += 70
    return np.clip(ndimage.gaussian_filter(image, 0.7), 0, 255).astype(np.float32)


def nonlocal_means_in_numpy(image: np.ndarray, strength: float) -> np.ndarray:
    padded = np.pad(image.astype(float), 23, mode="reflect")
    total, weights = np.zeros(image.shape), np.zeros(image.shape)
    own = padded[10:-10, 10:-10]
    for dy in range(-10, 11):
        for dx in range(-10, 11):
            other = padded[10 + dy : 10 + dy + own.shape[0], 10 + dx : 10 + dx + own.shape[1]]
            weight = np.exp(
                -ndimage.uniform_filter((own - other) ** 2, 7)[13:-13, 13:-13] / strength**2
            )
            total += weight * other[13:-13, 13:-13]
            weights += weight
    return total / weights


def obnlm_in_numpy(image: np.ndarray, strength: float, search: int) -> np.ndarray:
    """The filter of Coupe et al. (2009), block by block."""
    rows, columns = image.shape
    padded = np.pad(image.astype(float), search + 3, mode="reflect")
    total, count = np.zeros((rows + 6, columns + 6)), np.zeros((rows + 6, columns + 6))
    for y in range(0, rows, 2):
        for x in range(0, columns, 2):
            block = padded[y + search : y + search + 7, x + search : x + search + 7]
            estimate, weights = np.zeros((7, 7)), 0.0
            for dy in range(2 * search + 1):
                for dx in range(2 * search + 1):
                    other = padded[y + dy : y + dy + 7, x + dx : x + dx + 7]
                    a, b = np.maximum(block, 1), np.maximum(other, 1)
                    weight = np.exp(-np.mean((a - b) ** 2 / b) / strength**2)
                    estimate += weight * other
                    weights += weight
            total[y : y + 7, x : x + 7] += estimate / weights
            count[y : y + 7, x : x + 7] += 1
    return (total / np.maximum(count, 1))[3:-3, 3:-3]


@pytest.mark.parametrize("shape", [(40, 50), (7, 7), (90, 31)])  # 90 rows make two bands
@pytest.mark.parametrize("strength", [8.0, 40.0])
def test_nonlocal_means_equal_their_numpy_twin(shape, strength):
    image = grey_of(1, shape)
    np.testing.assert_allclose(
        nonlocal_means(image, strength=strength),
        nonlocal_means_in_numpy(image, strength),
        atol=1e-3,
    )


@pytest.mark.parametrize(
    ("shape", "search"),
    [((40, 44), 3), ((35, 29), 4), ((7, 8), 1)],  # 40 rows make two bands of blocks
)
@pytest.mark.parametrize("strength", [0.8, 3.0])
def test_obnlm_equals_its_numpy_twin(shape, search, strength):
    image = grey_of(2, shape)
    np.testing.assert_allclose(
        obnlm(image, strength=strength, search=search),
        obnlm_in_numpy(image, strength, search),
        atol=5e-3,
    )


def test_there_is_no_seam_between_tiles():
    # The image is wider than a tile of either kernel. A part of it that lies across a seam is
    # filtered as it is alone.
    image = grey_of(3, (24, 900))
    for part in (np.s_[:, 300:460], np.s_[:, 460:620]):
        for filtered, margin in ((nonlocal_means, 13), (obnlm, 12)):
            whole, alone = filtered(image, strength=20)[part], filtered(image[part], strength=20)
            np.testing.assert_allclose(
                alone[:, margin:-margin], whole[:, margin:-margin], atol=2e-3
            )


@pytest.mark.parametrize("filtered", [nonlocal_means, obnlm])
def test_all_threads_give_the_same_result(filtered):
    image = grey_of(4, (150, 70))
    np.testing.assert_array_equal(filtered(image, parallel=True), filtered(image))


def test_a_decay_of_log2_e_is_a_factor_of_e():
    assert 2 ** -float(LOG2_E) == pytest.approx(np.exp(-1))


@pytest.mark.parametrize("columns", [7, 100, 332, 333, 684, 685, 1024])
def test_padded_columns_equal_their_numpy_twin(columns):
    covered = columns + 2 * SEARCH
    tiles = int(np.ceil(covered / TILE))
    width = int(np.ceil(covered / tiles / LANES)) * LANES
    whole_tiles = int(np.ceil(covered / width)) * width
    assert padded_columns(columns) == whole_tiles + 2 * (SEARCH + PATCH_RADIUS) + GROUP
    assert width <= TILE


@pytest.mark.parametrize("search", [1, 6, 7, 15])
def test_the_padding_of_obnlm_is_even_and_covers_the_search_window(search):
    padding = left_padding(search)
    assert padding % 2 == 0
    assert search + 2 * WEIGHT_MARGIN <= padding <= search + 2 * WEIGHT_MARGIN + 1
