"""Scan areas in the regions that a file declares."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.helpers.drawn_screens import speckle
from usmicro.analysis import analyze
from usmicro.model.scan import Region, Scan, Spacing
from usmicro.model.warnings import WarningCode
from usmicro.phantom import PhantomSettings, simulate
from usmicro.preparation import ScreenCache, prepare

NEAR, FAR = Spacing(0.1, 0.1, "region"), Spacing(0.2, 0.2, "region")
CODES = WarningCode


OF_REGIONS = (CODES.REGIONS_DO_NOT_FIT, CODES.REGION_UNCALIBRATED, CODES.SPACING_REJECTED)


def codes(views):
    """Return the codes of the warnings about regions and spacing."""
    found = [warning.code for view in views for warning in view.warnings]
    return [code for code in found if code in OF_REGIONS]


def text_of(view):
    """Return the text of the only warning about regions or spacing."""
    (text,) = [warning.text for warning in view.warnings if warning.code in OF_REGIONS]
    return text


@pytest.fixture(scope="module")
def screen():
    """A linear scan, 360 x 360 pixels, at column 60 and row 40 of a screen of 500 x 500."""
    frame = np.zeros((500, 500), np.uint8)
    frame[40:400, 60:420] = speckle(360, 360, seed=5)
    return frame


TISSUE = Region("tissue", 60, 40, 420, 400, NEAR)


# ---- overlapping regions ----


@pytest.mark.parametrize(
    "second",
    [
        replace(TISSUE, right=419, bottom=399),
        replace(TISSUE, left=61),
        replace(TISSUE, left=150, top=150, right=250, bottom=250),
        replace(TISSUE, left=150, top=150, right=250, bottom=250, spacing=FAR),
        replace(TISSUE, bottom=390, low_priority=True, spacing=FAR),
        replace(TISSUE, left=90, right=420, top=60),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_pixels_of_overlapping_regions_are_analysed_once(screen, second, first):
    regions = [TISSUE, second] if first else [second, TISSUE]
    (view,) = prepare(screen, spacing=NEAR, regions=regions)
    (alone,) = prepare(screen, spacing=NEAR, regions=[TISSUE])
    np.testing.assert_array_equal(view.tissue, alone.tissue)
    assert view.grid == alone.grid
    assert view.notes or CODES.SPACING_DIFFERS in [warning.code for warning in view.warnings]
    assert codes([view]) == []


def test_two_regions_of_one_picture_give_one_view(screen):
    halves = [replace(TISSUE, right=260), replace(TISSUE, left=200)]
    (view,) = prepare(screen, spacing=NEAR, regions=halves)
    assert (view.grid.left, view.shape[1] * view.grid.step_x) == (60, pytest.approx(360, abs=1))


def test_inset_of_high_priority_is_cut_out_of_the_other_region(screen):
    inset = replace(TISSUE, left=280, top=240, spacing=FAR)
    views = prepare(
        screen,
        spacing=Spacing(source="region"),
        regions=[replace(TISSUE, low_priority=True), inset],
    )
    assert [view.grid.spacing for view in views] == [NEAR, FAR]
    whole, part = views
    x, y = (round(float(value)) for value in whole.grid.from_image(350, 320))
    assert whole.tissue[y - 150, x]
    assert not whole.tissue[y, x]
    assert part.tissue.mean() > 0.95
    assert whole.scan_lines.face == pytest.approx(-0.5, abs=1)


def test_findings_in_overlapping_regions_are_counted_once():
    phantom = simulate(2, PhantomSettings(screen=True, spacing=0.1, width=30.0, depth=30.0))
    (region,) = [one for one in phantom.regions if one.kind == "tissue"]
    tables = []
    for regions in ([region], [region, replace(region, right=region.right - 1, low_priority=True)]):
        scan = replace(Scan.of_array(phantom.frames[:1]), regions=tuple(regions))
        tables.append(analyze(scan))
    assert len(tables[0].foci)
    assert tables[0].foci.to_rows() == tables[1].foci.to_rows()
    assert tables[0].masses.to_rows() == tables[1].masses.to_rows()


# ---- spacing ----


def test_uncalibrated_region_beside_a_calibrated_one_gives_no_mm():
    frame = np.zeros((420, 800), np.uint8)
    frame[40:400, 20:380], frame[40:400, 420:780] = speckle(360, 360, seed=1), speckle(360, 360)
    left = Region("tissue", 20, 40, 380, 400, NEAR)
    right = Region("tissue", 420, 40, 780, 400)
    for spacing in (NEAR, Spacing(source="region")):
        views = prepare(frame, spacing=spacing, regions=[left, right])
        assert [view.grid.spacing.known for view in views] == [True, False]
        assert codes(views[:1]) == []
        assert codes(views[1:]) == [CODES.REGION_UNCALIBRATED]
        assert "columns 420 to 779" in text_of(views[1])
    given = Spacing(0.12, 0.12, "given")
    views = prepare(frame, spacing=given, regions=[left, right])
    assert [view.grid.spacing for view in views] == [NEAR, given]
    assert codes(views) == []


def test_pixel_spacing_of_the_image_holds_in_an_uncalibrated_region(screen):
    spacing = Spacing(0.1, 0.1, "pixel spacing")
    (view,) = prepare(screen, spacing=spacing, regions=[replace(TISSUE, spacing=Spacing())])
    assert view.grid.spacing == spacing
    assert codes([view]) == []


def test_impossible_spacing_of_a_region_stays_rejected(screen):
    rejected = Spacing(source="rejected")
    (view,) = prepare(screen, spacing=rejected, regions=[replace(TISSUE, spacing=rejected)])
    assert view.grid.spacing.source == "rejected"
    assert codes([view]) == []  # the warning is with the scan


def test_shape_of_the_pixels_holds_in_an_uncalibrated_region(screen):
    regions = [replace(TISSUE, spacing=Spacing())]
    (view,) = prepare(screen, spacing=Spacing(aspect=2.0), regions=regions)
    assert view.grid.step_x == pytest.approx(2 * view.grid.step_y)


# ---- regions that do not fit ----

SCREENS = {
    "linear": PhantomSettings(screen=True, header=True, grey_bar=True, ruler=True),
    "sector": PhantomSettings(screen=True, header=True, geometry="sector"),
    "dual": PhantomSettings(screen=True, views=2, width=25.0),
    "colour": PhantomSettings(screen=True, colour=True, text=True),
}


@pytest.fixture(scope="module", params=SCREENS)
def phantom(request):
    made = simulate(1, SCREENS[request.param])
    return replace(made, spacing=replace(made.spacing, source="region"))


def resized(frame, factor, *, border=0):
    """Return a frame with a black border on the right and below, made larger or smaller."""
    frame = cv2.copyMakeBorder(frame, 0, border, 0, border, cv2.BORDER_CONSTANT)
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(frame, None, fx=factor, fy=factor, interpolation=method)


@pytest.mark.parametrize("factor", [1.1, 1.33, 2.0])
def test_picture_made_larger_gives_no_mm(phantom, factor):
    frame = resized(phantom.frames[0], factor)
    views = prepare(frame, spacing=phantom.spacing, regions=phantom.regions)
    assert codes(views) == [CODES.REGIONS_DO_NOT_FIT]
    assert "made larger" in text_of(views[0])
    assert {view.grid.spacing.source for view in views} == {"rejected"}
    alone = prepare(frame)
    assert len(views) == len(alone)
    for view, other in zip(views, alone, strict=True):  # the whole frame is searched
        np.testing.assert_array_equal(view.tissue, other.tissue)


@pytest.mark.parametrize("margin", [0, 8])
def test_picture_made_larger_is_noticed_if_its_region_is_drawn_tightly(screen, margin):
    only_tissue = screen[40:400, 60:420]
    region = Region("tissue", margin, margin, 360 - margin, 360 - margin, NEAR)
    assert codes(prepare(only_tissue, spacing=NEAR, regions=[region])) == []
    larger = cv2.resize(only_tissue, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    assert codes(prepare(larger, spacing=NEAR, regions=[region])) == [CODES.REGIONS_DO_NOT_FIT]


@pytest.mark.parametrize("factors", [(1.3, 1.0), (1.0, 1.3)])
def test_picture_stretched_along_one_axis_gives_no_mm(screen, factors):
    frame = cv2.resize(screen, None, fx=factors[0], fy=factors[1], interpolation=cv2.INTER_CUBIC)
    views = prepare(frame, spacing=NEAR, regions=[TISSUE])
    assert codes(views) == [CODES.REGIONS_DO_NOT_FIT]
    assert "larger on one axis" in text_of(views[0])
    assert not views[0].grid.spacing.known


def test_picture_made_smaller_inside_a_large_border_gives_no_mm(phantom):
    frame = resized(phantom.frames[0], 0.7, border=600)
    views = prepare(frame, spacing=phantom.spacing, regions=phantom.regions)
    assert codes(views) == [CODES.REGIONS_DO_NOT_FIT]
    assert "made smaller" in text_of(views[0])
    assert not any(view.grid.spacing.known for view in views)


@pytest.mark.parametrize("border", [0, 600])
def test_regions_that_fit_give_no_warning(phantom, border):
    frame = resized(phantom.frames[0], 1, border=border)
    views = prepare(frame, spacing=phantom.spacing, regions=phantom.regions)
    assert codes(views) == []
    assert all(view.grid.spacing.known for view in views)


def test_number_for_all_images_is_not_used_for_a_resized_picture_but_a_row_of_a_table_is(screen):
    larger = cv2.resize(screen, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    region = replace(TISSUE, spacing=Spacing())
    (view,) = prepare(larger, spacing=Spacing(0.1, 0.1, "given"), regions=[region])
    assert view.grid.spacing.source == "rejected"
    row = Spacing(0.1, 0.1, "given", of_table=True)
    (view,) = prepare(larger, spacing=row, regions=[region])
    assert view.grid.spacing == row
    assert codes([view]) == []
    assert any("made larger" in note for note in view.notes)


def test_undeclared_picture_beside_the_region_is_no_misfit(screen):
    frame = screen.copy()
    frame[40:400, 425:] = speckle(360, 75, seed=2)
    (view,) = prepare(frame, spacing=NEAR, regions=[TISSUE])
    assert codes([view]) == []


def test_spectrum_below_the_tissue_is_no_misfit(screen):
    frame = screen.copy()
    frame[402:, 30:490] = speckle(98, 460, seed=2)
    spectrum = Region("spectral", 30, 402, 490, 500)
    (view,) = prepare(frame, spacing=NEAR, regions=[TISSUE, spectrum])
    assert codes([view]) == []


def test_the_first_frame_with_tissue_decides_for_a_cine(screen):
    frame, cache = resized(screen, 1.3), ScreenCache()
    for _ in range(3):
        views = prepare(frame, spacing=NEAR, regions=[TISSUE], cache=cache)
        assert codes(views) == [CODES.REGIONS_DO_NOT_FIT]
    views = prepare(frame[:480, :560].copy(), spacing=NEAR, regions=[TISSUE], cache=cache)
    assert codes(views) == [CODES.REGIONS_DO_NOT_FIT]


# ---- depth 0 ----


def depth_of_first_row(view):
    return view.grid.in_mm(float(view.scan_lines.depth(*view.grid.from_image(200.0, 40.0))))


@pytest.mark.parametrize(
    ("face_row", "depth_mm"), [(None, 0.05), (-110.0, 15.0), (-60, 10.0), (40.0, 0.0), (45.0, -0.5)]
)
def test_depth_is_measured_from_the_reference_pixel(screen, face_row, depth_mm):
    regions = [replace(TISSUE, face_row=face_row)]
    (view,) = prepare(screen, spacing=NEAR, regions=regions)
    assert depth_of_first_row(view) == pytest.approx(depth_mm, abs=0.02)
    moved = face_row is not None and abs(depth_mm) > 0.4
    assert any("reference pixel" in note for note in view.notes) == moved


@pytest.mark.parametrize("face_row", [80.0, -1000.0])
def test_reference_pixel_that_does_not_fit_the_tissue_is_noted(screen, face_row):
    (view,) = prepare(screen, spacing=NEAR, regions=[replace(TISSUE, face_row=face_row)])
    assert depth_of_first_row(view) == pytest.approx(0.05, abs=0.02)
    assert any("does not fit the tissue" in note for note in view.notes)


def test_reference_pixel_of_a_sector_is_not_used():
    phantom = simulate(1, PhantomSettings(geometry="sector", screen=True))
    (region,) = phantom.regions
    (view,), (other,) = (
        prepare(phantom.frames[0], spacing=phantom.spacing, regions=[one])
        for one in (region, replace(region, face_row=region.top - 50.0))
    )
    assert view.scan_lines == other.scan_lines
