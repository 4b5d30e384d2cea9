import json

import cv2
import numpy as np
import pytest
from PIL import Image

from usmicro.errors import ScanError
from usmicro.loading.masks import find_masks, read_masks
from usmicro.writing import encode_labels

SHAPE = (40, 60)


def square(top, left, value=255, size=8):
    """Return an image with a square of a value on 0."""
    image = np.zeros(SHAPE, np.uint8)
    image[top : top + size, left : left + size] = value
    return image


@pytest.fixture
def save(tmp_path):
    """Return a function that writes a mask below a folder of masks and returns the folder."""

    def write(name, image, mode=None):
        path = tmp_path / "masks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
        (picture.convert(mode) if mode else picture).save(path)
        return tmp_path / "masks"

    return write


@pytest.mark.parametrize(
    ("file", "image"),
    [
        ("case1.png", "case1.png"),
        ("case1.png", "case1.dcm"),
        ("case1.dcm.png", "case1.dcm"),
        ("case1_mask.png", "case1.png"),
        ("case1_mask_1.png", "case1.png"),
        ("case1_tumor.png", "case1.png"),
        ("case1_tumor2.png", "case1.png"),
        ("case1_mass.bmp", "case1.png"),
        ("mask_0001-l.png", "bus_0001-l.jpg"),
        ("mask_case1.tif", "case1.png"),
        ("benign (1)_mask.png", "benign (1).png"),
        ("left/case1.png", "left/case1.png"),
        ("case1.png", "left/case1.png"),
        ("case1_TUMOR.PNG", "case1.png"),
    ],
)
def test_mask_is_found_by_name(save, file, image):
    folder = save(file, square(5, 5))
    masks = read_masks(folder, image, SHAPE)
    assert masks is not None
    assert masks.sources == (file,)
    np.testing.assert_array_equal(masks.masses, square(5, 5, 1))
    assert (masks.ducts, masks.nonmass) == (None, None)


@pytest.mark.parametrize(
    "file",
    [
        "case10.png",
        "case1_tumors.png",
        "acase1.png",
        "case1_x.png",
        "case1.csv.txt",
        "right/case1.png",
    ],
)
def test_mask_of_another_image_is_not_taken(save, tmp_path, file):
    folder = save("unrelated.png", square(5, 5))
    (folder / "right").mkdir()
    (folder / file).write_bytes(b"")
    assert find_masks(folder, "left/case1.png") == []
    assert read_masks(folder, "left/case1.png", SHAPE) is None


def test_subfolder_of_the_image_is_searched_first(save):
    save("left/case1.png", square(5, 5))
    folder = save("case1.png", square(20, 20))
    assert read_masks(folder, "left/case1.png", SHAPE).sources == ("left/case1.png",)


def test_masks_are_combined_and_numbered_and_other_structures_are_not_used(save):
    save("case1_tumor1.png", square(3, 3) | square(20, 3))
    save("case1_tumor2.png", square(3, 30))
    save("case1_duct.png", square(25, 45, 255, 5))
    save("case1_nonmass.png", square(25, 25))
    folder = save("case1_other1.png", square(10, 50))
    masks = read_masks(folder, "case1.png", SHAPE)
    expected = square(3, 3, 1) + square(3, 30, 2) + square(20, 3, 3)
    np.testing.assert_array_equal(masks.masses, expected)
    np.testing.assert_array_equal(masks.ducts, square(25, 45, 1, 5))
    np.testing.assert_array_equal(masks.nonmass, square(25, 25) > 0)
    assert len(masks.sources) == 4
    assert masks.masses.dtype == np.int32


def test_image_with_masks_of_other_structures_only_has_no_masks(save):
    assert read_masks(save("case1_other1.png", square(3, 3)), "case1.png", SHAPE) is None


def label_image():
    return square(3, 3, 1) + square(20, 3, 2) + square(3, 30, 3) + square(30, 50, 255)


@pytest.mark.parametrize("mode", [None, "RGB", "RGBA", "P"])
def test_label_image_is_read(save, mode):
    image = Image.fromarray(label_image())
    if mode == "P":
        image.putpalette(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes())
    folder = save("case1.png", image, None if mode == "P" else mode)
    masks = read_masks(folder, "case1.png", SHAPE)
    np.testing.assert_array_equal(masks.masses, square(3, 3, 1))
    np.testing.assert_array_equal(masks.ducts, square(20, 3, 1))
    np.testing.assert_array_equal(masks.nonmass, square(3, 30) > 0)


def test_255_means_not_tissue_in_the_output_folder_of_a_run(save):
    folder = save("case1.png", square(30, 50, 255))
    assert read_masks(folder, "case1.png", SHAPE).masses.max() == 1
    (folder.parent / "run.json").write_text(json.dumps({"usmicro": "0.1.0"}))
    masks = read_masks(folder, "case1.png", SHAPE)
    assert masks.masses.max() == 0
    assert masks.ducts.max() == 0


@pytest.mark.parametrize("value", [1, 255, 128])
@pytest.mark.parametrize("mode", [None, "RGB", "LA"])
def test_binary_mask_may_have_any_value(save, value, mode):
    folder = save("case1_mask.png", square(5, 5, value), mode)
    np.testing.assert_array_equal(read_masks(folder, "case1.png", SHAPE).masses, square(5, 5, 1))


def test_1_bit_and_16_bit_masks_are_read(save):
    folder = save("a.png", square(5, 5), "1")
    save("b.png", (square(5, 5) > 0) * np.uint16(65535))
    for name in ("a.png", "b.png"):
        np.testing.assert_array_equal(read_masks(folder, name, SHAPE).masses, square(5, 5, 1))


def test_empty_mask_means_that_there_is_no_mass(save):
    masks = read_masks(save("case1.png", square(5, 5, 0)), "case1.png", SHAPE)
    assert masks.masses.max() == 0


def test_error_for_a_wrong_size_names_both_sizes(save):
    with pytest.raises(
        ScanError, match=r"case1\.png: the mask has 40 rows x 60 columns, expected 50 x 70"
    ):
        read_masks(save("case1.png", square(5, 5)), "case1.png", (50, 70))


def test_image_that_is_not_a_mask_is_refused(save):
    folder = save("case1.png", np.arange(2400, dtype=np.uint8).reshape(SHAPE) // 2)
    with pytest.raises(ScanError, match="found the values 0, 1, 2"):
        read_masks(folder, "case1.png", SHAPE)
    folder = save("case2.png", np.dstack([square(3, 3), square(9, 9), square(3, 3)]))
    with pytest.raises(ScanError, match="coloured"):
        read_masks(folder, "case2.png", SHAPE)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n and nothing more"])
def test_damaged_mask_is_refused(tmp_path, content):
    (tmp_path / "case1.png").write_bytes(content)
    with pytest.raises(ScanError, match=r"case1\.png"):
        read_masks(tmp_path, "case1.png", SHAPE)


@pytest.mark.slow
def test_every_scan_of_the_labelled_data_has_its_mask(data_folder):
    from usmicro.loading import load
    from usmicro.loading.discover import find_scans

    for folder, least in (("breast-lesions-usg", 126), ("bus-bra", 1875)):
        scans = find_scans([data_folder / folder])
        with_masks = [
            scan for scan in scans if find_masks(data_folder / folder / "masks", scan.name)
        ]
        assert len(with_masks) >= least
        for scan in with_masks[::20]:
            loaded = load(scan.path)
            assert (
                read_masks(
                    data_folder / folder / "masks", scan.name, (loaded.rows, loaded.columns)
                ).masses.max()
                >= 1
            )


def test_label_image_of_a_run_without_findings_is_known_wherever_it_lies(tmp_path):
    labels = np.zeros((40, 60), np.uint8)
    labels[:, :8] = 255  # not tissue
    (tmp_path / "case1.png").write_bytes(encode_labels(labels))
    masks = read_masks(tmp_path, "case1.png", labels.shape)
    assert masks is not None
    assert masks.masses is not None
    assert not masks.masses.any()
    picture = cv2.imdecode(np.frombuffer(encode_labels(labels), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(picture, labels)
