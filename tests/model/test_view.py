import numpy as np

from tests.posterior.scans import view_of
from usmicro.model.view import GREY_QUANTILES, Grid


def test_the_matrix_agrees_with_the_conversion_and_its_inverse():
    grid = Grid(left=12.5, top=-3.0, step_x=0.7, step_y=1.9, pixel_mm=0.1)
    positions = np.random.default_rng(0).uniform(-5, 60, (2, 20))
    in_image = grid.image_matrix @ np.vstack([positions, np.ones(20)])
    np.testing.assert_allclose(in_image, grid.to_image(*positions))
    np.testing.assert_allclose(grid.from_image(*in_image), positions)


def test_the_grey_quantiles_are_those_of_the_usable_pixels():
    grey = np.random.default_rng(1).gamma(2, 30, (60, 80)).clip(0, 255).astype(np.float32)
    graphics = np.zeros(grey.shape, bool)
    graphics[:20] = True
    expected = np.quantile(grey[20:], GREY_QUANTILES)
    np.testing.assert_allclose(view_of(grey, graphics=graphics).grey_quantiles, expected, rtol=1e-6)
