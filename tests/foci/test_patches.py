from dataclasses import replace

import numpy as np
import pytest

from tests.foci.test_measures import anatomy_of, candidates_at
from tests.posterior.scans import sector_of, speckle, view_of
from usmicro.foci.patches import (
    GREY_STEPS_MM,
    LEAST_RANGE,
    LIMITS,
    PLANES,
    PROBABILITY_STEPS_MM,
    SIZE,
    focus_patches,
)
from usmicro.model.view import ScanLines

GREY = len(GREY_STEPS_MM)
SHAPE = 300, 400


@pytest.fixture(scope="module")
def grey():
    """Speckle that is dark enough to be amplified."""
    return 0.5 * np.clip(speckle(5, SHAPE), 0, 255) + 60


@pytest.fixture
def candidates():
    random = np.random.default_rng(5)
    return candidates_at(random.uniform(0, 399, 12), random.uniform(0, 299, 12))


def patches_of(view, candidates, **anatomy):
    return focus_patches(view, candidates, anatomy_of(view.shape, **anatomy))


def test_there_are_patches_for_each_candidate_and_none_without(grey, candidates):
    patches = patches_of(view_of(grey), candidates)
    assert patches.shape == (len(candidates), PLANES, SIZE, SIZE)
    assert patches.dtype == np.float32
    assert np.isfinite(patches).all()
    assert patches_of(view_of(grey), candidates_at([], [])).shape == (0, PLANES, SIZE, SIZE)


@pytest.mark.parametrize(("gain", "offset"), [(1.4, -60.0), (0.8, 0.0), (1.0, 30.0)])
def test_the_grey_planes_do_not_change_with_gain_and_offset(grey, candidates, gain, offset):
    changed = gain * grey + offset
    assert 0 <= changed.min() < changed.max() <= 255
    patches, after = (patches_of(view_of(image), candidates) for image in (grey, changed))
    np.testing.assert_allclose(after[:, :GREY], patches[:, :GREY], atol=2e-3)


def test_the_median_of_the_tissue_is_zero_and_the_quantiles_are_two_apart(grey):
    tissue = np.ones(SHAPE, bool)
    tissue[:, 300:] = False
    low, middle, high = np.quantile(grey[tissue], (0.1, 0.5, 0.9))
    for level, expected in ((middle, 0), (high, 2 * (high - middle) / (high - low))):
        image = grey.copy()
        image[:, 300:] = level  # what is no tissue does not count
        patches = patches_of(view_of(image, tissue=tissue), candidates_at([385], [150]))
        np.testing.assert_allclose(patches[0, 0], expected, atol=0.03)


def test_the_noise_of_a_nearly_empty_view_is_not_amplified(grey, candidates):
    empty = 0.02 * grey + 5
    patches = patches_of(view_of(empty), candidates)[:, :GREY]
    assert np.abs(patches).max() <= 2 * np.ptp(empty) / LEAST_RANGE


def test_the_grey_planes_are_limited(grey, candidates):
    image = grey.copy()
    image[:150, 350:], image[150:, 350:] = 0, 255
    patches = patches_of(view_of(image), candidates_at([380], [150]))[:, :GREY]
    assert (patches.min(), patches.max()) == LIMITS


@pytest.mark.parametrize("geometry", ["linear", "sector"])
def test_the_mirrored_view_has_mirrored_patches(grey, candidates, geometry):
    def scan_lines(apex_x):
        return ScanLines(geometry, 0.0, apex_x, -150.0)

    last = SHAPE[1] - 1
    probability = grey / 255
    view = view_of(grey, scan_lines=scan_lines(170.0))
    mirrored = view_of(grey[:, ::-1], scan_lines=scan_lines(last - 170.0))
    patches = patches_of(view, candidates, mass=probability)
    after = patches_of(
        mirrored, replace(candidates, x=last - candidates.x), mass=probability[:, ::-1]
    )
    np.testing.assert_allclose(after, patches[..., ::-1], atol=0.03)
    assert np.abs(patches - patches[..., ::-1]).max() > 0.5


@pytest.mark.parametrize("column", [60, 150, 240, 330, 420])
def test_rows_run_along_the_beam_of_a_sector(column):
    # an arc at the range 250, on tissue that is not all of one level
    polar = 60 + 30 * np.exp(-0.5 * ((np.arange(500.0) - 250) / 6) ** 2)
    polar = np.repeat(polar[:, np.newaxis], 480, axis=1)
    polar[:, ::2] += 10
    view, place = sector_of(polar, face=300.0)
    x, y = place(column, 250)
    for plane in patches_of(view, candidates_at([x], [y]))[0, :2]:
        profile = plane.mean(axis=1)
        least = 0.2 * np.ptp(profile)
        assert np.abs(plane - profile[:, np.newaxis]).max() < least
        assert np.abs(profile - profile[::-1]).max() < least
        assert SIZE // 2 - 1 <= profile.argmax() <= SIZE // 2


def test_a_coarser_plane_shows_the_same_spot_smaller(grey):
    rows, columns = np.indices(SHAPE)
    spot = np.hypot(columns - 200, rows - 150) <= 8
    patches = patches_of(view_of(np.where(spot, 250, grey)), candidates_at([200], [150]))
    level = patches[0, 0, SIZE // 2, SIZE // 2] / 2
    widths = [
        (plane > level).sum() ** 0.5 * step
        for plane, step in zip(patches[0, :GREY], GREY_STEPS_MM, strict=True)
    ]
    np.testing.assert_allclose(widths, spot.sum() ** 0.5 * 0.08, rtol=0.3)


@pytest.mark.parametrize("number", range(len(PROBABILITY_STEPS_MM)))
def test_probability_planes_hold_probabilities(grey, candidates, number):
    name = ("mass", "duct")[number]
    random = np.random.default_rng(number)
    wild = (random.random(SHAPE) > 0.5).astype(np.float32)
    for probability, least, most in ((wild, 0, 1), (0.3, 0.3, 0.3), (1.0, 1, 1)):
        planes = patches_of(view_of(grey), candidates, **{name: probability})[:, GREY + number]
        assert least - 1e-5 <= planes.min() <= planes.max() <= most + 1e-5


def test_the_planes_of_a_mass_show_on_which_side_it_lies(grey):
    mass = np.zeros(SHAPE, np.float32)
    mass[:, 200:] = 1
    plain, with_mass = (
        patches_of(view_of(grey), candidates_at([199.5], [150]), mass=p)[0] for p in (0.01, mass)
    )
    plane = with_mass[GREY]
    assert plane[:, : SIZE // 2 - 1].max() < 0.01 < 0.99 < plane[:, SIZE // 2 + 1 :].min()
    np.testing.assert_array_equal(with_mass[:GREY], plain[:GREY])
    np.testing.assert_array_equal(with_mass[GREY + 1], plain[GREY + 1])


def test_patches_do_not_depend_on_the_other_candidates(grey, candidates):
    patches = patches_of(view_of(grey), candidates)
    order = np.array([7, 2, 11])
    np.testing.assert_array_equal(patches_of(view_of(grey), candidates.take(order)), patches[order])
