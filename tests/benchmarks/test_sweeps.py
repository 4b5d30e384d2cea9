"""Sweeps are compared with their truth; known truth on made tracks."""

import pytest

from benchmarks.sweeps.measures import ListedFocus, Measured, rates
from benchmarks.sweeps.truth import Shown, true_focus, were_shown


def shown(x, loss=(0.0, 0.0, 20.0)):
    return Shown((x,) * 3, (5.0,) * 3, loss, 2.0)


def test_a_track_follows_the_focus_at_most_of_its_points():
    foci = [shown(10.0), shown(50.0)]
    assert true_focus([(0, 50.0, 5.0), (1, 51.0, 5.0)], foci, 3.0) == 1
    assert true_focus([(0, 10.0, 5.0), (1, 30.0, 5.0)], foci, 3.0) == 0
    assert true_focus([(0, 30.0, 5.0)], foci, 3.0) is None
    assert true_focus([(2, 10.0, 5.0)], foci, 3.0) is None, "the plane does not show it there"
    assert true_focus([(0, 10.0, 5.0)], [], 3.0) is None


def test_only_foci_that_the_plane_reaches_count():
    assert were_shown([shown(1.0), shown(1.0, (9.0, 5.0, 4.0))]) == [0]


def measured(normal, foci, minutes=0.5, resting=False):
    return Measured(
        name="made",
        normal=normal,
        resting=resting,
        minutes=minutes,
        foci=tuple(ListedFocus(confidence, true, False, 3) for confidence, true in foci),
        shown=(0, 1),
        masses=0,
        true_masses=0,
        masses_found=0,
        seconds_per_frame=0.1,
    )


def test_rates_count_what_reaches_the_confidence():
    sweeps = [
        measured(True, [(0.5, None), (0.1, None)]),
        measured(False, [(0.6, 0), (0.5, 0), (0.1, 1), (0.9, None)]),
    ]
    at = rates(sweeps, 0.3)
    assert at["false foci per minute of normal sweep"] == 2
    assert at["sensitivity, sweeps"] == 0.5
    assert at["found foci with one number, sweeps"] == 0
    assert at["sensitivity, clips at rest"] is None
    low = rates(sweeps, 0.0)
    assert low["false foci per minute of normal sweep"] == 4
    assert low["sensitivity, sweeps"] == 1
    assert low["found foci with one number, sweeps"] == pytest.approx(0.5)
