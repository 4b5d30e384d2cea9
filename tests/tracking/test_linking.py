import numpy as np
import pytest

from usmicro.tracking.linking import Tracker, assign, common_shift


def cine(seed, *, foci=20, frames=15, drift=(0.0, 0.0), jitter=0.3, dropout=0.0):
    """Positions of moving foci, frame after frame, with their true numbers, in changing order."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 300, (foci, 2))
    places = places[
        [i for i in range(foci) if all(np.hypot(*(places[i] - places[j])) > 12 for j in range(i))]
    ]
    for frame in range(frames):
        seen = np.flatnonzero(rng.random(len(places)) >= dropout)
        rng.shuffle(seen)
        moved = places[seen] + np.array(drift) * frame + rng.normal(0, jitter, (len(seen), 2))
        yield frame, moved, seen


def numbers_of_each(tracker, positions):
    """Return the numbers that each true focus was given."""
    given: dict[int, set[int]] = {}
    for frame, places, truth in positions:
        for number, focus in zip(
            tracker.update(frame, places[:, 0], places[:, 1]), truth, strict=True
        ):
            given.setdefault(int(focus), set()).add(number)
    return given


@pytest.mark.parametrize("drift", [(0, 0), (3, -1), (7, 7), (-9, 4)])
@pytest.mark.parametrize("dropout", [0, 0.3])
def test_a_focus_keeps_its_number_under_tissue_motion(drift, dropout):
    given = numbers_of_each(Tracker(gate=5), cine(1, drift=drift, dropout=dropout))
    assert all(len(numbers) == 1 for numbers in given.values())
    assert len(set.union(*given.values())) == len(given)


def test_a_lost_focus_is_remembered_for_a_few_frames_only():
    tracker = Tracker(gate=5, lost_frames=2)
    assert tracker.update(0, [10], [10]) == [1]
    assert tracker.update(1, [], []) == []
    assert tracker.unseen() == [(1, 10.0, 10.0)]
    assert tracker.update(3, [11], [10]) == [1]
    assert tracker.update(7, [11], [10]) == [2]


def test_an_unseen_focus_moves_with_the_tissue():
    tracker = Tracker(gate=5)
    tracker.update(0, [0, 40, 80, 120], [0, 30, 10, 60])
    tracker.update(1, [8, 48, 88], [6, 36, 16])
    [(number, x, y)] = tracker.unseen()
    assert number == 4
    assert (x, y) == pytest.approx((128, 66))


def test_two_near_foci_are_not_swapped():
    tracker = Tracker(gate=10)
    assert tracker.update(0, [0, 6], [0, 0]) == [1, 2]
    # the nearest of the first focus is taken by the second: only the whole assignment is right
    assert tracker.update(1, [5, 11], [0, 0], shift=(0, 0)) == [1, 2]


def test_numbers_do_not_depend_on_chance():
    runs = [
        [Tracker(4).update(f, p[:, 0], p[:, 1]) for f, p, _ in cine(5, dropout=0.2)]
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_frames_must_come_in_order():
    tracker = Tracker(5)
    tracker.update(3, [1], [1])
    with pytest.raises(ValueError, match="after 3, found 3"):
        tracker.update(3, [1], [1])


def test_the_common_shift_survives_strangers():
    rng = np.random.default_rng(2)
    old = rng.uniform(0, 200, (30, 2))
    new = np.concatenate(
        [old[:20] + np.array([6, -5]) + rng.normal(0, 0.2, (20, 2)), rng.uniform(0, 200, (10, 2))]
    )
    np.testing.assert_allclose(common_shift(old, new, 4.0), (6, -5), atol=0.3)
    np.testing.assert_array_equal(common_shift(old[:2], new[:2], 4.0), 0)


def test_nothing_is_assigned_beyond_the_gate():
    assert assign(np.array([[0.0, 0]]), np.array([[5.1, 0]]), 5) == []
    assert assign(np.zeros((0, 2)), np.array([[5.1, 0]]), 5) == []


def test_a_weak_focus_beside_does_not_take_the_number_where_the_movement_is_known():
    tracker = Tracker(gate=18)
    first, weak = tracker.update(0, [100, 101], [100, 93], shift=(0, 0), gate=7)
    # the weak one is gone, and another appears behind
    now = tracker.update(1, [98, 103], [100, 115], shift=(0, 0), gate=7)
    assert now[0] == first
    assert weak not in now
