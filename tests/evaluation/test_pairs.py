import numpy as np
import pytest

from usmicro.evaluation.pairs import match_pairs


def test_the_nearest_pair_is_matched_first():
    one, other = [(0, 0, 0), (4, 0, 0)], [(3, 0, 0)]
    assert match_pairs(one, other) == [(1, 0)]


def test_each_spot_is_matched_once_and_only_within_reach():
    one = [(0, 0, 4), (1, 0, 4), (50, 0, 4)]
    other = [(0, 1, 4), (50, 7, 4)]
    assert match_pairs(one, other) == [(0, 0)]
    assert match_pairs(one, other, least_distance=8) == [(0, 0), (2, 1)]
    assert match_pairs(one, [(0, 1, 4), (50, 7, 16)]) == [(0, 0), (2, 1)]  # half of 16 pixels


def test_empty_lists_have_no_pairs():
    assert match_pairs([], []) == []
    assert match_pairs([(0, 0, 0)], []) == []


@pytest.mark.parametrize("seed", range(5))
def test_exchanging_the_lists_exchanges_the_pairs(seed):
    random = np.random.default_rng(seed)
    one, other = random.integers(0, 12, (8, 3)), random.integers(0, 12, (9, 3))
    pairs = match_pairs(one, other)
    assert sorted((b, a) for a, b in pairs) == match_pairs(other, one)
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
