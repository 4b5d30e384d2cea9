"""Run usmicro on every case, in worker processes that return only small results."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np

from benchmarks.accuracy.boxes import BoxOverlap, bounding_boxes, match_boxes
from benchmarks.accuracy.cases import Case, Truth, open_case
from usmicro.analysis import analyze
from usmicro.errors import UsmicroError
from usmicro.evaluation.datasets import Rectangle, rectangle_area
from usmicro.evaluation.overlaps import connected_parts, match_areas
from usmicro.evaluation.targets import Target
from usmicro.foci.operating_point import listing_confidence
from usmicro.labelling.calcification import calcification_of_image
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage, ByteImage, LabelImage
from usmicro.model.findings import Focus, Mass
from usmicro.model.scan import UserMasks
from usmicro.result import Analysis
from usmicro.settings import Settings

MIN_COVERAGE = 0.3
"""A true duct is found if ducts cover at least this fraction of it.

A detected duct is a false positive if true ducts cover less than this fraction of it. Ducts are a
few pixels wide, so an error of one pixel at each wall halves their Dice coefficient; coverage
tolerates it. Chosen by judgement; no measurement is recorded.
"""


@dataclass(frozen=True, slots=True)
class MassOverlap:
    """Agreement of the detected masses of one case with the true masses."""

    total_dice: float
    """Dice coefficient of the union of all detected masses with the union of all true masses."""
    dice_of_true: tuple[float | None, ...]
    """Dice coefficient of each true mass with the mass that finds it; None if it is missed."""
    false_positives: int
    """Number of detected masses that find no true mass."""
    confidences: tuple[tuple[float, bool], ...] = ()
    """Confidence of each detected mass, and True if it finds a true mass."""


@dataclass(frozen=True, slots=True)
class DuctOverlap:
    """Agreement of the detected ducts of one case with the true ducts."""

    is_found: tuple[bool, ...]
    """For each true duct: True if it is found."""
    false_positives: int
    """Number of detected ducts that lie in no true duct."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Results of usmicro on one case, with the truth they are compared with."""

    case: Case
    error: str = ""
    """Reason of the failure; empty if the case was analysed."""
    foci: tuple[Focus, ...] = ()
    """Every candidate, listed or not."""
    foci_in_outline: tuple[bool, ...] | None = None
    """For each focus: True if it lies in a true mass. None if the masses are not outlined."""
    targets: tuple[Target, ...] | None = None
    """True foci; None if the foci are not marked."""
    targets_in_outline: tuple[bool, ...] | None = None
    """For each target, likewise."""
    masses: MassOverlap | None = None
    """None if the masses are not outlined."""
    boxes: BoxOverlap | None = None
    """None if no reader drew boxes around the lesions."""
    ducts: DuctOverlap | None = None
    """None if the true ducts are not known."""
    found_ducts: int = 0
    """Number of detected ducts."""
    found_nonmass: int = 0
    """Number of detected nonmass areas."""
    largest_mass: Mass | None = None
    """The mass that finds the largest true mass or lesion; None if that is missed."""
    calcification: str = ""
    """Reported descriptor of the calcifications, at the default confidence."""
    score: float = float("nan")
    """Calcification score, 0 to 1."""
    listed_from: float | None = None
    """Confidence from which foci are listed, with the models of the case; None for that of the
    package."""
    seconds: float = float("nan")
    """Time of the analysis."""
    anatomy_seconds: float = float("nan")
    """Time of the anatomy stage per frame."""


def run_cases(
    cases: Sequence[Case], settings: Settings, *, given_outlines: bool = False, processes: int = 2
) -> Iterator[Outcome]:
    """Analyse the cases in worker processes and yield the outcomes in the order of the cases.

    Parameters
    ----------
    cases : sequence of Case
    settings : Settings
    given_outlines : bool
        Pass the true outlines to usmicro as the masks of a user.
    processes : int
        Number of worker processes; 1 runs in this process.
    """
    work = partial(run_case, settings=settings, given_outlines=given_outlines)
    if processes == 1:
        yield from map(work, cases)
        return
    with multiprocessing.get_context("spawn").Pool(processes, _use_one_thread) as pool:
        yield from pool.imap(work, cases, chunksize=1)


def _use_one_thread() -> None:
    cv2.setNumThreads(1)


def listed_from(outcome: Outcome, listed: float) -> float:
    """Return the confidence from which foci of a case are listed; `listed` is the default."""
    return listed if outcome.listed_from is None else outcome.listed_from


def settings_of(case: Case, settings: Settings) -> Settings:
    """Return the settings with the mass network and the models of foci of the case."""
    if case.mass_network is not None:
        anatomy = replace(settings.anatomy, mass_network=str(case.mass_network))
        settings = replace(settings, anatomy=anatomy)
    if case.focus_models is not None:
        settings = replace(settings, foci=replace(settings.foci, models=str(case.focus_models)))
    return settings


def run_case(case: Case, *, settings: Settings, given_outlines: bool) -> Outcome:
    """Analyse one case and compare the results with its truth.

    The analysis lists every candidate, for free-response curves. The descriptor of the
    calcifications is that of an analysis with `settings`.
    """
    settings = settings_of(case, settings)
    list_all = replace(settings, foci=replace(settings.foci, minimum_confidence=0.0))
    try:
        scan, truth = open_case(case)
        masks = None
        if given_outlines and truth.masses is not None and truth.masses.any():
            masks = UserMasks(masses=truth.masses)
        start = time.perf_counter()
        analysis = analyze(scan, settings=list_all, masks=masks)
        seconds = time.perf_counter() - start
    except UsmicroError as error:
        return Outcome(case=case, error=str(error))
    score = analysis.summary.calcification_score
    outcome = Outcome(
        case=case,
        foci=tuple(analysis.foci),
        targets=truth.targets,
        calcification=calcification_of_image(analysis.foci, score, settings),
        score=score,
        listed_from=listing_confidence(settings.foci),
        seconds=seconds,
        anatomy_seconds=analysis.seconds["anatomy"] / analysis.summary.frames,
    )
    return _with_areas(outcome, analysis, truth)


def _with_areas(outcome: Outcome, analysis: Analysis, truth: Truth) -> Outcome:
    """Add the number of areas, and the agreement of masses and ducts with the true ones."""
    outcome = replace(
        outcome,
        found_ducts=int(connected_parts(analysis.labels == AreaLabel.DUCT).max()),
        found_nonmass=int(connected_parts(analysis.labels == AreaLabel.NONMASS).max()),
    )
    if truth.ducts is not None:
        outcome = replace(outcome, ducts=compare_ducts(analysis.labels, truth.ducts))
    case = outcome.case
    if case.lesion_boxes is not None:
        boxes, largest_mass = compare_boxes(analysis, case.lesion_boxes, case.ignored_boxes)
        outcome = replace(outcome, boxes=boxes, largest_mass=largest_mass)
    if truth.masses is None:
        return outcome
    overlap, largest_mass = compare_masses(analysis, truth.masses)
    in_mass = truth.masses > 0
    outcome = replace(
        outcome,
        masses=overlap,
        largest_mass=largest_mass,
        foci_in_outline=_are_inside(in_mass, [(focus.x_px, focus.y_px) for focus in analysis.foci]),
    )
    if truth.targets is not None:
        places = [target.at(0)[:2] for target in truth.targets]
        outcome = replace(outcome, targets_in_outline=_are_inside(in_mass, places))
    return outcome


def _are_inside(mask: BoolImage, points: Sequence[tuple[float, float]]) -> tuple[bool, ...]:
    """Return True for each point (column, row; pixels) that lies in the mask."""
    rows, columns = mask.shape
    return tuple(
        bool(mask[min(max(round(y), 0), rows - 1), min(max(round(x), 0), columns - 1)])
        for x, y in points
    )


def compare_masses(analysis: Analysis, true: LabelImage) -> tuple[MassOverlap, Mass | None]:
    """Match the detected masses with the true masses one to one.

    Parameters
    ----------
    analysis : Analysis
    true : array, shape (rows, columns)
        0 is background, every other value a mass.

    Returns
    -------
    overlap : MassOverlap
    largest_mass : Mass or None
        The mass that finds the largest true mass; None if that is missed.
    """
    detected, masses = _detected_masses(analysis)
    overlap = match_areas(detected, true)
    confidences = tuple(
        (mass.confidence, index in overlap.pairs.values()) for index, mass in enumerate(masses)
    )
    areas = [(true == number).sum() for number in np.unique(true) if number > 0]
    largest = int(np.argmax(areas)) if areas else -1
    largest_mass = masses[overlap.pairs[largest]] if largest in overlap.pairs and masses else None
    return (
        MassOverlap(overlap.total_dice, overlap.dice_of_true, overlap.false_positives, confidences),
        largest_mass,
    )


def compare_boxes(
    analysis: Analysis, lesions: Sequence[Rectangle], uncertain: Sequence[Rectangle]
) -> tuple[BoxOverlap, Mass | None]:
    """Match the bounding boxes of the detected masses with the boxes of the lesions one to one.

    Parameters
    ----------
    analysis : Analysis
    lesions, uncertain : sequence of Rectangle
        Boxes that both readers drew, and boxes of only one reader.

    Returns
    -------
    overlap : BoxOverlap
    largest_mass : Mass or None
        The mass that finds the largest lesion; None if that is missed.
    """
    detected, masses = _detected_masses(analysis)
    overlap = match_boxes(bounding_boxes(detected), lesions, uncertain)
    largest = int(np.argmax([rectangle_area(box) for box in lesions])) if lesions else -1
    largest_mass = masses[overlap.pairs[largest]] if largest in overlap.pairs and masses else None
    return overlap, largest_mass


def _detected_masses(analysis: Analysis) -> tuple[LabelImage, list[Mass]]:
    """Return the connected parts of the masses as a label image, and the mass of each part.

    The list is empty if the analysis lists no masses.
    """
    detected = connected_parts(analysis.labels == AreaLabel.MASS)
    if not analysis.masses:
        return detected, []
    numbers = range(1, int(detected.max()) + 1)
    return detected, [_mass_of_part(analysis.masses, detected == number) for number in numbers]


def _mass_of_part(masses: Sequence[Mass], part: BoolImage) -> Mass:
    """Return the mass whose centre is nearest to the centroid of a part of the label image."""
    rows, columns = np.nonzero(part)
    return min(
        masses,
        key=lambda mass: float(np.hypot(columns.mean() - mass.x_px, rows.mean() - mass.y_px)),
    )


def compare_ducts(labels: ByteImage, true: LabelImage) -> DuctOverlap:
    """Compare the detected ducts with the true ducts by coverage.

    Parameters
    ----------
    labels : array, shape (rows, columns)
        Label image of the analysis.
    true : array, shape (rows, columns)
        0 is background, every other value a duct.
    """
    detected = connected_parts(labels == AreaLabel.DUCT)
    is_found = tuple(
        bool((detected[true == number] > 0).mean() >= MIN_COVERAGE)
        for number in np.unique(true)
        if number > 0
    )
    false_positives = sum(
        bool((true[detected == number] > 0).mean() < MIN_COVERAGE)
        for number in range(1, int(detected.max()) + 1)
    )
    return DuctOverlap(is_found, false_positives)
