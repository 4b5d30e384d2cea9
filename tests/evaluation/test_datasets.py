import csv

import cv2
import numpy as np
import pytest

from usmicro.errors import UsageError
from usmicro.evaluation.datasets import (
    largest_free_part,
    read_breast_lesions_usg,
    read_bus_bra,
    read_held_out_networks,
    read_label_image,
    targets_of_phantom,
    write_held_out_networks,
)
from usmicro.phantom import FocusShape, PhantomSettings, Scene, simulate


@pytest.fixture
def bus_bra(tmp_path):
    """Return a folder DATA with three images of BUS-BRA; the third has no mask."""
    for folder in ("images", "masks"):
        (tmp_path / "bus-bra" / folder).mkdir(parents=True)
    image = np.zeros((8, 9), np.uint8)
    names = ("0001-l", "0001-r", "0002-l")
    for name in names:
        cv2.imwrite(str(tmp_path / f"bus-bra/images/bus_{name}.png"), image)
    for name in names[:2]:
        cv2.imwrite(str(tmp_path / f"bus-bra/masks/mask_{name}.png"), image)
    with open(tmp_path / "bus-bra/5-fold-cv.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerows([["ID", "kFold"], ["bus_0001-l", 3], ["bus_0001-r", 3], ["bus_0002-l", 1]])
    return tmp_path


def test_images_of_bus_bra_have_the_published_folds_and_one_mask(bus_bra):
    images = read_bus_bra(bus_bra)
    assert [(image.name, image.fold) for image in images] == [
        ("bus_0001-l.png", 3),
        ("bus_0001-r.png", 3),
    ]
    assert [mask.name for mask in images[1].mass_masks or ()] == ["mask_0001-r.png"]
    assert not images[0].spacing.known


def test_without_the_table_of_folds_bus_bra_has_none(bus_bra):
    (bus_bra / "bus-bra/5-fold-cv.csv").unlink()
    assert [image.fold for image in read_bus_bra(bus_bra)] == [None, None]


def test_an_error_names_the_missing_table(tmp_path):
    with pytest.raises(UsageError, match=r"cases\.csv: no such file"):
        read_breast_lesions_usg(tmp_path)


def test_folds_of_breast_lesions_are_dealt_out_over_the_images_that_exist(tmp_path):
    folder = tmp_path / "breast-lesions-usg"
    (folder / "images").mkdir(parents=True)
    rows = ["Image_filename,Pixel_size,Posterior_features,Calcifications"]
    for number in range(8):
        rows.append(f"case{number}.png,0.01,no,no")
        if number != 2:
            cv2.imwrite(str(folder / f"images/case{number}.png"), np.zeros((4, 4), np.uint8))
    (folder / "cases.csv").write_text("\n".join(rows))
    images = read_breast_lesions_usg(tmp_path)
    assert [image.fold for image in images] == [1, 2, 3, 4, 5, 1, 2]
    assert images[0].spacing.x_mm == pytest.approx(0.1)


def test_the_later_of_two_overlapping_masks_counts(tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for number, path in enumerate(paths):
        mask = np.zeros((6, 10), np.uint8)
        mask[:, 3 * number : 3 * number + 5] = 255
        cv2.imwrite(str(path), mask)
    labels = read_label_image(paths, (6, 10))
    assert labels.dtype == np.int32
    assert labels[0].tolist() == [1, 1, 1, 2, 2, 2, 2, 2, 0, 0]


def test_a_file_that_is_not_a_mask_is_named(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(UsageError, match=r"text\.png: expected a mask"):
        read_label_image([tmp_path / "text.png"], (6, 10))


def test_the_largest_band_without_lesion_is_found():
    lesions = np.zeros((90, 120), bool)
    lesions[40:50, 20:30] = True
    assert largest_free_part(lesions, (5, 5)) == (35, 0, 120, 90)
    lesions[40:50, 90:100] = True
    assert largest_free_part(lesions, (5, 5)) == (0, 0, 120, 35)
    # a band of 30 rows is a third of the image, one of 29 is too narrow
    assert largest_free_part(lesions, (5, 10)) == (0, 0, 120, 30)
    assert largest_free_part(lesions, (5, 11)) is None


def test_held_out_networks_survive_the_file(tmp_path):
    write_held_out_networks(tmp_path, {"case002": "masses-unseen.onnx"})
    assert read_held_out_networks(tmp_path) == {"case002": tmp_path / "masses-unseen.onnx"}


def test_an_error_names_the_folder_without_held_out_networks(tmp_path):
    with pytest.raises(UsageError, match=r"unseen\.json: no such file"):
        read_held_out_networks(tmp_path)


def test_targets_of_a_phantom_are_its_foci_in_pixels():
    settings = PhantomSettings(width=15.0, depth=15.0, looks=1, anatomy=False, spacing=0.1)
    focus = FocusShape(0.0, 8.0, 0.6, 20.0, "extramass", shadow_db=9.0)
    phantom = simulate(1, settings, scene=Scene(foci=(focus,)))
    (target,) = targets_of_phantom(phantom)
    assert target.diameter == pytest.approx(6)
    assert target.at(0)[:2] == pytest.approx((74.5, 79.5))
    assert target.contrast_db == 20
    assert target.shadow
    assert target.twinkling is None
