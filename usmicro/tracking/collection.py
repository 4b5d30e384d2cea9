"""All tracks of a scan: linking of foci and masses to them, and which of them are kept."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from usmicro.model.arrays import LabelImage
from usmicro.model.findings import Origin
from usmicro.model.view import View
from usmicro.settings import TwinklingSettings
from usmicro.tracking.confidence import ASSUMED_FRAME_RATE, LEAST_FRAMES, resting_frames
from usmicro.tracking.linking import Tracker
from usmicro.tracking.mass_linking import MassLinker
from usmicro.tracking.observations import MassMeasurement
from usmicro.tracking.tracks import FOCUS_GATE_MM, FocusTrack, MassTrack

KNOWN_SHIFT_GATE_MM = 0.6
"""Smaller value of FOCUS_GATE_MM, used if the motion of the tissue is known. A weak focus beside a
lost one then begins its own track. Chosen by eye on simulated cines; no measurement is recorded."""


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
    user_scores: bool = False
    """True if the confidences are the scores of a detector of the user, which are kept: that of a
    focus in a cine is its highest score."""
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

    def confidence_of(self, track: FocusTrack, analysed: int) -> float:
        """Return the confidence of a focus from its echo.

        Parameters
        ----------
        track : FocusTrack
        analysed : int
            Number of frames of the scan that were analysed.
        """
        if self.user_scores:
            return track.highest_confidence
        return track.confidence(analysed, self.frame_rate)

    def _end(self, key: tuple[int, Origin, int]) -> None:
        """End a track; forget it if it can neither be reported nor decide the score of the image.

        The confidence of a track depends on the number of frames of the cine until this is larger
        than that of a steady focus. A track in the colour box that ends earlier is kept.
        """
        track = self._foci[key]
        in_box = len(track.colour) > 0
        twinkles = track.twinkling(self.twinkling).verdict == "yes"
        frames = track.last_index + 1
        confidence = self.confidence_of(track, max(frames, LEAST_FRAMES))
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
