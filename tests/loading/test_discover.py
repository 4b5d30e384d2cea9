import json
import os

import pytest
from PIL import Image

from tests.helpers.pictures import mask, speckle, write_png
from usmicro.errors import UsageError
from usmicro.loading.discover import find_scans, search_scans
from usmicro.loading.file_kinds import kind_of_bytes
from usmicro.loading.formats import without_quotations
from usmicro.model.warnings import WarningCode

PNG = b"\x89PNG\r\n\x1a\n"
DICOM = b"\0" * 128 + b"DICM"


@pytest.fixture
def tree(tmp_path):
    """Return a function that writes files below a folder and returns the folder."""

    def write(*names, folder="scans", content=PNG):
        root = tmp_path / folder
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return root

    return write


def names(*inputs):
    return [scan.name for scan in find_scans(inputs)]


def test_subfolders_are_searched_in_sorted_order(tree):
    root = tree("b/2.png", "a.png", "b/1.JPG", "c/d/e.tiff", "z.bmp", "B.png")
    assert names(root) == ["B.png", "a.png", "b/1.JPG", "b/2.png", "c/d/e.tiff", "z.bmp"]
    assert names(str(root)) == names(root)


def test_dicom_is_detected_by_content(tree):
    tree("IM0001", "1.2.840.113", "named.txt2", content=DICOM)
    root = tree("readme", "core.bin", content=b"not a scan")
    assert names(root) == ["1.2.840.113", "IM0001", "named.txt2"]


def test_dicom_with_the_suffix_of_another_kind_of_file_is_a_scan(tree):
    dicom = ("IMG0001.M", "IMG0002.R", "IMG0003.DB", "1.2.840.bib", "IM7.log")
    tree(*dicom, content=DICOM)
    tree("Thumbs.db", "a.sqlite", content=b"\xd0\xcf\x11\xe0")
    root = tree("analysis.m", "b.r", "c.txt", content=b"x = 1")
    search = search_scans([root])
    assert [scan.name for scan in search.scans] == sorted(dicom)
    assert search.warnings() == []
    assert search.remarks() == [
        "5 other files were passed over: 1 .db, 1 .m, 1 .r, 1 .sqlite, 1 .txt"
    ]
    assert kind_of_bytes("IMG0001.M", DICOM) == ("scan", "")


def test_file_with_the_suffix_of_a_scan_is_taken_whatever_its_content(tree):
    root = tree("fake.dcm", "broken.png", "moving.mp4", "moving.gif", content=b"text")
    (root / "gone.dcm").symlink_to(root / "nowhere")
    assert names(root) == ["broken.png", "fake.dcm", "gone.dcm", "moving.gif", "moving.mp4"]


def pictures(root, **areas):
    """Write pictures below a folder: masks for True, scans for False; return the folder."""
    for name, is_mask in areas.items():
        write_png(root / name, mask() if is_mask else speckle())
    return root


def test_masks_hidden_files_and_other_files_are_left_out(tree, tmp_path):
    root = tree(
        ".hidden.png", ".cache/x.png", "table.csv", "notes.txt", "a.json", "b.xml", "DICOMDIR"
    )
    masks = (
        *("case_mask.png", "case_mask_1.png", "case_tumor.png", "case_tumor2.png"),
        *("case_other1.png", "case_duct.png", "case-mask.png", "mask_case.png", "mask_1-l.png"),
        *("masks/case.png", "sub/Masks/case.png", "labels/case.png", "gt/other.png"),
    )
    pictures(root, **{"case.png": False, "bus_1-l.png": False}, **dict.fromkeys(masks, True))
    search = search_scans([root])
    assert [scan.name for scan in search.scans] == ["bus_1-l.png", "case.png"]
    assert search.masks == len(masks)
    masks_remark, other_remark = search.remarks()
    assert masks_remark.startswith(f"{len(masks)} files were taken for masks")
    assert other_remark == (
        "5 other files were passed over: 1 .csv, 1 .json, 1 .txt, 1 .xml, 1 DICOMDIR"
    )
    assert search.warnings() == []


@pytest.mark.parametrize(
    "names_of_scans",
    [
        ("malignant_tumor_1.png", "benign_tumor_2.png", "normal_3.png"),
        ("case.png", "case_mass.png", "mask_case.png"),
        ("case_mask.png", "masks/case.png", "masks/other.png", "Labels/1.png"),
        ("left_mass.png", "intraductal.png", "unmasked.png", "tumorbed.png"),
        ("benign.png", "benign_tumor_2.png"),
    ],
)
def test_picture_with_many_grey_values_is_a_scan_whatever_its_name(tmp_path, names_of_scans):
    pictures(tmp_path, **dict.fromkeys(names_of_scans, False))
    search = search_scans([tmp_path])
    assert [scan.name for scan in search.scans] == sorted(names_of_scans)
    assert search.remarks() == []


def test_masks_of_scans_in_another_folder_are_masks(tmp_path):
    pictures(
        tmp_path,
        **{
            "images/a/1.png": False,
            "images/b/1.png": False,
            "masks/a/1.png": True,
            "masks/b/1.png": True,
            "outlines/1_mask.png": True,
        },
    )
    search = search_scans([tmp_path])
    assert [scan.name for scan in search.scans] == ["images/a/1.png", "images/b/1.png"]
    assert search.masks == 3


@pytest.mark.parametrize(
    "folder", ["truth", "MSK", "Ground-Truth", "annotation", "labels", "outlines", "drawn by Doe"]
)
@pytest.mark.parametrize("scan", ["images/1.png", "1.png", "1.dcm"])
def test_masks_with_the_names_of_scans_are_masks_in_a_folder_of_any_name(
    tree, tmp_path, folder, scan
):
    if scan.endswith("dcm"):
        tree(f"a/{scan}", content=DICOM, folder=".")
        pictures(tmp_path, **{f"a/{folder}/1.png": True})
    else:
        pictures(tmp_path, **{f"a/{scan}": False, f"a/{folder}/1.png": True})
    search = search_scans([tmp_path])
    assert [scan.name for scan in search.scans] == [f"a/{scan}"]
    assert search.masks == 1


def test_scans_of_the_same_name_in_folders_side_by_side_are_scans(tmp_path):
    pictures(tmp_path, **{"a/1.png": False, "b/1.png": False, "b/2.png": True, "c/2.png": False})
    assert len(names(tmp_path)) == 4


def test_pictures_in_another_folder_that_look_like_masks_are_counted_in_a_remark(tmp_path):
    pictures(tmp_path, **{"images/1.png": False, "outlines/1.png": True, "outlines/2.png": True})
    search = search_scans([tmp_path])
    assert [scan.name for scan in search.scans] == ["images/1.png", "outlines/2.png"]
    assert search.masks == 1
    assert search.remarks()[1].startswith("1 input looks like a mask, such as outlines/2.png: few")


def test_mask_beside_a_scan_of_another_format_is_a_mask(tree, tmp_path):
    root = tree("1.dcm", "2.dcm", content=DICOM)
    pictures(root, **{"1.png": True, "2.dcm.png": True, "3.png": True})
    speckle_image = Image.fromarray(speckle())
    speckle_image.save(root / "3.jpg")
    speckle_image.save(root / "4.jpg")
    speckle_image.save(root / "4.png")
    assert names(root) == ["1.dcm", "2.dcm", "3.jpg", "4.jpg", "4.png"]


def test_folder_of_masks_alone_is_read_with_a_remark(tmp_path):
    pictures(tmp_path / "masks", **{"1.png": True, "2_tumor.png": True})
    search = search_scans([tmp_path / "masks"])
    assert [scan.name for scan in search.scans] == ["1.png", "2_tumor.png"]
    assert search.remarks()[0].startswith("2 inputs look like masks, such as 1.png")
    assert "1.png" not in search.remarks(with_names=False)[0]
    with pytest.raises(UsageError, match="2 files were taken for masks"):
        find_scans([tmp_path])


def test_masks_that_are_named_as_inputs_are_read_with_a_remark(tmp_path):
    pictures(tmp_path, **{"1.png": False, "1_mask.png": True})
    search = search_scans([tmp_path / "*.png"])
    assert len(search.scans) == 2
    assert search.remarks() == [
        "1 input looks like a mask, such as 1_mask.png: few grey values; analysed as scans, "
        "since no scan belongs to them or they were named as inputs"
    ]


def test_damaged_picture_with_the_name_of_a_mask_is_taken_so_that_its_row_says_so(tree, tmp_path):
    root = tree("case_mask.png")
    pictures(root, **{"case.png": False})
    assert names(root) == ["case.png", "case_mask.png"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_mask_and_scan_may_be_in_different_forms_of_unicode(tmp_path, form):
    import unicodedata

    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    scan = unicodedata.normalize(form, "bébé.png")
    pictures(tmp_path, **{scan: False, unicodedata.normalize(other, "bébé_mask.png"): True})
    assert names(tmp_path) == [scan]


def test_files_without_or_with_an_odd_ending_are_read_by_their_content(tmp_path):
    import io

    formats = ("png", "jpeg", "bmp", "tiff")
    for file_format in formats:
        stream = io.BytesIO()
        Image.fromarray(speckle()).save(stream, file_format)
        (tmp_path / f"IM_{file_format}").write_bytes(stream.getvalue())
        (tmp_path / f"{file_format}.scan").write_bytes(stream.getvalue())
    (tmp_path / "BMI table").write_text("BM is not always a picture, but often a text about BMI\n")
    search = search_scans([tmp_path])
    assert len(search.scans) == 2 * len(formats)
    assert search.remarks() == ["1 other file was passed over: 1 text"]


def test_files_of_types_that_are_not_read_are_counted_in_a_warning(tree):
    tree("a.mat.gz", "sub/b.mat.gz", content=b"\x1f\x8b\x08")
    tree("d.h5", content=b"\x89HDF\r\n\x1a\n")
    tree("jane", "v.Doe", content=b"\0\1\2\3")
    tree("empty", content=b"")
    tree("scan.zip", content=b"\0\1\2\3")
    root = tree("ok.png")
    search = search_scans([root])
    assert [scan.name for scan in search.scans] == ["ok.png"]
    (warning,) = search.warnings()
    assert (warning.code, warning.count) == (WarningCode.FILES_PASSED_OVER, 7)
    assert warning.examples == (
        "2 .mat.gz (a.mat.gz), 1 .doe (v.Doe), 1 .h5 (d.h5), 1 .zip (scan.zip), "
        "1 empty without an ending (empty), 1 without an ending (jane)",
    )
    (private,) = search.warnings(with_names=False)
    assert private.examples == (
        "2 .mat.gz, 1 .h5, 1 .zip, 1 empty without an ending, 1 of another type, "
        "1 without an ending",
    )


def test_error_for_a_folder_without_scans_says_what_is_there(tree):
    with pytest.raises(UsageError, match=r"1 \.h5 \(a\.h5\).*1 other file"):
        find_scans([tree("a.h5", "table.csv", content=b"\x89HDF\r\n\x1a\n")])


def test_file_that_two_inputs_have_is_counted_once(tmp_path):
    pictures(tmp_path / "a", **{"1.png": False, "1_mask.png": True})
    (tmp_path / "a" / "d.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    search = search_scans([tmp_path, tmp_path / "a"])
    assert (len(search.scans), search.masks, search.warnings()[0].count) == (1, 1, 1)


def dicom_object(path, sop_class):
    """Write a DICOM object without pixels."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.PatientName = "Doe^Jane"
    dataset.save_as(path, enforce_file_format=True)


@pytest.mark.filterwarnings("ignore:Invalid value")
def test_dicom_objects_without_an_image_are_passed_over(tree):
    root = tree("ok.png")
    for name, sop_class in {
        "report.dcm": "1.2.840.10008.5.1.4.1.1.88.33",
        "IM7": "1.2.840.10008.5.1.4.1.1.88.33",
        "document.dcm": "1.2.840.10008.5.1.4.1.1.104.1",
        "state.dcm": "1.2.840.10008.5.1.4.1.1.11.1",
        "index": "1.2.840.10008.1.3.10",
    }.items():
        dicom_object(root / name, sop_class)
    dicom_object(root / "odd.dcm", "Doe^Jane")
    search = search_scans([root])
    assert [scan.name for scan in search.scans] == ["ok.png"]
    (remark,) = search.remarks()
    assert "1 DICOM a text that is not a UID" in remark
    assert "Doe" not in remark
    assert remark.startswith("6 other files were passed over: 2 DICOM Comprehensive SR Storage")
    assert search.warnings() == []


def test_output_folders_of_runs_are_left_out(tree):
    root = tree("case.png", "out/overlays/case.png", "other/overlays/case.png")
    (root / "out" / "run.json").write_text(json.dumps({"usmicro": "0.1.0"}))
    (root / "other" / "run.json").write_text(json.dumps({"something": "else"}))
    assert names(root) == ["case.png", "other/overlays/case.png"]
    with pytest.raises(UsageError, match="no scan found"):
        find_scans([root / "out"])


def test_named_file_and_matched_file_are_always_taken(tree):
    root = tree("case_mask.png", "masks/1.png", "notes.txt")
    assert names(root / "case_mask.png", root / "notes.txt") == ["case_mask.png", "notes.txt"]
    assert names(str(root / "**" / "*.png")) == ["1.png", "case_mask.png"]


def test_existing_file_with_characters_of_a_pattern_is_not_a_pattern(tree):
    root = tree("benign (1)[a].png", "x.png")
    assert names(root / "benign (1)[a].png") == ["benign (1)[a].png"]


def test_each_file_is_listed_once(tree):
    root = tree("a/1.png", "a/2.png")
    assert names(root, root / "a", root / "a" / "1.png", str(root / "*" / "*.png")) == [
        "a/1.png",
        "a/2.png",
    ]


def test_files_with_the_same_name_get_more_of_their_path(tree, tmp_path):
    tree("1.png", "only.png", folder="one/scans")
    tree("1.png", folder="two/scans")
    assert names(tmp_path / "one/scans", tmp_path / "two/scans") == [
        "one/scans/1.png",
        "only.png",
        "two/scans/1.png",
    ]
    assert names(tmp_path / "one/scans/1.png", tmp_path / "two/scans/1.png") == [
        "one/scans/1.png",
        "two/scans/1.png",
    ]


def test_order_of_inputs_does_not_matter(tree, tmp_path):
    tree("1.png", "b.png", folder="one")
    tree("1.png", "a.png", folder="two")
    assert find_scans([tmp_path / "one", tmp_path / "two"]) == find_scans(
        [tmp_path / "two", tmp_path / "one"]
    )


def test_search_ends_despite_loops_of_links(tree):
    root = tree("a/1.png")
    (root / "a" / "back").symlink_to(root)
    (root / "self").symlink_to("self")
    (root / "again").symlink_to(root / "a")
    assert len(names(root)) == 1


@pytest.mark.parametrize("given", ["nowhere", "nowhere/*.png", ""])
def test_missing_input_is_refused(tmp_path, given):
    with pytest.raises(UsageError):
        find_scans([tmp_path / given])


def test_no_input_is_refused():
    with pytest.raises(UsageError, match="no scan found"):
        find_scans([])


def test_folder_without_permission_is_refused(tree, monkeypatch):
    root = tree("locked/1.png", "2.png")
    listdir = os.listdir

    def refuse(folder):
        if str(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(UsageError, match="locked: cannot be read: Permission denied"):
        find_scans([root])


@pytest.mark.slow
def test_all_scans_of_the_labelled_data_are_found(data_folder):
    assert len(find_scans([data_folder / "breast-lesions-usg"])) == 128
    assert len(find_scans([data_folder / "bus-bra"])) == 1875
    assert len(find_scans([data_folder / "ultrasound-dicom"])) == 5


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "invalid literal for int() with base 10: 'Doe^Jane'",
            "invalid literal for int() with base 10: '...'",
        ),
        ('value of "O\'Brien^Jane" is invalid', "value of '...' is invalid"),
        ("value of 'O'Brien^Jane' is invalid", "value of '...' is invalid"),
        ("broken (chunk b'\\x00Doe')", "broken (chunk '...')"),
        ("the image's codestream, which isn't 'Doe", "the image's codestream, which isn't '..."),
    ],
)
def test_quotations_are_removed_from_messages_of_libraries(message, expected):
    assert without_quotations(message).removesuffix("'") == expected.removesuffix("'")


@pytest.mark.skipif(os.name != "posix", reason="names that only POSIX has")
def test_colons_in_names_are_kept(tree):
    root = tree("a:b.png", "ab.png")
    assert names(root) == ["a:b.png", "ab.png"]
    assert names(root / "a:b.png", root / "ab.png") == ["a:b.png", "ab.png"]
