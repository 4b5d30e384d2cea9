import json

import cv2
import numpy as np
import pytest

from tests.helpers.drawn_screens import draw_focus, speckle, wedge
from usmicro.foci.detection import find_candidates
from usmicro.preparation import prepare
from usmicro.preparation.graphics.on_black import find_graphics_on_black
from usmicro.settings import FociSettings

APEX, OPENING = (400, 30), np.radians(42)


def sector(seed=0):
    """Return a cardiac sector whose rims and depth are dim, and where it shows tissue."""
    inside = wedge(600, 800, apex=APEX, opening=OPENING, inner=8, outer=520)
    y, x = np.mgrid[:600, :800]
    angle = np.abs(np.arctan2(x - APEX[0], y - APEX[1]))
    gain = np.clip((OPENING - angle) / (0.35 * OPENING) + 0.12, 0, 1)
    gain *= np.clip(1.1 - 0.8 * (y / 600) ** 2, 0, 1)
    level = np.clip((speckle(600, 800, seed=seed, mean=70) - 25.0) * 1.2 * gain, 0, 255)
    return np.where(inside, level, 0).astype(np.uint8), inside


def edge(inside, row):
    return int(np.flatnonzero(inside[row])[-1])


def draw_dots(image, inside):
    for row in range(60, 380, 22):
        cv2.circle(image, (edge(inside, row) + 8, row), 2, 230, -1)


def draw_ticks(image, inside):
    for row in range(60, 380, 22):
        column = edge(inside, row) + 6
        image[row : row + 2, column : column + 7] = 220


def draw_trace(image, inside):
    x = np.arange(800)
    phase = (x % 120) / 120
    y = 585 - 20 * np.exp(-(((phase - 0.3) / 0.015) ** 2))
    points = np.column_stack([x, y]).round().astype(np.int32)
    cv2.polylines(image, [points], False, 220, 2)


def draw_body_mark(image, inside):
    cv2.ellipse(image, (720, 510), (38, 45), 0, 0, 360, 150, 1, cv2.LINE_AA)
    cv2.circle(image, (720, 510), 6, 230, 1, cv2.LINE_AA)
    cv2.line(image, (728, 490), (748, 502), 255, 2)


def draw_body_mark_on_tissue(image, inside):
    image[380:480, 300:390] = 0
    inside[380:480, 300:390] = False
    cv2.ellipse(image, (345, 430), (34, 40), 0, 0, 360, 170, 1, cv2.LINE_AA)
    cv2.circle(image, (345, 430), 5, 200, 1, cv2.LINE_AA)
    cv2.line(image, (353, 410), (369, 422), 255, 3)


def draw_probe_mark(image, inside):
    cv2.circle(image, (370, 48), 9, 200, 1)
    cv2.putText(image, "P", (366, 52), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 240, 1, cv2.LINE_AA)


DRAWINGS = (
    draw_dots,
    draw_ticks,
    draw_trace,
    draw_body_mark,
    draw_body_mark_on_tissue,
    draw_probe_mark,
)


def candidates_outside(image, inside):
    near = cv2.dilate(inside.view(np.uint8), np.ones((9, 9), np.uint8)) > 0
    count = 0
    for view in prepare(image):
        found = find_candidates(view, FociSettings())
        x, y = view.grid.to_image(found.x, found.y)
        rows, columns = np.round(y).astype(int), np.round(x).astype(int)
        count += int(np.count_nonzero(~near[rows.clip(0, 599), columns.clip(0, 799)]))
    return count


@pytest.mark.parametrize("quality", [None, 85])
@pytest.mark.parametrize("draw", DRAWINGS)
def test_what_is_drawn_beside_the_tissue_yields_no_foci(draw, quality):
    for seed in range(2):
        image, inside = sector(seed)
        draw(image, inside)
        if quality is not None:
            coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            image = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
        assert candidates_outside(image, inside) == 0


@pytest.mark.parametrize("draw", [draw_dots, draw_ticks])
def test_a_depth_scale_along_its_side_does_not_hide_a_sector(draw):
    image, inside = sector()
    draw(image, inside)
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    (view,) = prepare(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))
    assert view.scan_lines.geometry == "sector"


def test_echoes_are_no_graphics():
    image = speckle(300, 300)
    image[100:200, 100:200] = 0  # a cyst
    draw_focus(image, 150, 150, width=6)
    draw_focus(image, 50, 50, width=4)
    assert not find_graphics_on_black(image).any()


def test_single_grains_at_low_gain_are_no_graphics():
    image = np.clip(speckle(300, 300).astype(int) * 3 - 260, 0, 140).astype(np.uint8)
    assert find_graphics_on_black(image).mean() < 0.002


@pytest.mark.slow
def test_foci_marked_by_readers_are_no_graphics(data_folder):
    entries = [
        *json.loads((data_folder / "echogenic-foci-marks" / "marks.json").read_text()).values()
    ]
    covered = total = 0
    for entry in entries:
        grey = cv2.imread(str(data_folder / entry["path"]), cv2.IMREAD_GRAYSCALE)
        mask = find_graphics_on_black(grey)
        for mark in entry["both"]:
            x, y = round(mark["x"]), round(mark["y"])
            total += 1
            covered += bool(mask[y - 1 : y + 2, x - 1 : x + 2].any())
    assert total > 40
    assert covered == 0
