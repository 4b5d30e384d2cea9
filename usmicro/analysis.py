"""Analysis of one scan: the stages in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from usmicro.anatomy import find_anatomy
from usmicro.anatomy.cine_cache import AnatomyCache
from usmicro.anatomy.label_image import label_image
from usmicro.anatomy.user_masks import MaskFunction, MasksLike, check_masks, user_masks_on_frame
from usmicro.doppler.colour_evidence import Colours
from usmicro.errors import ImageError, ScanError, UsageError
from usmicro.foci.assessment import FociOfView, assess_foci
from usmicro.foci.operating_point import listing_confidence, listing_confidence_of_models
from usmicro.foci.user_detector import (
    Detections,
    DetectorFunction,
    UserDetector,
    checked_detector,
    listing_all_detections,
)
from usmicro.loading.source import ScanLike, scan_of
from usmicro.model.anatomy import Anatomy
from usmicro.model.arrays import ByteImage, FloatImage, Frame
from usmicro.model.frame_outlines import FrameOutlines
from usmicro.model.probability_maps import ProbabilityMaps
from usmicro.model.scan import Scan, SpacingLike, UserMasks
from usmicro.model.user_function import function_name
from usmicro.model.view import View
from usmicro.model.warnings import Remark, separated
from usmicro.numerics.threads import one_thread
from usmicro.numerics.timing import StageTimer
from usmicro.preparation import ScreenCache, prepare
from usmicro.result import Analysis, Table
from usmicro.settings import Settings, checked_settings
from usmicro.tracking.candidates import AssessedView, candidate_rows, outcomes_of
from usmicro.tracking.collection import TrackCollection
from usmicro.tracking.confidence import frame_rate_of
from usmicro.tracking.findings import findings_of
from usmicro.tracking.following import Follower
from usmicro.tracking.motion import reduced_tissue, tissue_shift
from usmicro.tracking.summary import decisive_foci, listed_foci, summarise

NEGLIGIBLE_CONFIDENCE = 0.004
"""Candidates of a cine up to this confidence are not tracked, which saves time, unless
foci of such a confidence are listed. Chosen by eye on simulated cines; no measurement is
recorded."""


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
    maps: ProbabilityMaps
    """Its probabilities of masses and ducts."""


@dataclass(slots=True)
class _ScanState:
    """What the frames of a scan have in common; updated by each frame."""

    scan: Scan
    detector: UserDetector | None
    """The user's detector; None if the program finds the foci."""
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

    @property
    def cine(self) -> bool:
        """True if the file declares several frames."""
        return self.scan.declared_frames > 1

    def tissue_shift(self, view: View, tissue: FloatImage) -> tuple[float, float] | None:
        """Return the motion of the tissue of a view since the last frame in grid pixels."""
        before = self.reduced_tissue.get(view.number)
        self.reduced_tissue[view.number] = tissue
        return None if before is None else tissue_shift(before, tissue)


@one_thread()
def analyze(
    source: ScanLike,
    *,
    spacing: SpacingLike | None = None,
    settings: Settings | None = None,
    masks: MasksLike | MaskFunction | None = None,
    detector: DetectorFunction | None = None,
    each_frame: Callable[[int, ByteImage], None] | None = None,
) -> Analysis:
    """Find the echogenic foci, masses, ducts and nonmass areas of a scan.

    Each focus is labelled by where it lies, and its posterior shadow and Doppler twinkling are
    assessed.

    Parameters
    ----------
    source : str, path, array or Scan
        A scan file, an array as for `Scan.of_array`, or a scan from `usmicro.load`. Shapes of
        arrays are (rows, columns) or (rows, columns, 3 or 4) for one image, (frames, rows, columns)
        or (frames, rows, columns, 3 or 4) for a cine.
    spacing : float, pair of float or Spacing, optional
        Distance between pixel centres in mm. A pair is (between columns, between rows). Like
        `--spacing` it is used only if the file has no spacing of its own; for another one, pass
        `usmicro.load(path, spacing=..., spacing_wins=True)`.
    settings : Settings, optional
    masks : UserMasks, mapping or function, optional
        The user's own outlines at the size of the scan. They replace what the program would find.
        A mapping has any of the keys "masses", "ducts" and "nonmass", each with an array, shape
        (rows, columns), that is binary or numbers its areas. A function is called with each frame,
        uint8 of shape (rows, columns) or (rows, columns, 3), and the scan's `Spacing`. It returns
        `UserMasks` or a mapping. For None, the areas of that frame are detected automatically.
    detector : function, optional
        The user's own detector of foci. It is called with each frame, uint8 of shape (rows,
        columns) or (rows, columns, 3), and the scan's `Spacing`. It returns four arrays of the same
        length: column, row and diameter of each focus in pixels of the frame, and its score from 0
        to 1. These foci replace those that the program would find. Their shadow, twinkling and
        label are assessed as usual, and their confidence is the score. All of them are listed,
        unless `settings.foci.minimum_confidence` is given. See docs/detectors.md.
    each_frame : function, optional
        Called for each frame that shows tissue, with the index of the frame and its label image,
        which has the values of `Analysis.labels`.

    Returns
    -------
    Analysis

    Raises
    ------
    ScanError
        If the file cannot be read, if no frame shows tissue, if `masks` does not fit the scan, or
        if `masks` or `detector` fails or returns something else than expected.
    ImageError
        If the array is no image or cine.
    UsageError, SettingsError
        If another argument is of the wrong type, or the spacing is not positive.
    """
    settings = checked_settings(settings)
    check_masks(masks)
    user_detector = checked_detector(detector)
    if each_frame is not None and not callable(each_frame):
        raise UsageError(f"each_frame: expected a function, found {type(each_frame).__name__}")
    if user_detector is not None:
        settings = listing_all_detections(settings)
    scan = scan_of(source, spacing, settings=settings.loading)
    of_masks: tuple[Remark, ...] = (
        (*masks.notes, *masks.warnings) if isinstance(masks, UserMasks) else ()
    )
    cine = scan.declared_frames > 1
    state = _ScanState(
        scan=scan,
        detector=user_detector,
        remarks=[*scan.notes, *scan.warnings, *of_masks],
        screen=ScreenCache() if cine else None,
        tracks=TrackCollection(
            least_confidence=listing_confidence_of_models(settings.foci),
            frame_rate=frame_rate_of(
                scan.frame_times, settings.loading.frames or scan.declared_frames
            ),
            twinkling=settings.twinkling,
            user_scores=user_detector is not None,
        ),
    )
    key_frame: _KeyFrame | None = None
    outlines = FrameOutlines() if cine else None
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
            if outlines is not None:
                outlines.add(number, None)
        else:
            with state.timer.stage("anatomy"):
                user_masks = (
                    None if masks is None else user_masks_on_frame(masks, frame, number, scan)
                )
            detections = None
            if user_detector is not None:
                with state.timer.stage("foci"):
                    detections = user_detector.detect(frame, number, scan)
            anatomies, assessed = [], []
            for view in views:
                assessed_foci, anatomy = _analyze_view(
                    view, number, analysed, state, settings, user_masks, detections
                )
                assessed.append(AssessedView(view, assessed_foci))
                anatomies.append((view, anatomy))
            if user_detector is not None and detections is not None:
                user_detector.add_unplaced(detections, number)
            confidence_sum = sum(float(one.foci.confidence.sum()) for one in assessed)
            is_key = key_frame is None or confidence_sum > key_frame.confidence_sum
            if is_key or each_frame is not None or outlines is not None:
                labels = label_image(frame, anatomies)
                if outlines is not None:
                    with state.timer.stage("outlines"):
                        outlines.add(number, labels)
                if each_frame is not None:
                    each_frame(number, labels)
                if is_key:
                    key_frame = _KeyFrame(
                        confidence_sum=confidence_sum,
                        number=number,
                        image=frame,
                        labels=labels,
                        views=assessed,
                        maps=ProbabilityMaps.of(labels.shape, anatomies),
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
    if user_detector is not None:
        state.remarks += user_detector.remarks()
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
        maps=key_frame.maps,
        outlines=outlines if number > 1 else None,
        candidates=Table(candidates),
        detector="" if user_detector is None else user_detector.name,
        masks=_origin_of(masks),
        notes=notes,
        warnings=warnings,
        seconds=state.timer.seconds,
    )


def _origin_of(masks: MasksLike | MaskFunction | None) -> str:
    """Return `Analysis.masks`."""
    if callable(masks):
        return function_name(masks)
    return "" if masks is None else "given"


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
    detections: Detections | None,
) -> tuple[FociOfView, Anatomy]:
    """Run the stages on one view of a frame.

    `frame` is the index of the frame in the scan, `index` that among the frames that are analysed.
    `detections` are those of the user's detector on the whole frame. Return the candidates with
    their confidence, and the anatomy.
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
        assessed: FociOfView
        if detections is None:
            assessed = assess_foci(view, anatomy, settings.foci, settings.shadow)
        else:
            assessed = detections.on_view(view, settings.foci)
        foci = assessed
        if not state.cine:
            if view.colour is None:  # the others would be measured in vain
                foci = foci.take(decisive_foci(foci.confidence, settings.foci))
        elif listing_confidence_of_models(settings.foci) > NEGLIGIBLE_CONFIDENCE:
            foci = foci.take(np.flatnonzero(foci.confidence > NEGLIGIBLE_CONFIDENCE))
    with stage("twinkling"):
        colours = Colours(view, settings.twinkling)
    follower = Follower(
        view=view,
        anatomy=anatomy,
        frame=frame,
        index=index,
        shift=shift,
        colours=colours,
        tracks=state.tracks,
        timer=state.timer,
        settings=settings,
    )
    follower.follow_masses()
    follower.follow_echoes(foci)
    if detections is None:  # otherwise a focus that only its colours show is not the detector's
        follower.follow_colour_patches()
    # a long cine repeats the remarks of its views
    of_view: tuple[Remark, ...] = (*view.notes, *view.warnings)
    state.remarks += [remark for remark in of_view if remark not in state.remarks]
    state.spacing_rejected |= view.grid.spacing.source == "rejected"
    state.geometry = state.geometry or view.scan_lines.geometry
    state.colour_flow |= view.colour is not None
    return assessed, anatomy
