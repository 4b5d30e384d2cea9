"""The findings of one view of a frame, added to the tracks of the scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from usmicro.doppler.colour_evidence import Colours
from usmicro.doppler.patches import colour_patch_heads
from usmicro.foci.assessment import FociOfView
from usmicro.model.anatomy import Anatomy
from usmicro.model.findings import Origin
from usmicro.model.view import View
from usmicro.numerics.timing import StageTimer
from usmicro.settings import Settings
from usmicro.tracking.collection import TrackCollection
from usmicro.tracking.observations import (
    FocusMeasurement,
    Observation,
    measure_colour_patches,
    measure_echoes,
    measure_mass,
    measure_shadows,
    positions_of,
)
from usmicro.tracking.tracks import FocusTrack, MassTrack

COLOUR_CELL_MM = 0.6
"""Diameter, in mm, assumed for a focus that only its colours show: about that of a colour cell.
Chosen by eye on simulated clips; no measurement is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """Adds the findings of one view of a frame to the tracks of the scan, the masses first."""

    view: View
    anatomy: Anatomy
    frame: int
    """Index of the frame in the scan."""
    index: int
    """Index of the frame among the frames that are analysed."""
    shift: tuple[float, float] | None
    """Motion (x, y) of the tissue since the last frame in grid pixels; None if unknown."""
    colours: Colours
    tracks: TrackCollection
    timer: StageTimer
    settings: Settings
    masses: dict[int, MassTrack] = field(default_factory=dict)
    """Track of each mass of the view, by number in `Anatomy.masses`; see `follow_masses`."""

    def follow_masses(self) -> None:
        """Add the masses."""
        view, anatomy = self.view, self.anatomy
        numbers = list(anatomy.mass_centroids)
        links = self.tracks.link_masses(view, self.index, anatomy.masses, numbers, self.shift)
        for mass, (number, track) in zip(numbers, links, strict=True):
            confidence = anatomy.mass_confidence[mass - 1]
            if track is None or confidence > track.best.confidence:
                with self.timer.stage("shadow"):
                    measurement = measure_mass(
                        view, anatomy, mass, self.frame, self.settings.shadow
                    )
                if track is None:
                    track = self.tracks.add_mass(view, number, measurement)
                track.best = measurement
            x_px, y_px = view.grid.to_image(*anatomy.mass_centroids[mass])
            track.add(self.index, confidence, (self.frame, float(x_px), float(y_px)))
            self.masses[mass] = track

    def follow_echoes(self, foci: FociOfView) -> None:
        """Add the foci that an echo shows.

        Shadow and label are measured only of foci that are more confident than before.
        """
        view, settings = self.view, self.settings
        candidates, confidence = foci.candidates, foci.confidence
        tracks = self._link("echo", candidates.x, candidates.y)
        surpassing = np.array(
            [i for i, track in enumerate(tracks) if track.is_surpassed_by(confidence[i])], int
        )
        measured_foci = foci.take(surpassing)
        chosen = measured_foci.candidates
        with self.timer.stage("shadow"):
            shadows = measure_shadows(view, self.anatomy, chosen, settings.shadow)
        with self.timer.stage("labels"):
            measured = measure_echoes(
                view,
                self.anatomy,
                self.frame,
                chosen,
                shadows,
                measured_foci.reasons(),
                settings.labels,
            )
        self._add(
            "echo",
            tracks,
            np.stack([candidates.x, candidates.y, candidates.diameter], axis=1),
            confidence,
            dict(zip(surpassing.tolist(), measured, strict=True)),
        )

    def follow_colour_patches(self) -> None:
        """Add the heads of colour patches: colours there may hide the echo of a focus."""
        view = self.view
        with self.timer.stage("twinkling"):
            x, y = colour_patch_heads(view, self.settings.twinkling)
        diameter = view.grid.pixels(COLOUR_CELL_MM)
        tracks = self._link("twinkling", x, y)
        new = np.array([i for i, track in enumerate(tracks) if not track.frames_seen], int)
        with self.timer.stage("labels"):
            measured = measure_colour_patches(
                view, self.anatomy, self.frame, x[new], y[new], diameter, self.settings.labels
            )
        self._add(
            "twinkling",
            tracks,
            np.stack([x, y, np.full(len(x), diameter)], axis=1),
            np.zeros(len(x)),
            dict(zip(new.tolist(), measured, strict=True)),
        )

    def _link(
        self, origin: Origin, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> list[FocusTrack]:
        with self.timer.stage("tracking"):
            return self.tracks.link_foci(self.view, origin, self.index, x, y, self.shift)

    def _add(
        self,
        origin: Origin,
        tracks: Sequence[FocusTrack],
        places: NDArray[np.float64],
        confidence: NDArray[np.float64],
        measured: dict[int, FocusMeasurement],
    ) -> None:
        """Add an observation to each track, and colours to tracks that the frame does not show.

        `places` has shape (n, 3): grid column, grid row and diameter in grid pixels of the focus
        of each track. `measured` has the measurements of some of the tracks, by index.
        """
        positions = positions_of(self.view, places[:, 0], places[:, 1])
        with self.timer.stage("twinkling"):
            for i, track in enumerate(tracks):
                measurement = measured.get(i)
                mass = None if measurement is None else measurement.label.mass
                track.add(
                    Observation(
                        index=self.index,
                        frame=self.frame,
                        position=positions[i],
                        confidence=float(confidence[i]),
                        measurement=measurement,
                    ),
                    self.colours.at(*places[i].tolist()),
                    mass=None if mass is None else self.masses[mass],
                )
            for track, x, y in self.tracks.hidden_foci(self.view, origin):
                colours = self.colours.at(x, y, track.best.diameter)
                track.colour.append(colours, self.frame)
