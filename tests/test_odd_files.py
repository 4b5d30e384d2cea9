"""The folder of odd files, each after a public bug report, with the right value of each.

The other tests make files of the same kinds. This one is skipped where the folder is missing.
"""

from typing import Any

import numpy as np
import pytest

import usmicro
from tests.helpers.run_outputs import run, table
from usmicro.model.scan import Spacing


@pytest.fixture(scope="module")
def results(odd_files, tmp_path_factory):
    """Rows of images.csv by image; `masses` and `foci` hold the rows of an image."""
    out = tmp_path_factory.mktemp("odd") / "r"
    run(odd_files, out, spacing=0.07)
    rows: dict[str, dict[str, Any]] = {
        row["image"]: {**row, "masses": [], "foci": []} for row in table(out / "images.csv")
    }
    for name in ("masses", "foci"):
        for row in table(out / f"{name}.csv"):
            rows[row["image"]][name].append(row)
    return rows


def counts(row):
    return len(row["foci"]), len(row["masses"])


def size(row):
    (mass,) = row["masses"]
    return mass["width_mm"], mass["height_mm"]


def size_mm(row):
    width, height = size(row)
    return float(width), float(height)


def positions(row):
    return sorted((float(focus["x_px"]), float(focus["y_px"])) for focus in row["foci"])


@pytest.mark.parametrize(
    "name",
    ["01_jpeg_adobe_transform1_ybr_full_422.dcm", "02_jpeg_ycbcr_without_marker_tagged_rgb.dcm"],
)
def test_colours_of_a_stream_do_not_depend_on_the_header(results, name):
    control = results["00_control_jpeg_jfif.dcm"]
    assert counts(results[name]) == counts(control)
    assert counts(control)[0] > 0
    np.testing.assert_allclose(positions(results[name]), positions(control), atol=0.5)
    assert size(results[name]) == size(control)


@pytest.mark.parametrize(
    "name",
    [
        "04_two_overlapping_tissue_regions.dcm",
        "07_native_pixelrepresentation1.dcm",
        "08_12_stored_highbit_15.dcm",
    ],
)
def test_regions_signs_and_bits_are_read_right(results, sample_data, name):
    # the same scan in a file that needs no special reading
    control = usmicro.analyze(sample_data / "mass_regions.dcm")
    expected = sorted((focus.x_px, focus.y_px) for focus in control.foci)
    assert counts(results[name]) == (len(expected), 1)
    np.testing.assert_allclose(positions(results[name]), expected, atol=0.5)
    assert size(results[name]) == ("15.2", "13.68")


def test_pixels_that_are_not_square_give_no_mm_with_one_number(results, odd_files):
    name = "06_pixel_aspect_ratio_2_1.dcm"
    row = results[name]
    assert (row["status"], row["spacing_source"], row["warnings"]) == (
        "ok",
        "rejected",
        "pixel-shape",
    )
    assert size(row) == ("", "")
    both = Spacing(0.035, 0.07, "given")
    mass = usmicro.analyze(usmicro.load(odd_files / name, spacing=both)).masses[0]
    assert (mass.width_mm, mass.height_mm) == pytest.approx((15.28, 13.6), abs=0.2)


def test_resized_picture_gives_no_mm(results):
    row = results["11_made_smaller_075.dcm"]
    assert (row["spacing_source"], row["warnings"]) == ("rejected", "regions-do-not-fit")
    assert size(row) == ("", "")


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("09_numberofframes_1_four_jpeg_frames.dcm", 4),
        ("10_imagej_stack_one_ifd.tif", 5),
        ("10_apng_5_frames.png", 5),
        ("13_edit_list_trim.mp4", 3),
    ],
)
def test_every_frame_is_read(results, name, frames):
    assert (results[name]["status"], results[name]["frames"]) == ("ok", str(frames))


def test_mirrored_video_is_mirrored(results):
    control, mirrored = (
        results[name] for name in ("06_video_square_control.mp4", "12_mirrored_display_matrix.mp4")
    )
    assert counts(control) == counts(mirrored)
    assert counts(control)[0] > 0
    assert size(control) == ("9.44", "7.6")
    assert size_mm(mirrored) == pytest.approx(size_mm(control), rel=0.06)
    last_column = int(control["columns"]) - 1
    flipped = sorted((last_column - x, y) for x, y in positions(mirrored))
    np.testing.assert_allclose(flipped, positions(control), atol=0.5)


@pytest.mark.parametrize("name", ["14_jp2_header_in_dicom.dcm", "15_alpha_all_zero.bmp"])
def test_valid_files_are_not_called_damaged(results, name):
    assert results[name]["status"] == "ok"
    assert len(results[name]["masses"]) == 1


def test_scans_with_words_of_masks_in_their_names_are_read(results):
    names = {"names/benign_tumor_2.png", "names/malignant_tumor_1.png", "names/normal_3.png"}
    assert {results[name]["status"] for name in names} == {"ok"}


def test_files_that_are_not_read_are_named(results, odd_files, tmp_path):
    assert results["skipped_formats/scan_without_extension"]["status"] == "ok"
    found = {
        result.image: result
        for result in usmicro.run(odd_files / "skipped_formats", out=tmp_path / "r", workers=1)
    }
    assert found["a.nii.gz"].error.startswith("expected a DICOM, PNG, ")
    assert found["a.nii.gz"].error.endswith("found gzip archive; convert it or leave it out")


def test_mask_with_a_palette_is_read_by_its_colours(odd_files, tmp_path):
    folder = odd_files / "palette_mask"
    (result,) = run(
        folder / "mass_linear.png", tmp_path / "r", masks=folder / "masks", spacing=0.07
    )
    (mass,) = result.masses
    assert mass.source == "given"
    assert mass.area_mm2 == pytest.approx(50.4, abs=0.2)
