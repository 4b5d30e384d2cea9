from dataclasses import replace

import numpy as np
import pytest

from usmicro.phantom import ColourBox, FocusShape, PhantomSettings, Scene, VesselShape, simulate
from usmicro.phantom.colour_maps import colour_table, coloured
from usmicro.phantom.settings import COLOUR_MAPS
from usmicro.preparation.colour.separation import separate_colour

SETTINGS = PhantomSettings(
    width=26.0,
    depth=26.0,
    spacing=0.08,
    anatomy=False,
    colour=True,
    frames=8,
    looks=1,
    colour_noise=0.0,
    motion=0.03,
    velocity_limit=6.0,
)
BOX = ColourBox(-10.0, 10.0, 4.0, 22.0)


def vessel(velocity: float) -> VesselShape:
    s = np.arange(-5, 5, 0.2)
    return VesselShape(
        tuple(zip((5 + 0.3 * s).tolist(), (13 + 0.95 * s).tolist(), strict=True)), 0.8, velocity
    )


def clip(settings: PhantomSettings = SETTINGS, **scene: object):
    phantom = simulate(1, settings, scene=Scene(box=BOX, **scene))
    assert phantom.truth.colour is not None
    return phantom, phantom.truth.colour


def test_flow_away_is_negative_shows_in_the_vessel_only_and_pulses():
    phantom, colour = clip(vessels=(vessel(4.0),))
    shown = colour.velocity[colour.shown]
    assert (shown < 0).mean() > 0.95
    x, y = np.array(colour.vessels[0].x_px), np.array(colour.vessels[0].y_px)
    rows, columns = np.nonzero(colour.shown[0])
    apart = np.hypot(columns[:, None] - x, rows[:, None] - y).min(axis=1) * phantom.settings.spacing
    assert apart.max() < colour.vessels[0].radius_mm + 0.6
    speeds = [
        np.percentile(np.abs(frame[lit]), 90)
        for frame, lit in zip(colour.velocity, colour.shown, strict=True)
    ]
    assert max(speeds) > 1.5 * min(speeds)
    assert max(speeds) < 4.5


def test_flow_faster_than_the_limit_aliases():
    _, colour = clip(vessels=(vessel(9.0),))
    fastest = max(range(8), key=lambda number: (colour.velocity[number] > 2).sum())
    assert (colour.velocity[fastest] > 2).sum() > 20  # flow away shown as flow towards
    assert np.abs(colour.velocity).max() <= 6.0


def resultant(colour, rows: slice, columns: slice) -> float:
    lit = colour.shown[:, rows, columns]
    return float(
        np.abs(
            np.mean(
                np.exp(
                    1j * np.pi * colour.velocity[:, rows, columns][lit] / colour.velocity_limit_cm_s
                )
            )
        )
    )


def test_twinkling_has_random_phases_at_the_focus_and_behind_it():
    focus = FocusShape(-4.0, 9.0, 1.0, 18.0, "extramass", twinkling=True)
    _, colour = clip(foci=(focus,), vessels=(vessel(4.0),))
    x, y, mm = round((13 - 4.0) / 0.08) + 62, round(9 / 0.08), 1 / 0.08
    tail = slice(y, round(y + 4 * mm)), slice(round(x - 0.7 * mm), round(x + 0.7 * mm))
    assert colour.shown[(slice(None), *tail)].mean() > 0.3
    assert not colour.shown[:, : round(y - 1.2 * mm), : round(x + 2 * mm)].any()
    assert resultant(colour, *tail) < 0.3
    path = (
        slice(round(12 * mm), round(14 * mm)),
        slice(round((13 + 4.6) * mm) + 62, round((13 + 5.4) * mm) + 62),
    )
    assert resultant(colour, *path) > 0.8


def test_a_flash_lights_most_of_the_box_in_its_frames_only():
    _, colour = clip(replace(SETTINGS, flash=0.4))
    assert 0 < len(colour.flash_frames) < 8
    lit = colour.shown.mean(axis=(1, 2))
    flashing = np.isin(np.arange(8), colour.flash_frames)
    assert lit[flashing].min() > 0.2
    assert lit[~flashing].max() < 0.01


def test_colour_is_drawn_inside_the_box_where_the_truth_says_and_with_the_colours_of_the_bar():
    phantom, colour = clip(replace(SETTINGS, colour_noise=0.05), vessels=(vessel(4.0),))
    (region,) = [region for region in phantom.regions if region.kind == "colour flow"]
    table = {tuple(row) for row in colour_table("red-blue").tolist()}
    for frame, shown in zip(phantom.frames, colour.shown, strict=True):
        saturated = (np.ptp(frame.astype(int), axis=2) > 0) & ~phantom.truth.overlay
        assert not (saturated & ~shown).any()
        assert {tuple(row) for row in frame[shown].tolist()} <= table
        rows, columns = np.nonzero(shown)
        assert region.left <= columns.min()
        assert columns.max() < region.right
        assert region.top <= rows.min()
        assert rows.max() < region.bottom
    left, top, right, bottom = colour.bar_px
    assert {
        tuple(row) for row in phantom.frames[0][top:bottom, left:right].reshape(-1, 3).tolist()
    } <= table


def test_a_random_colour_scene_is_the_same_every_time_and_keeps_vessels_off_twinkling_foci():
    settings = PhantomSettings(
        width=30.0, depth=30.0, looks=1, colour=True, frames=2, twinkling=1.0, cysts=0.0, vessels=2
    )
    first, again = simulate(7, settings), simulate(7, settings)
    assert first.frames.tobytes() == again.frames.tobytes()
    colour = first.truth.colour
    assert any(focus.twinkling for focus in first.truth.foci)
    for focus in first.truth.foci:
        for tube in colour.vessels:
            apart = np.hypot(
                np.array(tube.x_px) - focus.x_px[0], np.array(tube.y_px) - focus.y_px[0]
            ).min()
            assert not focus.twinkling or apart * settings.spacing > 2


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_colour_maps_are_saturated_and_ends_are_first_and_last(name):
    table = colour_table(name).astype(int)
    assert table.shape == (256, 3)
    assert np.ptp(table, axis=1).min() > 40
    lowest = 0.0 if name == "power" else -1.0
    ends = coloured(np.float32([1.0, lowest]), name)
    np.testing.assert_array_equal(ends, table[[0, -1]])


def test_a_shifted_baseline_wraps_velocities_at_its_ends():
    fast = (vessel(9.0),)
    _, plain = clip(vessels=fast)
    _, shifted = clip(replace(SETTINGS, baseline_shift=-0.5), vessels=fast)
    limit = SETTINGS.velocity_limit
    assert shifted.velocity.min() < -limit
    assert shifted.velocity.min() >= -1.5 * limit
    assert shifted.velocity.max() <= 0.5 * limit
    lit = plain.shown & shifted.shown
    turns = (plain.velocity - shifted.velocity)[lit] / (2 * limit)
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-4)
    assert set(np.rint(turns).tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("name", COLOUR_MAPS)
@pytest.mark.parametrize("place", ["left", "right", "lying"])
def test_the_bar_that_is_drawn_is_the_one_that_is_found(name, place):
    settings = replace(
        SETTINGS,
        colour_map=name,
        colour_bar=place,
        frames=1,
        baseline_shift=0.0 if name == "power" else 0.3,
    )
    phantom, colour = clip(settings, vessels=(vessel(4.0),))
    bar = separate_colour(phantom.frames[0]).bar
    assert bar.kind == {"power": "power", "variance": "variance"}.get(name, "velocity")
    np.testing.assert_allclose(bar.box, colour.bar_px, atol=2)
    if name != "power":
        assert bar.baseline == pytest.approx((len(bar.colours) - 1) * 1.3 / 2, abs=2)


def test_persistence_makes_frames_alike():
    focus = FocusShape(-4.0, 9.0, 1.0, 18.0, "extramass", twinkling=True)

    def alike(persistence: float) -> float:
        _, colour = clip(
            replace(SETTINGS, persistence=persistence, motion=0.0, frames=12), foci=(focus,)
        )
        both = colour.shown[1:] & colour.shown[:-1]
        return float(np.mean((colour.velocity[1:] > 0)[both] == (colour.velocity[:-1] > 0)[both]))

    assert alike(0.0) == pytest.approx(0.5, abs=0.06)
    assert alike(0.5) > 0.6


def test_mixed_colours_lie_between_the_echoes_and_the_map():
    def frame(opacity: float) -> np.ndarray:
        phantom, colour = clip(
            replace(SETTINGS, colour_opacity=opacity, frames=1), vessels=(vessel(4.0),)
        )
        return phantom.frames[0][colour.shown[0]].astype(float)

    pure, half, most = frame(1.0), frame(0.5), frame(0.75)
    assert (np.ptp(2 * half - pure, axis=1) <= 3).all()  # the rest is grey
    assert np.abs(most - (pure + half) / 2).max() <= 1


def test_without_a_bar_there_is_none():
    phantom, colour = clip(replace(SETTINGS, colour_bar="none"), vessels=(vessel(4.0),))
    assert colour.bar_px is None
    assert not [region for region in phantom.regions if region.kind == "colour bar"]
