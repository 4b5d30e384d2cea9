"""Findings: the rows of the tables, one for each track that is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from usmicro.foci.operating_point import listing_confidence
from usmicro.foci.site import site_confidence
from usmicro.labelling.clusters import find_clusters
from usmicro.model.findings import (
    Focus,
    Mass,
    MassPoint,
    Origin,
    TrackPoint,
    Twinkling,
    TwinklingPoint,
    TwinklingVerdict,
)
from usmicro.settings import FociSettings, Settings, TwinklingSettings
from usmicro.tracking.collection import TrackCollection
from usmicro.tracking.tracks import FocusTrack, MassTrack

ONLY_COLOURS = "No echo of its own was found; the confidence is that of its twinkling."
"""Reason for the confidence of a focus that only its colours show."""

GIVEN_CONFIDENCE = 1.0
"""Confidence of a mass that the user outlined. Such a mass is reported even if only one frame
shows it."""
LEAST_MASS_FRAMES = 3
"""A mass in a cine is reported only if at least this many frames show it. Chosen by eye on
simulated cines; no measurement is recorded."""
CONFIDENCE_IN_TAIL = 0.2
"""Factor on the confidence of a focus that twinkles but is not the source of the twinkling. It is
usually the edge of the colours of the source. Chosen by eye on simulated clips; no measurement is
recorded."""
SUPPORT_IN_CINE: Mapping[TwinklingVerdict, float] = {"yes": 1.0}
"""Factor on the twinkling score, by verdict, when twinkling raises the confidence of a focus in a
cine. A "possible" verdict does not count, since it is based on a few frames."""
SUPPORT_IN_STILL: Mapping[TwinklingVerdict, float] = {"possible": 0.5}
"""Factor on the twinkling score in a still image, where the verdict is "possible" at most. Chosen
by eye on simulated stills; no measurement is recorded."""
LEAST_SCORE_WITHOUT_ECHO = 0.75
"""Smallest twinkling score, in a still image, from which twinkling alone lists a focus whose echo
is too weak or missing. Chosen on the 18 Doppler frames of BUS-UCLM, where no place has a third of
it, and on simulated frames; see docs/accuracy.md, "Single Doppler frames"."""
HEAD_DISTANCE_MM = 1.0
"""Largest distance, in mm, between the head of a colour patch and the echo of the focus that causes
the patch. It is about the length of a colour cell along the beam. Chosen by eye on simulated clips;
no measurement is recorded."""
CONFIDENCE_WITHOUT_ECHO = 0.5
"""Confidence of a focus without an echo whose twinkling is certain. Chosen so that it is listed
below foci with an echo; no measurement is recorded."""


@dataclass(frozen=True, kw_only=True)
class ScanFindings:
    """The rows of all tables of a scan."""

    foci: list[Focus]
    """Every focus that was followed, the most confident first."""
    masses: list[Mass]
    """Every mass that was seen on enough frames or outlined by the user, by frame and position."""
    tracks: list[TrackPoint]
    """Every listed focus of a cine on every frame that shows it, by focus and frame."""
    mass_tracks: list[MassPoint]
    """Every mass of a cine on every frame that shows it, by mass and frame."""
    twinkling: list[TwinklingPoint]
    """Every listed focus of a cine on every frame with colour data there, by focus and frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReportedFocus:
    """A track that is reported, with its assessment over all frames."""

    track: FocusTrack
    number: int
    """Number of the track in order of appearance, from 1."""
    confidence: float
    """Confidence over all frames, 0 to 1, with the support by twinkling."""
    origin: Origin
    """Why the focus is listed: for its echo, or only for its twinkling."""
    mass: int | None
    """Number in masses.csv of the mass that the focus lies in."""
    twinkling: Twinkling


def findings_of(
    tracks: TrackCollection,
    analysed: int,
    settings: Settings,
    *,
    cine: bool,
    frame_times: Sequence[float] = (),
) -> ScanFindings:
    """Build the rows of the tables of foci and masses.

    Parameters
    ----------
    tracks : TrackCollection
    analysed : int
        Number of frames of the scan that were analysed.
    settings : Settings
        Only foci that reach the confidence from which foci are listed form clusters and count among
        the foci of a mass.
    cine : bool
        True if the scan has several frames.
    frame_times : sequence of float
        Time of each frame of the scan in s; empty if unknown.
    """
    mass_numbers = _mass_numbers(tracks, analysed, settings.anatomy.mass_threshold)
    reported = _reported(tracks, mass_numbers, analysed, settings, cine=cine)
    least = listing_confidence(settings.foci)
    listed = [focus.confidence >= least for focus in reported]
    clusters = _clusters(reported, listed, settings)
    masses = [
        _mass_row(
            track,
            number,
            foci=sum(
                focus.mass == number and is_listed
                for focus, is_listed in zip(reported, listed, strict=True)
            ),
        )
        for track, number in mass_numbers.items()
    ]

    def order(index: int) -> tuple[float, int, float, float]:
        best = reported[index].track.best
        position = best.position
        return -reported[index].confidence, best.frame, position.y_px, position.x_px

    ordered = sorted(range(len(reported)), key=order)
    foci = [
        _focus_row(reported[index], number, cluster=clusters[index], cine=cine)
        for number, index in enumerate(ordered, start=1)
    ]
    followed = [
        (number, reported[index].track)
        for number, index in enumerate(ordered, start=1)
        if cine and listed[index]
    ]
    return ScanFindings(
        foci=foci,
        masses=masses,
        tracks=[
            point
            for number, track in followed
            for point in _points(track, number, frame_times, settings.foci)
        ],
        mass_tracks=_mass_points(mass_numbers) if cine else [],
        twinkling=[
            TwinklingPoint(focus=number, frame=frame, evidence=evidence)
            for number, track in followed
            for frame, evidence in track.twinkling_by_frame(settings.twinkling)
        ],
    )


def _mass_points(numbers: Mapping[MassTrack, int]) -> list[MassPoint]:
    """Return every mass of the table on every frame that shows it, by mass and frame."""
    return [
        MassPoint(mass=number, frame=int(frame), x_px=x_px, y_px=y_px)
        for track, number in numbers.items()
        for frame, x_px, y_px in np.reshape(track.centres, (-1, 3)).tolist()
    ]


def _points(
    track: FocusTrack, number: int, frame_times: Sequence[float], settings: FociSettings
) -> list[TrackPoint]:
    """Build the rows of tracks.csv of one focus."""
    return [
        TrackPoint(
            focus=number,
            frame=seen.frame,
            time_s=frame_times[seen.frame] if seen.frame < len(frame_times) else None,
            x_px=seen.x_px,
            y_px=seen.y_px,
            x_mm=seen.x_mm,
            depth_mm=seen.depth_mm,
            confidence=site_confidence(seen.confidence, settings),
        )
        for seen in track.seen
    ]


def _mass_numbers(
    tracks: TrackCollection, analysed: int, least_confidence: float
) -> dict[MassTrack, int]:
    """Number the masses that are reported, by frame and position."""
    least = min(LEAST_MASS_FRAMES, analysed)
    kept = [
        track
        for track in tracks.masses
        if track.best.confidence == GIVEN_CONFIDENCE
        or (
            track.frames_seen >= least
            and track.confidence(analysed, tracks.frame_rate) >= least_confidence
        )
    ]
    kept.sort(key=lambda track: (track.best.frame, track.best.x_px, track.best.y_px))
    return {track: number for number, track in enumerate(kept, start=1)}


def _reported(
    tracks: TrackCollection,
    mass_numbers: Mapping[MassTrack, int],
    analysed: int,
    settings: Settings,
    *,
    cine: bool,
) -> list[_ReportedFocus]:
    """Assess the tracks over all frames, and return those that are reported.

    All tracks with an echo are reported. A track without an echo is reported if it is the source
    of twinkling; others are mostly vessels.
    """
    foci = tracks.foci
    verdicts = [track.twinkling(settings.twinkling) for track in foci]
    support = SUPPORT_IN_CINE if cine else SUPPORT_IN_STILL
    least = listing_confidence(settings.foci)
    sources = _sources(foci, verdicts, analysed, support, settings.twinkling)
    reported: list[_ReportedFocus] = []
    for i, (track, twinkling) in enumerate(zip(foci, verdicts, strict=True)):
        by_echo = track.origin == "echo"
        echo_confidence = confidence = tracks.confidence_of(track, analysed)
        listed_by_echo = by_echo and site_confidence(echo_confidence, settings.foci) >= least
        sure = cine or listed_by_echo or (twinkling.score or 0.0) >= LEAST_SCORE_WITHOUT_ECHO
        is_source = i in sources and sure
        if not by_echo and not is_source:
            continue
        if tracks.user_scores:
            is_source = False  # twinkling does not change a score
        elif is_source:
            # twinkling supports a calcification; its absence does not count against one
            evidence = support.get(twinkling.verdict, 0.0) * (twinkling.score or 0.0)
            if by_echo:
                confidence = 1 - (1 - echo_confidence) * (1 - evidence)
            else:
                confidence = CONFIDENCE_WITHOUT_ECHO * evidence
        elif twinkling.verdict == "yes":
            confidence *= CONFIDENCE_IN_TAIL
        reported.append(
            _ReportedFocus(
                track=track,
                number=len(reported) + tracks.forgotten_before(track) + 1,
                confidence=site_confidence(confidence, settings.foci),
                origin="twinkling" if is_source and not listed_by_echo else "echo",
                mass=None if track.mass is None else mass_numbers.get(track.mass),
                twinkling=twinkling,
            )
        )
    return reported


def _sources(
    tracks: Sequence[FocusTrack],
    verdicts: Sequence[Twinkling],
    analysed: int,
    support: Mapping[TwinklingVerdict, float],
    settings: TwinklingSettings,
) -> set[int]:
    """Return the indices of the foci that cause twinkling: one for each colour patch.

    Other candidates in the colours of a calcification, at their edges and on speckle between them,
    twinkle too. The calcification lies at the head of its colour patch. The source is therefore the
    focus with an echo near the head that has the highest mean confidence, or the head itself if
    there is none. If the head of a patch was not tracked on enough frames, the source is the focus
    in the patch with the highest mean confidence.
    """
    twinkling = [i for i, verdict in enumerate(verdicts) if verdict.verdict in support]
    echoes = [i for i in twinkling if tracks[i].origin == "echo"]
    echoes.sort(key=lambda i: (-tracks[i].mean_confidence(analysed), i))
    heads = [i for i in twinkling if tracks[i].origin == "twinkling"]
    heads.sort(key=lambda i: (tracks[i].best.position.grid_mm[1], i))
    sources: list[int] = []
    for i in heads + echoes:
        source = i
        if tracks[i].origin == "twinkling":
            at_head = (e for e in echoes if tracks[e].distance_mm(tracks[i]) <= HEAD_DISTANCE_MM)
            source = next(at_head, i)
        same_patch = any(
            tracks[i].in_tail_of(tracks[j], settings) or tracks[j].in_tail_of(tracks[i], settings)
            for j in sources
        )
        if not same_patch and source not in sources:
            sources.append(source)
    return set(sources)


def _clusters(
    reported: Sequence[_ReportedFocus], listed: Sequence[bool], settings: Settings
) -> list[int | None]:
    """Return the cluster number of each reported focus; None for one in no cluster."""
    clusters: list[int | None] = [None] * len(reported)
    indices = [index for index, is_listed in enumerate(listed) if is_listed]
    positions = [reported[index].track.best.position.grid_mm for index in indices]
    views = [reported[index].track.view for index in indices]
    numbers = find_clusters(np.reshape(positions, (-1, 2)), settings.labels, views=views)
    for index, cluster in zip(indices, numbers, strict=True):
        clusters[index] = cluster
    return clusters


def _focus_row(reported: _ReportedFocus, number: int, *, cluster: int | None, cine: bool) -> Focus:
    """Build the row of one focus."""
    track, best = reported.track, reported.track.best
    echo, label, shadow = best.echo, best.label, best.shadow
    return Focus(
        frame=best.frame,
        focus=number,
        x_px=best.position.x_px,
        y_px=best.position.y_px,
        x_mm=best.position.x_mm,
        depth_mm=best.position.depth_mm,
        diameter_mm=None if echo is None else echo.diameter_mm,
        diameter_px=None if echo is None else echo.diameter_px,
        contrast=None if echo is None else echo.contrast,
        false_alarm=None if echo is None else echo.false_alarm,
        confidence=reported.confidence,
        kind=None if echo is None else echo.kind,
        label=label.label,
        label_confidence=label.confidence,
        label_reason=label.reason,
        mass=reported.mass,
        duct=label.duct,
        nonmass="yes" if label.nonmass else "no",
        distance_to_mass_mm=best.distance_to_mass_mm,
        cluster=cluster,
        shadow=shadow.verdict,
        shadow_drop=shadow.drop,
        shadow_p=shadow.p,
        shadow_length_mm=best.shadow_length_mm,
        twinkling=reported.twinkling.verdict,
        twinkling_score=reported.twinkling.score,
        track=reported.number if cine else None,
        seen_frames=track.frames_seen if cine else None,
        origin=reported.origin,
        shadow_reason=shadow.reason,
        twinkling_reason=reported.twinkling.reason,
        confidence_reason=ONLY_COLOURS if echo is None else echo.confidence_reason,
        outline_px=None if echo is None else echo.outline_px,
        shadow_profile=shadow.profile,
    )


def _mass_row(track: MassTrack, number: int, *, foci: int) -> Mass:
    """Build the row of one mass."""
    best = track.best
    return Mass(
        frame=best.frame,
        mass=number,
        x_px=best.x_px,
        y_px=best.y_px,
        width_mm=best.width_mm,
        height_mm=best.height_mm,
        area_mm2=best.area_mm2,
        orientation=best.orientation,
        posterior=best.posterior.feature,
        posterior_score=best.posterior.score,
        confidence=best.confidence,
        foci=foci,
        source=best.source,
    )
