"""Which masks belong to which scans: in one folder, by name, and what is left over."""

import time
import unicodedata

import numpy as np
import pytest

from tests.helpers.pictures import SHAPE, mask, speckle, write_png
from tests.loading.dicom.test_segmentation import IMAGE_UID, segmentation
from usmicro.errors import ScanError
from usmicro.loading.discover import find_scans
from usmicro.loading.masks import FrameMasks, find_masks, match_masks, read_masks
from usmicro.model.warnings import WarningCode


def write(root, **areas):
    """Write masks for True and scans for False; return the folder."""
    for name, is_mask in areas.items():
        write_png(root / name, mask() if is_mask else speckle())
    return root


def images(*inputs):
    return [(item.name, item.path) for item in find_scans(inputs)]


def files_of(folder, *inputs):
    """Return the names of the masks of each image."""
    return {
        name: [path.name for path in find_masks(folder, name, path)]
        for name, path in images(*inputs)
    }


def test_scan_is_not_its_own_mask_in_a_folder_of_both(tmp_path):
    write(
        tmp_path,
        **{
            "benign/benign (1).png": False,
            "benign/benign (1)_mask.png": True,
            "benign/benign (1)_mask_1.png": True,
            "normal/normal (1).png": False,
            "normal/normal (1)_mask.png": True,
        },
    )
    expected = {
        "benign (1).png": ["benign (1)_mask.png", "benign (1)_mask_1.png"],
        "normal (1).png": ["normal (1)_mask.png"],
    }
    below = files_of(tmp_path, tmp_path)
    assert {name.partition("/")[2]: files for name, files in below.items()} == expected
    assert files_of(tmp_path, tmp_path / "benign", tmp_path / "normal") == expected
    assert match_masks(tmp_path, images(tmp_path)) == match_masks(tmp_path, iter(images(tmp_path)))
    matches = match_masks(tmp_path, images(tmp_path))
    assert (matches.without_scan, matches.shared, matches.images_without) == ((), (), ())


def test_other_scan_with_the_name_of_a_mask_is_not_taken_beside_its_scan(tmp_path):
    write(tmp_path, **{"1.png": False, "1_mass.png": False, "1.jpg": False})
    scan = tmp_path / "1.png"
    masks = read_masks(tmp_path, "1.png", SHAPE, scan=scan)
    assert masks.masses is None
    assert masks.notes == (
        "1_mass.png in the masks folder is not used: expected a mask with few grey values, found a "
        "picture with many",
    )
    with pytest.raises(ScanError, match="expected a mask"):
        read_masks(write(tmp_path / "masks", **{"1.png": False}), "1.png", SHAPE, scan=scan)


def test_image_itself_is_not_taken_for_its_mask_if_its_file_is_unknown(tmp_path):
    write(tmp_path, **{"1.png": False, "1_mask.png": True, "2.png": False})
    assert find_masks(tmp_path, "1.png") == [tmp_path / "1_mask.png"]
    assert read_masks(tmp_path, "2.png", SHAPE) is None


@pytest.mark.parametrize(
    "file",
    [
        *(
            "1-mask.png",
            "1 mask.png",
            "1_seg.png",
            "1_segmentation.png",
            "1_gt.png",
            "1_lesion.png",
        ),
        *("1.jpg", "1_mask.jpeg", "mask-1.png", "1_label.tif", "1_mask-2.png"),
    ],
)
def test_usual_names_of_masks_are_found(tmp_path, file):
    write_png(tmp_path / file, mask())
    assert read_masks(tmp_path, "1.dcm", SHAPE).masses.max() == 1


def test_mask_without_an_ending_is_read_by_its_content(tmp_path):
    write_png(tmp_path / "x.png", mask())
    (tmp_path / "x.png").rename(tmp_path / "1_mask")
    assert read_masks(tmp_path, "1.png", SHAPE).masses.max() == 1


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", ["bébé 한국.png", "bébé 한국_tumor.png", "mask_bébé 한국.png"])
def test_names_match_in_both_forms_of_unicode(tmp_path, name, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    write_png(tmp_path / "masks" / unicodedata.normalize(form, name), mask())
    image = unicodedata.normalize(other, "bébé 한국.dcm")
    assert read_masks(tmp_path / "masks", image, SHAPE).masses.max() == 1
    assert match_masks(tmp_path / "masks", [(image, None)]).without_scan == ()


def test_masks_and_images_without_a_partner_are_listed(tmp_path):
    write(
        tmp_path / "scans",
        **{"1.png": False, "2.png": False, "a/3.png": False, "4.png": False, "b_5.png": False},
    )
    write(
        tmp_path / "masks",
        **{
            **{"1.png": True, "2_other.png": True, "a/3_mask.png": True, "9_tumor.png": True},
            **{"b/4.png": True, "mask_5.png": True, "mask_6.png": True},
        },
    )
    (tmp_path / "masks" / "table.csv").write_text("image\n")
    matches = match_masks(tmp_path / "masks", images(tmp_path / "scans"))
    assert matches.without_scan == ("9_tumor.png", "b/4.png", "mask_6.png")
    assert matches.images_without == ("2.png", "4.png")
    assert matches.shared == ()


def test_mask_that_belongs_to_several_images_is_listed(tmp_path):
    write(tmp_path / "scans", **{"left/1.png": False, "right/1.png": False})
    write(tmp_path / "masks", **{"1.png": True})
    matches = match_masks(tmp_path / "masks", images(tmp_path / "scans"))
    assert matches.shared == ("1.png",)
    write(tmp_path / "masks", **{"left/1.png": True, "right/1.png": True})
    matches = match_masks(tmp_path / "masks", images(tmp_path / "scans"))
    assert (matches.shared, matches.without_scan) == ((), ("1.png",))


def test_segmentations_are_matched_by_uid_and_listed_if_nothing_refers_to_them(tmp_path):
    folder = tmp_path / "masks"
    folder.mkdir()
    for name, uid in (("1.2.5", IMAGE_UID), ("other.dcm", "1.2.9")):
        segmentation([(mask() > 0, 1, None)], image=uid).save_as(
            folder / name, enforce_file_format=True
        )
    scan = segmentation([(mask() > 0, 1, None)])  # any object with the UID of the image
    scan.SOPInstanceUID = scan.file_meta.MediaStorageSOPInstanceUID = IMAGE_UID
    scan.save_as(tmp_path / "scan.dcm", enforce_file_format=True)
    matches = match_masks(folder, [("scan.dcm", tmp_path / "scan.dcm"), ("x.png", None)])
    assert matches.without_scan == ("other.dcm",)
    assert matches.images_without == ("x.png",)
    (folder / "1.2.5").rename(folder / "1.2.6")  # the search notices files that come and go
    assert find_masks(folder, "scan.dcm", tmp_path / "scan.dcm") == [folder / "1.2.6"]


def test_damaged_mask_is_of_its_image(tmp_path):
    write(tmp_path / "scans", **{"1.png": False})
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "1_mask.dcm").write_bytes(
        b"\0" * 128 + b"DICM\x02\x00\x10\x00UI\x04\x001.2\0\x08\x00\x16\x00UX\xff\xffbroken"
    )
    matches = match_masks(tmp_path / "masks", images(tmp_path / "scans"))
    assert matches.images_without == ()


def test_dicom_image_in_a_folder_of_masks_has_a_warning(tmp_path):
    write(tmp_path / "scans", **{"1.png": False})
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "1.dcm").write_bytes(b"\0" * 128 + b"DICM")
    masks = read_masks(tmp_path / "masks", "1.png", SHAPE, scan=tmp_path / "scans" / "1.png")
    assert [warning.code for warning in masks.warnings] == [WarningCode.MASK_NOT_USED]


def test_many_masks_are_matched_fast(tmp_path):
    count = 5_000
    folder = tmp_path / "masks"
    folder.mkdir()
    for number in range(count):
        (folder / f"mask_{number:06}.png").touch()
    start = time.perf_counter()
    matches = match_masks(folder, [(f"bus_{number:06}.png", None) for number in range(count)])
    assert (matches.without_scan, matches.images_without) == ((), ())
    assert time.perf_counter() - start < 10  # comparing each name with each takes far longer


def test_masks_of_frames_are_a_mapping(tmp_path):
    masks = FrameMasks({"mass": mask() > 0}, [], SHAPE)
    assert list(masks) == []
    assert (0 in masks, masks.get(0)) == (False, None)
    with pytest.raises(KeyError):
        masks[0]
    np.testing.assert_array_equal(masks.on(None).masses, mask(1))
