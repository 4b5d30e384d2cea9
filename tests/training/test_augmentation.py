from dataclasses import replace

import numpy as np
import pytest

from training.augmentation import CropSettings, augmented, resampled, vary_display
from training.pictures import Picture

SIZE = (96, 96)
WHOLE = CropSettings(zoom=(0.0, 0.0), stretch=0.0, tilt=0.0, without_mass=0.0)


@pytest.fixture
def picture() -> Picture:
    """Return a bright elliptical mass on noise."""
    generator = np.random.default_rng(5)
    y, x = np.mgrid[:192, :240]
    outline = ((x - 90) / 40) ** 2 + ((y - 80) / 25) ** 2 < 1
    grey = (generator.integers(20, 90, outline.shape) + 120 * outline).astype(np.uint8)
    everywhere = np.ones(outline.shape, np.bool_)
    return Picture("one", "simulated", 1, 0.1, grey, everywhere, outline, ~everywhere)


def random_crop(picture: Picture, crop: CropSettings, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return augmented(
        picture, picture.outline.astype(np.float32), SIZE, crop, np.random.default_rng(seed)
    )


@pytest.mark.parametrize("seed", range(12))
def test_image_and_target_have_the_same_crop(picture, seed):
    image, target = random_crop(picture, CropSettings(without_mass=0.0), seed)
    assert image.shape == (3, *SIZE)
    assert target.shape == SIZE
    rank, tissue = image[0], image[2] > 0
    inside, outside = rank[(target > 0.9) & tissue], rank[(target < 0.1) & tissue]
    assert np.median(inside) > np.median(outside) + 0.5


def test_without_variation_the_target_is_the_outline_or_its_mirror_image(picture):
    _, expected = resampled(picture, picture.outline.astype(np.float32), SIZE, WHOLE)
    for seed in range(6):
        _, target = random_crop(picture, WHOLE, seed)
        errors = [np.abs(target - outline).mean() for outline in (expected, expected[:, ::-1])]
        assert min(errors) < 0.2  # a sector may hide a part


def test_a_crop_without_mass_shows_none(picture):
    small = np.zeros_like(picture.outline)
    small[10:20, 10:20] = True
    picture = replace(picture, outline=small)
    assert all(
        random_crop(picture, CropSettings(without_mass=1.0), seed)[1].max() == 0
        for seed in range(8)
    )


def test_the_same_seed_gives_the_same_crop(picture):
    for one, other in zip(
        random_crop(picture, CropSettings(), 3),
        random_crop(picture, CropSettings(), 3),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_a_pixel_size_sets_the_scale(picture):
    image, target = resampled(
        picture, picture.outline.astype(np.float32), SIZE, CropSettings(pixel_mm=0.2)
    )
    assert image.shape == (3, 96, 128)
    assert target.sum() * 0.2**2 == pytest.approx(picture.outline.sum() * 0.1**2, rel=0.15)


def test_a_varied_display_has_grey_levels_from_0_to_255(picture):
    for seed in range(20):
        grey = vary_display(picture.grey.astype(np.float32), np.random.default_rng(seed))
        assert grey.dtype == np.float32
        assert grey.min() >= 0
        assert grey.max() <= 255
