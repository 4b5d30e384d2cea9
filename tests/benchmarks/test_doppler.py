from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from benchmarks.doppler.clips import (
    Clip,
    is_in_tail,
    keep_one_number,
    true_focus_at,
    twinkling_scores,
)
from benchmarks.doppler.decoding import DecodedFrame
from benchmarks.doppler.tables import COLUMNS, make_tables, mean
from usmicro.phantom import PhantomSettings

PIXEL_MM = 0.1


@dataclass(eq=False)
class TrueFocusStub:
    x_px: list[float]
    y_px: list[float]
    twinkling: bool
    diameter_mm: float


def true_focus(x, y, *, twinkling=False, diameter_mm=0.5):
    return TrueFocusStub([x], [y], twinkling, diameter_mm)


def phantom_with(*true_foci, frames=1):
    colour = SimpleNamespace(box_px=[(0, 0), (200, 0), (200, 200), (0, 200)])
    return SimpleNamespace(
        settings=SimpleNamespace(spacing=PIXEL_MM),
        truth=SimpleNamespace(foci=true_foci, colour=colour),
        frames=np.zeros((frames, 300, 300)),
    )


def focus(x, y, **more):
    return SimpleNamespace(x_px=x, y_px=y, frame=0, **more)


def test_a_focus_is_matched_with_the_nearest_true_focus_within_reach():
    near, far, large = true_focus(10, 10), true_focus(60, 10), true_focus(150, 10, diameter_mm=4)
    phantom = phantom_with(near, far, large)
    assert true_focus_at(phantom, focus(19, 10), 0) is near
    assert true_focus_at(phantom, focus(30, 10), 0) is None  # 2 mm from the nearest
    assert true_focus_at(phantom, focus(131, 10), 0) is large  # within its radius
    assert true_focus_at(phantom_with(), focus(10, 10), 0) is None


def test_true_foci_in_the_tail_of_a_twinkling_focus_are_left_out():
    source, below, beside = (
        true_focus(50, 50, twinkling=True),
        true_focus(52, 90, twinkling=True),
        true_focus(100, 50),
    )
    phantom = phantom_with(source, below, beside)
    assert [is_in_tail(true, phantom) for true in (source, below, beside)] == [False, True, False]
    foci = [focus(50, 50, twinkling_score=0.4), focus(51, 50, twinkling_score=0.9)]
    assert twinkling_scores(foci, phantom, [0, 0]) == [(0.9, True), (0, False)]


def test_a_true_focus_keeps_its_number_if_one_track_has_nearly_all_observations():
    phantom = phantom_with(true_focus(10, 10), true_focus(60, 10), true_focus(90, 10), frames=20)
    foci = [focus(10, 10, seen_frames=19), focus(11, 10, seen_frames=1)]
    foci += [focus(60, 10, seen_frames=10), focus(61, 10, seen_frames=10)]
    foci += [focus(90, 10, seen_frames=3)]  # seen in less than half of the frames
    assert keep_one_number(foci, phantom) == [True, False]


def test_tables_have_a_row_for_each_measure_and_group():
    clip = Clip(
        kind="twinkling",
        settings=PhantomSettings(colour=True),
        decoded=DecodedFrame(0.9, 0.8, True),
        clip_scores=((0.9, True), (0.1, False)),
        still_scores=((0.2, True), (0.2, False)),
        possible=(True, False),
        verdicts=((True, True), (True, False), (False, False)),
        is_found=(True,),
        keeps_number=(True,),
    )
    lines = make_tables([clip])
    assert "| twinkling score, AUC, clips | 1.000 | 1.000 to 1.000 | 2 |" in lines
    assert (
        "| twinkling yes, false-positive rate, twinkling clips | 0.500 | 0.500 to 0.500 | 2 |"
        in (lines)
    )
    (row,) = (line for line in lines if line.startswith("| all |"))
    assert row == "| all | 1 | 0.900 | 0.800 | 1.000 |  |  |  | 1.000 |"
    assert row.count("|") == len(COLUMNS) + 2


def test_the_mean_ignores_nan():
    assert mean([1.0, np.nan, 3.0]) == 2
    assert np.isnan(mean([np.nan]))
