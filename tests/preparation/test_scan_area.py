import cv2
import numpy as np
import pytest

from tests.helpers.drawn_screens import framed, speckle, wedge
from usmicro.preparation.scan_area import find_scan_areas


def agreement(found, expected):
    return (found & expected).sum() / (found | expected).sum()


def test_a_picture_that_fills_the_image_is_all_tissue(picture):
    (area,) = find_scan_areas(picture)
    assert area.box == (0, 0, 400, 360)
    assert area.mask.all()
    assert area.sides is None


def test_border_header_grey_bar_and_depth_scale_are_excluded(picture):
    (area,) = find_scan_areas(framed(picture))
    expected = np.zeros((470, 570), dtype=bool)
    expected[60:420, 80:480] = True
    assert agreement(area.mask, expected) > 0.98


def test_black_rows_at_the_bottom_of_a_cropped_picture_are_tissue(picture):
    picture[230:] = 0
    (area,) = find_scan_areas(picture)
    assert area.mask.all()


def test_a_black_shadow_and_a_cyst_at_the_side_are_tissue(picture):
    picture[120:, 180:240] = 0
    picture[100:200, :60] = 0
    (area,) = find_scan_areas(framed(picture))
    assert area.mask[60:420, 85:475].mean() > 0.98


def test_echoes_below_a_dark_band_are_tissue(picture):
    picture[150:200] = 0
    picture[200:, :90] = 0
    picture[200:, 310:] = 0
    (area,) = find_scan_areas(framed(picture))
    assert area.mask[300:400, 180:380].all()


@pytest.mark.parametrize("border", [(0, 0, 0, 0), (40, 0, 0, 70), (10, 130, 60, 20)])
def test_black_borders_only_move_the_tissue(picture, border):
    top, bottom, left, right = border
    (area,) = find_scan_areas(
        cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT)
    )
    assert np.abs(np.subtract(area.box, (left, top, left + 400, top + 360))).max() <= 2


@pytest.mark.parametrize(
    ("apex", "opening", "inner", "outer"),
    [
        ((300, -200), 0.5, 230, 620),
        ((300, -20), 0.7, 60, 400),
        ((310, -600), 0.3, 640, 1050),
        ((290, 30), 0.6, 5, 380),
    ],
)
def test_the_apex_of_a_sector_is_recovered(apex, opening, inner, outer):
    sector = wedge(480, 600, apex=apex, opening=opening, inner=inner, outer=outer)
    image = np.where(sector, speckle(480, 600), 0).astype(np.uint8)
    (area,) = find_scan_areas(image)
    left, right = area.sides
    row = (right.offset - left.offset) / (left.slope - right.slope)
    # the sides meet at a small angle, so that the row of the apex is less certain
    assert abs(left.offset + left.slope * row - apex[0]) < 3
    assert abs(row - apex[1]) < 0.02 * outer
    assert agreement(area.mask, sector) > 0.95


def test_a_rectangle_with_dark_sides_is_not_a_sector(picture):
    rows, columns = np.mgrid[:360, :400]
    shade = np.clip(np.minimum(columns, 399 - columns) / 60 + rows / 400, 0, 1)
    (area,) = find_scan_areas(np.round(picture * shade).astype(np.uint8))
    assert area.sides is None
    assert area.mask.mean() > 0.97


@pytest.mark.parametrize("gap", [3, 8, 30])
def test_a_dual_view_gives_two_areas_from_left_to_right(gap):
    screen = framed(
        np.hstack(
            [speckle(360, 260, seed=1), np.zeros((360, gap), np.uint8), speckle(360, 260, seed=2)]
        )
    )
    first, second = find_scan_areas(screen)
    assert abs(first.box[0] - 80) <= 2
    assert abs(first.box[2] - 340) <= 3
    assert abs(second.box[0] - 340 - gap) <= 3
    assert not (first.mask & second.mask).any()


def test_a_region_declared_as_one_area_is_not_split():
    screen = np.hstack(
        [speckle(360, 260, seed=1), np.zeros((360, 8), np.uint8), speckle(360, 260, seed=2)]
    )
    assert len(find_scan_areas(screen, single=True)) == 1


@pytest.mark.parametrize(
    "image", [np.zeros((300, 300)), np.full((300, 300), 200), np.zeros((1, 1)), np.zeros((4, 900))]
)
def test_an_image_without_texture_has_no_scan_area(image):
    assert find_scan_areas(image.astype(np.uint8)) == []


def test_a_page_of_text_is_not_tissue():
    page = np.zeros((500, 700), np.uint8)
    for row in range(30, 480, 30):
        cv2.putText(
            page,
            "PATIENT REPORT  BREAST LEFT  2.3 cm",
            (20, row),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.5,
            220,
            1,
        )
    assert find_scan_areas(page) == []
