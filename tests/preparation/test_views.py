import cv2
import numpy as np
import pytest

from tests.helpers.drawn_screens import draw_focus, draw_plus, framed, speckle, wedge
from usmicro.errors import ImageError
from usmicro.model.scan import Region, Spacing
from usmicro.model.warnings import WarningCode
from usmicro.phantom import PhantomSettings, simulate
from usmicro.preparation import ScreenCache, prepare
from usmicro.settings import PreparationSettings

KNOWN = Spacing(0.07, 0.07, "given")


def test_the_grid_has_square_pixels_of_the_size_in_the_settings(picture):
    (view,) = prepare(picture, spacing=Spacing(0.05, 0.1, "region"))
    assert view.grid.pixel_mm == PreparationSettings().grid_mm
    assert view.grid.step_x == pytest.approx(1.6)
    assert view.grid.step_y == pytest.approx(0.8)
    assert view.shape == (450, 250)
    assert view.grey.dtype == np.float32
    assert view.tissue.all()
    assert view.grid.in_mm(10) == pytest.approx(0.8)


def test_the_grid_maps_a_focus_to_its_position_on_the_screen(picture):
    draw_focus(picture, 250, 140, width=8)
    screen = framed(picture)
    (view,) = prepare(screen, spacing=KNOWN)
    row, column = np.unravel_index(
        np.argmax(cv2.GaussianBlur(view.grey, (0, 0), 2) * view.usable), view.shape
    )
    assert not view.graphics[row, column]
    x, y = view.grid.to_image(column, row)
    assert abs(x - 330) < 2
    assert abs(y - 200) < 2
    assert np.allclose(view.grid.from_image(x, y), (column, row))


def test_a_cross_is_masked_and_inpainted():
    image = speckle(360, 400, mean=60)
    draw_plus(image, 200, 150)
    (view,) = prepare(image, spacing=KNOWN)
    x, y = (round(float(value)) for value in view.grid.from_image(200, 150))
    assert view.graphics[y - 2 : y + 3, x - 2 : x + 3].all()
    assert view.grey[y - 6 : y + 7, x - 6 : x + 7].max() < 150
    assert not view.usable[y, x]


def test_depth_is_measured_from_the_face_of_the_transducer(picture):
    (linear,) = prepare(framed(picture), spacing=KNOWN)
    assert linear.scan_lines.geometry == "linear"
    assert linear.scan_lines.depth(100, 0) == pytest.approx(0.5, abs=1.5)
    apex = (300, -200)
    sector = wedge(480, 600, apex=apex, opening=0.5, inner=230, outer=620)
    (view,) = prepare(np.where(sector, speckle(480, 600), 0).astype(np.uint8), spacing=KNOWN)
    assert view.scan_lines.geometry == "sector"
    x, y = view.grid.to_image(view.scan_lines.apex_x, view.scan_lines.apex_y)
    assert np.hypot(x - apex[0], y - apex[1]) < 10
    face = view.grid.from_image(apex[0] + 230 * np.sin(0.3), apex[1] + 230 * np.cos(0.3))
    assert abs(view.scan_lines.depth(*face)) < 5
    assert np.allclose(view.scan_lines.direction(*face), (np.sin(0.3), np.cos(0.3)), atol=0.02)


@pytest.fixture(scope="module")
def sector_phantom():
    return simulate(1, PhantomSettings(geometry="sector", screen=True))


def with_stretched_rows(phantom, factor):
    """Return the first frame with `factor` times as many rows, and the spacing to match."""
    rows, columns = phantom.frames[0].shape
    new_rows = round(rows * factor)
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    frame = cv2.resize(phantom.frames[0], (columns, new_rows), interpolation=method)
    x_mm, y_mm = phantom.spacing.x_mm, phantom.spacing.y_mm
    return frame, Spacing(x_mm, y_mm * rows / new_rows, "given")


@pytest.mark.parametrize("factor", [0.6, 0.8, 1.0, 1.25, 1.6])
@pytest.mark.parametrize("given_by", ["frame", "region"])
def test_depths_in_a_sector_are_right_for_pixels_that_are_not_square(
    sector_phantom, factor, given_by
):
    frame, spacing = with_stretched_rows(sector_phantom, factor)
    if given_by == "frame":
        (view,) = prepare(frame, spacing=spacing)
    else:
        region = Region("tissue", 0, 0, frame.shape[1], frame.shape[0], spacing)
        (view,) = prepare(frame, spacing=Spacing(0.1, 0.1, "given"), regions=[region])
    assert view.scan_lines.geometry == "sector"
    assert sector_phantom.truth.foci
    for focus in sector_phantom.truth.foci:
        row = (focus.y_px[0] + 0.5) * frame.shape[0] / sector_phantom.frames.shape[1] - 0.5
        depth = view.scan_lines.depth(*view.grid.from_image(focus.x_px[0], row))
        assert depth * view.grid.pixel_mm == pytest.approx(focus.depth_mm, abs=0.3)


def test_cached_areas_are_not_used_for_another_aspect(sector_phantom):
    frame, spacing = with_stretched_rows(sector_phantom, 0.6)
    cache = ScreenCache()
    square = prepare(frame, spacing=Spacing(0.07, 0.07, "given"), cache=cache)
    narrow = prepare(frame, spacing=spacing, cache=cache)
    for views, given in ((square, Spacing(0.07, 0.07, "given")), (narrow, spacing)):
        (without_cache,) = prepare(frame, spacing=given)
        np.testing.assert_array_equal(views[0].tissue, without_cache.tissue)


@pytest.mark.parametrize(
    "spacing",
    [
        Spacing(),
        Spacing(0.07, None, "given"),
        Spacing(0.0, 0.0, "region"),
        Spacing(np.nan, 0.1, "region"),
    ],
)
def test_without_a_usable_spacing_nothing_is_in_mm(picture, spacing):
    (view,) = prepare(picture, spacing=spacing)
    assert not view.grid.spacing.known
    assert view.grid.in_mm(3) is None
    assert any("nothing is given in mm" in note for note in view.notes)
    rejected = WarningCode.SPACING_REJECTED in [warning.code for warning in view.warnings]
    assert (len(view.notes) + rejected > 1) == (spacing != Spacing())
    assert 25 < view.shape[0] * view.grid.pixel_mm < 60


@pytest.mark.parametrize(
    "spacing",
    [Spacing(30.0, 30.0, "given"), Spacing(0.001, 0.001, "given"), Spacing(0.05, 0.5, "given")],
)
def test_a_spacing_that_gives_an_implausible_size_is_not_used(picture, spacing):
    (view,) = prepare(picture, spacing=spacing)
    assert not view.grid.spacing.known
    assert WarningCode.SPACING_REJECTED in [warning.code for warning in view.warnings]


def test_the_nominal_scale_follows_resampling(picture):
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    (fine,), (coarse,) = prepare(picture), prepare(half)
    assert coarse.grid.step_x == pytest.approx(fine.grid.step_x / 2, rel=0.02)


def test_the_grid_of_coarse_and_large_images_is_limited(picture):
    (coarse,) = prepare(picture, spacing=Spacing(0.5, 0.5, "region"))
    assert coarse.grid.step_x >= 0.25
    assert coarse.grid.in_mm(1) == pytest.approx(coarse.grid.step_x * 0.5)
    large = cv2.resize(picture, (2200, 2200), interpolation=cv2.INTER_LINEAR)
    (view,) = prepare(large, spacing=Spacing(0.09, 0.09, "region"))
    assert view.grid.spacing.known
    assert view.grey.size <= 4_100_000


def test_a_dual_view_gives_the_same_views_as_its_halves():
    left, right = speckle(360, 260, seed=1), speckle(360, 260, seed=2)
    views = prepare(np.hstack([left, np.zeros((360, 10), np.uint8), right]), spacing=KNOWN)
    assert [view.number for view in views] == [0, 1]
    for view, half, start in zip(views, (left, right), (0, 270), strict=True):
        (alone,) = prepare(half, spacing=KNOWN)
        assert abs(view.grid.left - start) <= 3
        assert view.grid.step_x == alone.grid.step_x
        assert abs(np.subtract(view.shape, alone.shape)).max() <= 3


def test_declared_regions_carry_their_own_spacing():
    screen = np.zeros((500, 800), np.uint8)
    screen[60:420, 20:380], screen[60:420, 420:780] = (
        speckle(360, 360, seed=3),
        speckle(360, 360, seed=4),
    )
    near, far = Spacing(0.06, 0.06, "region"), Spacing(0.12, 0.12, "region")
    regions = [
        Region("tissue", 420, 60, 780, 420, far),
        Region("tissue", 20, 60, 380, 420, near),
        Region("spectral", 0, 430, 800, 500),
    ]
    first, second = prepare(screen, spacing=Spacing(1.0, 1.0, "given"), regions=regions)
    assert (first.grid.spacing, second.grid.spacing) == (near, far)
    assert (first.grid.left, second.grid.left) == (20, 420)


def test_a_declared_region_does_not_move_the_apex():
    sector = wedge(480, 600, apex=(300, -200), opening=0.5, inner=230, outer=620)
    screen = np.zeros((600, 900), np.uint8)
    screen[100:580, 200:800] = np.where(sector, speckle(480, 600), 0)
    (view,) = prepare(screen, spacing=KNOWN, regions=[Region("tissue", 200, 100, 800, 580)])
    x, y = view.grid.to_image(view.scan_lines.apex_x, view.scan_lines.apex_y)
    assert np.hypot(x - 500, y + 100) < 10


def test_black_borders_change_only_the_position(picture):
    draw_plus(picture, 90, 200)
    (plain,) = prepare(picture, spacing=KNOWN)
    (bordered,) = prepare(
        cv2.copyMakeBorder(picture, 30, 20, 50, 40, cv2.BORDER_CONSTANT), spacing=KNOWN
    )
    assert abs(bordered.grid.left - 50) <= 2
    assert abs(bordered.grid.top - 30) <= 2
    assert np.allclose(bordered.speckle_size, plain.speckle_size, rtol=0.1)
    assert (
        abs(int(bordered.graphics.sum()) - int(plain.graphics.sum())) < 0.2 * plain.graphics.sum()
    )


@pytest.mark.parametrize("tint", [(0.92, 0.98, 1.08), (1.08, 0.98, 0.85)])
def test_a_tinted_picture_has_no_colour_flow(picture, tint):
    tinted = np.clip(np.round(picture[..., None] * np.array(tint)), 0, 255).astype(np.uint8)
    (grey,), (coloured,) = prepare(picture, spacing=KNOWN), prepare(tinted, spacing=KNOWN)
    assert coloured.colour is None or not coloured.colour.mask.any()
    assert np.abs(coloured.grey - grey.grey).mean() < 8
    assert not coloured.graphics.any()


def test_sixteen_bits_give_the_same_view(picture):
    (eight,), (sixteen,) = (
        prepare(picture, spacing=KNOWN),
        prepare(picture.astype(np.uint16) * 257, spacing=KNOWN),
    )
    np.testing.assert_allclose(sixteen.grey, eight.grey, atol=1e-3)
    np.testing.assert_array_equal(sixteen.tissue, eight.tissue)


def test_the_same_frame_gives_the_same_bytes(picture):
    draw_plus(picture, 90, 200)
    first, second = prepare(picture), prepare(picture)
    assert first[0].grey.tobytes() == second[0].grey.tobytes()
    assert first[0].speckle_size == second[0].speckle_size


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((400, 500), np.uint8),
        np.full((1, 1), 7, np.uint8),
        np.full((300, 300, 3), 90, np.uint8),
    ],
)
def test_a_blank_frame_is_refused(frame):
    with pytest.raises(ImageError, match=r"no tissue found .* check that the image is not blank"):
        prepare(frame)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((4, 4, 4), np.uint8),
        np.zeros(9, np.uint8),
        np.zeros((40, 40)),
        np.zeros((0, 5), np.uint8),
    ],
)
def test_an_array_that_is_not_a_frame_is_refused(frame):
    with pytest.raises(ImageError, match="expected a frame of shape"):
        prepare(frame)


@pytest.mark.parametrize(
    "changes",
    [
        {"geometry": "linear", "header": True, "grey_bar": True, "body_mark": True},
        {"geometry": "sector", "radius": 40.0, "header": True, "tint": True},
        {"geometry": "linear", "views": 2, "width": 25.0, "jpeg_quality": 90},
    ],
)
def test_a_simulated_screen_is_understood(changes):
    phantom = simulate(
        3, PhantomSettings(screen=True, ruler=True, calipers=True, text=True, **changes)
    )
    truth = phantom.truth
    views = prepare(phantom.frames[0], spacing=phantom.spacing)
    assert len(views) == len(truth.views)
    tissue, overlay = (
        np.zeros(truth.tissue.shape, dtype=bool),
        np.zeros(truth.tissue.shape, dtype=bool),
    )
    y, x = np.indices(truth.tissue.shape)
    for view, expected in zip(views, truth.views, strict=True):
        assert view.scan_lines.geometry == expected.geometry
        column, row = (np.round(position).astype(int) for position in view.grid.from_image(x, y))
        inside = (row >= 0) & (column >= 0) & (row < view.shape[0]) & (column < view.shape[1])
        tissue[inside] |= view.tissue[row[inside], column[inside]]
        overlay[inside] |= view.graphics[row[inside], column[inside]]
        assert view.colour is None
    assert (tissue & truth.tissue).sum() / (tissue | truth.tissue).sum() > 0.97
    assert overlay[truth.overlay & truth.tissue].mean() > 0.95
    assert (
        overlay
        & ~cv2.dilate(truth.overlay.astype(np.uint8), np.ones((13, 13), np.uint8)).astype(bool)
    ).mean() < 2e-3


def test_colour_flow_and_graphics_do_not_overlap():
    phantom = simulate(1, PhantomSettings(screen=True, colour=True, text=True))
    (view,) = prepare(phantom.frames[0], spacing=phantom.spacing, regions=phantom.regions)
    assert view.colour is not None
    assert view.colour.mask.any()
    assert not (view.colour.mask & view.graphics).any()
    assert view.colour.rgb.shape == (*view.shape, 3)
    assert not view.usable[view.colour.mask].any()
