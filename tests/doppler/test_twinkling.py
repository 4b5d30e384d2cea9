from dataclasses import replace

import numpy as np
import pytest

from usmicro.doppler.twinkling import (
    NO_COLOUR,
    ColourEvidence,
    assess_twinkling,
    coherence,
    colour_evidence,
)
from usmicro.model.scan import Spacing
from usmicro.model.view import ColourBar, ColourFlow, Grid, ScanLines, View
from usmicro.phantom import PhantomSettings, simulate
from usmicro.phantom.colour_maps import colour_table, coloured
from usmicro.preparation import prepare
from usmicro.settings import TwinklingSettings

SIZE, PIXEL, CELL = 300, 0.08, 5
BAR = ColourBar("velocity", colour_table("red-blue"), 127.5, (0, 0, 8, 256))
FOCUS = 150.0, 120.0, 6.0


def view_of(phase, shown, *, power=False, box=None):
    """A view of 24 mm whose colours show a phase."""
    shape = (SIZE, SIZE)
    rgb = np.where(
        shown[..., None], coloured((phase / np.pi).astype(np.float32), "red-blue"), np.uint8(80)
    ).astype(np.uint8)
    if box is None:
        box = np.zeros(shape, bool)
        box[20:280, 20:280] = True
    colour = ColourFlow(rgb, shown & box, box, BAR, power)
    grid = Grid(0, 0, 1, 1, PIXEL, Spacing(PIXEL, PIXEL, "given"))
    return View(
        np.full(shape, 80, np.float32),
        np.ones(shape, bool),
        np.zeros(shape, bool),
        grid,
        ScanLines("linear", 0),
        (4, 3),
        colour,
    )


def cells(rng):
    """A phase for each colour cell, on the pixels."""
    phase = rng.uniform(-np.pi, np.pi, (SIZE // CELL, SIZE // CELL))
    return np.repeat(np.repeat(phase, CELL, axis=0), CELL, axis=1)


def nothing():
    return np.zeros((SIZE, SIZE), bool)


def tail():
    shown = nothing()
    shown[116:172, 142:159] = True
    return shown


def twinkling_frames(count, seed=0):
    rng = np.random.default_rng(seed)
    return [view_of(cells(rng), tail()) for _ in range(count)]


def vessel_frames(count, peak, *, slope=0.4):
    """A laminar, pulsatile vessel through the focus; a peak over pi aliases."""
    down, over = np.indices((SIZE, SIZE))
    across = np.abs((down - 120) - slope * (over - 150)) / np.hypot(1, slope) / 14
    beats = peak * (0.4 + 0.6 * np.abs(np.sin(np.arange(count))))
    return [view_of(np.angle(np.exp(1j * beat * (1 - across**2))), across < 1) for beat in beats]


def verdict(views, **changes):
    settings = replace(TwinklingSettings(), **changes)
    return assess_twinkling([colour_evidence(view, *FOCUS, settings) for view in views], settings)


@pytest.mark.parametrize("seed", range(5))
def test_a_mosaic_that_changes_twinkles(seed):
    found = verdict(twinkling_frames(6, seed))
    assert found.verdict == "yes"
    assert found.score > 0.8


@pytest.mark.parametrize("seed", range(5))
def test_one_frame_is_possible_at_most(seed):
    assert verdict(twinkling_frames(1, seed)).verdict == "possible"


@pytest.mark.parametrize("slope", [-1.5, 0, 0.4, 3])
@pytest.mark.parametrize("peak", [0.5, 2.5, 4.5])
def test_a_vessel_does_not_twinkle_even_if_it_aliases(peak, slope):
    assert verdict(vessel_frames(6, peak, slope=slope)).verdict == "no"


def test_a_flash_does_not_twinkle():
    rng = np.random.default_rng(0)
    found = verdict([view_of(cells(rng), ~nothing()) for _ in range(6)])
    assert found.verdict == "no"
    assert "flash" in found.reason


def test_a_flash_in_one_frame_does_not_hide_twinkling():
    flash = view_of(np.full((SIZE, SIZE), 1.0), ~nothing())
    assert verdict([*twinkling_frames(6), flash]).verdict == "yes"


@pytest.mark.parametrize("density", [0.02, 0.1, 0.3])
def test_noise_all_over_does_not_twinkle(density):
    rng = np.random.default_rng(1)
    views = []
    for _ in range(6):
        lit = rng.random((SIZE // CELL, SIZE // CELL)) < density
        views.append(view_of(cells(rng), np.repeat(np.repeat(lit, CELL, axis=0), CELL, axis=1)))
    assert verdict(views).verdict == "no"


def test_a_focus_without_colour_does_not_twinkle():
    found = verdict([view_of(np.zeros((SIZE, SIZE)), nothing())] * 5)
    assert found.verdict == "no"
    assert found.reason == "no colour at the focus"


def test_no_verdict_without_colour_data_over_the_focus():
    grey = replace(twinkling_frames(1)[0], colour=None)
    elsewhere = nothing()
    elsewhere[200:280, 20:120] = True
    for view in (grey, view_of(np.zeros((SIZE, SIZE)), tail(), box=elsewhere)):
        evidence = colour_evidence(view, *FOCUS)
        assert evidence == NO_COLOUR
        found = assess_twinkling([evidence] * 5)
        assert (found.verdict, found.score) == ("not assessable", None)
        assert found.reason
    assert assess_twinkling([]).verdict == "not assessable"


def test_power_doppler_is_possible_at_most():
    rng = np.random.default_rng(0)
    found = verdict([view_of(cells(rng), tail(), power=True) for _ in range(6)])
    assert found.verdict == "possible"


def test_the_resultant_of_random_cells_is_that_of_theory():
    evidence = [colour_evidence(view, *FOCUS) for view in twinkling_frames(60)]
    number = np.median([item.cells for item in evidence])
    assert number == pytest.approx(tail().sum() / CELL**2, rel=0.5)
    assert np.mean([item.resultant for item in evidence]) == pytest.approx(
        0.886 / np.sqrt(number), rel=0.3
    )
    assert np.mean([item.flips for item in evidence]) == pytest.approx(0.5, abs=0.05)


def test_the_tail_follows_a_steered_colour_box():
    down, over = np.indices((SIZE, SIZE))
    box = (np.abs(over - 150 + 0.35 * (down - 150)) < 90) & (down > 30) & (down < 270)
    shown = (np.abs(over - 150 + 0.35 * (down - 120)) < 8) & (down > 115) & (down < 175)
    steered = colour_evidence(view_of(cells(np.random.default_rng(0)), shown, box=box), *FOCUS)
    upright = colour_evidence(view_of(cells(np.random.default_rng(0)), shown), *FOCUS)
    assert steered.fraction > 0.9 > upright.fraction


def test_evidence_does_not_depend_on_where_the_focus_lies():
    (view,) = twinkling_frames(1)
    moved = view_of(
        np.roll(cells(np.random.default_rng(0)), (40, -30), axis=(0, 1)),
        np.roll(tail(), (40, -30), axis=(0, 1)),
    )
    first, second = (
        colour_evidence(view, *FOCUS),
        colour_evidence(moved, FOCUS[0] - 30, FOCUS[1] + 40, FOCUS[2]),
    )
    assert (first.fraction, first.head, first.resultant, first.pairs) == (
        second.fraction,
        second.head,
        pytest.approx(second.resultant),
        second.pairs,
    )


def test_coherence_needs_pairs():
    assert coherence([]) is None
    assert coherence([ColourEvidence(in_box=True)]) is None


def test_at_the_corner_of_the_grid():
    assert not colour_evidence(twinkling_frames(1)[0], 0, 0, 4).in_box
    assert not colour_evidence(twinkling_frames(1)[0], -50, 1000, 4).in_box


def auc(scores, truth):
    scores, truth = np.array(scores), np.array(truth)
    return (
        np.mean(scores[truth][:, None] > scores[~truth][None])
        + np.mean(scores[truth][:, None] == scores[~truth][None]) / 2
    )


def simulated(seeds, frames):
    """Scores over a whole clip, scores of the first frame without a flash, and the truth of both."""
    clips, singles = ([], []), ([], [])
    for seed in seeds:
        settings = PhantomSettings(
            colour=True,
            frames=frames,
            geometry="sector" if seed % 4 == 3 else "linear",
            jpeg_quality=85 if seed % 2 else 0,
            flash=0.15 if seed % 3 == 0 else 0.0,
            colour_noise=(0.002, 0.01, 0.04)[seed % 3],
        )
        phantom = simulate(seed, settings)
        views = [
            prepare(frame, spacing=phantom.spacing, regions=phantom.regions)[0]
            for frame in phantom.frames
        ]
        still = next(
            number
            for number in range(frames + 1)
            if number not in phantom.truth.colour.flash_frames
        )
        for focus in phantom.truth.foci:
            evidence = []
            for view, x, y in zip(views, focus.x_px, focus.y_px, strict=True):
                place = view.grid.from_image(x, y)
                evidence.append(
                    colour_evidence(view, *place, focus.diameter_mm / view.grid.pixel_mm)
                )
            for found, into in (
                (assess_twinkling(evidence), clips),
                (assess_twinkling(evidence[still : still + 1]), singles),
            ):
                if found.score is not None:
                    into[0].append(found.score)
                    into[1].append(focus.twinkling)
    return clips, singles


def test_twinkling_in_a_few_simulated_clips():
    clips, _ = simulated(range(500, 503), 4)
    assert any(clips[1])
    assert auc(*clips) > 0.9


@pytest.mark.slow
def test_twinkling_in_many_simulated_clips():
    clips, singles = simulated(range(600, 640), 8)
    assert auc(*clips) > 0.97
    assert auc(*singles) > 0.9
