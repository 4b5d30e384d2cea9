"""Confidence over the frames of a cine: limits and monotony."""

import pytest

from usmicro.tracking.confidence import ASSUMED_FRAME_RATE, frame_rate_of, track_confidence


def confidence(highest=0.6, seen=20, span=None, mean=0.5, analysed=400, frame_rate=20.0):
    return track_confidence(
        highest,
        mean * seen,
        seen=seen,
        span=span or seen,
        analysed=analysed,
        frame_rate=frame_rate,
    )


def test_a_focus_on_which_the_plane_rests_counts_as_in_a_still():
    assert confidence(seen=30) == pytest.approx(0.5)
    assert confidence(seen=3, analysed=3) == pytest.approx(0.5)


def test_a_focus_that_is_passed_is_less_sure_and_its_highest_confidence_decides():
    assert confidence(seen=3) < 0.1
    assert confidence(seen=3, mean=0.2) == confidence(seen=3, mean=0.5)
    assert confidence(seen=3, highest=0.9) > confidence(seen=3, highest=0.6)


def test_confidence_rises_with_the_time_for_which_the_focus_is_seen():
    values = [confidence(seen=seen) for seen in range(1, 25)]
    assert values == sorted(values)
    assert confidence(seen=12, frame_rate=12) > confidence(seen=12, frame_rate=30)


def test_confidence_falls_with_the_gaps():
    assert confidence(seen=20, span=40) < confidence(seen=20, span=20)


@pytest.mark.parametrize("extreme", [0.0, 1.0])
def test_extreme_confidences_stay_probabilities(extreme):
    assert 0 <= confidence(highest=extreme, mean=extreme) <= 1


def test_the_frame_rate_follows_from_the_times_and_the_frames_that_are_analysed():
    times = tuple(i / 25 for i in range(101))
    assert frame_rate_of(times, 101) == pytest.approx(25)
    assert frame_rate_of(times, 1000) == pytest.approx(25)
    assert frame_rate_of(times, 50) == pytest.approx(25 * 50 / 101)
    assert frame_rate_of((), 7) == frame_rate_of((0.0, 0.0), 2) == ASSUMED_FRAME_RATE
