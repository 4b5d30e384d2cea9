import numpy as np
import pytest

from tests.doppler.colour_views import (
    CELL,
    FOCUS,
    evidence_of,
    random_cells,
    tail,
    twinkling_frames,
    view_of,
)


def test_random_cells_have_the_mean_resultant_length_of_theory():
    evidence = [evidence_of(view, *FOCUS) for view in twinkling_frames(60)]
    cells = np.median([item.cells for item in evidence])
    assert cells == pytest.approx(tail().sum() / CELL**2, rel=0.5)
    length = np.mean([item.mean_resultant_length for item in evidence])
    assert length == pytest.approx(0.886 / np.sqrt(cells), rel=0.3)


def test_half_of_the_pairs_of_random_cells_are_opposed():
    evidence = [evidence_of(view, *FOCUS) for view in twinkling_frames(60)]
    assert np.mean([item.opposed_fraction for item in evidence]) == pytest.approx(0.5, abs=0.05)


def test_the_tail_follows_a_steered_colour_box():
    rows, columns = np.indices(tail().shape)
    box = (np.abs(columns - 150 + 0.35 * (rows - 150)) < 90) & (rows > 30) & (rows < 270)
    shown = (np.abs(columns - 150 + 0.35 * (rows - 120)) < 8) & (rows > 115) & (rows < 175)
    phase = random_cells(np.random.default_rng(0))
    steered = evidence_of(view_of(phase, shown, box=box), *FOCUS)
    upright = evidence_of(view_of(phase, shown), *FOCUS)
    assert steered.zone_fraction > 0.9 > upright.zone_fraction


def test_evidence_does_not_depend_on_where_the_focus_lies():
    (view,) = twinkling_frames(1)
    phase = random_cells(np.random.default_rng(0))
    shifted = view_of(*(np.roll(image, (40, -30), axis=(0, 1)) for image in (phase, tail())))
    x, y, diameter = FOCUS
    first = evidence_of(view, x, y, diameter)
    second = evidence_of(shifted, x - 30, y + 40, diameter)
    assert first.zone_fraction == second.zone_fraction
    assert first.head_fraction == second.head_fraction
    assert first.pairs == second.pairs
    assert first.mean_resultant_length == pytest.approx(second.mean_resultant_length)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (-50, 1000)])
def test_a_focus_outside_the_colour_box_has_no_evidence(x, y):
    (view,) = twinkling_frames(1)
    assert not evidence_of(view, x, y, 4).in_box
