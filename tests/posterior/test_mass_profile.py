from dataclasses import asdict, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.posterior.masses import ellipse, scan_with_mass
from tests.posterior.scans import sector_of, view_of
from usmicro.posterior.mass_profile import mass_profile
from usmicro.settings import ShadowSettings

SETTINGS = ShadowSettings()


def measures(view, mass):
    profile = mass_profile(view, mass, SETTINGS)
    assert profile is not None
    return asdict(profile)


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0.0), (1.0, 25.0), (0.6, 40.0)])
def test_gain_and_offset_of_the_grey_levels_change_nothing(gain, offset):
    grey, mass = scan_with_mass(21, behind=((160, 321, -6),))
    grey = np.clip(grey, 0, 230)
    changed = measures(view_of(gain * grey + offset), mass)
    for name, value in measures(view_of(grey), mass).items():
        assert_allclose(changed[name], value, atol=2e-3, err_msg=name)


def test_the_mirrored_scan_has_the_same_measures():
    grey, mass = scan_with_mass(22, behind=((160, 225, -12), (225, 321, 9)))
    mirrored = measures(view_of(grey[:, ::-1].copy()), mass[:, ::-1].copy())
    for name, value in measures(view_of(grey), mass).items():
        assert_allclose(mirrored[name], value, atol=2e-3, err_msg=name)


def test_tissue_that_is_the_same_behind_and_beside_has_the_ranks_of_chance():
    profiles = [measures(view_of(grey), mass) for grey, mass in map(scan_with_mass, range(30, 40))]
    mean = {name: np.mean([profile[name] for profile in profiles]) for name in profiles[0]}
    assert_allclose(mean["near"], 0.5, atol=0.05)
    assert_allclose(mean["deep"], 0.5, atol=0.05)
    assert_allclose(mean["bright"], 0.1, atol=0.04)
    assert_allclose(mean["dark"], 0.1, atol=0.04)


def test_a_black_shadow_and_a_strong_enhancement_have_the_extreme_ranks():
    shadow = measures(*_view_and_mass(((150, 331, -60),)))
    assert shadow["deep"] < 0.02
    assert shadow["dark"] > 0.98
    assert shadow["black"] > 0.98
    enhancement = measures(*_view_and_mass(((150, 331, 30),)))
    assert enhancement["deep"] > 0.98
    assert enhancement["bright"] > 0.98
    assert enhancement["black"] == 0


def _view_and_mass(behind):
    grey, mass = scan_with_mass(23, behind=behind)
    return view_of(grey), mass


def test_a_shadow_behind_half_of_the_mass_is_spread():
    half = measures(*_view_and_mass(((160, 240, -12),)))
    whole = measures(*_view_and_mass(((160, 321, -12),)))
    assert half["spread"] > whole["spread"] + 0.15


def test_only_one_visible_flank_is_enough_but_none_is_not():
    grey, mass = scan_with_mass(24, behind=((160, 321, -9),))
    columns = np.arange(grey.shape[1])
    one = np.broadcast_to(columns > 150, grey.shape)
    none = np.broadcast_to((columns > 150) & (columns < 330), grey.shape)
    both_sides = measures(view_of(grey), mass)
    one_side = measures(view_of(grey, tissue=one), mass)
    assert_allclose(one_side["deep"], both_sides["deep"], atol=0.1)
    assert mass_profile(view_of(grey, tissue=none), mass, SETTINGS) is None


def test_black_tissue_beside_the_mass_is_not_assessable():
    grey, mass = scan_with_mass(25)
    grey[190:] = 0
    assert mass_profile(view_of(grey), mass, SETTINGS) is None


def test_text_behind_the_mass_is_left_out():
    grey, mass = scan_with_mass(26, behind=((160, 321, -9),))
    text = ellipse(grey.shape, 240, 230, 15, 6)
    labelled = np.where(text, 255, grey)
    clean, covered = (
        measures(view_of(grey), mass),
        measures(view_of(labelled, graphics=text), mass),
    )
    for name, value in clean.items():
        assert_allclose(covered[name], value, atol=0.05, err_msg=name)


def test_a_mass_too_near_to_the_lower_edge_is_none_and_a_longer_demand_too():
    grey, mass = scan_with_mass(27)
    assert mass_profile(view_of(grey), mass, SETTINGS) is not None
    demanding = replace(SETTINGS, least_cells=1000.0)
    assert mass_profile(view_of(grey), mass, demanding) is None
    assert mass_profile(view_of(grey[:210]), mass[:210], SETTINGS) is None


@pytest.mark.parametrize("turn", [0, 100, 300])
def test_what_is_above_the_mass_changes_nothing(turn):
    grey, mask = scan_with_mass(28, behind=((160, 321, -9),))
    other = grey.copy()
    other[:80] = np.roll(grey[:80], turn, axis=1)  # the grey levels of the view stay the same
    assert measures(view_of(other), mask) == measures(view_of(grey), mask)


def test_a_mass_in_every_place_of_a_sector_is_measured_or_none():
    polar, _ = scan_with_mass(29)
    view, _ = sector_of(np.clip(polar, 0, 255), face=100.0)
    rows, columns = view.shape
    for y in (0, 20, rows // 2, rows - 1):
        for x in (0, columns // 2, columns - 1):
            profile = mass_profile(view, ellipse(view.shape, x, y, 70, 40), SETTINGS)
            assert profile is None or np.isfinite(list(asdict(profile).values())).all()
