from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.foci.test_detection import PIXEL_MM, speckle_of, view_of
from usmicro.analysis import analyze
from usmicro.foci import find_candidates
from usmicro.foci.clump_candidates import LEAST_CONFIDENCE, clump_confidence, with_clumps
from usmicro.foci.clumps import find_clumps
from usmicro.model.anatomy import Anatomy
from usmicro.phantom import PhantomSettings, simulate
from usmicro.phantom.clump_shapes import random_discs
from usmicro.phantom.scene import FocusShape, MassShape, Outline, Scene
from usmicro.preparation import prepare
from usmicro.settings import FociSettings, ShadowSettings

SETTINGS = FociSettings()
SHAPE = (400, 400)


def with_area(grey: np.ndarray, corners: list[tuple[float, float]], height: float) -> np.ndarray:
    """The image with a polygon of brighter speckle, with blurred edges."""
    mask = np.zeros(grey.shape, np.float32)
    cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1.0)
    return (grey + height * cv2.GaussianBlur(mask, (0, 0), 2.0)).astype(np.float32)


IRREGULAR = [(150, 190), (185, 170), (215, 185), (220, 215), (190, 205), (170, 225), (148, 215)]
"""An irregular clump 5.8 mm wide."""


def polygon_area(corners: np.ndarray) -> float:
    return float(cv2.contourArea(np.asarray(corners, np.float32)))


def clumps_of(grey: np.ndarray, **settings: float):
    view = view_of(grey)
    return find_clumps(view, view.grey, replace(SETTINGS, **settings))


@pytest.fixture(scope="module")
def irregular() -> np.ndarray:
    return with_area(speckle_of(5, SHAPE, level=70), IRREGULAR, 90)


def at(clumps, x: float, y: float) -> int:
    """Index of the clump whose outline contains a position."""
    (index,) = [
        k for k in range(len(clumps)) if cv2.pointPolygonTest(clumps.outline[k], (x, y), False) >= 0
    ]
    return index


def test_an_irregular_clump_has_its_centroid_extent_and_outline(irregular):
    clumps = clumps_of(irregular)
    k = at(clumps, 180, 195)
    assert k == 0
    true = np.array(IRREGULAR, np.float32)
    moments = cv2.moments(true)
    x, y = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    assert np.hypot(clumps.x[k] - x, clumps.y[k] - y) < 6
    assert clumps.diameter[k] == pytest.approx(2 * np.sqrt(polygon_area(true) / np.pi), rel=0.15)
    assert clumps.width[k] == pytest.approx(np.ptp(true[:, 0]), rel=0.15)
    assert clumps.height[k] == pytest.approx(np.ptp(true[:, 1]), rel=0.15)
    assert polygon_area(clumps.outline[k]) == pytest.approx(polygon_area(true), rel=0.25)


def test_gain_and_offset_hardly_change_a_clump(irregular):
    one, other = clumps_of(irregular), clumps_of(0.7 * irregular + 30)
    j, k = at(one, 180, 195), at(other, 180, 195)
    assert np.hypot(one.x[j] - other.x[k], one.y[j] - other.y[k]) < 2
    assert other.diameter[k] == pytest.approx(one.diameter[j], rel=0.05)
    assert other.edge_contrast[k] == pytest.approx(one.edge_contrast[j], rel=0.1)
    assert other.contrast[k] == pytest.approx(one.contrast[j], rel=0.2)


def test_a_translated_scan_has_translated_clumps(irregular):
    moved = np.roll(irregular, (40, -20), axis=(0, 1))  # whole pixels of the reduced grid
    one, other = clumps_of(irregular), clumps_of(moved)
    j, k = at(one, 180, 195), at(other, 160, 235)
    assert (other.x[k], other.y[k]) == pytest.approx((one.x[j] - 20, one.y[j] + 40), abs=0.1)
    assert other.diameter[k] == pytest.approx(one.diameter[j])
    np.testing.assert_allclose(other.outline[k], one.outline[j] + np.array([-20, 40]), atol=0.1)


@pytest.mark.parametrize("angle", [0.0, 15.0, -40.0])
def test_a_septum_is_no_clump(angle):
    centre = np.array([200.0, 200.0])
    along = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    across = np.array([-along[1], along[0]])
    corners = [
        centre + 45 * a * along + 5 * b * across for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    clumps = clumps_of(with_area(speckle_of(5, SHAPE, level=70), corners, 90))
    assert not any(
        cv2.pointPolygonTest(outline, (200.0, 200.0), False) >= 0 for outline in clumps.outline
    )


def test_a_biopsy_clip_is_no_clump():
    corners = [(181, 196), (219, 196), (219, 204), (181, 204)]  # 3 mm x 0.6 mm
    clumps = clumps_of(with_area(speckle_of(5, SHAPE, level=70), corners, 90))
    assert not any(
        cv2.pointPolygonTest(outline, (200.0, 200.0), False) >= 0 for outline in clumps.outline
    )


def test_a_clump_is_at_most_as_large_as_the_settings_allow(irregular):
    clumps = clumps_of(irregular, largest_clump=4.0)
    assert (np.maximum(clumps.width, clumps.height) * PIXEL_MM <= 4.0 + 0.16).all()


def test_speckle_alone_has_hardly_any_clumps_and_black_has_none():
    assert len(clumps_of(np.zeros(SHAPE, np.float32))) == 0
    view = view_of(speckle_of(7, SHAPE))
    clumps = find_clumps(view, view.grey, SETTINGS)
    confidence = clump_confidence(view, clumps, anatomy_of(SHAPE, 0.0), ShadowSettings())
    assert (confidence > LEAST_CONFIDENCE).sum() <= 1


def anatomy_of(shape: tuple[int, int], probability: float) -> Anatomy:
    """Anatomy with the same probability of a mass everywhere, without outlines."""
    nothing = np.zeros(shape, np.int32)
    return Anatomy(
        pixel_mm=PIXEL_MM,
        masses=nothing,
        ducts=nothing,
        nonmass=np.zeros(shape, bool),
        mass_probability=np.full(shape, probability, np.float32),
        duct_probability=np.zeros(shape, np.float32),
        mass_confidence=(),
        duct_confidence=(),
    )


def test_a_clump_replaces_the_round_candidates_in_it(irregular):
    view = view_of(irregular)
    candidates = find_candidates(view)
    confidence = np.full(len(candidates), 0.01)
    anatomy = anatomy_of(view.shape, 0.9)
    joined, of_joined, source = with_clumps(view, candidates, confidence, anatomy, SETTINGS)
    is_clump = joined.features["clump"] > 0
    clumps = find_clumps(view, view.grey, SETTINGS)
    outline = clumps.outline[at(clumps, 180, 195)]
    inside = [
        i
        for i in range(len(joined))
        if cv2.pointPolygonTest(outline, (float(joined.x[i]), float(joined.y[i])), False) >= 0
    ]
    assert len(inside) == 1
    (k,) = inside
    assert is_clump[k]
    assert joined.coarse[k]
    assert of_joined[k] > LEAST_CONFIDENCE
    assert joined.features["confluence"].sum() - is_clump.sum() == len(candidates) - is_clump.sum()
    np.testing.assert_array_equal(candidates.x[source[~is_clump]], joined.x[~is_clump])
    round_ones = joined.take(~is_clump)
    assert all(outline is None for outline in round_ones.outline)
    assert (round_ones.width == round_ones.diameter).all()


def test_a_clump_takes_the_confidence_of_a_part_of_its_size_and_leaves_a_small_focus(irregular):
    view, anatomy = view_of(irregular), anatomy_of(SHAPE, 0.9)
    candidates = find_candidates(view)
    confidence = np.full(len(candidates), 0.01)
    whole, of_whole, _ = with_clumps(view, candidates, confidence, anatomy, SETTINGS)
    own = of_whole[whole.features["clump"] > 0].max()
    sure = np.full(len(candidates), 1.0)
    # only the conspicuous clump: others of the speckle may be listed with this anatomy
    for diameter, is_replaced in ((60.0, True), (4.0, False)):
        sized = replace(candidates, diameter=np.full(len(candidates), diameter))
        joined, confidences, _ = with_clumps(view, sized, sure, anatomy, SETTINGS)
        assert (joined.features["clump"] > 0).any() == is_replaced
        assert confidences.max() == 1.0 > own


def test_without_a_conspicuous_clump_nothing_changes():
    view = view_of(speckle_of(7, SHAPE))
    candidates = find_candidates(view)
    confidence = np.linspace(0, 1, len(candidates))
    joined, same, source = with_clumps(
        view, candidates, confidence, anatomy_of(SHAPE, 0.0), SETTINGS
    )
    assert joined is candidates
    assert same is confidence
    np.testing.assert_array_equal(source, np.arange(len(candidates)))


@pytest.mark.parametrize("form", ["popcorn", "clump"])
def test_a_simulated_clump_in_a_mass_is_one_focus(form):
    settings = PhantomSettings(anatomy=False, masses=1, cysts=0.0, ducts=0, extramass=0)
    mass = MassShape(Outline(0, 16, 8, 6), level_db=-14)
    rng = np.random.default_rng(3)
    focus = FocusShape(
        0.5,
        16,
        3.0,
        20.0,
        "intramass",
        12.0,
        mass=1,
        form=form,
        discs=random_discs(rng, form, 3.0),
    )
    phantom = simulate(4, settings, scene=Scene(masses=(mass,)).with_foci(focus))
    analysis = analyze(phantom.scan())
    x, y = phantom.truth.foci[0].x_px[0], phantom.truth.foci[0].y_px[0]
    reach = max(focus.half_width, focus.half_height)
    near = [
        found
        for found in analysis.foci
        if np.hypot(found.x_px - x, found.y_px - y) * phantom.spacing.x_mm < reach
    ]
    assert len(near) == 1
    (found,) = near
    assert found.kind == "coarse"
    assert found.outline_px is not None
    assert found.diameter_mm == pytest.approx(3.0, rel=0.15)
    assert np.hypot(found.x_px - x, found.y_px - y) * phantom.spacing.x_mm < 0.15 * 3.0


def test_rows_without_clumps_have_no_outline():
    phantom = simulate(7)
    view = prepare(phantom.frames[0], spacing=phantom.spacing, regions=phantom.regions)[0]
    assert all(outline is None for outline in find_candidates(view).outline)
