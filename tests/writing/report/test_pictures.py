"""The pictures of the report, and what is read from them."""

import cv2
import numpy as np
import pytest

from usmicro.writing.report.pictures import (
    encode_picture,
    outline_path,
    read_picture,
    sector_apex,
    tissue_box,
)


def test_the_stored_picture_is_black_outside_the_tissue(make_analysis):
    analysis = make_analysis()
    picture = cv2.imdecode(
        np.frombuffer(encode_picture(analysis.image, analysis.labels), np.uint8),
        cv2.IMREAD_GRAYSCALE,
    )
    _, top, width, height = tissue_box(analysis.labels)
    assert picture.shape == (height, width)
    holed = analysis.labels.copy()
    holed[200:300, 100:300] = 255
    printed = analysis.image.copy()
    printed[200:300, 100:300] = np.random.default_rng(3).integers(0, 255, (100, 200), np.uint8)
    printed[:top] = 255
    assert encode_picture(printed, holed) == encode_picture(analysis.image, holed)


@pytest.mark.parametrize("kind", ["grey", "colour", "deep"])
def test_the_stored_picture_shows_the_scan(make_analysis, kind):
    analysis = make_analysis(rows=1600, columns=1200)
    smooth = cv2.GaussianBlur(analysis.image, (0, 0), 9)
    frame = {
        "grey": smooth,
        "deep": smooth.astype(np.uint16) << 8,
        "colour": np.dstack([smooth, smooth // 2, smooth // 4]),
    }[kind]
    picture = cv2.imdecode(
        np.frombuffer(encode_picture(frame, analysis.labels), np.uint8), cv2.IMREAD_UNCHANGED
    )
    assert max(picture.shape) == 900
    assert picture.ndim == (3 if kind == "colour" else 2)
    left, top, width, height = tissue_box(analysis.labels)
    expected = cv2.resize(
        smooth[top : top + height, left : left + width],
        picture.shape[1::-1],
        interpolation=cv2.INTER_AREA,
    )
    found = picture[..., 2] if kind == "colour" else picture
    assert abs(found.astype(float) - expected)[10:-10, 10:-10].mean() < 3


def test_outlines_surround_an_area_and_its_holes():
    area = np.zeros((100, 120), bool)
    area[20:61, 30:91] = True
    assert outline_path(area) == "M30 20l0 40 60 0 0 -40z"
    area[35:46, 50:61] = False
    assert outline_path(area).count("M") == 2
    assert outline_path(np.zeros((5, 5), bool)) == ""


def test_outlines_of_ragged_areas_are_short():
    ragged = np.random.default_rng(5).random((600, 800)) > 0.5
    assert len(outline_path(ragged)) < 2_000_000
    smooth = cv2.GaussianBlur(ragged.astype(np.float32), (0, 0), 6) > 0.5
    assert 0 < len(outline_path(smooth)) < 40_000


def test_the_thumbnail_of_a_missing_picture_is_empty(tmp_path):
    assert read_picture(tmp_path / "a.jpg", tmp_path / "a.png", []).thumbnail == ""


@pytest.mark.parametrize("crop", [0, 60], ids=["whole", "cut at the left"])
def test_the_apex_of_a_sector_is_where_its_sides_meet(crop):
    y, x = np.mgrid[:460, :800]
    away, angle = np.hypot(x - 390, y + 200), np.arctan2(x - 390, y + 200)
    labels = np.where((away > 260) & (away < 620) & (abs(angle) < 0.6), 0, 255).astype(np.uint8)[
        :, crop:
    ]
    column, row = sector_apex(labels)
    assert (column, row) == (pytest.approx(390 - crop, abs=3), pytest.approx(-200, abs=5))


def test_scans_without_slanted_sides_and_dual_views_have_no_apex():
    labels = np.full((300, 400), 255, np.uint8)
    assert sector_apex(labels) is None
    labels[20:280, 30:370] = 0
    assert sector_apex(labels) is None
    y, x = np.mgrid[:300, :400]
    labels[(abs(x - 100) < 30 + y / 4) | (abs(x - 300) < 30 + y / 4)] = 1
    labels[:, 190:210] = 255
    labels[abs(x - 200) > 180 + y / 20] = 255
    assert sector_apex(labels) is None
