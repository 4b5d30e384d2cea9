"""What is drawn in colour is not flow, wherever it lies and however it was compressed."""

import cv2
import numpy as np
import pytest

from tests.preparation.colour.test_separation import overlap, screen
from usmicro.preparation.colour.flow import drawn_in_ink
from usmicro.preparation.colour.separation import separate_colour

YELLOW, GREEN, CYAN, MAGENTA = (255, 230, 60), (60, 230, 90), (70, 230, 240), (240, 80, 220)
INKS = [YELLOW, GREEN, CYAN, MAGENTA]


def jpeg(frame, quality):
    if quality is None:
        return frame
    coded = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


def draw_measurement(frame, colour, *, row=140, left=230, right=400):
    """Draw two crosses, the dotted line between them, and a number; return where they are."""
    before = frame.copy()
    for x in (left, right):
        cv2.line(frame, (x - 7, row), (x + 7, row), colour, 2)
        cv2.line(frame, (x, row - 7), (x, row + 7), colour, 2)
    for x in range(left + 12, right - 8, 6):
        frame[row : row + 2, x : x + 2] = colour
    cv2.putText(frame, "1", (left, row - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 2)
    return (frame != before).any(axis=2)


def draw_logo(frame, *, row=42, column=110):
    """Draw a shaded gold letter as on the screens of one manufacturer."""
    for number in range(16):
        shade = np.array((255, 215, 60)) * (1 - 0.03 * number)
        frame[row + number, column : column + 18] = shade.astype(np.uint8)
    frame[row + 5 : row + 11, column + 5 : column + 13] = (70, 50, 30)


def draw_body_mark(frame, *, row=330, column=470):
    """Draw a lilac panel with a green bar, which shows the probe."""
    for number in range(40):
        shade = np.array((134, 128, 163)) * (1 - 0.3 * (number % 8 == 0))
        frame[row + number, column : column + 50] = shade.astype(np.uint8)
    frame[row + 20 : row + 25, column + 15 : column + 34] = (120, 230, 140)


@pytest.mark.parametrize("quality", [None, 92])
@pytest.mark.parametrize("colour", INKS)
def test_calipers_in_a_colour_box_are_not_flow(colour, quality):
    drawn = screen()
    measurement = draw_measurement(drawn.frame, colour)
    flow = drawn.flow & ~measurement
    found = separate_colour(jpeg(drawn.frame, quality))
    assert overlap(found.box, drawn.inside) > 0.9
    assert not (found.mask & measurement).any()
    assert found.interface[measurement].mean() > 0.95
    assert overlap(found.mask, flow) > 0.75


@pytest.mark.parametrize("quality", [None, 92, 75])
@pytest.mark.parametrize("colour", INKS)
def test_a_coloured_frame_with_calipers_and_no_flow_is_no_colour_flow(colour, quality):
    frame = screen(corners=None, bar=None).frame
    cv2.rectangle(frame, (210, 110), (440, 300), colour, 3)
    draw_measurement(frame, colour)
    found = separate_colour(jpeg(frame, quality))
    assert not found.box.any()
    assert not found.mask.any()


@pytest.mark.parametrize("quality", [None, 92])
def test_a_logo_and_a_body_mark_on_the_tissue_are_no_colour_flow(quality):
    frame = screen(corners=None, bar=None).frame
    draw_logo(frame)
    draw_body_mark(frame)
    found = separate_colour(jpeg(frame, quality))
    assert not found.box.any()
    assert found.interface[45:55, 112:126].mean() > 0.6


@pytest.mark.parametrize("quality", [None, 92])
@pytest.mark.parametrize("second", [(0, 230, 60), (0, 220, 220)])
def test_calipers_of_two_colours_are_no_colour_flow(second, quality):
    frame = screen(corners=None, bar=None).frame
    draw_measurement(frame, (250, 250, 40), right=400)
    draw_measurement(frame, second, row=146, left=236, right=394)  # touches the first
    found = separate_colour(jpeg(frame, quality))
    assert not found.box.any()
    assert not found.mask.any()


@pytest.mark.parametrize("colour", [(52, 60, 138), (22, 79, 99), (60, 75, 120)])
def test_a_dull_blue_logo_at_the_corner_of_the_tissue_is_no_colour_flow(colour):
    frame = screen(corners=None, bar=None).frame
    cv2.circle(frame, (112, 45), 6, colour, -1)
    for row in range(40, 51):  # shaded, so that it is not one colour
        frame[row, 104:121] = np.clip(frame[row, 104:121] * (0.7 + 0.05 * (row - 40)), 0, 255)
    found = separate_colour(jpeg(frame, 92))
    assert found is None or not found.box.any()


@pytest.mark.parametrize("quality", [None, 92])
def test_flow_beside_a_logo_is_found_without_it(quality):
    drawn = screen(bar=None)
    draw_logo(drawn.frame)
    found = separate_colour(jpeg(drawn.frame, quality))
    assert overlap(found.box, drawn.inside) > 0.9
    assert not found.mask[42:58, 110:128].any()


def test_the_slow_flow_of_a_small_vessel_has_one_dark_colour():
    frame = screen(corners=None, bar=None).frame
    cv2.circle(frame, (300, 200), 8, (0, 0, 89), -1)
    found = separate_colour(frame)
    assert found.mask[200, 300]


def test_flow_that_is_yellow_in_the_middle_is_not_ink():
    frame = np.full((60, 60, 3), 90, np.uint8)
    for radius, colour in ((12, (180, 0, 0)), (10, (255, 90, 0)), (8, (255, 220, 0))):
        cv2.circle(frame, (30, 30), radius, colour, -1)
    assert not drawn_in_ink(frame, np.ptp(frame, axis=2) > 0).any()


@pytest.mark.slow
def test_the_colour_frames_of_a_public_data_set_are_told_from_the_others(data_folder):
    import csv

    folder = data_folder / "bus-uclm"
    with (folder / "cases.csv").open(encoding="utf-8") as file:
        cases = list(csv.DictReader(file))
    really_doppler = {"POFR_012.jpg", "SIBA_004.jpg"}  # blue flow, though not in the table
    for case in cases:
        found = separate_colour(cv2.imread(str(folder / "images" / case["image"]))[..., ::-1])
        flow = found is not None and bool(found.box.any())
        expected = case["doppler"] == "yes" or case["image"] in really_doppler
        assert flow == expected, case["image"]
