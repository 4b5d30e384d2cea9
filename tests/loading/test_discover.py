import json
import os

import pytest

from usmicro.errors import UsageError
from usmicro.loading.discover import find_scans
from usmicro.loading.formats import without_quotations

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


def test_file_with_the_suffix_of_a_scan_is_taken_whatever_its_content(tree):
    root = tree("fake.dcm", "broken.png", "moving.mp4", "moving.gif", content=b"text")
    (root / "gone.dcm").symlink_to(root / "nowhere")
    assert names(root) == ["broken.png", "fake.dcm", "gone.dcm", "moving.gif", "moving.mp4"]


def test_masks_hidden_files_and_other_files_are_left_out(tree):
    root = tree(
        "case.png",
        "case_mask.png",
        "case_mask_1.png",
        "case_tumor.png",
        "case_tumor2.png",
        "case_other1.png",
        "case_duct.png",
        "mask_1-l.png",
        "masks/case.png",
        "sub/Masks/case.png",
        ".hidden.png",
        ".cache/x.png",
        "table.csv",
        "notes.txt",
        "a.json",
        "b.xml",
        "DICOMDIR",
    )
    assert names(root) == ["case.png"]


def test_scan_named_like_a_mask_is_taken_if_no_scan_is_beside_it(tree):
    assert names(tree("left_mass.png", "intraductal.png", "unmasked.png", "tumorbed.png")) == [
        "intraductal.png",
        "left_mass.png",
        "tumorbed.png",
        "unmasked.png",
    ]


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
