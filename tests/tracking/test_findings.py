"""One row for each track; the tracks are made by hand."""

from dataclasses import fields, replace

import numpy as np
import pytest

from tests.tracking.test_tracks import measured, observed, track_of
from usmicro.doppler.colour_evidence import NO_COLOUR, ColourEvidence
from usmicro.doppler.twinkling import assess_twinkling
from usmicro.foci.operating_point import listing_confidence
from usmicro.model.findings import Focus, Posterior
from usmicro.settings import Settings, with_values
from usmicro.tracking.collection import TrackCollection
from usmicro.tracking.findings import LEAST_MASS_FRAMES, ONLY_COLOURS, findings_of
from usmicro.tracking.observations import Echo, MassMeasurement
from usmicro.tracking.tracks import FocusTrack, MassTrack


def collection(foci, masses=()):
    tracks = TrackCollection()
    tracks._foci = {(track.view, track.origin, i): track for i, track in enumerate(foci)}
    tracks._masses = {(0, i): track for i, track in enumerate(masses)}
    return tracks


def mass(x, frames, confidence=0.8):
    track = MassTrack(
        MassMeasurement(
            frame=0,
            x_px=x,
            y_px=5.0,
            width_mm=None,
            height_mm=None,
            area_mm2=None,
            orientation="parallel",
            posterior=Posterior("none", 0.0),
            confidence=confidence,
            source="found",
        )
    )
    for index in range(frames):
        track.add(index, confidence)
    return track


def patch_head(zone_fraction):
    """A track of a head of a colour patch, with the evidence of one frame."""
    evidence = ColourEvidence(
        in_box=True,
        zone_fraction=zone_fraction,
        head_fraction=0.9,
        box_fraction=0.05,
        outside_fraction=0.2,
        cells=10.0,
        mean_resultant_length=0.2,
        mean_phase=0.0,
        pairs=(40,) * 8,
        cosines=(0.0,) * 8,
    )
    track = FocusTrack(0, "twinkling")
    track.add(observed(0, 0.0), evidence)
    return track


@pytest.mark.parametrize(("zone_fraction", "listed"), [(0.9, True), (0.65, False), (0.4, False)])
def test_a_place_without_an_echo_is_listed_from_a_still_only_if_it_is_clear(zone_fraction, listed):
    track = patch_head(zone_fraction)
    foci = findings_of(collection([track]), 1, Settings(), cine=False).foci
    assert [(focus.origin, focus.twinkling) for focus in foci] == [
        ("twinkling", "possible")
    ] * listed
    verdict = assess_twinkling(list(track.colour)).verdict
    assert verdict == ("possible" if zone_fraction > 0.5 else "no")


def test_foci_are_numbered_from_the_most_confident_on():
    foci = findings_of(
        collection([track_of([c], x) for x, c in enumerate((0.3, 0.9, 0.6))]),
        1,
        Settings(),
        cine=False,
    ).foci
    assert [(focus.focus, focus.confidence, focus.x_px) for focus in foci] == [
        (1, 0.9, 10.0),
        (2, 0.6, 20.0),
        (3, 0.3, 0.0),
    ]
    assert {focus.track for focus in foci} == {focus.seen_frames for focus in foci} == {None}


def test_a_row_holds_what_was_measured_on_the_best_frame():
    track = track_of([0.1, 0.9, 0.4], 3, 4)
    (focus,) = findings_of(collection([track]), 3, Settings(), cine=True).foci
    best = measured(3, 4, frame=1)
    assert (focus.frame, focus.seen_frames, focus.track) == (1, 3, 1)
    assert (focus.x_mm, focus.depth_mm) == (best.position.x_mm, best.position.depth_mm)
    assert focus.confidence == pytest.approx(1.4 / 3)
    assert (focus.twinkling, focus.contrast) == ("not assessable", None)
    assert focus.twinkling_reason
    assert all(getattr(focus, field.name) is not np.nan for field in fields(Focus))


def echo_track(confidences):
    """A track of a focus with an echo, whose reason names the frame."""
    track = FocusTrack(0, "echo")
    for index, confidence in enumerate(confidences):
        echo = Echo(
            diameter_px=5.0,
            diameter_mm=0.5,
            contrast=6.0,
            false_alarm=1e-6,
            kind="punctate",
            confidence_reason=f"Raised by frame {index}.",
        )
        measurement = replace(measured(frame=index), echo=echo)
        better = track.is_surpassed_by(confidence)
        track.add(
            replace(observed(index, confidence), measurement=measurement if better else None),
            NO_COLOUR,
        )
    return track


def test_the_reason_for_the_confidence_is_that_of_the_best_frame():
    tracks = collection([echo_track([0.2, 0.7, 0.6])])
    (focus,) = findings_of(tracks, 3, Settings(), cine=True).foci
    assert (focus.frame, focus.confidence_reason) == (1, "Raised by frame 1.")


def test_the_reason_says_if_there_is_no_echo():
    (focus,) = findings_of(collection([track_of([0.9])]), 1, Settings(), cine=False).foci
    assert focus.confidence_reason == ONLY_COLOURS


@pytest.mark.parametrize(("share", "listed"), [(1.0, True), (0.999, False)])
def test_foci_count_from_the_confidence_of_the_operating_point_on(share, listed):
    inside = mass(1.0, 1)
    least = listing_confidence(Settings().foci)
    tracks = [track_of([share * least], x) for x in range(3)]
    for track in tracks:
        track.mass = inside
    findings = findings_of(collection(tracks, [inside]), 1, Settings(), cine=False)
    foci, (row,) = findings.foci, findings.masses
    assert row.foci == 3 * listed
    assert {focus.cluster for focus in foci} == ({1} if listed else {None})


@pytest.mark.parametrize(("views", "clusters"), [((0, 0, 0), {1}), ((0, 0, 1), {None})])
def test_foci_of_one_view_form_clusters(views, clusters):
    tracks = [track_of([0.9], x, view=view) for x, view in enumerate(views)]
    foci = findings_of(collection(tracks), 1, Settings(), cine=False).foci
    assert {focus.cluster for focus in foci} == clusters


def test_foci_that_are_not_listed_form_no_cluster_and_do_not_count_in_a_mass():
    settings = with_values(Settings(), {"foci": {"minimum_confidence": 0.5}}, source="test")
    inside = mass(1.0, 1)
    tracks = [track_of([c], x) for x, c in enumerate((0.9, 0.9, 0.2))]
    for track in tracks:
        track.mass = inside
    findings = findings_of(collection(tracks, [inside]), 1, settings, cine=False)
    foci, (row,) = findings.foci, findings.masses
    assert [focus.cluster for focus in foci] == [None] * 3
    assert [focus.mass for focus in foci] == [1] * 3
    assert row.foci == 2


def test_masses_are_numbered_by_position_and_need_some_frames_unless_given():
    seen = mass(50.0, LEAST_MASS_FRAMES, confidence=0.95)
    glimpsed = mass(10.0, LEAST_MASS_FRAMES - 1, confidence=0.95)
    weak = mass(30.0, LEAST_MASS_FRAMES, confidence=0.6)
    given = mass(20.0, 1, confidence=1.0)
    in_glimpsed = track_of([0.9])
    in_glimpsed.mass = glimpsed
    tracks = collection([in_glimpsed], [seen, glimpsed, given, weak])
    findings = findings_of(tracks, 9, Settings(), cine=True)
    (focus,), masses = findings.foci, findings.masses
    assert [(row.mass, row.x_px) for row in masses] == [(1, 20.0), (2, 50.0)]
    assert focus.mass is None


def test_a_weak_mass_on_which_the_plane_rests_is_reported():
    weak = mass(30.0, 40, confidence=0.6)
    masses = findings_of(collection([], [weak]), 100, Settings(), cine=True).masses
    assert [row.x_px for row in masses] == [30.0]


def test_tracks_have_a_row_for_each_frame_of_a_listed_focus():
    tracks = collection([track_of([0.9, None, 0.8], 1, 2), track_of([0.01] * 3)])
    findings = findings_of(tracks, 3, Settings(), cine=True, frame_times=(0.0, 0.5, 1.0))
    foci, points = findings.foci, findings.tracks
    assert {point.focus for point in points} == {foci[0].focus}
    assert [(point.frame, point.time_s, point.confidence) for point in points] == [
        (0, 0.0, 0.9),
        (2, 1.0, 0.8),
    ]
    without_times = findings_of(tracks, 3, Settings(), cine=True).tracks
    assert {point.time_s for point in without_times} == {None}
    still = findings_of(collection([track_of([0.9])]), 1, Settings(), cine=False)
    assert still.tracks == still.mass_tracks == still.twinkling == []
