from dataclasses import replace

import numpy as np
import pytest

from tests.doppler.colour_views import (
    CELL,
    FOCUS,
    SIZE,
    evidence_of,
    nothing,
    random_cells,
    tail,
    twinkling_frames,
    vessel_frames,
    view_of,
)
from usmicro.doppler.colour_evidence import NO_COLOUR, ColourEvidence
from usmicro.doppler.twinkling import assess_twinkling, coherence
from usmicro.phantom import PhantomSettings, simulate
from usmicro.preparation import prepare
from usmicro.settings import TwinklingSettings


def assess(views, **changes):
    """Twinkling of the focus; `changes` replace settings."""
    settings = replace(TwinklingSettings(), **changes)
    return assess_twinkling([evidence_of(view, *FOCUS, settings) for view in views], settings)


@pytest.mark.parametrize("seed", range(5))
def test_random_phases_that_change_from_frame_to_frame_twinkle(seed):
    twinkling = assess(twinkling_frames(6, seed))
    assert twinkling.verdict == "yes"
    assert twinkling.score > 0.8
    assert twinkling.reason.endswith(f"over 6 frames (score {twinkling.score:.2f}).")


@pytest.mark.parametrize("seed", range(5))
def test_one_frame_is_possible_at_most(seed):
    twinkling = assess(twinkling_frames(1, seed))
    assert twinkling.verdict == "possible"
    assert "only 1 frame is usable and 3 are needed" in twinkling.reason


def test_a_score_below_the_certain_one_is_possible_at_most():
    twinkling = assess(twinkling_frames(6), certain=1.0)
    assert twinkling.verdict == "possible"
    assert twinkling.reason.endswith(f"but the score of {twinkling.score:.2f} is below 1.")


@pytest.mark.parametrize("slope", [-1.5, 0, 0.4, 3])
@pytest.mark.parametrize("peak", [0.5, 2.5, 4.5])
def test_a_vessel_does_not_twinkle_even_if_it_aliases(peak, slope):
    twinkling = assess(vessel_frames(6, peak, slope=slope))
    assert twinkling.verdict == "no"
    assert twinkling.reason


def test_a_flash_does_not_twinkle():
    rng = np.random.default_rng(0)
    twinkling = assess([view_of(random_cells(rng), ~nothing()) for _ in range(6)])
    assert twinkling.verdict == "no"
    assert "flash" in twinkling.reason


def test_a_flash_in_one_frame_does_not_hide_twinkling():
    flash = view_of(np.full((SIZE, SIZE), 1.0), ~nothing())
    assert assess([*twinkling_frames(6), flash]).verdict == "yes"


@pytest.mark.parametrize("density", [0.02, 0.1, 0.3])
def test_noise_everywhere_does_not_twinkle(density):
    rng = np.random.default_rng(1)
    views = []
    for _ in range(6):
        noisy = rng.random((SIZE // CELL, SIZE // CELL)) < density
        shown = np.repeat(np.repeat(noisy, CELL, axis=0), CELL, axis=1)
        views.append(view_of(random_cells(rng), shown))
    assert assess(views).verdict == "no"


def test_a_focus_without_colour_does_not_twinkle():
    twinkling = assess([view_of(np.zeros((SIZE, SIZE)), nothing())] * 5)
    assert twinkling.verdict == "no"
    assert twinkling.reason == "There is no colour at the focus."


def test_a_focus_with_little_colour_does_not_twinkle():
    shown = nothing()
    shown[118:122, 148:152] = True
    rng = np.random.default_rng(0)
    twinkling = assess([view_of(random_cells(rng), shown) for _ in range(6)])
    assert twinkling.verdict == "no"
    assert twinkling.reason == "There is too little colour at the focus, or as much beside it."


def test_the_reason_names_the_term_that_lowers_the_score_most():
    one_phase = np.full((SIZE, SIZE), 1.0)
    smooth = assess([view_of(one_phase, tail())])
    assert smooth.reason == "The colours are smooth, like those of flow."
    stable = assess(vessel_frames(6, 0.5))
    assert stable.reason == "The phase hardly changes between frames, like that of flow."
    large_patch = nothing()
    large_patch[40:270, 30:170] = True
    rng = np.random.default_rng(0)
    spread = assess([view_of(random_cells(rng), large_patch) for _ in range(6)])
    assert spread.reason == "The colour reaches beyond the focus and its tail."
    assert smooth.verdict == stable.verdict == spread.verdict == "no"


def test_twinkling_is_not_assessable_without_colour_data_over_the_focus():
    grey = replace(twinkling_frames(1)[0], colour=None)
    elsewhere = nothing()
    elsewhere[200:280, 20:120] = True
    for view in (grey, view_of(np.zeros((SIZE, SIZE)), tail(), box=elsewhere)):
        evidence = evidence_of(view, *FOCUS)
        assert evidence == NO_COLOUR
        twinkling = assess_twinkling([evidence] * 5)
        assert (twinkling.verdict, twinkling.score) == ("not assessable", None)
        assert twinkling.reason == "No colour Doppler data covers the focus."
    assert assess_twinkling([]).verdict == "not assessable"


def test_power_doppler_is_possible_at_most():
    rng = np.random.default_rng(0)
    twinkling = assess([view_of(random_cells(rng), tail(), power=True) for _ in range(6)])
    assert twinkling.verdict == "possible"
    assert "power Doppler has no phase" in twinkling.reason


def test_power_doppler_of_one_frame_is_not_assessable_if_the_focus_has_colour():
    rng = np.random.default_rng(0)
    coloured = assess([view_of(random_cells(rng), tail(), power=True)])
    assert (coloured.verdict, coloured.score) == ("not assessable", None)
    assert "Power Doppler has no phase" in coloured.reason
    assert assess([view_of(random_cells(rng), nothing(), power=True)]).verdict == "no"


@pytest.mark.parametrize("peak", [2.0, 4.5, 7.0])
@pytest.mark.parametrize("radius", [4, 7, 10])
def test_one_frame_of_a_small_round_vessel_does_not_twinkle(radius, peak):
    rows, columns = np.indices((SIZE, SIZE))
    squared = ((rows - 122) ** 2 + (columns - 150) ** 2) / radius**2
    phase = np.angle(np.exp(1j * peak * (1 - squared)))
    assert assess([view_of(phase, squared < 1)]).verdict == "no"


def test_one_frame_needs_many_cells_and_several_frames_do_not():
    short = tail()
    short[133:] = False  # the same random cells without most of the tail
    rng = np.random.default_rng(3)
    views = [view_of(random_cells(rng), short) for _ in range(6)]
    still = assess(views[:1])
    assert still.verdict == "no"
    assert still.reason.startswith("The colour is too small or too sparse")
    assert assess(views).verdict == "yes"


def test_patch_cells_are_extrapolated_from_the_zone():
    evidence = ColourEvidence(in_box=True, cells=6.0, outside_fraction=0.5)
    assert evidence.patch_cells == 12
    assert ColourEvidence(in_box=True).patch_cells is None


def test_coherence_needs_pairs():
    assert coherence([]) is None
    assert coherence([ColourEvidence(in_box=True)]) is None


def auc(scores, truth):
    """Area under the ROC curve."""
    scores, truth = np.array(scores), np.array(truth)
    return (
        np.mean(scores[truth][:, None] > scores[~truth][None])
        + np.mean(scores[truth][:, None] == scores[~truth][None]) / 2
    )


def simulated(seeds, frames):
    """Scores and truth of whole clips, and those of the first frame without a flash."""
    clips: tuple[list[float], list[bool]] = ([], [])
    singles: tuple[list[float], list[bool]] = ([], [])
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
                evidence.append(evidence_of(view, *place, focus.diameter_mm / view.grid.pixel_mm))
            for frames_used, (scores, truth) in ((evidence, clips), ([evidence[still]], singles)):
                twinkling = assess_twinkling(frames_used)
                if twinkling.score is not None:
                    scores.append(twinkling.score)
                    truth.append(focus.twinkling)
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
