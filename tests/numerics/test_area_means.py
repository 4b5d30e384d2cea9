import cv2
import numpy as np
import pytest

from usmicro.numerics.area_means import area_means


@pytest.mark.parametrize("shape", [(62, 46), (61, 47), (1, 30), (30, 1), (1, 1), (97, 101)])
@pytest.mark.parametrize("step", [0.7, 1.0, 1.5, 1.7, 2.0, 3.0, 6.0])
def test_the_means_equal_those_of_opencv(shape, step):
    image = np.random.default_rng(shape[0]).uniform(0, 255, shape).astype(np.float32)
    size = max(round(shape[1] / step), 1), max(round(shape[0] / step), 1)
    expected = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(area_means(image, size)[0], expected, rtol=1e-6)


def test_a_mean_over_the_whole_image_is_that_of_its_pixels():
    image = np.random.default_rng(1).uniform(0, 255, (7, 9)).astype(np.float32)
    np.testing.assert_allclose(area_means(image, (1, 1))[0], [[image.mean()]], rtol=1e-6)


def test_several_sizes_give_the_means_of_each():
    image = np.random.default_rng(2).uniform(0, 255, (30, 41)).astype(np.float32)
    together = area_means(image, (7, 9), (41, 15), (20, 11))
    for means, size in zip(together, ((7, 9), (41, 15), (20, 11)), strict=True):
        np.testing.assert_array_equal(means, area_means(image, size)[0])
