"""Sightings: what was seen on each frame of a scan, gathered into one finding for each focus and each mass."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.doppler.twinkling import ColourEvidence, assess_twinkling
from usmicro.labelling.labels import find_clusters
from usmicro.model.findings import Focus, Mass, Origin, Twinkling, TwinklingVerdict
from usmicro.model.view import Grid, View
from usmicro.settings import Settings, TwinklingSettings
from usmicro.tracking.linking import Tracker

FOCUS_GATE_MM = 1.5
"""A focus that moves further than this from one frame to the next is a new one."""
KNOWN_GATE_MM = 0.6
"""The same where the movement of the tissue is known: a weak focus beside it must not take its number."""
MASS_GATE_MM = 6.0
GIVEN = 1.0
"""Confidence of a mass that the user outlined; it counts however few frames show it."""
IN_TAIL = 0.2
"""Share of its confidence that is left to what twinkles along with a surer focus: mostly it is the edge of the colours of that one."""
SUPPORT: Mapping[TwinklingVerdict, float] = {"yes": 1.0}
"""How much of its score twinkling supports a focus with."""
SUPPORT_IN_STILL: Mapping[TwinklingVerdict, float] = {"possible": 0.5}
"""The same in a still image. In a cine, what only may twinkle was glimpsed."""
AT_HEAD_MM = 1.0
"""How far from the head of its colours the echo of a focus lies at most."""
ALONE = 0.5
"""Confidence of a place that surely twinkles but has no echo of its own that could be a focus."""
SHORTEST_LIFE = 6
"""In a cine, the confidence of a focus that was glimpsed only once or twice is spread over this many frames."""
MASS_SEEN = 3
"""In a cine, a mass must be seen on this many frames."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where foci or masses lie on one view, arrays of one length."""

    x: NDArray[np.float64]
    """Grid columns."""
    y: NDArray[np.float64]
    diameter: NDArray[np.float64]
    """Grid pixels; 0 where it does not matter."""
    confidence: NDArray[np.float64]


@dataclass(slots=True)
class FocusTrack:
    """One focus through the frames of a scan."""

    best: Focus
    """Its row on the frame where it is surest."""
    place_mm: tuple[float, float, float]
    """Grid position of `best` in mm (assumed mm where the spacing is unknown), and its view, kept apart by far more than any image."""
    first: int
    last: int
    """First and last frame that showed it, of those that were analysed."""
    diameter: float = 0.0
    """Of `best`, grid pixels."""
    diameter_mm: float = 0.0
    """The same in the mm of `place_mm`."""
    beam: tuple[float, float] = (0.0, 1.0)
    """Unit vector away from the transducer at `best`."""
    seen: int = 0
    confidence: float = 0.0
    """Sum over the frames."""
    evidence: list[ColourEvidence] = field(default_factory=list)

    def mean_confidence(self, frames: int) -> float:
        """Mean confidence over its life in a scan of so many frames; one that does not show the focus counts 0."""
        return self.confidence / max(self.last - self.first + 1, min(SHORTEST_LIFE, frames))

    def apart(self, other: FocusTrack) -> float:
        """Distance of two, mm."""
        return math.dist(self.place_mm, other.place_mm)

    def in_tail_of(self, source: FocusTrack, settings: TwinklingSettings) -> bool:
        """Whether it lies where the twinkling of another focus reaches: beside it within a gate, or in the tail behind it."""
        dx, dy, apart = (a - b for a, b in zip(self.place_mm, source.place_mm, strict=True))
        along, across = (
            dx * source.beam[0] + dy * source.beam[1],
            dx * source.beam[1] - dy * source.beam[0],
        )
        beside = source.diameter_mm / 2 + settings.margin + FOCUS_GATE_MM
        return (
            not apart
            and abs(across) <= beside
            and -FOCUS_GATE_MM <= along <= settings.tail + source.diameter_mm / 2
        )


@dataclass(slots=True)
class MassTrack:
    """One mass through the frames of a scan."""

    best: Mass
    seen: int = 0


@dataclass(slots=True)
class Sightings:
    """Foci and masses of the frames so far, by view and track; foci that an echo shows and places that only colour shows apart."""

    foci: dict[tuple[int, Origin, int], FocusTrack] = field(default_factory=dict)
    masses: dict[tuple[int, int], MassTrack] = field(default_factory=dict)
    focus_trackers: dict[tuple[int, Origin], Tracker] = field(default_factory=dict)
    mass_trackers: dict[int, Tracker] = field(default_factory=dict)

    def add_masses(
        self, view: int, places: Places, make: Callable[[int], Mass], grid: Grid, turn: int
    ) -> list[int]:
        """Add the masses of one view of one frame; gives a number for each that stays the same over the frames.

        `make` gives the row of one of them, and is called where it is surer than before. `turn` is the number of the frame among those
        that are analysed.
        """
        tracker = self.mass_trackers.setdefault(view, Tracker(grid.pixels(MASS_GATE_MM)))
        numbers = []
        for i, track in enumerate(
            tracker.update(turn, places.x, places.y) if len(places.x) else []
        ):
            known = self.masses.get((view, track))
            if known is None:
                known = self.masses[view, track] = MassTrack(make(i))
            elif places.confidence[i] > known.best.confidence:
                known.best = make(i)
            known.seen += 1
            numbers.append(list(self.masses).index((view, track)))
        return numbers

    def add_foci(
        self,
        view: View,
        origin: Origin,
        places: Places,
        make: Callable[[Sequence[int]], list[Focus]],
        colours: Callable[[float, float, float], ColourEvidence],
        turn: int,
        shift: tuple[float, float] | None = None,
    ) -> None:
        """Add the foci of one view of a frame, all of one origin.

        `make` gives the rows of some of them, and is asked for those that are surer than before; `Focus.mass` is a number that `add_masses`
        gave. `turn` is the number of the frame among those that are analysed. `colours` gives the evidence at a position for a diameter.
        It is also asked where a known focus is not seen on this frame: twinkling hides the echo that it comes from. `shift` is how far the
        tissue has moved since the last frame, grid pixels, where that is known.
        """
        number, pixel_mm = view.number, view.grid.pixel_mm
        tracker = self.focus_trackers.setdefault(
            (number, origin), Tracker(view.grid.pixels(FOCUS_GATE_MM))
        )
        # places that only colour shows lie now at one cell of it, now at another
        gate = view.grid.pixels(KNOWN_GATE_MM) if shift is not None and origin == "echo" else None
        tracks = tracker.update(turn, places.x, places.y, shift=shift, gate=gate)
        surer = [
            i
            for i, track in enumerate(tracks)
            if (known := self.foci.get((number, origin, track))) is None
            or places.confidence[i] > known.best.confidence
        ]
        beam_x, beam_y = view.scan_lines.direction(places.x, places.y)
        for i, row in zip(surer, make(surer), strict=True):
            x, y, diameter = float(places.x[i]), float(places.y[i]), float(places.diameter[i])
            place_mm = (x * pixel_mm, y * pixel_mm, number * 1e6)
            known = self.foci.get((number, origin, tracks[i]))
            if known is None:
                known = self.foci[number, origin, tracks[i]] = FocusTrack(
                    row, place_mm, first=turn, last=turn
                )
            known.best, known.place_mm, known.beam = (
                row,
                place_mm,
                (float(beam_x[i]), float(beam_y[i])),
            )
            known.diameter, known.diameter_mm = diameter, diameter * pixel_mm
        for i, track in enumerate(tracks):
            known = self.foci[number, origin, track]
            known.last = turn
            known.seen += 1
            known.confidence += float(places.confidence[i])
            known.evidence.append(
                colours(float(places.x[i]), float(places.y[i]), float(places.diameter[i]))
            )
        for track, track_x, track_y in tracker.unseen():
            hidden = self.foci[number, origin, track]
            hidden.evidence.append(colours(track_x, track_y, hidden.diameter))

    def gathered(
        self, frames: int, settings: Settings, *, cine: bool
    ) -> tuple[list[Focus], list[Mass]]:
        """Every focus, surest first, and every mass that was seen long enough, by frame and position, of so many frames that were analysed.

        Clusters are formed of, and the foci of a mass counted among, those that reach `foci.minimum_confidence`.
        """
        masses, mass_numbers = self._masses(frames)
        tracks = list(self.foci.values())
        verdicts = [assess_twinkling(track.evidence, settings.twinkling) for track in tracks]
        supports = SUPPORT if cine else SUPPORT_IN_STILL
        sources = _sources(tracks, verdicts, frames, supports, settings.twinkling)
        tracks, verdicts, sources = _reported(tracks, verdicts, sources)
        changes: list[dict[str, Any]] = []
        for serial, (track, twinkling) in enumerate(zip(tracks, verdicts, strict=True), 1):
            by_echo = confidence = track.mean_confidence(frames)
            support = supports.get(twinkling.verdict, 0.0) * (twinkling.score or 0.0)
            if serial - 1 in sources:
                # twinkling supports a calcification; its absence says nothing
                confidence = (
                    1 - (1 - by_echo) * (1 - support)
                    if track.best.origin == "echo"
                    else ALONE * support
                )
            elif twinkling.verdict == "yes":
                confidence *= IN_TAIL
            listed_by_echo = (
                track.best.origin == "echo" and by_echo >= settings.foci.minimum_confidence
            )
            changes.append(
                {
                    "confidence": confidence,
                    "origin": "twinkling"
                    if serial - 1 in sources and not listed_by_echo
                    else "echo",
                    "mass": None if track.best.mass is None else mass_numbers.get(track.best.mass),
                    "twinkling": twinkling.verdict,
                    "twinkling_score": twinkling.score,
                    "track": serial if cine else None,
                    "seen_frames": track.seen if cine else None,
                }
            )
        sure = [
            i
            for i, change in enumerate(changes)
            if change["confidence"] >= settings.foci.minimum_confidence
        ]
        clusters = find_clusters(
            np.array([tracks[i].place_mm for i in sure]).reshape(-1, 3), settings.labels
        )
        for i, cluster in zip(sure, clusters, strict=True):
            changes[i]["cluster"] = cluster
        masses = [
            replace(mass, foci=sum(changes[i]["mass"] == mass.mass for i in sure))
            for mass in masses
        ]

        def place(i: int) -> tuple[float, int, float, float]:
            return (
                -changes[i]["confidence"],
                tracks[i].best.frame,
                tracks[i].best.y_px,
                tracks[i].best.x_px,
            )

        order = sorted(range(len(tracks)), key=place)
        return [
            replace(tracks[i].best, focus=number, **changes[i]) for number, i in enumerate(order, 1)
        ], masses

    def _masses(self, frames: int) -> tuple[list[Mass], dict[int, int]]:
        """Masses seen long enough or given, numbered anew, and the new number of each old one."""
        least = min(MASS_SEEN, frames)
        kept = [
            (old, track.best)
            for old, track in enumerate(self.masses.values())
            if track.seen >= least or track.best.confidence == GIVEN
        ]
        kept.sort(key=lambda item: (item[1].frame, item[1].x_px, item[1].y_px))
        numbers = {old: new for new, (old, _) in enumerate(kept, 1)}
        return [replace(mass, mass=numbers[old]) for old, mass in kept], numbers


def _sources(
    tracks: list[FocusTrack],
    verdicts: list[Twinkling],
    frames: int,
    supports: Mapping[TwinklingVerdict, float],
    settings: TwinklingSettings,
) -> set[int]:
    """Indices of the foci that twinkling comes from: of those that twinkle together only one.

    The edges of the colours of one calcification, and speckle between them, are candidates too, and twinkle as it does. It lies at the
    head of its colours: the surest of the foci there without its twinkling, or else the head itself. Where no head was followed long
    enough, it is the surest of all.
    """
    sure = [i for i, twinkling in enumerate(verdicts) if twinkling.verdict in supports]
    echoes = sorted(
        (i for i in sure if tracks[i].best.origin == "echo"),
        key=lambda i: (-tracks[i].mean_confidence(frames), i),
    )
    heads = sorted(
        (i for i in sure if tracks[i].best.origin == "twinkling"),
        key=lambda i: (tracks[i].place_mm[1], i),
    )
    sources: list[int] = []
    for i in heads + echoes:
        here = [e for e in echoes if tracks[e].apart(tracks[i]) <= AT_HEAD_MM] if i in heads else []
        source = here[0] if here else i
        near = [
            tracks[j]
            for j in sources
            if tracks[i].in_tail_of(tracks[j], settings)
            or tracks[j].in_tail_of(tracks[i], settings)
        ]
        if not near and source not in sources:
            sources.append(source)
    return set(sources)


def _reported(
    tracks: list[FocusTrack], verdicts: list[Twinkling], sources: set[int]
) -> tuple[list[FocusTrack], list[Twinkling], set[int]]:
    """All that an echo shows, and of the places that only colour shows those that twinkling comes from."""
    kept = [i for i, track in enumerate(tracks) if track.best.origin == "echo" or i in sources]
    return (
        [tracks[i] for i in kept],
        [verdicts[i] for i in kept],
        {new for new, old in enumerate(kept) if old in sources},
    )
