"""Tracks gather observations; known truth on constructed positions."""

import math
from dataclasses import replace

import numpy as np
import pytest

from usmicro.doppler.colour_evidence import NO_COLOUR, PAIR_DIRECTIONS, ColourEvidence
from usmicro.doppler.evidence_series import EvidenceSeries
from usmicro.labelling.labels import FocusLabel
from usmicro.model.findings import Shadow
from usmicro.model.scan import Spacing
from usmicro.model.view import Grid, ScanLines, View
from usmicro.settings import TwinklingSettings
from usmicro.tracking.collection import TrackCollection
from usmicro.tracking.confidence import LEAST_FRAMES
from usmicro.tracking.observations import FocusMeasurement, Observation, Position
from usmicro.tracking.tracks import FocusTrack


def measured(x=0.0, y=0.0, frame=0):
    """The measurement of a focus at a place in mm on a grid of 0.1 mm pixels."""
    return FocusMeasurement(
        frame=frame,
        position=Position(
            x_px=10 * x, y_px=10 * y, x_mm=x, depth_mm=y, grid_mm=(x, y), beam=(0.0, 1.0)
        ),
        diameter=5.0,
        diameter_mm=0.5,
        echo=None,
        label=FocusLabel(
            label="extramass",
            confidence=0.9,
            reason="No mass or duct was found.",
            mass=None,
            duct=None,
            nonmass=False,
            distance_to_mass=None,
        ),
        distance_to_mass_mm=None,
        shadow=Shadow("no"),
        shadow_length_mm=None,
    )


def observed(index, confidence, x=0.0, y=0.0, better=True):
    """A focus at a place in mm on one frame."""
    measurement = measured(x, y, index)
    return Observation(
        index=index,
        frame=index,
        position=measurement.position,
        confidence=confidence,
        measurement=measurement if better else None,
    )


def track_of(confidences, x=0.0, y=0.0, view=0):
    """A track with an observation on each frame that has a confidence; None where it is hidden."""
    track = FocusTrack(view, "echo")
    for index, confidence in enumerate(confidences):
        if confidence is not None:
            better = track.is_surpassed_by(confidence)
            track.add(observed(index, confidence, x, y, better), NO_COLOUR)
    return track


def test_the_best_observation_is_the_first_with_the_highest_confidence():
    assert track_of([0.2, 0.6, 0.6, 0.4]).best.frame == 1
    assert track_of([0.0, 0.0]).best.frame == 0


def test_the_mean_confidence_counts_frames_without_the_focus_as_zero():
    assert track_of([0.5, None, 0.7, None, 0.3, None, 0.9]).mean_confidence(7) == pytest.approx(
        2.4 / 7
    )


@pytest.mark.parametrize("analysed", [1, 3, LEAST_FRAMES, 40])
def test_a_short_track_is_averaged_over_the_least_number_of_frames(analysed):
    frames = min(LEAST_FRAMES, analysed)
    assert track_of([0.6]).mean_confidence(analysed) == pytest.approx(0.6 / frames)


def test_foci_of_different_views_are_infinitely_far_apart():
    here, there, elsewhere = track_of([1], 1, 2), track_of([1], 4, 6), track_of([1], 1, 2, view=1)
    assert here.distance_mm(there) == there.distance_mm(here) == 5
    assert here.distance_mm(elsewhere) == math.inf


def test_the_tail_lies_behind_its_source_and_on_the_same_view():
    settings = TwinklingSettings()
    source = track_of([1], 10, 10)
    for x, y, view, expected in (
        (10, 10 + settings.tail, 0, True),
        (10, 10 - settings.tail, 0, False),
        (10, 12 + 2 * settings.tail, 0, False),
        (20, 10, 0, False),
        (10, 10 + settings.tail, 1, False),
    ):
        assert track_of([1], x, y, view).in_tail_of(source, settings) is expected


@pytest.fixture
def view():
    shape = (100, 120)
    full = np.ones(shape, bool)
    return View(
        np.zeros(shape, np.float32),
        full,
        ~full,
        Grid(0, 0, 1, 1, 0.1, Spacing(0.1, 0.1, "given")),
        ScanLines("linear", face=0),
        (3, 2),
    )


def test_a_focus_keeps_its_track_and_one_that_disappears_is_hidden_for_a_while(view):
    tracks = TrackCollection()
    first = tracks.link_foci(view, "echo", 0, [10.0, 60.0], [10.0, 60.0], None)
    assert len(tracks.foci) == 2
    for track in first:
        track.add(observed(0, 0.5), NO_COLOUR)
    again = tracks.link_foci(view, "echo", 1, [11.0], [10.0], (0.0, 0.0))
    assert again == [first[0]]
    assert list(tracks.hidden_foci(view, "echo")) == [(first[1], 60.0, 60.0)]
    assert tracks.link_foci(view, "twinkling", 0, [10.0], [10.0], None)[0] not in first


def test_the_number_of_tracks_does_not_grow_with_the_length_of_a_cine(view):
    tracks = TrackCollection(least_confidence=0.06)
    rng = np.random.default_rng(3)
    sizes = []
    for index in range(120):
        x, y = rng.uniform(0, 120, 5), rng.uniform(0, 100, 5)
        for track in tracks.link_foci(view, "echo", index, x, y, (0.0, 0.0)):
            confidence = float(rng.uniform(0.004, 0.3))
            better = track.is_surpassed_by(confidence)
            track.add(observed(index, confidence, better=better), NO_COLOUR)
        sizes.append(len(tracks.foci))
    assert max(sizes[60:]) < max(sizes[:60]) + 10
    assert sizes[-1] < 60


@pytest.fixture
def tracks_that_have_ended(view):
    """Tracks that last for ten frames: one is sure, the others in the colour box twinkle or not."""
    tracks = TrackCollection(least_confidence=0.06)
    x, y = [10.0, 50.0, 90.0, 110.0], [20.0] * 4
    quiet = ColourEvidence(in_box=True)
    confidences, colours = (0.9, 0.01, 0.01, 0.01), (NO_COLOUR, NO_COLOUR, quiet, None)
    for index in range(40):
        followed = tracks.link_foci(view, "echo", index, x, y, (0.0, 0.0))
        for track, confidence, colour in zip(followed, confidences, colours, strict=True):
            better = track.is_surpassed_by(confidence)
            shown = twinkling_evidence(index) if colour is None else colour
            track.add(observed(index, confidence, better=better), shown)
    tracks.link_foci(view, "echo", 100, [], [], None)
    return tracks


def twinkling_evidence(index):
    """Evidence of a focus that twinkles, on one of several frames."""
    return ColourEvidence(
        in_box=True,
        zone_fraction=0.8,
        head_fraction=0.9,
        box_fraction=0.02,
        outside_fraction=0.1,
        cells=20.0,
        mean_resultant_length=0.2,
        mean_phase=2.4 * index,
        pairs=(40,) * PAIR_DIRECTIONS,
        cosines=(0.5,) * PAIR_DIRECTIONS,
        opposed_fraction=0.5,
    )


def test_a_track_that_ends_is_kept_if_it_is_sure_or_twinkles(tracks_that_have_ended):
    sure, twinkling = tracks_that_have_ended.foci
    assert sure.best.frame == twinkling.best.frame == 0
    assert sure.twinkling(TwinklingSettings()).verdict == "not assessable"
    assert twinkling.twinkling(TwinklingSettings()).verdict == "yes"
    assert len(twinkling.colour) == 0


def test_a_forgotten_track_in_the_colour_box_keeps_its_place_in_the_numbering(
    tracks_that_have_ended,
):
    sure, twinkling = tracks_that_have_ended.foci
    assert tracks_that_have_ended.forgotten_before(sure) == 0
    assert tracks_that_have_ended.forgotten_before(twinkling) == 1


def test_a_series_gives_back_the_evidence_that_was_added():
    evidence = [
        ColourEvidence(in_box=True, zone_fraction=0.1, head_fraction=0.2, power=True),
        twinkling_evidence(1),
        NO_COLOUR,
        replace(twinkling_evidence(2), outside_fraction=None, opposed_fraction=None),
    ]
    series = EvidenceSeries()
    for one in evidence:
        series.append(one, 3)
    assert list(series) == [one for one in evidence if one.in_box]


def test_an_array_keeps_the_observations_exactly():
    track = track_of([0.25, None, 0.75], 1, 2)
    assert [(seen.index, seen.confidence, seen.x_px, seen.depth_mm) for seen in track.seen] == [
        (0, 0.25, 10, 2),
        (2, 0.75, 10, 2),
    ]
    without_spacing = replace(observed(0, 0.5).position, x_mm=None, depth_mm=None)
    unknown = FocusTrack(0, "echo")
    unknown.add(replace(observed(0, 0.5), position=without_spacing), NO_COLOUR)
    assert (unknown.seen[0].x_mm, unknown.seen[0].depth_mm) == (None, None)
