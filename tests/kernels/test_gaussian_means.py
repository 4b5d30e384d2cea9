import cv2
import numpy as np
import pytest

from usmicro.kernels.gaussian_means import gaussian_means


@pytest.mark.parametrize("shape", [(40, 60), (5, 9), (1, 30), (1, 1)])
@pytest.mark.parametrize("sigma", [0.7, 3.4])
def test_means_at_pixels_equal_the_smoothed_image(shape, sigma):
    image = np.random.default_rng(4).random(shape, np.float32)
    size = round(8 * sigma + 1) | 1
    weights = cv2.getGaussianKernel(size, sigma).ravel()
    row, column = (index.ravel() for index in np.indices(shape))
    out = np.empty(image.size)
    gaussian_means(image, weights, row, column, out)
    smooth = cv2.GaussianBlur(image, (size, size), sigma)
    np.testing.assert_allclose(out.reshape(shape), smooth, atol=1e-6)


def test_the_mean_of_a_constant_image_is_its_value():
    out = np.empty(2)
    weights = cv2.getGaussianKernel(31, 3.75).ravel()
    image = np.full((20, 30), 0.25, np.float32)
    gaussian_means(image, weights, np.array([0, 11]), np.array([29, 4]), out)
    np.testing.assert_allclose(out, 0.25, rtol=1e-12)


def test_no_pixels_have_no_means():
    none = np.empty(0, int)
    gaussian_means(np.ones((3, 3), np.float32), np.ones(1), none, none, np.empty(0))
