import numpy as np
import pytest

from tests.helpers.made_cine import made_cine
from usmicro.writing.frame_files import shown_frames, thinned


def test_frames_with_foci_or_masses_and_the_key_frame_are_shown():
    assert shown_frames(made_cine()) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("most", [1, 7, 50, 99])
def test_chosen_frames_are_spread_evenly_and_hold_the_first(most):
    frames = list(range(10, 310, 3))
    first = [100, 13, 307, 100]
    chosen = thinned(frames, first, most)
    assert len(chosen) == most
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(frames)
    assert set(list(dict.fromkeys(first))[:most]) <= set(chosen)
    if most >= 50:
        assert np.diff(chosen).max() <= 2 * (frames[-1] - frames[0]) / most + 3


def test_few_frames_are_all_chosen_and_none_if_none_are_wanted():
    assert thinned([1, 4, 9], [4], 3) == [1, 4, 9]
    assert thinned([1, 4, 9], [4], 0) == []
    assert thinned([1, 4, 9], [9, 1], 1) == [9]
