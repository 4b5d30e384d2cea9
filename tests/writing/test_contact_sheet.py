"""Contact sheets: each focus on its best frame."""

from dataclasses import replace

import numpy as np

from tests.helpers.finished_analysis import made_analysis
from usmicro.result import Table
from usmicro.writing.contact_sheet import (
    CELL_HEIGHT,
    CELL_WIDTH,
    CROP_MM,
    GAP,
    HEAD,
    MOST_CROPS,
    TILE,
    ContactSheet,
    frames_of_foci,
)
from usmicro.writing.drawing import LABEL_COLOURS


def tile(picture, index, columns=4):
    left = GAP + index % columns * CELL_WIDTH
    top = HEAD + index // columns * CELL_HEIGHT
    return picture[top : top + TILE, left : left + TILE].astype(int)


def cine_with(count):
    """A cine with foci on frames 0, 1, ..., each with its own grey level around it."""
    analysis = made_analysis(frames=MOST_CROPS + 5)
    focus = replace(analysis.foci[0], shadow="no", twinkling="no", outline_px=None)
    foci = [replace(focus, focus=i + 1, frame=i) for i in range(count)]
    return replace(analysis, foci=Table(foci), labels=np.zeros_like(analysis.labels))


def sheet_of(analysis):
    sheet = ContactSheet(analysis)
    for number in frames_of_foci(analysis):
        sheet.add(number, np.full_like(analysis.image, (20 + 30 * number) % 250))
    return sheet.picture


def test_each_focus_is_shown_on_its_own_frame():
    picture = sheet_of(cine_with(5))
    for index in range(5):
        assert (tile(picture, index)[TILE // 2, TILE // 2] == 20 + 30 * index).all()


def test_a_ring_of_the_label_surrounds_the_focus():
    analysis = cine_with(1)
    colour = LABEL_COLOURS[analysis.foci[0].label]
    drawn = np.abs(tile(sheet_of(analysis), 0) - colour).max(axis=2) < 40
    rows, columns = np.nonzero(drawn)
    assert abs(rows.mean() - TILE / 2) < 2
    assert abs(columns.mean() - TILE / 2) < 2


def test_a_crop_has_the_same_size_in_mm_in_both_directions():
    analysis = cine_with(1)
    summary = replace(analysis.summary, spacing_x_mm=0.1, spacing_y_mm=0.2)
    stripes = np.zeros_like(analysis.image)
    x, y = round(analysis.foci[0].x_px), round(analysis.foci[0].y_px)
    stripes[:, x + 30 :] = 200  # 3 mm to the right
    stripes[y + 20 :, :] = 200  # 4 mm below
    sheet = ContactSheet(replace(analysis, summary=summary))
    sheet.add(0, stripes)
    crop = tile(sheet.picture, 0)[..., 0]
    edge_x = int((crop[10] > 100).argmax()) - TILE / 2
    edge_y = int((crop[:, 10] > 100).argmax()) - TILE / 2
    assert abs(edge_x * CROP_MM / TILE - 3) < 0.15
    assert abs(edge_y * CROP_MM / TILE - 4) < 0.25


def test_pixels_outside_the_tissue_are_black():
    analysis = cine_with(1)
    hidden = replace(analysis, labels=np.full_like(analysis.labels, 255))
    assert tile(sheet_of(hidden), 0)[5, 5].max() == 0


def test_only_the_most_confident_foci_are_shown():
    analysis = cine_with(MOST_CROPS + 5)
    assert frames_of_foci(analysis) == list(range(MOST_CROPS))
    full = sheet_of(cine_with(MOST_CROPS))
    assert sheet_of(analysis).shape == full.shape


def test_a_cine_without_foci_has_a_sheet_that_says_so():
    picture = sheet_of(cine_with(0))
    assert picture.shape[0] == HEAD
    assert picture.max() > 200
