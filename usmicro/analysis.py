"""Analysis: the stages in order, for one scan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from usmicro.anatomy import find_anatomy
from usmicro.anatomy.cine_cache import AnatomyCache
from usmicro.anatomy.user_masks import MaskFunction, MasksLike, user_masks_on_frame
from usmicro.doppler.patches import colour_patch_heads
from usmicro.doppler.twinkling import ColourEvidence, Colours
from usmicro.errors import ImageError, ScanError
from usmicro.foci import find_candidates
from usmicro.foci.confidence import calcification_score, focus_confidence
from usmicro.labelling.labels import describe_calcification
from usmicro.model.anatomy import Anatomy, AreaLabel
from usmicro.model.arrays import ByteImage, FloatImage, Frame
from usmicro.model.findings import Focus, Mass, Summary
from usmicro.model.scan import Scan, UserMasks
from usmicro.model.view import View
from usmicro.numerics.threads import one_thread
from usmicro.preparation import ScreenCache, prepare
from usmicro.result import Analysis, Table
from usmicro.settings import Settings
from usmicro.tracking.linking import coarse_tissue, tissue_shift
from usmicro.tracking.observations import FocusRows, MassPlaces, mass_row
from usmicro.tracking.tracks import Places, Sightings

NEGLIGIBLE = 0.004
"""Confidence up to which candidates on the frames of a cine are not followed, unless all are to be listed."""
UNSEEN_MM = 0.6
"""Diameter taken for a focus that only its twinkling shows: a colour cell."""


@dataclass(slots=True)
class Gathered:
    """What has been gathered from the frames so far."""

    sightings: Sightings = field(default_factory=Sightings)
    notes: dict[str, None] = field(default_factory=dict)
    """In order of appearance, each once."""
    seconds: dict[str, float] = field(default_factory=dict)
    geometry: str = ""
    colour_flow: bool = False
    cine: bool = False
    screen: ScreenCache | None = None
    """Of a cine."""
    anatomy: AnatomyCache = field(default_factory=AnatomyCache)
    masses: dict[int, MassPlaces] = field(default_factory=dict)
    """Of the anatomy that each view has now."""
    tissue: dict[int, FloatImage] = field(default_factory=dict)
    """Of the last frame of each view of a cine, as `coarse_tissue` has it."""

    def shift(self, view: View, tissue: FloatImage) -> tuple[float, float] | None:
        """How far the tissue of a view has moved since the last frame, grid pixels; None where that cannot be told."""
        before, self.tissue[view.number] = self.tissue.get(view.number), tissue
        return None if before is None else tissue_shift(before, tissue)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of what runs inside to its stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


@one_thread()
def analyze(
    scan: Scan,
    *,
    settings: Settings | None = None,
    masks: MasksLike | MaskFunction | None = None,
    each_frame: Callable[[int, ByteImage], None] | None = None,
) -> Analysis:
    """Find the echogenic foci, masses, ducts and nonmass areas of a scan; say of each focus how it behaves and where it lies.

    Parameters
    ----------
    scan : Scan
        From `usmicro.load`, or `Scan.of_array` for an array.
    settings : Settings, optional
    masks : UserMasks, mapping or function, optional
        Outlines of one's own, at the size of the scan; they replace what the program would find. A mapping has any of the keys "masses",
        "ducts" and "nonmass", each with an array that is binary or numbers its areas. A function is called with each frame, uint8 of shape
        (rows, columns) or (rows, columns, 3), and the scan's `Spacing`, and gives either, or None where the program is to look itself.
    each_frame : function, optional
        Called with the number of each frame that shows tissue and its anatomy, as in `Analysis.labels`, which keeps the key frame's alone.

    Raises
    ------
    ScanError
        If the file cannot be read, no frame shows tissue, or `masks` is no outline of this scan.
    """
    settings = settings or Settings()
    gathered = Gathered(
        notes=dict.fromkeys((*scan.notes, *(masks.notes if isinstance(masks, UserMasks) else ())))
    )
    if scan.declared_frames > 1:
        gathered.cine, gathered.screen = True, ScreenCache()
    key: tuple[float, int, Frame, ByteImage] | None = None
    without_tissue: list[int] = []
    reason = "no frame could be read"
    frames = analysed = 0
    reader = scan.frames()
    while True:
        with gathered.timed("loading"):
            frame = next(reader, None)
        if frame is None:
            break
        if not _chosen(frames, scan.declared_frames, settings.loading.frames):
            frames += 1
            continue
        try:
            with gathered.timed("preparation"):
                views = prepare(
                    frame,
                    spacing=scan.spacing,
                    regions=scan.regions,
                    settings=settings.preparation,
                    cache=gathered.screen,
                )
        except ImageError as error:
            without_tissue.append(frames)
            reason = str(error)
        else:
            with gathered.timed("anatomy"):
                given = None if masks is None else user_masks_on_frame(masks, frame, frames, scan)
            found = [
                _analyze_view(view, frames, analysed, gathered, settings, given) for view in views
            ]
            surest = sum(confidence for confidence, _ in found)
            if each_frame is not None or key is None or surest > key[0]:
                labels = _labels_of(
                    frame,
                    [(view, anatomy) for view, (_, anatomy) in zip(views, found, strict=True)],
                )
            if each_frame is not None:
                each_frame(frames, labels)
            if key is None or surest > key[0]:
                key = (surest, frames, frame, labels)
        frames += 1
        analysed += 1
    if key is None:
        raise ScanError(f"{scan.name}: {reason}")
    if without_tissue:
        gathered.notes[
            f"{len(without_tissue)} of {analysed} frames show no tissue, the first is frame {without_tissue[0]}: {reason}"
        ] = None
    if analysed < frames:
        gathered.notes[
            f"{analysed} of {frames} frames were analysed, as loading.frames = {settings.loading.frames} asks"
        ] = None
    found_foci, found_masses = gathered.sightings.gathered(analysed, settings, cine=frames > 1)
    foci, masses = Table(found_foci), Table(found_masses)
    listed = Table(focus for focus in foci if focus.confidence >= settings.foci.minimum_confidence)
    return Analysis(
        scan=scan,
        settings=settings,
        foci=listed,
        masses=masses,
        summary=_summary(scan, frames, gathered, foci, listed, masses, settings),
        frame=key[1],
        image=key[2],
        labels=key[3],
        notes=tuple(gathered.notes),
        seconds=gathered.seconds,
    )


def _chosen(frame: int, promised: int, most: int) -> bool:
    """Whether a frame is analysed if at most so many of those promised are to be, evenly spread from the first on; 0 is all."""
    return not 0 < most < promised or frame * most // promised != (frame - 1) * most // promised


def _analyze_view(
    view: View,
    frame: int,
    turn: int,
    gathered: Gathered,
    settings: Settings,
    given: UserMasks | None,
) -> tuple[float, Anatomy]:
    """Run the stages on one view and gather what they find; gives the sum of the foci's confidences, and the anatomy.

    `frame` is the number of the frame in the scan, `turn` that among the frames that are analysed.
    """
    timed, sightings = gathered.timed, gathered.sightings
    shift = None
    if gathered.cine:
        with timed("tracking"):
            tissue = coarse_tissue(view.grey, view.tissue)
            shift = gathered.shift(view, tissue)
    with timed("anatomy"):
        if given is None and gathered.cine:
            anatomy = gathered.anatomy.find(view, tissue, shift, settings.anatomy)
        else:
            anatomy = find_anatomy(view, settings.anatomy, given)
    with timed("foci"):
        candidates = find_candidates(view, settings.foci)
        confidence = focus_confidence(view, candidates, anatomy)
        if gathered.cine and settings.foci.minimum_confidence > NEGLIGIBLE:
            worth = confidence > NEGLIGIBLE
            candidates, confidence = candidates.take(worth), confidence[worth]
    mass_numbers = _add_masses(view, anatomy, frame, turn, gathered, settings)
    rows = FocusRows(view, anatomy, frame, candidates, confidence, mass_numbers, settings, timed)
    with timed("twinkling"):
        colours = Colours(view, settings.twinkling)

    def evidence(x: float, y: float, diameter: float) -> ColourEvidence:
        with timed("twinkling"):
            return colours.at(x, y, diameter)

    places = Places(candidates.x, candidates.y, candidates.diameter, confidence)
    sightings.add_foci(view, "echo", places, rows.of_echoes, evidence, turn, shift)
    with timed("twinkling"):
        x, y = colour_patch_heads(view, settings.twinkling)
    places = Places(x, y, np.full(len(x), view.grid.pixels(UNSEEN_MM)), np.zeros(len(x)))
    sightings.add_foci(
        view,
        "twinkling",
        places,
        lambda which: rows.of_colours(x[which], y[which]),
        evidence,
        turn,
        shift,
    )
    gathered.notes.update(dict.fromkeys(view.notes))
    gathered.geometry = gathered.geometry or view.scan_lines.geometry
    gathered.colour_flow |= view.colour is not None
    return float(confidence.sum()), anatomy


def _add_masses(
    view: View, anatomy: Anatomy, frame: int, turn: int, gathered: Gathered, settings: Settings
) -> dict[int, int]:
    """Gather the masses of a view; gives for each the number that stays the same over the frames."""
    masses = gathered.masses.get(view.number)
    if masses is None or masses.anatomy is not anatomy:
        masses = gathered.masses[view.number] = MassPlaces.of(anatomy)
    confidence = [anatomy.mass_confidence[number - 1] for number in masses.present]
    numbers = gathered.sightings.add_masses(
        view.number,
        Places(masses.x, masses.y, np.zeros(len(masses.x)), np.array(confidence)),
        lambda index: mass_row(view, masses, index, frame, settings, gathered.timed),
        view.grid,
        turn,
    )
    return dict(zip(masses.present, numbers, strict=True))


def _labels_of(frame: Frame, anatomies: Sequence[tuple[View, Anatomy]]) -> ByteImage:
    """The label image of a frame, of the size of the frame."""
    labels = np.full(frame.shape[:2], AreaLabel.NOT_TISSUE, np.uint8)
    for view, anatomy in anatomies:
        _draw_labels(view, anatomy, labels)
    return labels


def _draw_labels(view: View, anatomy: Anatomy, labels: ByteImage) -> None:
    """Resample the view's anatomy to the input image by nearest neighbour and draw it into `labels`."""
    import cv2

    on_grid = np.where(anatomy.nonmass, AreaLabel.NONMASS, AreaLabel.TISSUE).astype(np.uint8)
    on_grid[anatomy.masses > 0] = AreaLabel.MASS
    on_grid[anatomy.ducts > 0] = AreaLabel.DUCT
    on_grid[~view.tissue] = AreaLabel.NOT_TISSUE
    left, top = view.grid.to_image(0.0, 0.0)
    to_image = np.array([[view.grid.step_x, 0, left], [0, view.grid.step_y, top]])
    size = (labels.shape[1], labels.shape[0])
    drawn = cv2.warpAffine(
        on_grid,
        to_image,
        size,
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=AreaLabel.NOT_TISSUE,
    )
    np.copyto(labels, drawn, where=drawn != AreaLabel.NOT_TISSUE)


def calcification_descriptor(foci: Sequence[Focus], score: float, settings: Settings) -> str:
    """Where the calcification of an image lies, or "none", from all its foci, surest first, and its calcification score."""
    if score < settings.labels.calcification:
        return describe_calcification([])
    # the foci that are listed, or at least the surest one
    shown = [
        focus for focus in foci if focus.confidence >= settings.foci.minimum_confidence
    ] or foci[:1]
    return describe_calcification([focus.label for focus in shown])


def _summary(
    scan: Scan,
    frames: int,
    gathered: Gathered,
    foci: Table[Focus],
    listed: Table[Focus],
    masses: Table[Mass],
    settings: Settings,
) -> Summary:
    score = calcification_score(focus.confidence for focus in foci)
    labels = [focus.label for focus in listed]
    return Summary(
        frames=frames,
        rows=scan.rows,
        columns=scan.columns,
        spacing_x_mm=scan.spacing.x_mm,
        spacing_y_mm=scan.spacing.y_mm,
        spacing_source=scan.spacing.source,
        geometry=gathered.geometry,
        colour_flow="yes" if gathered.colour_flow else "no",
        foci=len(listed),
        intramass=labels.count("intramass"),
        extramass=labels.count("extramass"),
        intraductal=labels.count("intraductal"),
        masses=len(masses),
        calcification=calcification_descriptor(foci, score, settings),
        calcification_score=score,
    )
