"""Tracks: the observations of one focus, or of one mass, over the frames of a scan."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field

import numpy as np

from usmicro.doppler.colour_evidence import ColourEvidence
from usmicro.doppler.evidence_series import EvidenceSeries
from usmicro.doppler.twinkling import assess_twinkling, frame_evidence
from usmicro.model.findings import Origin, Twinkling
from usmicro.settings import TwinklingSettings
from usmicro.tracking.confidence import (
    LEAST_FRAMES,
    track_confidence,
)
from usmicro.tracking.observations import FocusMeasurement, MassMeasurement, Observation

FOCUS_GATE_MM = 1.5
"""Largest distance, in mm, between a focus and the expected position of its track. A focus further
away begins a new track. Chosen by eye on simulated cines; no measurement is recorded."""


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
    def highest_confidence(self) -> float:
        """Confidence on the frame of `best`."""
        return self._best_confidence

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
