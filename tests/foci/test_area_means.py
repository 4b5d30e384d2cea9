import cv2
import numpy as np
import pytest

from usmicro.foci.area_means import area_means


@pytest.mark.parametrize("shape", [(62, 46), (61, 47), (1, 30), (30, 1), (1, 1), (97, 101)])
@pytest.mark.parametrize("step", [1.0, 1.5, 1.7, 2.0, 3.0, 6.0])
def test_the_means_equal_those_of_opencv(shape, step):
    image = np.random.default_rng(shape[0]).uniform(0, 255, shape).astype(np.float32)
    size = max(round(shape[1] / step), 1), max(round(shape[0] / step), 1)
    expected = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(area_means(image, size), expected, rtol=1e-6)


def test_a_mean_over_the_whole_image_is_that_of_its_pixels():
    image = np.random.default_rng(1).uniform(0, 255, (7, 9)).astype(np.float32)
    np.testing.assert_allclose(area_means(image, (1, 1)), [[image.mean()]], rtol=1e-6)
