"""Agreement of readers with one another, and of the program with each of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from usmicro.evaluation.matching import compare
from usmicro.evaluation.measures import listed_results
from usmicro.evaluation.metrics import Detections, Indices, bootstrap, kappa
from usmicro.evaluation.pairs import match_pairs
from usmicro.evaluation.readings import Reading
from usmicro.evaluation.rows import Row
from usmicro.evaluation.run_measures import measure_calcification, measure_hits
from usmicro.evaluation.targets import Target
from usmicro.evaluation.truth import ImageTruth, Truth
from usmicro.writing.report.run import Run

PROGRAM = "program"
"""Name of the program in the table of the readers."""
CALCIFICATION = "calcification present, kappa"
SENSITIVITY = "foci, sensitivity"
FALSE_POSITIVES = "foci, false positives per image"
LABELS = "labels of foci, kappa"
MEASURES = (CALCIFICATION, SENSITIVITY, FALSE_POSITIVES, LABELS)
"""Measures of agreement, in the order of the table."""


@dataclass(frozen=True, slots=True)
class ReaderRow:
    """One measure of a reader, or of the program, against another reader."""

    one: str
    """Who is measured."""
    other: str
    """Who counts as the truth."""
    row: Row


def agreement(
    run: Run,
    readings: Sequence[Reading],
    together: Reading,
    *,
    patients: Callable[[str], str | None],
    least_distance: float,
    listed: float,
) -> list[ReaderRow]:
    """Measure each reader against each other one, and the program against all.

    The sensitivity of one reader against another is the fraction of the marks of the other that the
    one marked, too. Marks of the one alone are false positives, unless they lie on a focus on which
    the other has not decided. Labels are compared on the foci that both marked.

    Parameters
    ----------
    run : Run
    readings : sequence of Reading
    together : Reading
        What the readers agree on.
    patients : function
        Returns the patient of an image.
    least_distance : float
        Two marks are of one focus within half the larger diameter, and always within this distance
        in pixels.
    listed : float
        Confidence from which foci are listed.
    """
    rows = []
    for one, other in permutations(readings, 2):
        rows += _between_readers(one, other, patients, least_distance)
    for reading in (*readings, together):
        rows += _program_against(run, reading, patients, least_distance, listed)
    return rows


def _between_readers(
    one: Reading,
    other: Reading,
    patients: Callable[[str], str | None],
    least_distance: float,
) -> list[ReaderRow]:
    both = sorted(set(one.images) & set(other.images))
    pairs = [(one.images[name], other.images[name]) for name in both]
    answered = [
        i for i, (a, b) in enumerate(pairs) if a.calcification is not None and b.calcification
    ]
    read = [i for i, (a, b) in enumerate(pairs) if a.targets is not None and b.targets is not None]
    rows = []

    def add(measure: str, images: Sequence[int], statistic: Callable[[list[int]], float]) -> None:
        """Add a measure of images, which are given by their index in `pairs`."""
        estimate = bootstrap(
            lambda drawn: statistic([images[i] for i in drawn]),
            len(images),
            groups=_groups([patients(both[i]) for i in images]),
        )
        if images and math.isfinite(estimate.value):
            rows.append(ReaderRow(one.name, other.name, Row("", measure, estimate, len(images))))

    add(
        CALCIFICATION,
        answered,
        lambda drawn: kappa(
            [str(pairs[i][0].calcification != "none") for i in drawn],
            [str(pairs[i][1].calcification != "none") for i in drawn],
        ),
    )
    if not read:
        return rows
    matched = {i: _match_marks(*pairs[i], least_distance=least_distance) for i in read}
    detections = [_as_detections(*pairs[i], matched[i], least_distance) for i in read]
    groups = _groups([patients(both[i]) for i in read])
    for name, estimate, images in listed_results(detections, 0.0, groups=groups):
        measure = name.replace("listed foci", "foci")
        if measure in MEASURES and math.isfinite(estimate.value):
            rows.append(ReaderRow(one.name, other.name, Row("", measure, estimate, images)))
    labels = {
        i: [
            (str(mark.label), str(theirs.label))
            for mark, theirs in (
                (_targets(pairs[i][0])[a], _targets(pairs[i][1])[b]) for a, b in matched[i]
            )
            if mark.label is not None and theirs.label is not None
        ]
        for i in read
    }

    def label_kappa(drawn: list[int]) -> float:
        both_labels = [labels_of for i in drawn for labels_of in labels[i]]
        return kappa([a for a, _ in both_labels], [b for _, b in both_labels])

    add(LABELS, [i for i in read if labels[i]], label_kappa)
    return rows


def _targets(truth: ImageTruth) -> list[Target]:
    return truth.targets or []


def _match_marks(
    one: ImageTruth, other: ImageTruth, *, least_distance: float
) -> list[tuple[int, int]]:
    """Match the marks of two readers: those on the same focus of the run, then the nearest."""
    theirs = {number: target for number, target in other.decided.items() if target >= 0}
    same = {
        target: theirs[number]
        for number, target in one.decided.items()
        if target >= 0 and number in theirs
    }
    rest = [index for index in range(len(_targets(one))) if index not in same]
    free = [index for index in range(len(_targets(other))) if index not in same.values()]
    pairs = match_pairs(
        [_targets(one)[index].at(0) for index in rest],
        [_targets(other)[index].at(0) for index in free],
        least_distance=least_distance,
    )
    return sorted([*same.items(), *((rest[a], free[b]) for a, b in pairs)])


def _as_detections(
    one: ImageTruth,
    other: ImageTruth,
    pairs: Sequence[tuple[int, int]],
    least_distance: float,
) -> Detections:
    """Return the marks of one reader as detections of those of the other."""
    marks, hits = _targets(one), dict(pairs)
    on_undecided = match_pairs(
        [mark.at(0) for mark in marks],
        [mark.at(0) for mark in other.ignored],
        least_distance=least_distance,
    )
    excused = {index for index, _ in on_undecided}
    return Detections(
        index=np.arange(len(marks)),
        confidence=np.ones(len(marks)),
        target=np.array([hits.get(i, -1) for i in range(len(marks))], dtype=np.intp),
        false_positive=np.array(
            [i not in hits and i not in excused for i in range(len(marks))], dtype=bool
        ),
        target_count=len(_targets(other)),
    )


def _program_against(
    run: Run,
    reading: Reading,
    patients: Callable[[str], str | None],
    least_distance: float,
    listed: float,
) -> list[ReaderRow]:
    """Measure the program against a reader."""
    images = {
        name: replace(truth, masks=None, load_masks=None, patient=patients(name))
        for name, truth in reading.images.items()
    }
    if not images:
        return []
    comparison = compare(run, Truth(images), least_distance=least_distance, listed=listed)
    marked = [image for image in comparison.images if image.detections is not None]
    results = [*measure_calcification(comparison), *measure_hits(comparison, listed)]
    if marked:
        results += listed_results(
            [image.detections for image in marked if image.detections is not None],
            listed,
            groups=comparison.patient_groups(marked),
        )
    by_measure = {
        (measure := name.replace("listed foci", "foci")): Row("", measure, estimate, count)
        for name, estimate, count in results
        if math.isfinite(estimate.value)
    }
    return [
        ReaderRow(PROGRAM, reading.name, by_measure[measure])
        for measure in MEASURES
        if measure in by_measure
    ]


def _groups(patients: Sequence[str | None]) -> list[Indices] | None:
    """Return the indices of the images of each patient; None if no patient is known."""
    if not any(patients):
        return None
    groups: dict[tuple[str, str | int], list[int]] = defaultdict(list)
    for index, patient in enumerate(patients):
        groups[("patient", patient) if patient else ("image", index)].append(index)
    return [np.array(indices, dtype=np.intp) for indices in groups.values()]
