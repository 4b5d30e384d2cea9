"""Tracks: the observations of one focus, or of one mass, over the frames of a scan."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from usmicro.doppler.colour_evidence import ColourEvidence
from usmicro.doppler.evidence_series import EvidenceSeries
from usmicro.doppler.twinkling import assess_twinkling, frame_evidence
from usmicro.model.arrays import LabelImage
from usmicro.model.findings import Origin, Twinkling
from usmicro.model.view import View
from usmicro.settings import TwinklingSettings
from usmicro.tracking.confidence import (
    ASSUMED_FRAME_RATE,
    LEAST_FRAMES,
    resting_frames,
    track_confidence,
)
from usmicro.tracking.linking import Tracker
from usmicro.tracking.mass_linking import MassLinker
from usmicro.tracking.observations import FocusMeasurement, MassMeasurement, Observation

FOCUS_GATE_MM = 1.5
"""Largest distance, in mm, between a focus and the expected position of its track. A focus further
away begins a new track. Chosen by eye on simulated cines; no measurement is recorded."""
KNOWN_SHIFT_GATE_MM = 0.6
"""Smaller value of FOCUS_GATE_MM, used if the motion of the tissue is known. A weak focus beside a
lost one then begins its own track. Chosen by eye on simulated cines; no measurement is recorded."""


SEEN_FIELDS = 7
"""Number of fields of `SeenFocus`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFocus:
    """One focus on one frame that shows it."""

    index: int
    """Index of the frame among the frames that are analysed."""
    frame: int
    """Index of the frame in the scan."""
    confidence: float
    """Confidence on this frame alone."""
    x_px: float
    y_px: float
    x_mm: float | None
    depth_mm: float | None


@dataclass(slots=True, eq=False)
class MassTrack:
    """One mass through the frames of a scan."""

    best: MassMeasurement
    """The measurement on the frame on which the confidence is highest."""
    frames_seen: int = 0
    """Number of frames that show the mass."""
    confidence_sum: float = 0.0
    """Sum of its confidences over these frames."""
    first: int = 0
    """Index of the first of these frames among the frames that are analysed."""
    last: int = 0
    """Index of the last one."""
    centres: array[float] = field(default_factory=lambda: array("d"))
    """Index in the scan of each of these frames, and column and row of its centroid in the input
    image."""

    def add(
        self, index: int, confidence: float, centre: tuple[int, float, float] | None = None
    ) -> None:
        """Count the next frame that shows the mass.

        Parameters
        ----------
        index : int
            Index of the frame among the frames that are analysed.
        confidence : float
        centre : (frame, x, y), optional
            Index of the frame in the scan, and column and row of the centroid in the input image.
        """
        if centre is not None:
            self.centres.extend(centre)
        self.first = self.first if self.frames_seen else index
        self.last = index
        self.frames_seen += 1
        self.confidence_sum += confidence

    def confidence(self, analysed: int, frame_rate: float) -> float:
        """Confidence over the frames of a cine, as for a focus; that of the frame in a still."""
        if analysed == 1:
            return self.confidence_sum
        return track_confidence(
            self.best.confidence,
            self.confidence_sum,
            seen=self.frames_seen,
            span=self.last - self.first + 1,
            analysed=analysed,
            frame_rate=frame_rate,
        )


@dataclass(slots=True, eq=False)
class FocusTrack:
    """One focus through the frames of a scan."""

    view: int
    """Number of the view that shows it."""
    origin: Origin
    """Evidence that shows it: "echo", or "twinkling" if only colours show it."""
    appearance: int = 0
    """Number of tracks that began before it."""
    _seen: array[float] = field(default_factory=lambda: array("d"))
    """Numbers of the frames that show the focus, in order: `SEEN_FIELDS` for each. An array needs a
    tenth of the memory of objects, which counts in a long cine."""
    colour: EvidenceSeries = field(default_factory=EvidenceSeries)
    """Colours at the focus on each frame since the first that shows it, including frames on which
    its echo is hidden. Empty once the track has ended."""
    mass: MassTrack | None = None
    """The mass in which the focus lies on the frame of `best`."""
    _best: FocusMeasurement | None = None
    _best_confidence: float = 0.0
    _confidence_sum: float = 0.0
    _twinkling: Twinkling | None = None
    """Twinkling of a track that has ended."""
    _twinkling_by_frame: list[tuple[int, float]] = field(default_factory=list)
    """The same as `twinkling_by_frame` returns, of a track that has ended."""

    @property
    def best(self) -> FocusMeasurement:
        """The measurement on the frame on which the confidence is highest."""
        assert self._best is not None, "a track begins with an observation that is measured"
        return self._best

    @property
    def frames_seen(self) -> int:
        """Number of frames that show the focus."""
        return len(self._seen) // SEEN_FIELDS

    @property
    def seen(self) -> list[SeenFocus]:
        """The focus on each frame that shows it, in order."""
        values = np.array(self._seen).reshape(-1, SEEN_FIELDS)
        return [
            SeenFocus(
                index=int(index),
                frame=int(frame),
                confidence=confidence,
                x_px=x_px,
                y_px=y_px,
                x_mm=None if math.isnan(x_mm) else x_mm,
                depth_mm=None if math.isnan(depth_mm) else depth_mm,
            )
            for index, frame, confidence, x_px, y_px, x_mm, depth_mm in values.tolist()
        ]

    @property
    def last_index(self) -> int:
        """Index of the last frame that shows the focus among the frames that are analysed."""
        return int(self._seen[-SEEN_FIELDS])

    def twinkling(self, settings: TwinklingSettings) -> Twinkling:
        """Assess twinkling over all frames of the track so far."""
        return self._twinkling or assess_twinkling(list(self.colour), settings)

    def twinkling_by_frame(self, settings: TwinklingSettings) -> list[tuple[int, float]]:
        """Return the evidence for twinkling on each frame that has colour data at the focus.

        Returns
        -------
        list of (frame, evidence)
            Index in the scan, and `usmicro.doppler.twinkling.frame_evidence`.
        """
        return self._twinkling_by_frame or [
            (frame, frame_evidence(evidence, settings))
            for frame, evidence in zip(self.colour.frames, self.colour, strict=True)
        ]

    def end(self, settings: TwinklingSettings) -> None:
        """Assess twinkling for the last time, and forget the colours it was assessed from."""
        self._twinkling = self.twinkling(settings)
        self._twinkling_by_frame = self.twinkling_by_frame(settings)
        self.colour = EvidenceSeries()

    def is_surpassed_by(self, confidence: float) -> bool:
        """True if the focus is new, or if the confidence is higher than on all frames before."""
        return self._best is None or confidence > self._best_confidence

    def add(
        self, observation: Observation, colour: ColourEvidence, mass: MassTrack | None = None
    ) -> None:
        """Add the observation on the next frame that shows the focus.

        Parameters
        ----------
        observation : Observation
            It must hold a measurement if `is_surpassed_by` is true of its confidence.
        colour : ColourEvidence
            Colours at the focus on that frame.
        mass : MassTrack, optional
            The mass in which the focus lies, for an observation with a measurement.
        """
        position = observation.position
        self._seen.extend(
            (
                observation.index,
                observation.frame,
                observation.confidence,
                position.x_px,
                position.y_px,
                math.nan if position.x_mm is None else position.x_mm,
                math.nan if position.depth_mm is None else position.depth_mm,
            )
        )
        self.colour.append(colour, observation.frame)
        self._confidence_sum += observation.confidence
        if observation.measurement is not None:
            self._best, self.mass = observation.measurement, mass
            self._best_confidence = observation.confidence

    def mean_confidence(self, analysed: int) -> float:
        """Mean confidence from the first to the last frame that shows the focus.

        Frames between them that do not show it count 0, and so do those that are missing from
        LEAST_FRAMES.

        Parameters
        ----------
        analysed : int
            Number of frames of the scan that were analysed.
        """
        frames = self.last_index - int(self._seen[0]) + 1
        return self._confidence_sum / max(frames, min(LEAST_FRAMES, analysed))

    def confidence(self, analysed: int, frame_rate: float) -> float:
        """Confidence over the frames of a cine; that of the frame in a still.

        Parameters
        ----------
        analysed : int
            Number of frames of the scan that were analysed.
        frame_rate : float
            Frames that are analysed per second.
        """
        if analysed == 1:
            return self._confidence_sum
        return track_confidence(
            self._best_confidence,
            self._confidence_sum,
            seen=self.frames_seen,
            span=self.last_index - int(self._seen[0]) + 1,
            analysed=analysed,
            frame_rate=frame_rate,
        )

    def distance_mm(self, other: FocusTrack) -> float:
        """Distance to another track in mm of the grid; infinite if they lie on different views."""
        if self.view != other.view:
            return math.inf
        return math.dist(self.best.position.grid_mm, other.best.position.grid_mm)

    def in_tail_of(self, source: FocusTrack, settings: TwinklingSettings) -> bool:
        """True if the focus lies among the colours of another focus that twinkles.

        These colours surround that focus up to its margin plus FOCUS_GATE_MM, and extend along its
        tail.
        """
        if self.view != source.view:
            return False
        (x, y), (source_x, source_y) = self.best.position.grid_mm, source.best.position.grid_mm
        beam_x, beam_y = source.best.position.beam
        dx, dy = x - source_x, y - source_y
        along, across = dx * beam_x + dy * beam_y, dx * beam_y - dy * beam_x
        radius = source.best.diameter_mm / 2
        return (
            abs(across) <= radius + settings.margin + FOCUS_GATE_MM
            and -FOCUS_GATE_MM <= along <= settings.tail + radius
        )


@dataclass(slots=True)
class TrackCollection:
    """All tracks of a scan: masses, foci with an echo, and foci that only colours show."""

    _foci: dict[tuple[int, Origin, int], FocusTrack] = field(default_factory=dict)
    """Tracks by number of the view, origin, and number that the tracker gives."""
    _masses: dict[tuple[int, int], MassTrack] = field(default_factory=dict)
    """Tracks by number of the view, and number that the tracker gives."""
    _focus_trackers: dict[tuple[int, Origin], Tracker] = field(default_factory=dict)
    _mass_linkers: dict[int, MassLinker] = field(default_factory=dict)
    least_confidence: float = 0.0
    """Tracks that have ended below this confidence are forgotten, unless they twinkle, so that a
    long cine needs little memory. 0 keeps all that an echo shows."""
    frame_rate: float = ASSUMED_FRAME_RATE
    """Frames that are analysed per second."""
    twinkling: TwinklingSettings = field(default_factory=TwinklingSettings)
    _highest: float = 0.0
    """Highest confidence of the tracks that have ended."""
    _highest_settled: float = 0.0
    """The same of tracks that are kept with just this confidence."""
    _begun: int = 0
    """Number of tracks so far."""
    _forgotten: array[int] = field(default_factory=lambda: array("q"))
    """`appearance` of the forgotten tracks of foci in the colour box, see `forgotten_before`."""

    @property
    def foci(self) -> list[FocusTrack]:
        """Tracks of foci, in order of appearance."""
        return list(self._foci.values())

    @property
    def masses(self) -> list[MassTrack]:
        """Tracks of masses, in order of appearance."""
        return list(self._masses.values())

    def link_masses(
        self,
        view: View,
        index: int,
        labels: LabelImage,
        numbers: Sequence[int],
        shift: tuple[float, float] | None,
    ) -> list[tuple[int, MassTrack | None]]:
        """Link the masses of one view of a frame to tracks.

        Parameters
        ----------
        view : View
        index : int
            Index of the frame among the frames that are analysed.
        labels : array, shape (rows, columns)
            0 outside masses, else the number of the mass on this frame.
        numbers : sequence of int, length n
            Numbers of the masses.
        shift : (x, y) or None
            Motion of the tissue since the last frame in grid pixels; None if unknown.

        Returns
        -------
        list of (number, track), length n
            Number of the track on this view, for `add_mass`, and the track; None if it is new.
        """
        linker = self._mass_linkers.setdefault(view.number, MassLinker())
        return [
            (number, self._masses.get((view.number, number)))
            for number in linker.update(index, labels, numbers, shift)
        ]

    def add_mass(self, view: View, number: int, measurement: MassMeasurement) -> MassTrack:
        """Begin the track of a mass that `link_masses` found to be new."""
        track = self._masses[view.number, number] = MassTrack(measurement)
        return track

    def link_foci(
        self,
        view: View,
        origin: Origin,
        index: int,
        x: ArrayLike,
        y: ArrayLike,
        shift: tuple[float, float] | None,
    ) -> list[FocusTrack]:
        """Link the foci of one view of a frame to tracks; begin a track for each new focus.

        Parameters
        ----------
        view : View
        origin : "echo" or "twinkling"
        index : int
            Index of the frame among the frames that are analysed.
        x, y : array, shape (n,)
            Grid columns and rows.
        shift : (x, y) or None
            Motion of the tissue since the last frame in grid pixels; None if unknown.

        Returns
        -------
        list of FocusTrack, length n
            An observation must be added to each of them.
        """
        tracker = self._focus_trackers.setdefault(
            (view.number, origin), Tracker(view.grid.pixels(FOCUS_GATE_MM))
        )
        # the head of a colour patch changes from one colour cell to another between frames
        precise = shift is not None and origin == "echo"
        gate = view.grid.pixels(KNOWN_SHIFT_GATE_MM) if precise else None
        before = tracker.live()
        numbers = tracker.update(index, x, y, shift=shift, gate=gate)
        for number in before - tracker.live():
            self._end((view.number, origin, number))
        return [self._track((view.number, origin, number)) for number in numbers]

    def _track(self, key: tuple[int, Origin, int]) -> FocusTrack:
        """Return a track; begin it if it is new."""
        if key not in self._foci:
            self._foci[key] = FocusTrack(view=key[0], origin=key[1], appearance=self._begun)
            self._begun += 1
        return self._foci[key]

    def _end(self, key: tuple[int, Origin, int]) -> None:
        """End a track; forget it if it can neither be reported nor decide the score of the image.

        The confidence of a track depends on the number of frames of the cine until this is larger
        than that of a steady focus. A track in the colour box that ends earlier is kept.
        """
        track = self._foci[key]
        in_box = len(track.colour) > 0
        twinkles = track.twinkling(self.twinkling).verdict == "yes"
        frames = track.last_index + 1
        confidence = track.confidence(max(frames, LEAST_FRAMES), self.frame_rate)
        settled = frames >= resting_frames(self.frame_rate)
        if track.origin == "twinkling":
            kept = twinkles
        elif in_box:
            kept = (
                twinkles
                or not settled
                or confidence >= self.least_confidence
                or confidence >= self._highest_settled
            )
        else:
            kept = confidence >= self.least_confidence or confidence > self._highest
        self._highest = max(confidence, self._highest)
        if not kept:
            del self._foci[key]
            if in_box and track.origin == "echo":
                self._forgotten.append(track.appearance)
            return
        track.end(self.twinkling)
        if settled and not twinkles and track.origin == "echo":
            self._highest_settled = max(confidence, self._highest_settled)

    def forgotten_before(self, track: FocusTrack) -> int:
        """Count the forgotten foci in the colour box that appeared before a track."""
        return int(np.count_nonzero(np.asarray(self._forgotten) < track.appearance))

    def hidden_foci(self, view: View, origin: Origin) -> Iterator[tuple[FocusTrack, float, float]]:
        """Yield the live tracks that the current frame does not show.

        Yields
        ------
        (track, x, y)
            The track, and the grid column and row where the focus is expected.
        """
        for number, x, y in self._focus_trackers[view.number, origin].unseen():
            yield self._foci[view.number, origin, number], x, y
