"""Simulated sweeps: speckle decorrelates with elevation, foci and masses come and go."""

from dataclasses import replace

import numpy as np
import pytest

from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.sweeps import Sweep, random_sweep, simulate_sweep

SMALL = PhantomSettings(
    width=14, depth=16, spacing=0.1, looks=1, fat=4, gland=8, motion=0.0, intramass=3, masses=1
)


def swept(speed, frames=5, kind="lesions", seed=4, settings=SMALL):
    sweep = Sweep(frames=frames, frame_rate=20.0, speed=speed, thickness=1.5)
    return simulate_sweep(seed, kind, sweep, settings=settings)


def correlation(one, other):
    return np.corrcoef(one.ravel().astype(float), other.ravel().astype(float))[0, 1]


def test_equal_seeds_give_equal_bytes():
    one, other = swept(20), swept(20)
    assert one.frames.tobytes() == other.frames.tobytes()
    assert one.foci == other.foci


def test_speckle_decorrelates_over_the_thickness_of_the_beam():
    frames = swept(
        10, frames=8, kind="normal", settings=replace(SMALL, anatomy=False, ducts=0)
    ).frames[:, 40:]
    near, far = correlation(frames[0], frames[1]), correlation(frames[0], frames[7])
    assert near > 0.7
    assert far < 0.3


def test_a_resting_probe_shows_nearly_the_same_frame():
    frames = swept(0).frames
    assert correlation(frames[0], frames[-1]) > 0.8


def test_foci_fade_with_elevation_and_masses_have_sections():
    phantom = swept(30, frames=12)
    assert phantom.foci
    for focus in phantom.foci:
        loss = np.array(focus.loss_db)
        assert (loss >= 0).all()
        assert (np.diff(loss, 2) > -1e3).all()
        least = loss.argmin()
        assert (np.diff(loss[: least + 1]) <= 0).all()
        assert (np.diff(loss[least:]) >= 0).all()
    for mass in phantom.masses:
        assert max(mass.radius_mm) > 0
        assert 0 in mass.radius_mm


def test_normal_tissue_has_no_foci_and_no_masses():
    phantom = swept(20, kind="normal")
    assert not phantom.foci
    assert not phantom.masses


@pytest.mark.parametrize("seed", range(5))
def test_a_hand_moves_at_10_to_30_mm_per_second(seed):
    moving, resting = random_sweep(seed, seconds=2), random_sweep(seed, resting=True, seconds=2)
    assert 10 <= moving.speed <= 30
    assert resting.speed == 0
    assert moving.frames == round(2 * moving.frame_rate)
