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


def test_what_is_known_stays_as_it_is(image, hidden):
    before = image.copy()
    np.testing.assert_array_equal(inpainted(image, hidden)[~hidden], image[~hidden])
    np.testing.assert_array_equal(image, before)
    assert inpainted(image, np.zeros_like(hidden)) is image
    assert inpainted(image, np.ones_like(hidden)) is image


def test_hidden_pixels_have_no_influence(image, hidden):
    np.testing.assert_array_equal(
        inpainted(image, hidden), inpainted(np.where(hidden, np.float32(255), image), hidden)
    )


def test_filling_lies_within_what_is_around_it(image, hidden):
    out = inpainted(np.where(hidden, np.float32(1000), image), hidden)
    assert image[~hidden].min() <= out[hidden].min()
    assert out[hidden].max() <= image[~hidden].max()


def test_the_two_sides_of_a_gap_go_on_into_it():
    image = np.zeros((40, 60), np.float32)
    image[:, 30:] = 200
    gap = np.zeros(image.shape, bool)
    gap[:, 24:36] = True
    np.testing.assert_array_equal(inpainted(np.where(gap, np.float32(90), image), gap), image)


def test_a_mirrored_gap_is_filled_alike_but_for_ties(image):
    gap = np.zeros(image.shape, bool)
    gap[30:37, 20:27] = True
    one, other = (
        inpainted(image, gap),
        inpainted(np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(gap[:, ::-1]))[
            :, ::-1
        ],
    )
    assert np.mean(one[gap] == other[gap]) > 0.6
