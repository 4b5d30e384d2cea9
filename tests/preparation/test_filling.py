import numpy as np
import pytest

from usmicro.preparation.filling import filled


@pytest.fixture
def image():
    return np.random.default_rng(0).uniform(0, 255, (90, 70)).astype(np.float32)


def test_what_is_known_stays_as_it_is(image):
    hidden = np.random.default_rng(1).random(image.shape) < 0.3
    np.testing.assert_array_equal(filled(image, hidden)[~hidden], image[~hidden])
    assert filled(image, np.zeros_like(hidden)) is image


def test_hidden_pixels_have_no_influence(image):
    hidden = np.zeros(image.shape, bool)
    hidden[20:50, 10:60] = True
    other = np.where(hidden, np.float32(255), image)
    np.testing.assert_array_equal(filled(image, hidden), filled(other, hidden))


def test_what_is_filled_in_lies_between_what_surrounds_it():
    image = np.repeat(np.linspace(20, 220, 100, dtype=np.float32)[None], 80, axis=0)
    hidden = np.zeros(image.shape, bool)
    hidden[30:50, 40:60] = True
    out = filled(np.where(hidden, np.float32(0), image), hidden)
    inside = out[hidden]
    assert image[30, 24] <= inside.min()
    assert inside.max() <= image[30, 76]
    assert np.abs(inside - image[hidden]).mean() < 12  # a slope goes on


def test_little_that_is_known_fills_the_rest():
    image = np.full((200, 40), 80, np.float32)
    hidden = np.ones(image.shape, bool)
    hidden[:5] = False
    out = filled(np.where(hidden, np.float32(0), image), hidden)
    np.testing.assert_allclose(out, 80, rtol=1e-5)
