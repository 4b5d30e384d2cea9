import numpy as np

from usmicro.model.view import Grid


def test_the_matrix_agrees_with_the_conversion_and_its_inverse():
    grid = Grid(left=12.5, top=-3.0, step_x=0.7, step_y=1.9, pixel_mm=0.1)
    positions = np.random.default_rng(0).uniform(-5, 60, (2, 20))
    in_image = grid.image_matrix @ np.vstack([positions, np.ones(20)])
    np.testing.assert_allclose(in_image, grid.to_image(*positions))
    np.testing.assert_allclose(grid.from_image(*in_image), positions)
