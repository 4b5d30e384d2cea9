"""What several readers agree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from usmicro.evaluation.measures import main_descriptor
from usmicro.evaluation.overlaps import match_areas, numbers_in
from usmicro.evaluation.pairs import match_pairs
from usmicro.evaluation.readings import Reading
from usmicro.evaluation.targets import Target
from usmicro.evaluation.truth import ImageTruth
from usmicro.model.scan import UserMasks

Value = TypeVar("Value", bound=str | bool)


@dataclass(slots=True)
class _Group:
    """Marks of several readers on one focus."""

    marks: list[Target]
    numbers: set[int] = field(default_factory=set)
    """Numbers of the foci of the run that were accepted."""

    @property
    def place(self) -> tuple[float, float, float]:
        """Column, row and diameter: the means of those of the marks, pixels."""
        x, y, diameter = np.mean([mark.at(0) for mark in self.marks], axis=0)
        return float(x), float(y), float(diameter)


def consensus(readings: Sequence[Reading], *, least_distance: float) -> Reading:
    """Return what the majority of the readers of each image holds to be true.

    A focus is true if more than half of the readers who read the image marked it. A focus that only
    some marked is neither a hit nor a false positive, unless more than half rejected it. Positions
    and diameters are means; a word counts if more than half of those who marked the focus agree.
    Masses are known if all readers found the same ones; their outline is then what more than half
    of the readers outlined.

    Parameters
    ----------
    readings : sequence of Reading
    least_distance : float
        Two marks are of one focus within half the larger diameter, and always within this distance
        in pixels.
    """
    together = Reading("consensus")
    for image in sorted({name for reading in readings for name in reading.images}):
        truths = [reading.images[image] for reading in readings if image in reading.images]
        together.images[image] = (
            truths[0] if len(truths) == 1 else _agreed(truths, least_distance=least_distance)
        )
    return together


def _agreed(truths: Sequence[ImageTruth], *, least_distance: float) -> ImageTruth:
    agreed = ImageTruth(calcification=_agreed_calcification(truths))
    read = [truth for truth in truths if truth.targets is not None]
    if read:
        _add_foci(agreed, read, least_distance=least_distance)
    outlined = [truth for truth in truths if truth.load_masks is not None]
    if outlined and len(outlined) == len(read):
        agreed.load_masks = lambda: _agreed_masses(outlined)
    return agreed


def _agreed_calcification(truths: Sequence[ImageTruth]) -> str | None:
    """Return the answer of the majority; None if there is none.

    If the majority sees calcifications but not at the same place, they are only present.
    """
    answers = [truth.calcification for truth in truths if truth.calcification is not None]
    present = [answer for answer in answers if answer != "none"]
    if 2 * len(present) == len(answers):  # a tie, or no answer
        return None
    if 2 * len(present) < len(answers):
        return "none"
    return _majority([main_descriptor(answer) for answer in present]) or "present"


def _majority(values: Sequence[Value | None]) -> Value | None:
    """Return the value that more than half have; None if there is none."""
    counts = Counter(value for value in values if value is not None)
    if not counts:
        return None
    value, count = counts.most_common(1)[0]
    return value if 2 * count > len(values) else None


def _add_foci(agreed: ImageTruth, read: Sequence[ImageTruth], *, least_distance: float) -> None:
    """Add the foci that the majority marked, and ignore those that only some marked."""
    groups: list[_Group] = []
    for truth in read:
        _join(groups, truth, least_distance=least_distance)
    agreed.targets = []
    rejections = Counter(
        number for truth in read for number, target in truth.decided.items() if target < 0
    )
    for number, count in rejections.items():
        if 2 * count > len(read):
            agreed.decided[number] = -1
    for group in groups:
        x, y, diameter = group.place
        mark = Target(x=(x,), y=(y,), diameter=diameter)
        if 2 * len(group.marks) <= len(read):
            agreed.ignored.append(mark)
            continue
        # two numbers of one group are a focus that the run lists twice; one of them is the hit
        if group.numbers:
            agreed.decided[min(group.numbers)] = len(agreed.targets)
        agreed.targets.append(
            replace(
                mark,
                label=_majority([mark.label for mark in group.marks]),
                shadow=_majority([mark.shadow for mark in group.marks]),
                twinkling=_majority([mark.twinkling for mark in group.marks]),
            )
        )
    agreed.ignored += [mark for truth in read for mark in truth.ignored]


def _join(groups: list[_Group], truth: ImageTruth, *, least_distance: float) -> None:
    """Add the marks of one more reader to the groups.

    Marks that accept the same focus belong together, then marks within reach, the nearest first.
    """
    targets = truth.targets or []
    numbers = {target: number for number, target in truth.decided.items() if target >= 0}
    by_number = {number: index for index, group in enumerate(groups) for number in group.numbers}
    joined = {
        target: by_number[number] for target, number in numbers.items() if number in by_number
    }
    taken = set(joined.values())
    rest = [index for index in range(len(targets)) if index not in joined]
    free = [index for index in range(len(groups)) if index not in taken]
    pairs = match_pairs(
        [targets[index].at(0) for index in rest],
        [groups[index].place for index in free],
        least_distance=least_distance,
    )
    joined |= {rest[mark]: free[group] for mark, group in pairs}
    for index, target in enumerate(targets):
        if index in joined:
            groups[joined[index]].marks.append(target)
        else:
            groups.append(_Group([target]))
        if index in numbers:
            groups[joined.get(index, -1)].numbers.add(numbers[index])


def _agreed_masses(truths: Sequence[ImageTruth]) -> UserMasks | None:
    """Return the masses that all readers found; None if they found different ones."""
    loaded = [truth.load_masks() for truth in truths if truth.load_masks is not None]
    masses = [mask.masses for mask in loaded if mask is not None and mask.masses is not None]
    if len(masses) != len(loaded):
        return None
    first = masses[0]
    numbers = numbers_in(first)
    votes = {number: (first == number).astype(np.int32) for number in numbers}
    for other in masses[1:]:
        theirs = numbers_in(other)
        if len(theirs) != len(numbers):
            return None
        renumbered = np.zeros(other.shape, np.int32)
        for index, number in enumerate(theirs, start=1):
            renumbered[other == number] = index
        pairs = match_areas(renumbered, first).pairs
        if len(pairs) != len(numbers):
            return None
        for true, detected in pairs.items():
            votes[numbers[true]] += renumbered == detected + 1
    agreed = np.zeros(first.shape, np.int32)
    for number, count in votes.items():
        agreed[2 * count > len(masses)] = number
    return UserMasks(masses=agreed)
