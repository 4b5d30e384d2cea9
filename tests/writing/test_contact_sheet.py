from dataclasses import replace

import pytest

from tests.helpers.made_cine import BEST, cine_frame, cine_labels, made_cine
from usmicro.errors import ScanError
from usmicro.model.anatomy import AreaLabel
from usmicro.model.frame_outlines import FrameOutlines
from usmicro.result import Table
from usmicro.writing.contact_sheet import CAPTION_LINES, COLUMNS, GAP, LINE, MOST_CROPS, TILE
from usmicro.writing.drawing import LABEL_COLOURS, ORANGE


def tile_of(sheet, index):
    """Return the crop at a place of the sheet."""
    left = GAP + index % COLUMNS * (TILE + GAP)
    top = LINE + 2 * GAP + index // COLUMNS * (TILE + CAPTION_LINES * LINE + GAP)
    return sheet[top : top + TILE, left : left + TILE].astype(int)


def has_colour(tile, colour):
    return (abs(tile - colour).max(axis=2) < 40).any()


@pytest.fixture
def cine():
    """A cine with a pixel spacing at which a crop has the size of a tile."""
    analysis = made_cine()
    summary = replace(analysis.summary, spacing_x_mm=12 / TILE, spacing_y_mm=12 / TILE)
    return replace(analysis, summary=summary)


def test_each_focus_is_shown_on_its_best_frame(cine):
    # half pixels, so that pixels of the crop are pixels of the frame
    foci = [
        replace(one, x_px=round(one.x_px) + 0.5, y_px=round(one.y_px) + 0.5) for one in cine.foci
    ]
    sheet = replace(cine, foci=Table(foci)).contact_sheet()
    for index, focus in enumerate(foci):
        tile = tile_of(sheet, index)
        x, y = int(focus.x_px), int(focus.y_px)
        middle = tile[TILE // 2 - 4 : TILE // 2 + 4, TILE // 2 - 4 : TILE // 2 + 4, 1]
        on = [cine_frame(frame)[y - 3 : y + 5, x - 3 : x + 5] for frame in range(len(cine.frames))]
        assert [(near == middle).all() for near in on].index(True) == BEST[focus.focus]
        assert has_colour(tile, LABEL_COLOURS[focus.label])


def test_masses_of_the_frame_are_outlined_and_those_of_other_frames_are_not(cine):
    assert has_colour(tile_of(cine.contact_sheet(), 0), ORANGE)
    moved = FrameOutlines()
    for frame in range(len(cine.outlines.analysed)):
        labels = cine_labels(frame)
        if frame in (4, 6):  # not those of the intramass focus
            labels[150:160, 500:520] = AreaLabel.MASS
        else:
            labels[labels == AreaLabel.MASS] = AreaLabel.TISSUE
        moved.add(frame, labels)
    blue = replace(cine.foci[0], label="extramass")
    bare = replace(cine, outlines=moved, foci=Table([blue]))
    assert not has_colour(tile_of(bare.contact_sheet(), 0), ORANGE)


def test_outside_the_tissue_of_its_own_frame_a_crop_is_black(cine):
    top = replace(cine.foci[2], y_px=50.0, x_px=320.0)
    tile = tile_of(replace(cine, foci=Table([top])).contact_sheet(), 0)[:, :90]  # beside the ring
    # the tissue of this frame begins in row 46, that of the key frame in row 44
    edge = round(TILE / 2 - (50 - 46))
    assert tile[: edge - 1].max() == 0
    assert tile[edge + 1].max() > 0


def test_stills_and_cines_without_foci_have_none(cine):
    assert replace(cine, outlines=None).contact_sheet() is None
    assert replace(cine, foci=Table()).contact_sheet() is None


def test_the_number_of_crops_is_limited(cine):
    many = [replace(cine.foci[0], focus=number + 1) for number in range(MOST_CROPS + 5)]
    full = replace(cine, foci=Table(many)).contact_sheet()
    exact = replace(cine, foci=Table(many[:MOST_CROPS])).contact_sheet()
    assert full.shape == exact.shape
    heading = slice(0, LINE + GAP)
    assert (full[heading] != exact[heading]).any()  # it says that there are more
    assert (full[LINE + 2 * GAP :] == exact[LINE + 2 * GAP :]).all()


def test_without_spacing_a_crop_is_a_share_of_the_image(cine):
    unknown = replace(cine.summary, spacing_x_mm=None, spacing_y_mm=None)
    sheet = replace(cine, summary=unknown).contact_sheet()
    assert sheet.shape == cine.contact_sheet().shape
    assert (sheet != cine.contact_sheet()).any()


def test_a_scan_that_cannot_be_read_again_is_an_error(cine):
    scan = replace(cine.scan, read=lambda: iter([cine_frame(0)]))
    with pytest.raises(ScanError, match="not in the file any more"):
        replace(cine, scan=scan).contact_sheet()


def test_a_focus_at_the_edge_of_the_image_stays_in_the_middle(cine):
    corner = replace(cine.foci[2], x_px=1.0, y_px=398.0)
    tile = tile_of(replace(cine, foci=Table([corner])).contact_sheet(), 0)
    left, above, beyond = (slice(0, 90), slice(0, 90), slice(150, TILE))  # without the symbols
    assert tile[:, left].max() == 0
    assert tile[beyond].max() == 0
    assert tile[above, beyond].max() > 0
