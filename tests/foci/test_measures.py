from dataclasses import replace

import numpy as np
import pytest

from tests.posterior.scans import ACROSS, ALONG, speckle, view_of
from usmicro.foci import find_candidates
from usmicro.foci.measures import (
    EDGE_MM,
    FARTHEST_MM,
    GROUP_MM,
    LEAST_PROBABILITY,
    PLACE_DEPENDENT_MEASURES,
    PROMINENCE_SHARE,
    log_odds,
    measured_features,
)
from usmicro.model.anatomy import Anatomy
from usmicro.model.findings import Candidates

PIXEL_MM = 0.08
MEASURES = {
    "grey_contrast": 60.0,
    "blobness_to_texture": 5.0,
    "ridge_mm": 0.4,
    "faint_ridge_mm": 0.6,
    "steepness_across": 1.0,
    "steepness_along": 1.0,
    "scale_mm": 0.2,
    "elongation": 1.2,
    "roundness_wide": 0.8,
    "across_beam": 0.5,
    "depth_mm": 15.0,
    "ring_quantile": 0.4,
    "region_quantile": 0.4,
}


def candidates_at(x, y, **measures):
    """Foci of half a millimetre at grid columns `x` and rows `y`; `measures` replace MEASURES."""
    x, y = np.array(x, float), np.array(y, float)
    features = {
        name: np.broadcast_to(np.asarray(value, float), x.shape).copy()
        for name, value in (MEASURES | measures).items()
    }
    return Candidates(
        x=x,
        y=y,
        diameter=np.full(x.shape, 6.0),
        contrast=np.full(x.shape, 5.0),
        false_alarm=np.full(x.shape, 1e-6),
        line=np.zeros(x.shape),
        coarse=np.zeros(x.shape, bool),
        width=np.full(x.shape, 6.0),
        height=np.full(x.shape, 6.0),
        outline=np.full(x.shape, None, object),
        features=features,
    )


def anatomy_of(shape, masses=None, *, mass=0.01, duct=0.01, confidence=(0.8,)):
    """Anatomy with constant probabilities; `masses` is a label image."""
    nothing = np.zeros(shape, np.int32)
    return Anatomy(
        pixel_mm=PIXEL_MM,
        mass_probability=np.broadcast_to(np.float32(mass), shape).copy(),
        masses=nothing if masses is None else masses,
        mass_confidence=() if masses is None else confidence,
        duct_probability=np.broadcast_to(np.float32(duct), shape).copy(),
        ducts=nothing,
        duct_confidence=(),
        nonmass=nothing > 0,
    )


@pytest.fixture(scope="module")
def view():
    return view_of(speckle(1, (400, 480)))


def measure(view, candidates, **anatomy):
    return measured_features(view, candidates, anatomy_of(view.shape, **anatomy))


def test_the_crowd_is_that_of_the_view_and_the_group_that_of_the_neighbourhood(view):
    near, far = GROUP_MM / PIXEL_MM - 1, GROUP_MM / PIXEL_MM + 1
    # three foci on the left within the radius, and two on the right
    x, y = [50, 50 + near / 2, 50 + near, 60 + near + far, 70 + near + far], [100] * 5
    features = measure(view, candidates_at(x, y))
    np.testing.assert_allclose(np.exp(features["log_crowd"]), [5] * 5)
    np.testing.assert_allclose(np.exp(features["log_group"]), [3, 3, 3, 2, 2])


def test_the_group_is_part_of_the_crowd(view):
    random = np.random.default_rng(3)
    candidates = candidates_at(
        random.uniform(0, 479, 60),
        random.uniform(0, 399, 60),
        grey_contrast=random.uniform(20, 120, 60),
        blobness_to_texture=random.uniform(1, 9, 60),
    )
    features = measure(view, candidates)
    assert np.all((features["log_group"] >= 0) & (features["log_group"] <= features["log_crowd"]))
    assert np.any(features["log_group"] < features["log_crowd"])


def test_only_candidates_that_are_as_prominent_count(view):
    strong, weak = 100.0, 0.9 * PROMINENCE_SHARE * 100
    for name in ("grey_contrast", "blobness_to_texture"):
        features = measure(view, candidates_at([50, 60], [50, 60], **{name: [strong, weak]}))
        np.testing.assert_allclose(np.exp(features["log_crowd"]), [1, 2])
        np.testing.assert_allclose(np.exp(features["log_group"]), [1, 2])


def test_contrast_and_blobness_are_relative_to_the_highest_of_the_view(view):
    candidates = candidates_at(
        [50, 150, 250], [50] * 3, grey_contrast=[30, 60, 15], blobness_to_texture=[8, 2, 4]
    )
    features = measure(view, candidates)
    np.testing.assert_allclose(np.exp(features["relative_contrast"]), [0.5, 1, 0.25])
    np.testing.assert_allclose(np.exp(features["relative_blobness"]), [1, 0.25, 0.5])


def test_the_share_of_tissue_is_one_inside_and_falls_towards_the_edge(view):
    half = EDGE_MM / PIXEL_MM / 2
    x = [240, 240, 240, 0, 479]
    y = [200, half / 2, 0, 0, 399]
    share = measure(view, candidates_at(x, y))["tissue_share"]
    assert share[0] == 1
    np.testing.assert_allclose(share[1:], [0.75, 0.5, 0.25, 0.25], atol=0.02)


def test_what_is_no_tissue_lowers_the_share_of_tissue(view):
    tissue = np.ones(view.shape, bool)
    tissue[:, 240:] = False
    share = measure(replace(view, tissue=tissue), candidates_at([100, 220, 239], [200] * 3))
    assert share["tissue_share"][0] == 1
    assert np.all(np.diff(share["tissue_share"]) < 0)
    assert share["tissue_share"][2] == pytest.approx(0.5, abs=0.02)


def test_the_distance_to_a_mass_is_positive_inside_and_limited(view):
    masses = np.zeros(view.shape, np.int32)
    masses[:, :200] = 1
    x = np.array([199, 175, 150, 200, 225, 479])
    distance = measure(view, candidates_at(x, [200] * 6), masses=masses)["mass_distance_mm"]
    expected = np.clip((199.5 - x) * PIXEL_MM, -FARTHEST_MM, FARTHEST_MM)
    np.testing.assert_allclose(distance, expected, atol=1e-9)
    assert distance[-1] == -FARTHEST_MM


def test_without_a_mass_the_distance_is_the_farthest(view):
    features = measure(view, candidates_at([100, 300], [100, 300]))
    np.testing.assert_array_equal(features["mass_distance_mm"], -FARTHEST_MM)
    np.testing.assert_array_equal(features["mass_confidence"], 0)


def test_a_candidate_has_the_confidence_of_the_mass_in_which_it_lies(view):
    masses = np.zeros(view.shape, np.int32)
    masses[:100], masses[300:] = 1, 2
    candidates = candidates_at([200] * 3, [350, 200, 50])
    features = measure(view, candidates, masses=masses, confidence=(0.3, 0.9))
    np.testing.assert_array_equal(features["mass_confidence"], [0.9, 0, 0.3])


@pytest.mark.parametrize(("mass", "duct"), [(0.9, 0.2), (0.1, 0.7), (0.0, 0.0), (1.0, 1.0)])
def test_the_place_is_the_more_likely_of_mass_and_duct(view, mass, duct):
    features = measure(view, candidates_at([200], [200]), mass=mass, duct=duct)
    assert features["mass_log_odds"] == pytest.approx(log_odds(np.array([mass])), abs=1e-4)
    place = max(features["mass_log_odds"], features["duct_log_odds"])
    assert features["place_log_odds"] == place
    for name in PLACE_DEPENDENT_MEASURES:
        assert features[f"place_times_{name}"] == pytest.approx(place * features[name])


def test_log_odds_are_limited_and_odd():
    p = np.array([0.0, 1e-9, 0.2, 0.5])
    np.testing.assert_allclose(log_odds(1 - p), -log_odds(p), atol=1e-12)
    assert log_odds(p)[0] == log_odds(p)[1] == np.log(LEAST_PROBABILITY / (1 - LEAST_PROBABILITY))
    assert log_odds(p)[3] == 0


def test_every_measure_is_finite_for_extreme_candidates(view):
    nothing = candidates_at([0, 479], [0, 399], **dict.fromkeys(MEASURES, 0.0) | {"scale_mm": 0.1})
    for name, values in measure(view, nothing).items():
        assert values.shape == (2,), name
        assert np.isfinite(values).all(), name


def test_no_candidates_have_empty_measures(view):
    assert {values.shape for values in measure(view, candidates_at([], [])).values()} == {(0,)}


def steepness(view, x, y):
    """Steepness across and along the beam of the candidate of a view that is nearest to a place."""
    candidates = find_candidates(view)
    distance = np.hypot(candidates.x - x, candidates.y - y)
    assert distance.min() < 3
    nearest = candidates.features
    return [nearest[f"steepness_{way}"][distance.argmin()] for way in ("across", "along")]


def with_square_and_spot(*, width=7, height=120.0):
    """Dark speckle with a white square at (150, 150) and the echo of a point at (350, 150).

    The square is burned in. The echo is a Gaussian with the speckle size.
    """
    grey = 0.4 * speckle(2, (300, 500))
    rows, columns = np.indices(grey.shape)
    sigma_x, sigma_y = ACROSS / 2.355, ALONG / 2.355
    grey += height * np.exp(
        -0.5 * (((columns - 350) / sigma_x) ** 2 + ((rows - 150) / sigma_y) ** 2)
    )
    reach = width // 2
    grey[150 - reach : 151 + reach, 150 - reach : 151 + reach] = 255
    return grey


@pytest.mark.parametrize("width", [5, 7, 11])
def test_a_burned_in_square_is_steeper_than_the_echo_of_a_point(width):
    view = view_of(with_square_and_spot(width=width))
    square, spot = steepness(view, 150, 150), steepness(view, 350, 150)
    assert np.all(np.array(square) > 1.5 * np.array(spot))


def test_the_echo_of_a_point_is_as_steep_as_the_speckle_size_allows():
    # the flank of a Gaussian with the width w and the height h is at most 1.43 h / w steep
    known = 2 * np.sqrt(2 * np.log(2)) * np.exp(-0.5)
    found = steepness(view_of(with_square_and_spot()), 350, 150)
    np.testing.assert_allclose(found, known, rtol=0.25)


def test_the_steepness_of_an_echo_does_not_depend_on_its_brightness_or_the_gain():
    grey = with_square_and_spot()
    known = steepness(view_of(grey), 350, 150)
    assert steepness(view_of(0.7 * grey + 10), 350, 150) == pytest.approx(known, rel=0.05)
    faint = steepness(view_of(with_square_and_spot(height=80.0)), 350, 150)
    assert faint == pytest.approx(known, rel=0.4)
