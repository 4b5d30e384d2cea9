"""Sightings: what was seen on each frame of a scan, gathered into one finding for each focus and each mass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from usmicro.findings import Focus, Mass, Table
from usmicro.labels import find_clusters
from usmicro.settings import Settings
from usmicro.tracking import Tracker
from usmicro.twinkling import ColourEvidence, judge
from usmicro.view import Grid

FOCUS_GATE_MM = 1.5
"""A focus that moves further than this from one frame to the next is a new one."""
MASS_GATE_MM = 6.0
GIVEN = 1.0
"""Confidence of a mass that the user outlined; it counts however few frames show it."""
SHORTEST_LIFE = 3
"""In a cine, the confidence of what was glimpsed only once or twice is spread over this many frames."""


@dataclass(slots=True)
class FocusTrack:
    """One focus through the frames of a scan."""

    best: Focus
    """Its row on the frame where it is surest."""
    place_mm: tuple[float, float, float]
    """Grid position of `best` in mm (assumed mm where the spacing is unknown), and its view, kept apart by far more than any image."""
    diameter: float
    """Of `best`, grid pixels."""
    first: int
    last: int
    seen: int = 0
    confidence: float = 0.0
    """Sum over the frames."""
    evidence: list[ColourEvidence] = field(default_factory=list)

    def life(self, frames: int) -> int:
        """Frames over which the confidence is averaged; one that does not show the focus counts 0."""
        return max(self.last - self.first + 1, min(SHORTEST_LIFE, frames))


@dataclass(slots=True)
class MassTrack:
    """One mass through the frames of a scan."""

    best: Mass
    seen: int = 0


@dataclass(slots=True)
class Sightings:
    """Foci and masses of the frames so far, by view and track."""

    foci: dict[tuple[int, int], FocusTrack] = field(default_factory=dict)
    masses: dict[tuple[int, int], MassTrack] = field(default_factory=dict)
    focus_trackers: dict[int, Tracker] = field(default_factory=dict)
    mass_trackers: dict[int, Tracker] = field(default_factory=dict)

    def add_masses(self, view: int, grid: Grid, x: NDArray[np.float64], y: NDArray[np.float64], rows: list[Mass]) -> list[int]:
        """Add the masses of one view of one frame, at grid positions; gives a number for each that stays the same over the frames."""
        tracker = self.mass_trackers.setdefault(view, Tracker(grid.pixels(MASS_GATE_MM)))
        numbers = []
        for row, track in zip(rows, tracker.update(rows[0].frame, x, y) if rows else [], strict=True):
            known = self.masses.setdefault((view, track), MassTrack(row))
            known.seen += 1
            if row.confidence > known.best.confidence:
                known.best = row
            numbers.append(list(self.masses).index((view, track)))
        return numbers

    def add_foci(
        self,
        view: int,
        grid: Grid,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        rows: list[Focus],
        diameter: NDArray[np.float64],
        colours: Callable[[float, float, float], ColourEvidence],
        frame: int,
    ) -> None:
        """Add the foci of one view of one frame, at grid positions; `Focus.mass` is a number that `add_masses` gave.

        `colours` gives the evidence at a position for a diameter. It is also asked where a known focus is not seen on this frame:
        twinkling hides the echo that it comes from.
        """
        tracker = self.focus_trackers.setdefault(view, Tracker(grid.pixels(FOCUS_GATE_MM)))
        for i, track in enumerate(tracker.update(frame, x, y)):
            row = rows[i]
            known = self.foci.get((view, track))
            if known is None or row.confidence > known.best.confidence:
                place_mm = (float(x[i]) * grid.pixel_mm, float(y[i]) * grid.pixel_mm, view * 1e6)
                if known is None:
                    known = self.foci[view, track] = FocusTrack(row, place_mm, diameter=0.0, first=row.frame, last=row.frame)
                known.best, known.place_mm, known.diameter = row, place_mm, float(diameter[i])
            known.last = row.frame
            known.seen += 1
            known.confidence += row.confidence
            known.evidence.append(colours(float(x[i]), float(y[i]), float(diameter[i])))
        for track, track_x, track_y in tracker.unseen():
            hidden = self.foci[view, track]
            hidden.evidence.append(colours(track_x, track_y, hidden.diameter))

    def gathered(self, frames: int, settings: Settings) -> tuple[Table[Focus], Table[Mass]]:
        """Every focus, surest first, and every mass that was seen long enough, by frame and position.

        Clusters are formed of, and the foci of a mass counted among, those that reach `foci.minimum_confidence`.
        """
        masses, mass_numbers = self._masses(frames)
        tracks = list(self.foci.values())
        rows = []
        for serial, track in enumerate(tracks, 1):
            twinkling = judge(track.evidence, settings.twinkling)
            confidence = track.confidence / track.life(frames)
            if twinkling.verdict == "yes" and twinkling.score is not None:
                # twinkling supports a calcification; its absence says nothing
                confidence = 1 - (1 - confidence) * (1 - twinkling.score)
            rows.append(
                replace(
                    track.best,
                    confidence=confidence,
                    mass=None if track.best.mass is None else mass_numbers.get(track.best.mass),
                    twinkling=twinkling.verdict,
                    twinkling_score=twinkling.score,
                    track=serial if frames > 1 else None,
                    seen_frames=track.seen if frames > 1 else None,
                )
            )
        sure = [i for i, row in enumerate(rows) if row.confidence >= settings.foci.minimum_confidence]
        clusters = find_clusters(np.array([tracks[i].place_mm for i in sure]).reshape(-1, 3), settings.labels)
        for i, cluster in zip(sure, clusters, strict=True):
            rows[i] = replace(rows[i], cluster=cluster)
        masses = [replace(mass, foci=sum(rows[i].mass == mass.mass for i in sure)) for mass in masses]
        rows.sort(key=lambda row: (-row.confidence, row.frame, row.y_px, row.x_px))
        return Table(replace(row, focus=number) for number, row in enumerate(rows, 1)), Table(masses)

    def _masses(self, frames: int) -> tuple[list[Mass], dict[int, int]]:
        """Masses seen long enough or given, numbered anew, and the new number of each old one."""
        least = min(SHORTEST_LIFE, frames)
        kept = [
            (old, track.best) for old, track in enumerate(self.masses.values()) if track.seen >= least or track.best.confidence == GIVEN
        ]
        kept.sort(key=lambda item: (item[1].frame, item[1].x_px, item[1].y_px))
        numbers = {old: new for new, (old, _) in enumerate(kept, 1)}
        return [replace(mass, mass=numbers[old]) for old, mass in kept], numbers
