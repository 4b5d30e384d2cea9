from dataclasses import replace

import numpy as np
import pytest

from usmicro.phantom import PhantomSettings, simulate
from usmicro.phantom.clump_shapes import distance_to_discs, random_discs
from usmicro.phantom.truth import Truth

FORMS = ("rim", "popcorn", "clump")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_shape_has_its_area_and_its_centroid_at_the_origin(form, seed):
    discs = random_discs(np.random.default_rng(seed), form, 3.0)
    axis = np.arange(-8, 8, 0.02)
    x, z = np.meshgrid(axis, axis)
    inside = distance_to_discs(discs, x, z) < 0
    assert 2 * np.sqrt(inside.sum() * 0.02**2 / np.pi) == pytest.approx(3.0, rel=0.03)
    assert np.hypot(x[inside].mean(), z[inside].mean()) < 0.1


def test_clumps_are_the_brightest_where_they_are_solid_and_a_rim_is_hollow():
    settings = PhantomSettings(anatomy=False, masses=0, ducts=0, extramass=0, coarse_clumps=6)
    forms = set()
    for seed in range(4):
        phantom = simulate(seed, settings)
        image = phantom.frames[0].astype(float)
        background = np.median(image[phantom.truth.tissue])
        rows, columns = np.indices(image.shape)
        for focus in phantom.truth.foci:
            forms.add(focus.form)
            distance = np.hypot(columns - focus.x_px[0], rows - focus.y_px[0])
            radius = focus.diameter_mm / phantom.spacing.x_mm / 2
            middle = image[distance < 0.35 * radius].mean()
            edge = image[(distance > 0.7 * radius) & (distance < 0.95 * radius)].mean()
            assert max(middle, edge) > background + 8
            if focus.form == "rim":
                assert edge > middle
    assert forms == set(FORMS)


def test_coarse_clumps_are_coarse_lie_inside_their_mass_and_survive_json():
    settings = PhantomSettings(masses=1, cysts=0.0, coarse_clumps=4)
    intramass = 0
    for seed in range(4):
        truth = simulate(seed, settings).truth
        clumps = [focus for focus in truth.foci if focus.form != "round"]
        assert all(focus.kind == "coarse" and focus.diameter_mm >= 2 for focus in clumps)
        for focus in clumps:
            row, column = round(focus.y_px[0]), round(focus.x_px[0])
            assert truth.mass_labels[row, column] == (focus.mass or 0)
            intramass += focus.label == "intramass"
        assert [focus.form for focus in Truth.from_dict(truth.to_dict()).foci] == [
            focus.form for focus in truth.foci
        ]
    assert intramass


def test_without_coarse_clumps_a_seed_gives_the_same_scan_and_json():
    settings = PhantomSettings(width=20, depth=25)
    phantom = simulate(3, settings)
    np.testing.assert_array_equal(
        phantom.frames, simulate(3, replace(settings, coarse_clumps=0)).frames
    )
    assert all("form" not in focus for focus in phantom.truth.to_dict()["foci"])
