import math
import unicodedata
from dataclasses import replace

import numpy as np
import pytest

from usmicro.errors import UsageError
from usmicro.loading.spacing import read_spacing, with_user_spacing
from usmicro.model.scan import Region, Scan, Spacing
from usmicro.model.warnings import ScanWarning, WarningCode

ROW_SPACING = Spacing(0.1, 0.2, "given")


def write_table(tmp_path, text):
    path = tmp_path / "spacing.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("number", ["0.08", 0.08])
def test_number_is_used_for_every_image_but_does_not_replace_the_files_spacing(number):
    assert read_spacing(number).for_image("any/scan.png") == (Spacing(0.08, 0.08, "given"), False)


def test_no_spacing_given():
    assert read_spacing(None).for_image("scan.png") == (None, False)


@pytest.mark.parametrize(
    "text",
    [
        "image,spacing_x_mm,spacing_y_mm\na/1.png,0.1,0.2\n2.png,0.1,0.2\n",
        "\ufeffimage;spacing_x_mm;spacing_y_mm;remark\na/1.png;0.1;0.2;x\n2.png;0.1;0.2;\n",
        "spacing_y_mm, image, spacing_x_mm\n0.2, a\\1.png, 0.1\n0.2, 2.png, 0.1\n\n",
    ],
)
def test_rows_of_a_table_are_found_by_path_and_by_file_name(tmp_path, text):
    spacing = read_spacing(write_table(tmp_path, text))
    assert spacing.for_image("a/1.png") == (ROW_SPACING, True)
    assert spacing.for_image("b/2.png") == (ROW_SPACING, True)
    assert spacing.for_image("b/1.png") == (None, False)
    assert spacing.unused(["a/1.png", "3.png"]) == ("2.png",)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_match_in_both_forms_of_unicode(tmp_path, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    row, path = (unicodedata.normalize(each, "bébé/é 1.png") for each in (form, other))
    spacing = read_spacing(write_table(tmp_path, f"image,spacing_mm\n{row},0.1\né 2.png,0.2\n"))
    assert spacing.for_image(path) == (Spacing(0.1, 0.1, "given"), True)
    assert spacing.for_image(unicodedata.normalize(form, "x/é 2.png"))[0].x_mm == 0.2
    assert spacing.unused([path]) == ("é 2.png",)


def test_rows_that_differ_only_in_the_form_of_unicode_are_repeated(tmp_path):
    rows = "".join(f"{unicodedata.normalize(form, 'é.png')},0.1\n" for form in ("NFC", "NFD"))
    with pytest.raises(UsageError, match="has two rows"):
        read_spacing(write_table(tmp_path, f"image,spacing_mm\n{rows}"))


def test_table_with_one_column_for_both_axes(tmp_path):
    spacing = read_spacing(str(write_table(tmp_path, "image,spacing_mm\n1.png,0.1\n")))
    assert spacing.for_image("1.png") == (Spacing(0.1, 0.1, "given"), True)


@pytest.mark.parametrize("value", ["0", "-0.1", "nan", "inf", 0, -1.0, math.nan])
def test_number_that_is_not_positive_is_refused(value):
    with pytest.raises(UsageError, match="above 0"):
        read_spacing(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the columns"),
        ("name,spacing_mm\n1.png,0.1\n", "expected the columns"),
        ("image,spacing_x_mm\n1.png,0.1\n", "expected the columns"),
        ("image,spacing_mm,spacing_x_mm,spacing_y_mm\n1.png,1,1,1\n", "both kinds"),
        ("image,spacing_mm\n1.png,wide\n", "line 2.*found 'wide'"),
        ("image,spacing_mm\n1.png\n", "line 2"),
        ("image,spacing_mm\n1.png,0\n", "line 2.*above 0"),
        ("image,spacing_mm\n1.png,0.1\n1.png,0.2\n", "line 3.*two rows"),
        ("image,spacing_mm\n,0.1\n", "empty cell"),
    ],
)
def test_error_names_the_line_of_the_table(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        read_spacing(write_table(tmp_path, text))


def test_missing_table_and_binary_table_are_refused(tmp_path):
    with pytest.raises(UsageError, match="expected a number in mm or a UTF-8 CSV file"):
        read_spacing("nowhere.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(UsageError, match="UTF-8"):
        read_spacing(tmp_path / "binary.csv")


def scan_of_shape(aspect):
    scan = Scan.of_array(np.zeros((30, 40), np.uint8))
    return replace(scan, spacing=Spacing(aspect=aspect))


@pytest.mark.parametrize("overrides", [False, True])
def test_one_number_for_pixels_that_are_not_square_is_not_used(overrides):
    scan = with_user_spacing(scan_of_shape(2.0), Spacing(0.07, 0.07, "given"), overrides=overrides)
    assert scan.spacing == Spacing(source="rejected", aspect=2.0)
    assert [warning.code for warning in scan.warnings] == [WarningCode.PIXEL_SHAPE]


def test_two_numbers_are_used_for_pixels_that_are_not_square():
    fitting = with_user_spacing(scan_of_shape(2.0), Spacing(0.035, 0.07, "given"), overrides=True)
    assert fitting.spacing == Spacing(0.035, 0.07, "given")
    assert fitting.notes == ()
    other = with_user_spacing(scan_of_shape(2.0), Spacing(0.07, 0.09, "given"), overrides=True)
    assert other.spacing == Spacing(0.07, 0.09, "given")
    assert "2 times as high as wide" in other.notes[0]


def test_one_number_is_used_for_square_pixels():
    scan = with_user_spacing(scan_of_shape(1.005), Spacing(0.07, 0.07, "given"), overrides=False)
    assert scan.spacing == Spacing(0.07, 0.07, "given")


NUMBER = Spacing(0.07, 0.07, "given")


def warned_scan(code, spacing=Spacing(source="rejected"), regions=()):  # noqa: B008  (frozen)
    scan = Scan.of_array(np.zeros((30, 40), np.uint8))
    return replace(
        scan, spacing=spacing, regions=regions, warnings=(ScanWarning(code, "was found"),)
    )


def test_number_for_all_scans_is_not_used_for_a_resized_file_but_a_row_of_a_table_is():
    scan = warned_scan(WarningCode.REGIONS_DO_NOT_FIT)
    assert with_user_spacing(scan, NUMBER, overrides=False) == scan
    given = with_user_spacing(scan, NUMBER, overrides=True)
    assert given.spacing == NUMBER
    assert (given.warnings, given.notes) == ((), ("was found",))


def test_number_is_not_used_if_only_the_regions_have_a_spacing():
    region = Region("tissue", 0, 0, 20, 30, Spacing(0.1, 0.1, "region"))
    scan = warned_scan(WarningCode.SPACING_DIFFERS, Spacing(source="region"), (region,))
    assert with_user_spacing(scan, NUMBER, overrides=False) == scan


def test_number_is_used_instead_of_an_impossible_spacing_in_the_file():
    given = with_user_spacing(warned_scan(WarningCode.SPACING_REJECTED), NUMBER, overrides=False)
    assert given.spacing == NUMBER
    assert (given.warnings, given.notes) == ((), ("was found",))


@pytest.mark.parametrize(
    "spacing",
    [
        Spacing(0.1, 0.2, "pixel spacing"),
        Spacing(source="rejected", aspect=2.0),
    ],
)
def test_row_with_one_number_is_not_used_if_the_file_says_that_pixels_are_not_square(spacing):
    scan = replace(Scan.of_array(np.zeros((30, 40), np.uint8)), spacing=spacing)
    given = with_user_spacing(scan, NUMBER, overrides=True)
    assert given.spacing == Spacing(source="rejected", aspect=2.0)
    assert [warning.code for warning in given.warnings] == [WarningCode.PIXEL_SHAPE]
