"""usmicro on every case, in two processes; what comes back is small."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np

from benchmarks.accuracy.cases import Case, open_case
from usmicro.analysis import analyze
from usmicro.labelling.calcification import calcification_of_image
from usmicro.errors import UsmicroError
from usmicro.evaluation.overlaps import components, overlap
from usmicro.evaluation.targets import Target
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import BoolImage, ByteImage, LabelImage
from usmicro.model.findings import Focus, Mass
from usmicro.model.scan import UserMasks
from usmicro.result import Analysis
from usmicro.settings import Settings

COVERED = 0.3
"""A true duct is found if ducts cover this much of it; a duct is false if true ones cover less of it."""


@dataclass(frozen=True, slots=True)
class MassOverlap:
    """How the masses found compare with the true ones."""

    union: float
    """Dice of all masses found with all true ones."""
    found: tuple[float | None, ...]
    """For each true mass the Dice of the mass that finds it; None if it is missed."""
    extra: int
    """Masses that find no true one."""
    stated: tuple[tuple[float, bool], ...] = ()
    """Confidence of each mass found, and whether it finds a true one."""


@dataclass(frozen=True, slots=True)
class DuctOverlap:
    """How the ducts found compare with the true ones."""

    found: tuple[bool, ...]
    """For each true duct whether it is found."""
    false: int
    """Ducts that lie in no true one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What usmicro says of one case, and what is true."""

    case: Case
    error: str = ""
    foci: tuple[Focus, ...] = ()
    """Every candidate."""
    in_outline: tuple[bool, ...] | None = None
    """Whether each focus lies within a true mass."""
    targets: tuple[Target, ...] | None = None
    targets_in_outline: tuple[bool, ...] | None = None
    masses: MassOverlap | None = None
    ducts: DuctOverlap | None = None
    mass: Mass | None = None
    """What is said of the largest true mass, if it is found."""
    calcification: str = ""
    """Descriptor at the default confidence."""
    score: float = float("nan")
    """Calcification score."""
    seconds: float = float("nan")
    anatomy_seconds: float = float("nan")
    """Time of the anatomy stage, an image."""


def run_cases(
    cases: Sequence[Case], settings: Settings, *, given_outlines: bool = False, processes: int = 2
) -> Iterator[Outcome]:
    """Analyse the cases in worker processes; outcomes come in the order of the cases.

    Parameters
    ----------
    cases : sequence of Case
    settings : Settings
    given_outlines : bool
        Give the true outlines to usmicro as the user's own masks.
    processes : int
    """
    work = partial(examine, settings=settings, given_outlines=given_outlines)
    if processes == 1:
        yield from map(work, cases)
        return
    with multiprocessing.get_context("spawn").Pool(processes, initializer=_one_thread) as pool:
        yield from pool.imap(work, cases, chunksize=1)


def _one_thread() -> None:
    cv2.setNumThreads(1)


def settings_of(case: Case, settings: Settings) -> Settings:
    """The settings with the mass model that a case is to be judged by."""
    if case.mass_network is None:
        return settings
    return replace(settings, anatomy=replace(settings.anatomy, mass_network=str(case.mass_network)))


def examine(case: Case, *, settings: Settings, given_outlines: bool) -> Outcome:
    """Analyse one case once: every candidate for curves, and the descriptor as a user would get it."""
    settings = settings_of(case, settings)
    try:
        scan, truth = open_case(case)
        masks = (
            UserMasks(masses=truth.masses)
            if given_outlines and truth.masses is not None and truth.masses.any()
            else None
        )
        start = time.perf_counter()
        analysis = analyze(
            scan,
            settings=replace(settings, foci=replace(settings.foci, minimum_confidence=0.0)),
            masks=masks,
        )
        seconds = time.perf_counter() - start
    except UsmicroError as error:
        return Outcome(case=case, error=str(error))
    overlap, mass = (None, None) if truth.masses is None else compare_masses(analysis, truth.masses)
    inside = None if truth.masses is None else truth.masses > 0
    targets = truth.targets
    return Outcome(
        case=case,
        foci=tuple(analysis.foci),
        in_outline=None
        if inside is None
        else _within(inside, [(focus.x_px, focus.y_px) for focus in analysis.foci]),
        targets=targets,
        targets_in_outline=None
        if inside is None or targets is None
        else _within(inside, [target.at(0)[:2] for target in targets]),
        masses=overlap,
        ducts=None if truth.ducts is None else compare_ducts(analysis.labels, truth.ducts),
        mass=mass,
        calcification=calcification_of_image(
            analysis.foci, analysis.summary.calcification_score, settings
        ),
        score=analysis.summary.calcification_score,
        seconds=seconds,
        anatomy_seconds=analysis.seconds["anatomy"] / analysis.summary.frames,
    )


def _within(mask: BoolImage, points: Sequence[tuple[float, float]]) -> tuple[bool, ...]:
    rows, columns = mask.shape
    return tuple(
        bool(mask[min(max(round(y), 0), rows - 1), min(max(round(x), 0), columns - 1)])
        for x, y in points
    )


def compare_masses(analysis: Analysis, true: LabelImage) -> tuple[MassOverlap, Mass | None]:
    """Overlap of the masses found with the true ones, matched one to one; and the mass that finds the largest true one."""
    found = components(analysis.labels == AreaLabel.MASS)
    compared = overlap(found, true)
    count = int(found.max())
    own = (
        [_nearest(analysis.masses, found == number) for number in range(1, count + 1)]
        if analysis.masses
        else []
    )
    stated = tuple(
        (mass.confidence, number in compared.pairs.values()) for number, mass in enumerate(own)
    )
    numbers = [number for number in np.unique(true) if number > 0]
    largest = int(np.argmax([(true == number).sum() for number in numbers])) if numbers else -1
    mass = own[compared.pairs[largest]] if largest in compared.pairs and own else None
    return MassOverlap(compared.union, compared.each, compared.extra, stated), mass


def _nearest(masses: Sequence[Mass], inside: BoolImage) -> Mass:
    """The mass in the middle of a region."""
    rows, columns = np.nonzero(inside)
    return min(
        masses,
        key=lambda mass: float(np.hypot(columns.mean() - mass.x_px, rows.mean() - mass.y_px)),
    )


def compare_ducts(labels: ByteImage, true: LabelImage) -> DuctOverlap:
    """Which true ducts the ducts found cover, and how many of those found are false."""
    found = components(labels == AreaLabel.DUCT)
    covered = tuple(
        bool((found[true == number] > 0).mean() >= COVERED)
        for number in np.unique(true)
        if number > 0
    )
    false = sum(
        bool((true[found == number] > 0).mean() < COVERED)
        for number in range(1, int(found.max()) + 1)
    )
    return DuctOverlap(covered, false)
