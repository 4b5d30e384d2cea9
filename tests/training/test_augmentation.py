from dataclasses import replace

import numpy as np
import pytest

from training.augmentation import Geometry, augmented, other_display, plain
from training.pictures import Picture

SIZE = (96, 96)
STILL = Geometry(zoom=(0.0, 0.0), stretch=0.0, tilt=0.0, elsewhere=0.0)


@pytest.fixture
def picture() -> Picture:
    """A bright mass on speckle."""
    generator = np.random.default_rng(5)
    y, x = np.mgrid[:192, :240]
    outline = ((x - 90) / 40) ** 2 + ((y - 80) / 25) ** 2 < 1
    grey = (generator.integers(20, 90, outline.shape) + 120 * outline).astype(np.uint8)
    everywhere = np.ones(outline.shape, np.bool_)
    return Picture("one", "simulated", 1, 0.1, grey, everywhere, outline, ~everywhere)


def seen(picture: Picture, geometry: Geometry, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return augmented(
        picture, picture.outline.astype(np.float32), SIZE, geometry, np.random.default_rng(seed)
    )


@pytest.mark.parametrize("seed", range(12))
def test_the_target_moves_with_the_picture(picture, seed):
    image, target = seen(picture, Geometry(elsewhere=0.0), seed)
    assert image.shape == (3, *SIZE)
    assert target.shape == SIZE
    inside, outside = (
        image[0][(target > 0.9) & (image[2] > 0)],
        image[0][(target < 0.1) & (image[2] > 0)],
    )
    assert np.median(inside) > np.median(outside) + 0.5


def test_without_movement_the_target_is_the_outline_or_its_mirror_image(picture):
    _, known = plain(picture, picture.outline.astype(np.float32), SIZE, STILL)
    for seed in range(6):
        _, target = seen(picture, STILL, seed)
        assert (
            min(np.abs(target - known).mean(), np.abs(target - known[:, ::-1]).mean()) < 0.2
        )  # a sector may hide a part


def test_a_part_elsewhere_shows_no_mass(picture):
    small = np.zeros_like(picture.outline)
    small[10:20, 10:20] = True
    picture = replace(picture, outline=small)
    assert all(seen(picture, Geometry(elsewhere=1.0), seed)[1].max() == 0 for seed in range(8))


def test_the_same_seed_gives_the_same_picture(picture):
    for one, other in zip(seen(picture, Geometry(), 3), seen(picture, Geometry(), 3), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_pixel_size_sets_the_scale(picture):
    image, target = plain(picture, picture.outline.astype(np.float32), SIZE, Geometry(pixel_mm=0.2))
    assert image.shape == (3, 96, 128)
    assert target.sum() * 0.2**2 == pytest.approx(picture.outline.sum() * 0.1**2, rel=0.15)


def test_another_display_stays_within_the_grey_levels(picture):
    for seed in range(20):
        grey = other_display(picture.grey.astype(np.float32), np.random.default_rng(seed))
        assert grey.dtype == np.float32
        assert grey.min() >= 0
        assert grey.max() <= 255
