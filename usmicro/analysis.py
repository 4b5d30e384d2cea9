"""Analysis of one scan: the stages in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from usmicro.anatomy import find_anatomy
from usmicro.anatomy.cine_cache import AnatomyCache
from usmicro.anatomy.label_image import label_image
from usmicro.anatomy.user_masks import MaskFunction, MasksLike, user_masks_on_frame
from usmicro.doppler.colour_evidence import Colours
from usmicro.doppler.patches import colour_patch_heads
from usmicro.errors import ImageError, ScanError
from usmicro.foci.assessment import AssessedFoci, assess_foci
from usmicro.foci.operating_point import listing_confidence, listing_confidence_of_models
from usmicro.model.anatomy import Anatomy
from usmicro.model.arrays import ByteImage, FloatImage, Frame
from usmicro.model.findings import Origin
from usmicro.model.scan import Scan, UserMasks
from usmicro.model.view import View
from usmicro.model.warnings import Remark, separated
from usmicro.numerics.threads import one_thread
from usmicro.numerics.timing import StageTimer
from usmicro.preparation import ScreenCache, prepare
from usmicro.result import Analysis, Table
from usmicro.settings import Settings
from usmicro.tracking.candidates import AssessedView, candidate_rows, outcomes_of
from usmicro.tracking.collection import TrackCollection
from usmicro.tracking.confidence import frame_rate_of
from usmicro.tracking.findings import findings_of
from usmicro.tracking.motion import reduced_tissue, tissue_shift
from usmicro.tracking.observations import (
    FocusMeasurement,
    Observation,
    measure_colour_patches,
    measure_echoes,
    measure_mass,
    measure_shadows,
    positions_of,
)
from usmicro.tracking.summary import listed_foci, summarise
from usmicro.tracking.tracks import FocusTrack, MassTrack

NEGLIGIBLE_CONFIDENCE = 0.004
"""Candidates of a cine up to this confidence are not tracked, which saves time, unless
foci of such a confidence are listed. Chosen by eye on simulated cines; no measurement is
recorded."""
COLOUR_CELL_MM = 0.6
"""Diameter, in mm, assumed for a focus that only its colours show: about that of a colour cell.
Chosen by eye on simulated clips; no measurement is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeyFrame:
    """The frame whose foci have the highest sum of confidences."""

    confidence_sum: float
    """Sum of the confidences of its foci."""
    number: int
    """Index in the scan."""
    image: Frame
    """Pixels, shape (rows, columns) or (rows, columns, 3)."""
    labels: ByteImage
    """Label image, shape (rows, columns)."""
    views: list[AssessedView]
    """Its views with their candidates."""


@dataclass(slots=True)
class _ScanState:
    """What the frames of a scan have in common; updated by each frame."""

    cine: bool
    """True if the file declares several frames."""
    remarks: list[Remark]
    """Notes and warnings in order of appearance."""
    timer: StageTimer = field(default_factory=StageTimer)
    tracks: TrackCollection = field(default_factory=TrackCollection)
    screen: ScreenCache | None = None
    """Parts of the screen that all frames of a cine share; None for a still image."""
    anatomies: AnatomyCache = field(default_factory=AnatomyCache)
    reduced_tissue: dict[int, FloatImage] = field(default_factory=dict)
    """Reduced tissue of the last frame of a cine, by number of the view."""
    geometry: str = ""
    """Geometry of the scan lines of the first view; empty before the first view."""
    spacing_rejected: bool = False
    """True if the spacing of a view so far is impossible."""
    colour_flow: bool = False
    """True if a view so far has colour Doppler data."""

    def tissue_shift(self, view: View, tissue: FloatImage) -> tuple[float, float] | None:
        """Return the motion of the tissue of a view since the last frame in grid pixels."""
        before = self.reduced_tissue.get(view.number)
        self.reduced_tissue[view.number] = tissue
        return None if before is None else tissue_shift(before, tissue)


@one_thread()
def analyze(
    scan: Scan,
    *,
    settings: Settings | None = None,
    masks: MasksLike | MaskFunction | None = None,
    each_frame: Callable[[int, ByteImage], None] | None = None,
) -> Analysis:
    """Find the echogenic foci, masses, ducts and nonmass areas of a scan.

    Each focus is labelled by where it lies, and its posterior shadow and Doppler twinkling are
    assessed.

    Parameters
    ----------
    scan : Scan
        From `usmicro.load`, or from `Scan.of_array` for an array.
    settings : Settings, optional
    masks : UserMasks, mapping or function, optional
        The user's own outlines at the size of the scan. They replace what the program would find.
        A mapping has any of the keys "masses", "ducts" and "nonmass", each with an array, shape
        (rows, columns), that is binary or numbers its areas. A function is called with each frame,
        uint8 of shape (rows, columns) or (rows, columns, 3), and the scan's `Spacing`. It returns
        `UserMasks` or a mapping. For None, the areas of that frame are detected automatically.
    each_frame : function, optional
        Called for each frame that shows tissue, with the index of the frame and its label image,
        which has the values of `Analysis.labels`.

    Returns
    -------
    Analysis

    Raises
    ------
    ScanError
        If the file cannot be read, if no frame shows tissue, or if `masks` does not fit the scan.
    """
    settings = settings or Settings()
    of_masks: tuple[Remark, ...] = (
        (*masks.notes, *masks.warnings) if isinstance(masks, UserMasks) else ()
    )
    cine = scan.declared_frames > 1
    state = _ScanState(
        cine=cine,
        remarks=[*scan.notes, *scan.warnings, *of_masks],
        screen=ScreenCache() if cine else None,
        tracks=TrackCollection(
            least_confidence=listing_confidence_of_models(settings.foci),
            frame_rate=frame_rate_of(
                scan.frame_times, settings.loading.frames or scan.declared_frames
            ),
            twinkling=settings.twinkling,
        ),
    )
    key_frame: _KeyFrame | None = None
    without_tissue: list[int] = []
    reason = "no frame could be read"
    number = analysed = 0
    reader = scan.frames()
    while True:
        with state.timer.stage("loading"):
            frame = next(reader, None)
        if frame is None:
            break
        if not is_analysed(number, scan.declared_frames, settings.loading.frames):
            number += 1
            continue
        try:
            with state.timer.stage("preparation"):
                views = prepare(
                    frame,
                    spacing=scan.spacing,
                    regions=scan.regions,
                    settings=settings.preparation,
                    cache=state.screen,
                )
        except ImageError as error:
            without_tissue.append(number)
            reason = str(error)
        else:
            with state.timer.stage("anatomy"):
                user_masks = (
                    None if masks is None else user_masks_on_frame(masks, frame, number, scan)
                )
            anatomies, assessed = [], []
            for view in views:
                assessed_foci, anatomy = _analyze_view(
                    view, number, analysed, state, settings, user_masks
                )
                assessed.append(AssessedView(view, assessed_foci))
                anatomies.append((view, anatomy))
            confidence_sum = sum(float(one.foci.confidence.sum()) for one in assessed)
            is_key = key_frame is None or confidence_sum > key_frame.confidence_sum
            if is_key or each_frame is not None:
                labels = label_image(frame, anatomies)
                if each_frame is not None:
                    each_frame(number, labels)
                if is_key:
                    key_frame = _KeyFrame(
                        confidence_sum=confidence_sum,
                        number=number,
                        image=frame,
                        labels=labels,
                        views=assessed,
                    )
        number += 1
        analysed += 1
    if key_frame is None:
        raise ScanError(f"{scan.name}: {reason}")
    if without_tissue:
        state.remarks.append(
            f"{len(without_tissue)} of {analysed} frames show no tissue, "
            f"the first is frame {without_tissue[0]}: {reason}"
        )
    if analysed < number:
        state.remarks.append(
            f"{analysed} of {number} frames were analysed, "
            f"because loading.frames = {settings.loading.frames}"
        )
    findings = findings_of(
        state.tracks, analysed, settings, cine=number > 1, frame_times=scan.frame_times
    )
    with state.timer.stage("foci"):
        least = listing_confidence(settings.foci)
        outcomes = outcomes_of(findings.foci, findings.tracks, key_frame.number, least)
        candidates = candidate_rows(
            key_frame.views, key_frame.number, outcomes, least, settings.foci
        )
    notes, warnings = separated(state.remarks)
    return Analysis(
        scan=scan,
        settings=settings,
        foci=Table(listed_foci(findings.foci, settings)),
        masses=Table(findings.masses),
        tracks=Table(findings.tracks),
        mass_tracks=Table(findings.mass_tracks),
        twinkling=Table(findings.twinkling),
        summary=summarise(
            scan,
            findings.foci,
            findings.masses,
            settings,
            frames=analysed,
            geometry=state.geometry,
            colour_flow=state.colour_flow,
            spacing_rejected=state.spacing_rejected,
        ),
        frame=key_frame.number,
        image=key_frame.image,
        labels=key_frame.labels,
        candidates=Table(candidates),
        notes=notes,
        warnings=warnings,
        seconds=state.timer.seconds,
    )


def is_analysed(frame: int, declared: int, limit: int) -> bool:
    """True if a frame of a cine is among those that are analysed.

    Parameters
    ----------
    frame : int
        Index of the frame.
    declared : int
        Number of frames that the file declares.
    limit : int
        Number of frames to analyse, evenly spread from the first on; 0 for all.
    """
    if not 0 < limit < declared:
        return True
    return frame * limit // declared != (frame - 1) * limit // declared


def _analyze_view(
    view: View,
    frame: int,
    index: int,
    state: _ScanState,
    settings: Settings,
    user_masks: UserMasks | None,
) -> tuple[AssessedFoci, Anatomy]:
    """Run the stages on one view of a frame.

    `frame` is the index of the frame in the scan, `index` that among the frames that are analysed.
    Return the candidates with their confidence, and the anatomy.
    """
    stage = state.timer.stage
    shift = None
    if state.cine:
        with stage("tracking"):
            tissue = reduced_tissue(view.grey, view.tissue)
            shift = state.tissue_shift(view, tissue)
    with stage("anatomy"):
        if user_masks is None and state.cine:
            anatomy = state.anatomies.find(view, tissue, shift, settings.anatomy)
        else:
            anatomy = find_anatomy(view, settings.anatomy, user_masks)
    with stage("foci"):
        foci = assessed = assess_foci(view, anatomy, settings.foci, settings.shadow)
        if state.cine and listing_confidence_of_models(settings.foci) > NEGLIGIBLE_CONFIDENCE:
            foci = foci.take(np.flatnonzero(foci.confidence > NEGLIGIBLE_CONFIDENCE))
    masses = _follow_masses(view, anatomy, frame, index, shift, state, settings)
    with stage("twinkling"):
        colours = Colours(view, settings.twinkling)
    follower = _FocusFollower(view, anatomy, frame, index, shift, masses, colours, state, settings)
    follower.follow_echoes(foci)
    follower.follow_colour_patches()
    # a long cine repeats the remarks of its views
    of_view: tuple[Remark, ...] = (*view.notes, *view.warnings)
    state.remarks += [remark for remark in of_view if remark not in state.remarks]
    state.spacing_rejected |= view.grid.spacing.source == "rejected"
    state.geometry = state.geometry or view.scan_lines.geometry
    state.colour_flow |= view.colour is not None
    return assessed, anatomy


def _follow_masses(
    view: View,
    anatomy: Anatomy,
    frame: int,
    index: int,
    shift: tuple[float, float] | None,
    state: _ScanState,
    settings: Settings,
) -> dict[int, MassTrack]:
    """Add the masses of a view to their tracks; return the track of each mass, by number."""
    masses = list(anatomy.mass_centroids)
    links = state.tracks.link_masses(view, index, anatomy.masses, masses, shift)
    tracks: dict[int, MassTrack] = {}
    for mass, (number, track) in zip(masses, links, strict=True):
        confidence = anatomy.mass_confidence[mass - 1]
        if track is None or confidence > track.best.confidence:
            with state.timer.stage("shadow"):
                measurement = measure_mass(view, anatomy, mass, frame, settings.shadow)
            if track is None:
                track = state.tracks.add_mass(view, number, measurement)
            track.best = measurement
        x_px, y_px = view.grid.to_image(*anatomy.mass_centroids[mass])
        track.add(index, confidence, (frame, float(x_px), float(y_px)))
        tracks[mass] = track
    return tracks


@dataclass(frozen=True, slots=True)
class _FocusFollower:
    """Adds the foci of one view of a frame to their tracks."""

    view: View
    anatomy: Anatomy
    frame: int
    """Index of the frame in the scan."""
    index: int
    """Index of the frame among the frames that are analysed."""
    shift: tuple[float, float] | None
    """Motion (x, y) of the tissue since the last frame in grid pixels; None if unknown."""
    masses: dict[int, MassTrack]
    """Track of each mass of the view, by number in `Anatomy.masses`."""
    colours: Colours
    state: _ScanState
    settings: Settings

    def follow_echoes(self, foci: AssessedFoci) -> None:
        """Add the foci that an echo shows.

        Shadow and label are measured only of foci that are more confident than before.
        """
        view, settings, stage = self.view, self.settings, self.state.timer.stage
        candidates, confidence = foci.candidates, foci.confidence
        tracks = self._link("echo", candidates.x, candidates.y)
        surpassing = np.array(
            [i for i, track in enumerate(tracks) if track.is_surpassed_by(confidence[i])], int
        )
        measured_foci = foci.take(surpassing)
        chosen = measured_foci.candidates
        with stage("shadow"):
            shadows = measure_shadows(view, self.anatomy, chosen, settings.shadow)
        with stage("labels"):
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
        view, stage = self.view, self.state.timer.stage
        with stage("twinkling"):
            x, y = colour_patch_heads(view, self.settings.twinkling)
        diameter = view.grid.pixels(COLOUR_CELL_MM)
        tracks = self._link("twinkling", x, y)
        new = np.array([i for i, track in enumerate(tracks) if not track.frames_seen], int)
        with stage("labels"):
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
        with self.state.timer.stage("tracking"):
            return self.state.tracks.link_foci(self.view, origin, self.index, x, y, self.shift)

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
        with self.state.timer.stage("twinkling"):
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
            for track, x, y in self.state.tracks.hidden_foci(self.view, origin):
                colours = self.colours.at(x, y, track.best.diameter)
                track.colour.append(colours, self.frame)
