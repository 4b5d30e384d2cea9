import csv
from collections import Counter, defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from usmicro.errors import UsageError
from usmicro.evaluation.datasets import (
    FOLDS,
    held_out_network,
    intersection_over_union,
    largest_free_part,
    read_breast_lesions_usg,
    read_bus_bra,
    read_bus_uclm,
    read_busi,
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


@pytest.mark.parametrize("read", [read_breast_lesions_usg, read_busi, read_bus_uclm])
def test_an_error_names_the_missing_table(tmp_path, read):
    with pytest.raises(UsageError, match=r"cases\.csv: no such file"):
        read(tmp_path)


def blurred_noise(seed):
    noise = np.random.default_rng(seed).normal(size=(60, 80))
    blurred = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.clip(120 + 40 * blurred / blurred.std(), 0, 255).astype(np.uint8)


@pytest.fixture
def busi(tmp_path):
    """Return a folder DATA with nine images of BUSI; the first and the last are near twins."""
    folder = tmp_path / "busi"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    names = [f"benign_00{number}" for number in range(1, 6)] + ["malignant_001", "malignant_002"]
    names += ["normal_001", "benign_406"]
    for seed, name in enumerate(names):
        image = blurred_noise(0) if name == "benign_406" else blurred_noise(seed)
        cv2.imwrite(str(folder / f"images/{name}.png"), image)
    for mask in ("benign_001_mask", "malignant_001_mask", "malignant_001_mask_1"):
        cv2.imwrite(str(folder / f"masks/{mask}.png"), np.zeros((60, 80), np.uint8))
    rows = ["image,kind", *(f"{name}.png,x" for name in names), "absent.png,x"]
    (folder / "cases.csv").write_text("\n".join(rows))
    return tmp_path


def test_near_twins_of_busi_are_in_one_fold(busi):
    images = read_busi(busi)
    folds = {image.name: image.fold for image in images}
    assert len(images) == 9
    assert folds["benign_001.png"] == folds["benign_406.png"]
    assert sorted(Counter(folds.values()).values()) == [1, 2, 2, 2, 2]


def test_an_image_of_busi_has_all_its_masks_and_a_normal_one_has_none(busi):
    masks = {image.name: image.mass_masks for image in read_busi(busi)}
    assert [path.name for path in masks["malignant_001.png"] or ()] == [
        "malignant_001_mask.png",
        "malignant_001_mask_1.png",
    ]
    assert len(masks["benign_001.png"] or ()) == 1
    assert masks["normal_001.png"] == ()


IMAGES_OF_PATIENT = {"AAAA": 7, "BBBB": 1, "CCCC": 5, "DDDD": 2, "EEEE": 4, "FFFF": 3, "GGGG": 2}
"""Images of BUS-UCLM in the fixture, by patient."""


@pytest.fixture
def bus_uclm(tmp_path):
    """Return a folder DATA with images of BUS-UCLM of several patients, in mixed order."""
    folder = tmp_path / "bus-uclm"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    rows = []
    for number in range(max(IMAGES_OF_PATIENT.values())):
        for patient, count in IMAGES_OF_PATIENT.items():
            if number < count:
                name = f"{patient}_00{number}"
                cv2.imwrite(str(folder / f"images/{name}.png"), np.zeros((8, 9), np.uint8))
                doppler = "yes" if name == "EEEE_001" else "no"
                fits = "no" if name == "CCCC_000" else "yes"
                rows.append(f"{name}.png,{patient},{doppler},{fits}")
    for name in ("AAAA_000", "CCCC_000"):
        cv2.imwrite(str(folder / f"masks/{name}_mask.png"), np.zeros((8, 9), np.uint8))
    (folder / "cases.csv").write_text("\n".join(["image,patient,doppler,mask_fits", *rows]))
    return tmp_path


def test_folds_of_bus_uclm_keep_patients_together_and_are_balanced(bus_uclm):
    images = read_bus_uclm(bus_uclm)
    folds_of = defaultdict(set)
    for image in images:
        folds_of[image.patient].add(image.fold)
    sizes = Counter(image.fold for image in images)
    assert Counter(image.patient for image in images) == IMAGES_OF_PATIENT
    assert all(len(folds) == 1 for folds in folds_of.values())
    assert set(sizes) == set(FOLDS)
    assert max(sizes.values()) == max(IMAGES_OF_PATIENT.values())
    assert min(sizes.values()) >= 4


def test_masses_of_bus_uclm_are_unknown_if_the_mask_does_not_fit(bus_uclm):
    images = {image.path.stem: image for image in read_bus_uclm(bus_uclm)}
    assert [path.name for path in images["AAAA_000"].mass_masks or ()] == ["AAAA_000_mask.png"]
    assert images["AAAA_001"].mass_masks == ()
    assert images["CCCC_000"].mass_masks is None
    assert [name for name, image in images.items() if image.doppler] == ["EEEE_001"]


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


def test_rectangles_share_a_fraction_of_their_area():
    one = (0, 0, 10, 20)
    for other, expected in (
        (one, 1),
        ((5, 0, 15, 20), 1 / 3),
        ((0, 0, 5, 10), 1 / 4),
        ((10, 0, 20, 20), 0),  # they touch
        ((30, 30, 31, 31), 0),
    ):
        assert intersection_over_union(one, other) == pytest.approx(expected)
        assert intersection_over_union(other, one) == intersection_over_union(one, other)
    assert intersection_over_union((3, 3, 3, 3), (3, 3, 3, 3)) == 0


def test_held_out_networks_survive_the_file(tmp_path):
    write_held_out_networks(tmp_path, {"case002": "masses-unseen.onnx"})
    assert read_held_out_networks(tmp_path) == {"case002": tmp_path / "masses-unseen.onnx"}


def test_an_image_without_a_network_of_its_own_has_that_of_its_data_set():
    networks = {"busi/*": Path("b.onnx"), "bus-uclm/*": Path("u.onnx"), "ABCD_001": Path("1.onnx")}
    assert held_out_network(networks, "busi", "busi_normal_1") == Path("b.onnx")
    assert held_out_network(networks, "bus-uclm", "ABCD_001") == Path("1.onnx")
    assert held_out_network(networks, "bus-uclm", "ABCD_002") == Path("u.onnx")
    assert held_out_network(networks, "bus", "x") is None
    assert held_out_network({}, "busi", "benign_001") is None


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
