"""What make_jobs tells about inputs, masks and tables that match nothing."""

import unicodedata

import pytest

from tests.helpers.pictures import mask, speckle, write_png
from usmicro.batch.inputs import make_jobs
from usmicro.errors import UsageError
from usmicro.model.warnings import RunWarning, WarningCode
from usmicro.settings import Settings


@pytest.fixture
def folder(tmp_path):
    """Three scans, masks of one of them beside it, and files that are no scans."""
    for name in ("1.png", "2.png", "bébé.png"):
        write_png(tmp_path / "scans" / name, speckle())
    write_png(tmp_path / "scans" / "1_mask.png", mask())
    (tmp_path / "scans" / "d.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "scans" / "cases.csv").write_text("image\n")
    return tmp_path


def found(folder, **options):
    _, remarks, warnings = make_jobs(
        [folder / "scans"], out=folder / "out", settings=Settings(), **options
    )
    return remarks, {warning.code: warning for warning in warnings}


def test_files_that_are_no_scans_are_reported(folder):
    remarks, warnings = found(folder)
    assert remarks == [
        "1 file was taken for masks, which are not analysed: few grey values, and a name or folder "
        "of a mask",
        "1 other file was passed over: 1 .csv",
    ]
    assert list(warnings.values()) == [
        RunWarning(WarningCode.FILES_PASSED_OVER, 1, ("1 .h5 (d.h5)",))
    ]


def test_masks_and_images_without_a_partner_are_reported(folder):
    masks = folder / "masks"
    for name in ("1.png", "3_tumor.png", "4_tumor.png"):
        write_png(masks / name, mask())
    _, warnings = found(folder, masks=masks)
    assert warnings[WarningCode.MASK_WITHOUT_SCAN] == RunWarning(
        WarningCode.MASK_WITHOUT_SCAN, 2, ("3_tumor.png", "4_tumor.png")
    )
    assert warnings[WarningCode.MASK_MISSING] == RunWarning(
        WarningCode.MASK_MISSING, 2, ("2.png", "bébé.png")
    )
    assert WarningCode.MASK_SHARED not in warnings


def test_masks_may_lie_beside_the_scans(folder):
    _, warnings = found(folder, masks=folder / "scans")
    assert WarningCode.MASK_WITHOUT_SCAN not in warnings
    assert warnings[WarningCode.MASK_MISSING].examples == ("2.png", "bébé.png")


def test_mask_of_several_images_is_reported(folder):
    write_png(folder / "scans" / "sub" / "1.png", speckle(1))
    write_png(folder / "masks" / "1.png", mask())
    _, warnings = found(folder, masks=folder / "masks")
    assert warnings[WarningCode.MASK_SHARED].examples == ("1.png",)


def test_rows_of_a_spacing_table_without_a_scan_are_reported(folder):
    table = folder / "spacing.csv"
    name = unicodedata.normalize("NFD", "bébé.png")
    table.write_text(f"image,spacing_mm\n{name},0.1\n7.png,0.1\n8.png,0.1\n", encoding="utf-8")
    _, warnings = found(folder, spacing=table)
    assert warnings[WarningCode.SPACING_WITHOUT_SCAN] == RunWarning(
        WarningCode.SPACING_WITHOUT_SCAN, 2, ("7.png", "8.png")
    )


def test_names_are_left_out_of_runs_with_pseudonyms(folder):
    write_png(folder / "masks" / "Doe_tumor.png", mask())
    (folder / "scans" / "v.jane").write_bytes(b"\0\1\2\3")
    remarks, warnings = found(folder, masks=folder / "masks", key=b"k" * 32)
    told = str(remarks) + str(warnings)
    assert warnings[WarningCode.MASK_WITHOUT_SCAN].count == 1
    assert warnings[WarningCode.FILES_PASSED_OVER].count == 2
    for name in ("Doe", "jane", "d.h5", "2.png"):
        assert name not in told


def test_missing_folder_of_masks_is_refused(folder):
    with pytest.raises(UsageError, match="expected a folder of masks"):
        found(folder, masks=folder / "nowhere")
