import numpy as np
import pytest

from usmicro.preparation.inpainting import inpainted


@pytest.fixture
def image():
    return np.random.default_rng(0).uniform(0, 255, (90, 70)).astype(np.float32)


@pytest.fixture
def hidden(image):
    mask = np.random.default_rng(1).random(image.shape) < 0.1
    mask[20:50, 10:60] = True
    return mask


def test_visible_pixels_do_not_change(image, hidden):
    before = image.copy()
    np.testing.assert_array_equal(inpainted(image, hidden)[~hidden], image[~hidden])
    np.testing.assert_array_equal(image, before)
    assert inpainted(image, np.zeros_like(hidden)) is image
    assert inpainted(image, np.ones_like(hidden)) is image


def test_hidden_pixels_have_no_influence(image, hidden):
    np.testing.assert_array_equal(
        inpainted(image, hidden), inpainted(np.where(hidden, np.float32(255), image), hidden)
    )


def test_inpainted_values_lie_within_the_range_of_visible_pixels(image, hidden):
    out = inpainted(np.where(hidden, np.float32(1000), image), hidden)
    assert image[~hidden].min() <= out[hidden].min()
    assert out[hidden].max() <= image[~hidden].max()


def test_each_half_of_a_gap_is_filled_from_its_own_side():
    image = np.zeros((40, 60), np.float32)
    image[:, 30:] = 200
    gap = np.zeros(image.shape, bool)
    gap[:, 24:36] = True
    np.testing.assert_array_equal(inpainted(np.where(gap, np.float32(90), image), gap), image)


def test_a_mirrored_gap_gets_mirrored_values_except_for_ties(image):
    gap = np.zeros(image.shape, bool)
    gap[30:37, 20:27] = True
    one, other = (
        inpainted(image, gap),
        inpainted(np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(gap[:, ::-1]))[
            :, ::-1
        ],
    )
    assert np.mean(one[gap] == other[gap]) > 0.6
