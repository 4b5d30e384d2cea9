"""Tissue that an anechoic middle divides is one scan area; stacked pictures are two."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.helpers.drawn_screens import framed, speckle, wedge
from usmicro.model.scan import Region, Spacing
from usmicro.phantom import MassShape, Outline, PhantomSettings, Scene, simulate
from usmicro.preparation import prepare
from usmicro.preparation.connected_parts import ConnectedParts
from usmicro.preparation.divided_tissue import with_dark_middles
from usmicro.preparation.scan_area import find_scan_areas

SPACING = Spacing(0.07, 0.07, "given")
SECTORS = [((300, -200), 0.5, 230, 620), ((310, -600), 0.3, 640, 1050), ((300, -20), 0.7, 60, 400)]


def agreement(found, expected):
    return (found & expected).sum() / (found | expected).sum()


def oval(shape, centre, half_width, half_height, seed=3):
    """Return an ellipse with a slightly wavy edge; `centre` is (x, y)."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    across, along = (x - centre[0]) / half_width, (y - centre[1]) / half_height
    angle = np.arctan2(along, across)
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, 4)
    edge = 1 + sum(
        0.02 * np.cos(order * angle + phase) for order, phase in enumerate(phases, start=2)
    )
    return np.hypot(across, along) < edge


def with_cyst(picture, centre, half_width, half_height, *, noise=0.0):
    """Draw an anechoic cyst with faint electronic noise of this mean grey level."""
    inside = oval(picture.shape, centre, half_width, half_height)
    dark = np.random.default_rng(7).poisson(noise, picture.shape)
    return np.where(inside, dark, picture).astype(np.uint8)


def through_jpeg(image, quality):
    _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)


def unchanged(image):
    return image


def coded(image):
    return through_jpeg(image, 88)


# ---- one scan with a dark middle ----


@pytest.mark.parametrize("finish", [unchanged, coded])
@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize(
    ("half_width", "half_height", "depth"),
    [
        (180, 90, 180),  # 90 % of the width
        (200, 80, 180),  # the whole width
        (220, 60, 100),
        (220, 120, 200),
        (260, 110, 180),  # cut at both sides
        (300, 60, 260),
    ],
)
@pytest.mark.parametrize("frame", [False, True])
def test_a_cyst_across_a_linear_scan_is_tissue(
    picture, half_width, half_height, depth, noise, frame, finish
):
    image = with_cyst(picture, (200, depth), half_width, half_height, noise=noise)
    expected = np.ones(image.shape, dtype=bool)
    if frame:
        image, expected = framed(image), framed(expected.astype(np.uint8) * 2) == 2
    (area,) = find_scan_areas(finish(image))
    assert area.sides is None
    assert area.left_out == ()
    assert agreement(area.mask, expected) > 0.97


def test_a_cyst_that_is_not_in_the_middle_is_tissue(picture):
    for x in (120, 280):
        (area,) = find_scan_areas(framed(with_cyst(picture, (x, 170), 300, 80)))
        assert area.mask[65:415, 85:475].all()


@pytest.mark.parametrize("width", [0.95, 1.0])
@pytest.mark.parametrize(("depth", "half_height"), [(0.4, 40), (0.5, 70), (0.55, 90)])
@pytest.mark.parametrize(("apex", "opening", "inner", "outer"), SECTORS)
def test_a_cyst_across_a_sector_is_tissue(apex, opening, inner, outer, depth, half_height, width):
    sector = wedge(480, 600, apex=apex, opening=opening, inner=inner, outer=outer)
    shown = np.flatnonzero(sector.any(axis=1))
    row = int(shown[0] + depth * (shown[-1] - shown[0]))
    half_width = width * np.ptp(np.flatnonzero(sector[row])) / 2
    image = np.where(sector, speckle(480, 600), 0).astype(np.uint8)
    (area,) = find_scan_areas(with_cyst(image, (apex[0], row), half_width, half_height))
    assert area.sides is not None
    assert agreement(area.mask, sector) > 0.95


@pytest.mark.parametrize("level", [0, 6])
def test_a_wide_dark_band_with_soft_edges_is_tissue(picture, level):
    row = np.arange(360)[:, None]
    loss = np.clip(1.3 - np.abs(row - 190) / 70, 0, 1)
    dimmed = np.clip(np.round(picture * (1 - loss)), level, 255).astype(np.uint8)
    (area,) = find_scan_areas(framed(dimmed))
    assert area.mask[65:415, 85:475].all()


def test_noise_below_a_cyst_that_begins_at_one_depth_is_no_border(picture):
    image = with_cyst(picture, (200, 180), 240, 110)
    gain = np.clip((np.arange(360) - 200) / 120, 0, 1)[:, None]
    noise = np.random.default_rng(5).rayleigh(10, image.shape) * gain
    (area,) = find_scan_areas(framed(np.maximum(image, noise.astype(np.uint8))))
    assert area.mask[65:415, 85:475].all()


def test_two_cysts_leave_three_parts_of_one_scan():
    image = speckle(560, 400)
    for depth in (150, 390):
        image = with_cyst(image, (200, depth), 250, 70)
    (area,) = find_scan_areas(framed(image))
    assert agreement(area.mask[60:620, 80:480], np.ones((560, 400), dtype=bool)) > 0.97


def test_a_cyst_across_one_half_of_a_dual_view_leaves_two_areas():
    left = with_cyst(speckle(360, 300, seed=1), (150, 180), 180, 70)
    screen = framed(np.hstack([left, np.zeros((360, 30), np.uint8), speckle(360, 300, seed=2)]))
    first, second = find_scan_areas(screen)
    assert np.abs(np.subtract(first.box, (80, 60, 380, 420))).max() <= 3
    assert np.abs(np.subtract(second.box, (410, 60, 710, 420))).max() <= 3


def test_a_declared_region_is_not_reduced_to_one_part_of_it(picture):
    screen = framed(with_cyst(picture, (200, 180), 240, 90))
    region = Region("tissue", 80, 60, 480, 420, Spacing(0.07, 0.07, "region"))
    (view,) = prepare(screen, regions=(region,))
    assert view.tissue.mean() > 0.98


@pytest.mark.parametrize("geometry", ["linear", "sector"])
@pytest.mark.parametrize("screen", [False, True])
@pytest.mark.parametrize("depth", [14.0, 20.0, 26.0])
def test_a_simulated_scan_with_a_huge_cyst_is_one_view(geometry, screen, depth):
    cyst = MassShape(
        Outline(0.0, depth, 26.0 if geometry == "linear" else 30.0, 8.0, waves=((3, 0.03, 0.4),)),
        "cyst",
        level_db=-90.0,
        posterior="enhancement",
        posterior_db=-5.0,
    )
    settings = PhantomSettings(geometry=geometry, screen=screen, noise=-75.0)
    phantom = simulate(2, settings, scene=Scene(masses=(cyst,)))
    grey = phantom.frames[0]
    assert np.median(grey[phantom.truth.mass_labels == 1]) <= 2
    (area,) = find_scan_areas(grey)
    assert agreement(area.mask, phantom.truth.tissue) > 0.95


# ---- two scans on one screen ----


def stacked(pictures, gap):
    upper, lower = pictures
    return np.vstack([upper, np.zeros((gap, upper.shape[1]), np.uint8), lower])


@pytest.mark.parametrize("finish", [unchanged, coded])
@pytest.mark.parametrize("gap", [20, 40, 120])
@pytest.mark.parametrize("mean", [90, 40])
@pytest.mark.parametrize("frame", [False, True])
def test_stacked_pictures_are_two_areas_from_top_to_bottom(frame, mean, gap, finish):
    screen = stacked([speckle(260, 400, seed=seed, mean=mean) for seed in (1, 2)], gap)
    left, top = 0, 0
    if frame:
        screen, left, top = framed(screen), 80, 60
    first, second = find_scan_areas(finish(screen))
    assert np.abs(np.subtract(first.box, (left, top, left + 400, top + 260))).max() <= 6
    top += 260 + gap
    assert np.abs(np.subtract(second.box, (left, top, left + 400, top + 260))).max() <= 6
    assert not (first.mask & second.mask).any()


def test_stacked_pictures_with_dark_depths_stay_two():
    fade = np.clip(1.2 - np.arange(260) / 190, 0, 1)[:, None]
    pictures = [(speckle(260, 400, seed=seed) * fade).astype(np.uint8) for seed in (1, 2)]
    for screen in (stacked(pictures, 30), framed(stacked(pictures, 30))):
        first, second = find_scan_areas(screen)
        assert first.box[3] < second.box[1]


def test_stacked_pictures_with_cysts_stay_two():
    pictures = [
        with_cyst(speckle(300, 400, seed=seed), (200, 140), 240, 60, noise=0.2) for seed in (1, 2)
    ]
    first, second = find_scan_areas(framed(stacked(pictures, 30)))
    assert np.abs(np.subtract(first.box, (80, 60, 480, 360))).max() <= 4
    assert np.abs(np.subtract(second.box, (80, 390, 480, 690))).max() <= 4


def test_text_between_stacked_pictures_does_not_join_them():
    screen = stacked([speckle(260, 400, seed=seed) for seed in (1, 2)], 50)
    for row in (282, 302):
        text = "DEPTH 4.0 cm  FR 22 Hz  GAIN 60 dB"
        cv2.putText(screen, text, (8, row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1)
    assert len(find_scan_areas(framed(screen))) == 2


@pytest.mark.parametrize("fade", [False, True])
@pytest.mark.parametrize("gap", [0, 40])
@pytest.mark.parametrize(
    ("apex", "opening", "inner", "outer"),
    [
        ((300, -200), 0.5, 230, 420),
        ((310, -600), 0.3, 640, 850),
        ((300, -20), 0.7, 60, 250),
        ((300, -3000), 0.09, 3020, 3250),
    ],
)
def test_stacked_sectors_are_two_areas(apex, opening, inner, outer, gap, fade):
    sector = wedge(270, 600, apex=apex, opening=opening, inner=inner, outer=outer)
    dim = np.clip(1.2 - np.arange(270) / 200, 0, 1)[:, None] if fade else 1.0
    pictures = [np.where(sector, speckle(270, 600, seed=seed) * dim, 0) for seed in (1, 2)]
    first, second = find_scan_areas(
        stacked([picture.astype(np.uint8) for picture in pictures], gap)
    )
    assert first.box[3] <= second.box[1]
    assert first.left_out == ()


def test_a_line_drawn_between_two_parts_keeps_them_apart(picture):
    image = with_cyst(picture, (200, 180), 260, 90)
    assert len(find_scan_areas(image)) == 1
    image[178:181] = 200
    assert len(find_scan_areas(image)) == 2


def test_parts_with_a_bright_area_between_them_are_not_joined(picture):
    image = with_cyst(picture, (200, 180), 260, 90)
    image[oval(image.shape, (200, 180), 260, 90)] = 60
    areas = find_scan_areas(image)
    assert not any(area.mask[180, 200] for area in areas)


def test_views_of_stacked_pictures_are_numbered_from_top_to_bottom():
    screen = np.zeros((640, 420), np.uint8)
    screen[10:270, 12:412] = speckle(260, 400, seed=1)
    screen[310:570, 8:408] = speckle(260, 400, seed=2)  # a little further to the left
    first, second = prepare(screen, spacing=SPACING)
    assert first.grid.to_image(0, 0)[1] < second.grid.to_image(0, 0)[1]
    assert (first.number, second.number) == (0, 1)


# ---- what is not used ----


def test_a_flat_picture_below_a_scan_is_named_in_a_note():
    screen = framed(stacked([speckle(300, 400, seed=1), speckle(90, 400, seed=2)], 40))
    (area,) = find_scan_areas(screen)
    (box,) = area.left_out
    assert np.abs(np.subtract(box, (80, 400, 480, 490))).max() <= 4
    (view,) = prepare(screen, spacing=SPACING)
    (note,) = [note for note in view.notes if "is not used" in note]
    left, top, right, bottom = box
    assert f"columns {left} to {right - 1}, rows {top} to {bottom - 1}" in note


def test_a_part_that_a_region_declares_as_something_else_gets_no_note():
    screen = framed(stacked([speckle(300, 400, seed=1), speckle(90, 400, seed=2)], 40))
    scan = Region("tissue", 70, 50, 490, 495, Spacing(0.07, 0.07, "region"))
    trace = replace(scan, kind="spectral", top=395, bottom=495)
    for regions, expected in (((scan,), 1), ((scan, trace), 0)):
        (view,) = prepare(screen, regions=regions)
        assert sum("is not used" in note for note in view.notes) == expected


def test_a_dark_lesion_at_the_side_does_not_cut_off_what_is_beside_it(picture):
    dim = np.clip(np.abs(np.arange(400) - 95) / 60, 0, 1)[None, :]
    noise = np.random.default_rng(4).integers(0, 8, picture.shape)
    (area,) = find_scan_areas(np.maximum(picture * dim, noise).astype(np.uint8))
    assert area.mask.all()


def test_dense_tissue_without_a_second_part_is_left_as_it_is(picture):
    dense = np.zeros((90, 100), np.uint8)
    dense[20:70, 10:90] = 1
    parts = ConnectedParts.of(dense, corners=False)
    assert with_dark_middles(dense, parts, picture, 1.0) is dense
