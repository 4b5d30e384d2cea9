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
    """Return a steep vessel in which blood flows away from the transducer."""
    s = np.arange(-5, 5, 0.2)
    x, z = 5 + 0.3 * s, 13 + 0.95 * s
    return VesselShape(tuple(zip(x.tolist(), z.tolist(), strict=True)), 0.8, velocity)


def clip(settings: PhantomSettings = SETTINGS, **scene: object):
    phantom = simulate(1, settings, scene=Scene(box=BOX, **scene))
    assert phantom.truth.colour is not None
    return phantom, phantom.truth.colour


def test_flow_away_is_negative_pulsatile_and_shown_only_in_the_vessel():
    phantom, colour = clip(vessels=(vessel(4.0),))
    shown = colour.velocity[colour.shown]
    assert (shown < 0).mean() > 0.95
    x, y = np.array(colour.vessels[0].x_px), np.array(colour.vessels[0].y_px)
    rows, columns = np.nonzero(colour.shown[0])
    to_axis = np.hypot(columns[:, None] - x, rows[:, None] - y).min(axis=1)
    to_axis *= phantom.settings.spacing
    assert to_axis.max() < colour.vessels[0].radius_mm + 0.6
    speeds = [
        np.percentile(np.abs(frame[shown]), 90)
        for frame, shown in zip(colour.velocity, colour.shown, strict=True)
    ]
    assert max(speeds) > 1.5 * min(speeds)
    assert max(speeds) < 4.5


def test_flow_faster_than_the_limit_aliases():
    _, colour = clip(vessels=(vessel(9.0),))
    fastest = max(range(8), key=lambda number: (colour.velocity[number] > 2).sum())
    assert (colour.velocity[fastest] > 2).sum() > 20  # flow away is shown as flow towards
    assert np.abs(colour.velocity).max() <= 6.0


def mean_resultant_length(colour, rows: slice, columns: slice) -> float:
    """Return the length of the mean of the unit vectors of the phases, 0 random to 1 equal."""
    shown = colour.shown[:, rows, columns]
    phase = np.pi * colour.velocity[:, rows, columns][shown] / colour.velocity_limit_cm_s
    return float(np.abs(np.mean(np.exp(1j * phase))))


def test_twinkling_has_random_phases_and_flow_has_not():
    focus = FocusShape(-4.0, 9.0, 1.0, 18.0, "extramass", twinkling=True)
    _, colour = clip(foci=(focus,), vessels=(vessel(4.0),))
    x, y, mm = round((13 - 4.0) / 0.08) + 62, round(9 / 0.08), 1 / 0.08
    tail = slice(y, round(y + 4 * mm)), slice(round(x - 0.7 * mm), round(x + 0.7 * mm))
    assert colour.shown[(slice(None), *tail)].mean() > 0.3
    assert not colour.shown[:, : round(y - 1.2 * mm), : round(x + 2 * mm)].any()
    assert mean_resultant_length(colour, *tail) < 0.3
    lumen = (
        slice(round(12 * mm), round(14 * mm)),
        slice(round((13 + 4.6) * mm) + 62, round((13 + 5.4) * mm) + 62),
    )
    assert mean_resultant_length(colour, *lumen) > 0.8


def test_a_flash_colours_much_of_the_box_in_its_frames_only():
    _, colour = clip(replace(SETTINGS, flash=0.4))
    assert 0 < len(colour.flash_frames) < 8
    coloured_fraction = colour.shown.mean(axis=(1, 2))
    flashing = np.isin(np.arange(8), colour.flash_frames)
    assert coloured_fraction[flashing].min() > 0.2
    assert coloured_fraction[~flashing].max() < 0.01


def test_colours_are_those_of_the_bar_and_are_drawn_in_the_box_where_the_truth_has_them():
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
    bar = phantom.frames[0][top:bottom, left:right].reshape(-1, 3)
    assert {tuple(row) for row in bar.tolist()} <= table


def test_a_random_colour_scene_is_repeatable_and_its_vessels_keep_clear_of_twinkling_foci():
    settings = PhantomSettings(
        width=30.0, depth=30.0, looks=1, colour=True, frames=2, twinkling=1.0, cysts=0.0, vessels=2
    )
    first, again = simulate(7, settings), simulate(7, settings)
    assert first.frames.tobytes() == again.frames.tobytes()
    colour = first.truth.colour
    assert any(focus.twinkling for focus in first.truth.foci)
    for focus in first.truth.foci:
        for tube in colour.vessels:
            x, y = np.array(tube.x_px) - focus.x_px[0], np.array(tube.y_px) - focus.y_px[0]
            assert not focus.twinkling or np.hypot(x, y).min() * settings.spacing > 2


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_colour_maps_are_saturated_and_their_ends_are_the_first_and_last_colour(name):
    table = colour_table(name).astype(int)
    assert table.shape == (256, 3)
    assert np.ptp(table, axis=1).min() > 40
    lowest = 0.0 if name == "power" else -1.0
    ends = coloured(np.float32([1.0, lowest]), name)
    np.testing.assert_array_equal(ends, table[[0, -1]])


def test_with_a_shifted_baseline_velocities_wrap_at_the_ends_of_the_shifted_range():
    fast = (vessel(9.0),)
    _, plain = clip(vessels=fast)
    _, shifted = clip(replace(SETTINGS, baseline_shift=-0.5), vessels=fast)
    limit = SETTINGS.velocity_limit
    assert shifted.velocity.min() < -limit
    assert shifted.velocity.min() >= -1.5 * limit
    assert shifted.velocity.max() <= 0.5 * limit
    both = plain.shown & shifted.shown
    wraps = (plain.velocity - shifted.velocity)[both] / (2 * limit)
    np.testing.assert_allclose(wraps, np.rint(wraps), atol=1e-4)
    assert set(np.rint(wraps).tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("name", COLOUR_MAPS)
@pytest.mark.parametrize("place", ["left", "right", "lying"])
def test_usmicro_finds_the_colour_bar_of_the_truth(name, place):
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


def test_persistence_makes_successive_frames_similar():
    focus = FocusShape(-4.0, 9.0, 1.0, 18.0, "extramass", twinkling=True)

    def same_sign(persistence: float) -> float:
        """Return the fraction of pixels whose velocity has the same sign in the next frame."""
        _, colour = clip(
            replace(SETTINGS, persistence=persistence, motion=0.0, frames=12), foci=(focus,)
        )
        both = colour.shown[1:] & colour.shown[:-1]
        is_positive = colour.velocity > 0
        return float(np.mean(is_positive[1:][both] == is_positive[:-1][both]))

    assert same_sign(0.0) == pytest.approx(0.5, abs=0.06)
    assert same_sign(0.5) > 0.6


def test_mixed_colours_are_between_the_echoes_and_the_map():
    def coloured_pixels(opacity: float) -> np.ndarray:
        phantom, colour = clip(
            replace(SETTINGS, colour_opacity=opacity, frames=1), vessels=(vessel(4.0),)
        )
        return phantom.frames[0][colour.shown[0]].astype(float)

    pure, half, most = (coloured_pixels(opacity) for opacity in (1.0, 0.5, 0.75))
    assert (np.ptp(2 * half - pure, axis=1) <= 3).all()  # the rest is grey
    assert np.abs(most - (pure + half) / 2).max() <= 1


def test_without_a_colour_bar_there_is_none_in_truth_and_regions():
    phantom, colour = clip(replace(SETTINGS, colour_bar="none"), vessels=(vessel(4.0),))
    assert colour.bar_px is None
    assert not [region for region in phantom.regions if region.kind == "colour bar"]
