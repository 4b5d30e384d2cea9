from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.moving_cine import SHIFT, moving_cine
from usmicro.result import Table
from usmicro.writing import draw
from usmicro.writing.drawing import LABEL_COLOURS, ORANGE, PURPLE, SKY_BLUE, Pen, on_black, rgb_of
from usmicro.writing.legend import scale_bar
from usmicro.writing.overlays import (
    foci_on_key_frame,
    masses_on_key_frame,
    overlap,
    write_beside,
)


def square_at(picture, x, y, radius):
    """Return the square of a picture around a point."""
    return picture[
        round(y) - radius : round(y) + radius + 1, round(x) - radius : round(x) + radius + 1
    ]


def shows(picture, colour):
    """Return True if a picture has pixels of about this colour."""
    return (np.abs(picture.astype(int) - colour).max(axis=-1) < 40).any()


def test_rings_surround_foci_and_do_not_cover_them(make_analysis):
    analysis = make_analysis()
    picture = draw(analysis)
    for focus in analysis.foci:
        here = square_at(picture, focus.x_px, focus.y_px, 3)
        expected = square_at(analysis.image, focus.x_px, focus.y_px, 3)
        np.testing.assert_array_equal(here, np.repeat(expected[..., None], 3, axis=2))


def test_a_clump_has_its_outline_instead_of_a_ring(make_analysis):
    analysis = make_analysis()
    focus = analysis.foci[0]
    left, top, right, bottom = (
        focus.x_px - 25,
        focus.y_px - 12,
        focus.x_px + 25,
        focus.y_px + 12,
    )
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    clump = replace(focus, outline_px=" ".join(f"{x:.1f},{y:.1f}" for x, y in corners))
    bare = replace(analysis, labels=np.zeros_like(analysis.labels), masses=Table())
    picture, ringed = (draw(replace(bare, foci=Table([one]))) for one in (clump, focus))
    colour = LABEL_COLOURS[focus.label]
    assert shows(square_at(picture, left, focus.y_px, 2), colour)
    assert not shows(square_at(ringed, left, focus.y_px, 2), colour)
    assert not shows(square_at(picture, focus.x_px, focus.y_px, 9), colour)


def test_each_label_has_its_ring_colour(make_analysis):
    analysis = make_analysis()
    bare = replace(analysis, labels=np.zeros_like(analysis.labels), masses=Table())
    picture = draw(bare)
    for focus, colour in zip(analysis.foci, (ORANGE, SKY_BLUE, PURPLE), strict=True):
        around = square_at(picture, focus.x_px, focus.y_px, 12)
        assert shows(around, colour)
        assert not any(shows(around, other) for other in {ORANGE, SKY_BLUE, PURPLE} - {colour})


def test_pixels_outside_the_tissue_are_black(make_analysis):
    analysis = make_analysis(foci=())
    picture = draw(analysis)
    outside = analysis.labels == 255
    assert analysis.image[outside].max() == 250
    assert picture[: outside.shape[0]][outside].max() == 0


def test_the_scan_is_not_changed(make_analysis):
    analysis = make_analysis()
    before = analysis.image.copy()
    draw(analysis)
    np.testing.assert_array_equal(analysis.image, before)


def test_equal_analyses_give_equal_overlays(make_analysis):
    np.testing.assert_array_equal(draw(make_analysis()), draw(make_analysis()))


@pytest.mark.parametrize(
    ("columns", "drawn"), [(150, 600), (601, 601), (1400, 1400), (9, 600), (401, 600)]
)
def test_narrow_scans_are_enlarged(make_analysis, columns, drawn):
    analysis = make_analysis(rows=60, columns=columns, foci=())
    assert draw(replace(analysis, masses=Table())).shape[1] == drawn


def test_16_bit_and_colour_frames_give_the_same_overlay(make_analysis):
    analysis = make_analysis()
    deep = replace(analysis, image=analysis.image.astype(np.uint16) * 257)
    coloured = replace(analysis, image=np.repeat(analysis.image[..., None], 3, axis=2))
    transposed = replace(coloured, image=np.asfortranarray(coloured.image))
    np.testing.assert_array_equal(draw(deep), draw(analysis))
    np.testing.assert_array_equal(draw(transposed), draw(analysis))
    np.testing.assert_array_equal(draw(coloured), draw(analysis))


def test_shadow_and_twinkling_have_symbols(make_analysis, focus):
    alone = replace(focus, x_px=320.0, y_px=100.0, shadow="no", twinkling="no")
    plain = draw(make_analysis(foci=(alone,)))
    for change in ({"shadow": "yes"}, {"twinkling": "yes"}, {"twinkling": "possible"}):
        marked = draw(make_analysis(foci=(replace(alone, **change),)))
        assert (square_at(marked, 320, 100, 25) != square_at(plain, 320, 100, 25)).any()
        np.testing.assert_array_equal(square_at(marked, 320, 100, 4), square_at(plain, 320, 100, 4))


def test_hundreds_of_foci_are_drawn(make_analysis, focus):
    crowd = tuple(
        replace(focus, focus=i + 1, x_px=20.0 + 30 * (i % 20), y_px=50.0 + 30 * (i // 20))
        for i in range(200)
    )
    assert draw(make_analysis(foci=crowd)).shape[1] == 640


def test_a_number_avoids_taken_boxes_and_the_edge(make_analysis):
    pen = Pen(np.zeros((200, 200, 3), np.uint8))
    taken = [(110.0, 80.0, 140.0, 120.0)]
    assert overlap(write_beside(pen, "7", (100.0, 100.0), 7.0, ORANGE, taken), taken[0]) == 0
    left, _, right, _ = write_beside(pen, "7", (196.0, 100.0), 3.0, ORANGE, [])
    assert left >= 0
    assert right <= 200


@pytest.mark.parametrize(("spacing", "bar"), [(None, None), (0.1, (100.0, "10 mm")), (10.0, None)])
def test_scale_bar(spacing, bar):
    assert scale_bar(spacing, 600, 1.0) == bar


def test_the_legend_counts_the_frames_of_the_cine_not_those_analysed(make_analysis):
    cine = make_analysis(frames=16)
    in_part = replace(cine, summary=replace(cine.summary, frames=3))
    np.testing.assert_array_equal(in_part.overlay(), cine.overlay())
    longer = replace(cine, scan=replace(cine.scan, declared_frames=17))
    assert not np.array_equal(longer.overlay(), cine.overlay())


def test_a_cine_shows_the_foci_of_its_key_frame_where_they_lie_on_it():
    cine = moving_cine()
    shown = foci_on_key_frame(cine)
    assert [focus.focus for focus in shown] == [2]
    point = next(point for point in cine.tracks if point.frame == cine.frame)
    elsewhere = replace(cine.foci[1], frame=5, x_px=0.0)
    (moved,) = foci_on_key_frame(replace(cine, foci=Table([elsewhere])))
    assert (moved.x_px, moved.y_px) == (point.x_px, point.y_px)
    assert moved.shadow == "not assessable"


def test_nothing_of_another_frame_is_drawn():
    cine = moving_cine()
    bare = replace(cine, labels=np.zeros_like(cine.labels), masses=Table())
    picture = draw(bare)
    alone = draw(replace(bare, foci=Table([cine.foci[1]])))
    rows = cine.labels.shape[0]
    np.testing.assert_array_equal(picture[:rows], alone[:rows])
    assert not np.array_equal(picture[rows:], alone[rows:])  # the legend says that there are more


def test_a_mass_has_its_number_only_where_the_key_frame_shows_it():
    cine = moving_cine()
    (mass,) = masses_on_key_frame(cine)
    assert mass.x_px == pytest.approx(cine.masses[0].x_px + SHIFT)
    elsewhere = [point for point in cine.mass_tracks if point.frame != cine.frame]
    assert masses_on_key_frame(replace(cine, mass_tracks=Table(elsewhere))) == []


@pytest.mark.parametrize("kind", ["grey", "colour", "deep", "transposed"])
def test_pixels_outside_the_tissue_are_black_and_others_are_kept(kind):
    colour = np.random.default_rng(2).integers(1, 255, (40, 50, 3)).astype(np.uint8)
    frame = {
        "grey": colour[..., 0],
        "colour": colour,
        "deep": colour[..., 0].astype(np.uint16) << 8,
        "transposed": np.asfortranarray(colour[..., 0]),
    }[kind]
    before, tissue = frame.copy(), np.zeros((40, 50), bool)
    tissue[5:30, 10:45] = True
    expected = rgb_of(frame)
    expected[~tissue] = 0
    np.testing.assert_array_equal(rgb_of(on_black(frame, tissue)), expected)
    # a part of a frame, as in the picture of the report
    part = np.s_[3:20, 7:41]
    np.testing.assert_array_equal(rgb_of(on_black(frame[part], tissue[part])), expected[part])
    np.testing.assert_array_equal(frame, before)
