import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from usmicro.kernels import ranks


def ranks_in_numpy(values, ranked, left, right, half_window, least):
    rank, level = np.full(values.shape, np.nan), np.full(len(values), np.nan)
    for step in np.flatnonzero(ranked.any(axis=1)):
        sides = []
        for flank in (left, right):
            window = flank[max(step - half_window, 0) : step + half_window + 1]
            window = window[~np.isnan(window)]
            if len(window) >= least:
                sides.append(window)
        if sides:
            own = values[step, ranked[step], None]
            below = [(s < own).mean(axis=1) + (s == own).mean(axis=1) / 2 for s in sides]
            rank[step, ranked[step]] = np.mean(below, axis=0)
            level[step] = np.mean([s.mean(dtype=float) for s in sides])
    return rank, level


def ranks_of(values, ranked, left, right, half_window=2, least=1):
    rank, level = np.empty(values.shape), np.empty(len(values))
    ranks.ranks_at_equal_depth(values, ranked, left, right, half_window, least, rank, level)
    return rank, level


def samples(*, seed=3, whole=False, hidden=0.2, sizes=(30, 20, 25)):
    """Values and two flanks at 40 depths, some hidden, some below 0 and above 255."""
    random = np.random.default_rng(seed)
    arrays = [random.normal(120, 100, (40, size)).astype(np.float32) for size in sizes]
    arrays = [np.round(array / 20) * 20 if whole else array for array in arrays]
    for flank in arrays[1:]:
        flank[random.random(flank.shape) < hidden] = np.nan
    values, left, right = arrays
    return values, random.random(values.shape) < 0.7, left, right


@pytest.mark.parametrize("whole", [False, True])  # whole levels have ties
@pytest.mark.parametrize(("half_window", "least"), [(0, 1), (2, 1), (2, 88), (50, 20)])
def test_ranks_equal_their_numpy_twin(whole, half_window, least):
    given = samples(whole=whole)
    for ours, expected in zip(
        ranks_of(*given, half_window=half_window, least=least),
        ranks_in_numpy(*given, half_window=half_window, least=least),
        strict=True,
    ):
        assert np.isfinite(expected).any()
        assert_allclose(ours, expected, atol=1e-12, rtol=1e-12)


def test_a_hidden_flank_does_not_count_and_two_give_nothing():
    values, ranked, left, right = samples()
    hidden = np.full_like(left, np.nan)
    rank, level = ranks_of(values, ranked, hidden, right)
    swapped, _ = ranks_of(values, ranked, right, hidden)
    assert_array_equal(rank, swapped)
    assert_array_equal(np.isfinite(rank), ranked)
    assert np.isfinite(level).all()
    assert all(np.isnan(array).all() for array in ranks_of(values, ranked, hidden, hidden))


def test_ranks_are_those_of_the_negative_scan_from_the_other_end():
    values, ranked, left, right = samples(whole=True)
    rank, _ = ranks_of(values, ranked, left, right)
    negative, _ = ranks_of(255 - values, ranked, 255 - left, 255 - right)
    assert_allclose(negative[ranked], 1 - rank[ranked], atol=1e-12)


def test_equal_levels_have_the_middle_rank():
    level = np.full((10, 30), 77, np.float32)
    rank, mean = ranks_of(level, np.ones(level.shape, bool), level, level)
    assert_array_equal(rank, 0.5)
    assert_array_equal(mean, 77)
