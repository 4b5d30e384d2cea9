import cv2
import numpy as np
import pytest

from usmicro.errors import UsageError
from usmicro.evaluation.datasets import twin_groups

ROWS, COLUMNS = 240, 320


def speckle(seed):
    """An image of dark and bright tissue with speckle, 8 bits."""
    random = np.random.default_rng(seed)
    tissue = cv2.GaussianBlur(random.normal(size=(ROWS, COLUMNS)), (0, 0), 15)
    tissue = 110 + 45 * tissue / tissue.std()
    grains = cv2.GaussianBlur(random.normal(size=(ROWS, COLUMNS)), (0, 0), 1.5)
    return np.clip(tissue + 20 * grains / grains.std(), 0, 255).astype(np.uint8)


@pytest.fixture
def groups_of(tmp_path):
    """Return a function that writes images and returns their groups."""

    def groups(*images):
        paths = [tmp_path / f"{number}.png" for number in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            cv2.imwrite(str(path), image)
        return twin_groups(paths)

    return groups


def brightened(image):
    return cv2.convertScaleAbs(image, alpha=0.7, beta=50)


def shifted(image):
    return np.roll(image, (2, 3), axis=(0, 1))


def mirrored(image):
    return np.fliplr(image)


def enlarged(image):
    return cv2.resize(image, None, fx=1.5, fy=1.3, interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("change", [brightened, shifted, mirrored, enlarged])
@pytest.mark.parametrize("seed", range(3))
def test_a_changed_copy_joins_its_original(groups_of, change, seed):
    original = speckle(seed)
    first, other, copy = groups_of(original, speckle(seed + 100), change(original))
    assert copy == first != other


def test_different_images_have_different_groups(groups_of):
    assert len(set(groups_of(*map(speckle, range(12))))) == 12


def test_chains_of_near_twins_are_one_group(groups_of):
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    one = np.cos(2 * np.pi * columns / COLUMNS * 2)
    other = np.cos(2 * np.pi * rows / ROWS * 3)

    def turned(degrees):
        """Images whose correlation is the cosine of the difference of their angles."""
        angle = np.radians(degrees)
        mixture = np.cos(angle) * one + np.sin(angle) * other
        return np.round(128 + 60 * mixture).astype(np.uint8)

    ends_only = groups_of(turned(0), turned(36))
    assert ends_only[0] != ends_only[1]
    assert len(set(groups_of(turned(0), turned(18), turned(36), turned(18)))) == 1


def test_no_images_have_no_groups():
    assert twin_groups([]) == []


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(UsageError, match=r"text\.png: expected an image"):
        twin_groups([tmp_path / "text.png"])
