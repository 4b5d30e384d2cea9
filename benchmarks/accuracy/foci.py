"""Measure foci: the free-response curve, and label, shadow and twinkling of those that hit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from benchmarks.accuracy.runs import Outcome, listed_from
from usmicro.evaluation.measures import free_response_results, per_image
from usmicro.evaluation.metrics import (
    Detections,
    Estimate,
    Indices,
    auc,
    bootstrap,
    free_response,
)
from usmicro.evaluation.rows import Result, fraction
from usmicro.evaluation.targets import Target, match_foci
from usmicro.model.findings import Focus

FALSE_POSITIVE_RATES = (0.5, 1.0, 2.0, 3.1)
"""False positives per image at which the sensitivity is read from the free-response curve.

3.1 is the rate of a published detector, Medical Physics 40 (2013) 102901; see docs/accuracy.md.
"""

TINY = 1e-12
"""Smallest confidence by which others are divided."""

GROUP_RATE = 1.0
"""False positives per image at which the sensitivity of groups of foci is read."""

LABELS = ("intramass", "extramass", "intraductal")

CONTRASTS_DB = {
    "under 14 dB": (-np.inf, 14.0),
    "14 to 17 dB": (14.0, 17.0),
    "above 17 dB": (17.0, np.inf),
}
"""Ranges of the true contrast, dB, by which the sensitivity is tabulated.

Simulated foci have 12 to 20 dB, which these ranges divide into three.
"""

COARSE_MM = 0.6
"""Least true diameter, mm, of the foci whose measured diameter is compared with the true one.

Smaller foci are narrower than the lateral resolution of the simulated scans, so that their measured
diameter is that of the resolution cell.
"""

Item = TypeVar("Item")

Hit = tuple[Focus, Target]
"""A focus and the target that it hits."""


def match_outcome(outcome: Outcome, *, in_outline: bool = False) -> Detections:
    """Match the foci of one case with its targets; with `in_outline` only those in true masses."""
    foci, targets = list(outcome.foci), list(outcome.targets or ())
    if in_outline:
        foci = _selected(foci, outcome.foci_in_outline or ())
        targets = _selected(targets, outcome.targets_in_outline or ())
    return match_foci(foci, targets, outcome.case.ignored)


def _selected(items: Sequence[Item], is_selected: Sequence[bool]) -> list[Item]:
    return [item for item, selected in zip(items, is_selected, strict=True) if selected]


def listed_hits(outcome: Outcome, listed: float) -> list[Hit]:
    """Return the listed foci that hit a target, with that target."""
    detections, targets = match_outcome(outcome), outcome.targets or ()
    chosen = np.flatnonzero((detections.target >= 0) & (detections.confidence >= listed))
    return [(outcome.foci[detections.index[i]], targets[detections.target[i]]) for i in chosen]


def measure_foci(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Measure foci on whole images."""
    marked = [outcome for outcome in outcomes if outcome.targets is not None]
    if not marked:
        return []
    images = [match_outcome(outcome) for outcome in marked]
    # the confidence relative to that from which foci of the case are listed
    relative = [
        replace(image, confidence=image.confidence / max(listed_from(outcome, listed), TINY))
        for image, outcome in zip(images, marked, strict=True)
    ]
    return [
        *free_response_results(images, None, rates=FALSE_POSITIVE_RATES),
        *free_response_results(relative, 1.0, rates=()),
    ]


def measure_foci_in_outlines(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Measure foci within the true masses of real scans, as published detectors are measured.

    Images without a mass are left out: they would only lower the false positives per image.
    """
    images = [
        match_outcome(outcome, in_outline=True)
        for outcome in outcomes
        if has_outlined_mass(outcome) and not outcome.case.dataset.startswith("phantom")
    ]
    if not images:
        return []
    return free_response_results(images, None, " in true outlines", rates=FALSE_POSITIVE_RATES)


def has_outlined_mass(outcome: Outcome) -> bool:
    """Return True if the foci of the case are marked and it has an outlined mass."""
    return bool(
        outcome.targets is not None
        and outcome.foci_in_outline is not None
        and outcome.masses is not None
        and outcome.masses.dice_of_true
    )


def measure_foci_by_group(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Measure the sensitivity by true contrast and by true label.

    The threshold is that of GROUP_RATE false positives per image over all foci. The list is empty
    unless contrasts are known. Colour clips are left out; only their twinkling is measured.
    """
    marked = [outcome for outcome in outcomes if outcome.targets is not None]
    targets = [target for outcome in marked for target in outcome.targets or ()]
    if not any(target.contrast_db is not None for target in targets) or any(
        target.twinkling is not None for target in targets
    ):
        return []
    images = [match_outcome(outcome) for outcome in marked]
    # confidence with which each target is hit; minus infinity, below every threshold, if missed
    confidence_by_image = []
    for image in images:
        confidence = np.full(image.target_count, -np.inf)
        is_hit = image.target >= 0
        confidence[image.target[is_hit]] = image.confidence[is_hit]
        confidence_by_image.append(confidence)

    def sensitivity(is_in_group: Callable[[Target], bool]) -> Callable[[Indices], float]:
        group_confidence = [
            confidence[np.array([is_in_group(target) for target in outcome.targets or ()], bool)]
            for confidence, outcome in zip(confidence_by_image, marked, strict=True)
        ]

        def statistic(drawn: Indices) -> float:
            curve = free_response(images, np.bincount(drawn, minlength=len(images)))
            threshold = curve.threshold_at(GROUP_RATE)
            return fraction(np.concatenate([group_confidence[i] for i in drawn]) >= threshold)

        return statistic

    groups = {f"foci {name}": _has_contrast(*limits) for name, limits in CONTRASTS_DB.items()}
    groups |= {f"{label} foci": _has_label(label) for label in LABELS}
    return [
        (
            f"{name}, sensitivity at {per_image(GROUP_RATE)}",
            bootstrap(sensitivity(is_in_group), len(marked)),
            len(marked),
        )
        for name, is_in_group in groups.items()
    ]


def _has_contrast(low: float, high: float) -> Callable[[Target], bool]:
    return lambda target: target.contrast_db is not None and low <= target.contrast_db < high


def _has_label(label: str) -> Callable[[Target], bool]:
    return lambda target: target.label == label


def measure_hits(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Measure diameter, label and shadow of the listed foci that hit a target.

    Colour clips are left out; only their twinkling is measured.
    """
    hits_by_image = [
        listed_hits(outcome, listed_from(outcome, listed))
        for outcome in outcomes
        if any(target.label and target.twinkling is None for target in outcome.targets or ())
    ]
    if not hits_by_image:
        return []

    def over_hits(
        name: str, is_right: Callable[[Hit], bool], is_measured: Callable[[Hit], bool] = _always
    ) -> Result:
        facts = [[is_right(hit) for hit in hits if is_measured(hit)] for hits in hits_by_image]
        return name, _fraction_over_images(facts), len(facts)

    return [
        _diameter_ratio(hits_by_image),
        over_hits("labels of foci, accuracy", _label_is_right),
        *(
            over_hits(
                f"labels of {label} foci, accuracy", _label_is_right, _target_has_label(label)
            )
            for label in LABELS
        ),
        over_hits(
            "shadows of foci, sensitivity where assessable", _has_shadow, _target_shadow_is(True)
        ),
        over_hits(
            "shadows of foci, false-positive rate where assessable",
            _has_shadow,
            _target_shadow_is(False),
        ),
        over_hits("shadows of foci, fraction not assessable", _shadow_is_not_assessable),
    ]


def _always(hit: Hit) -> bool:
    return True


def _label_is_right(hit: Hit) -> bool:
    return hit[0].label == hit[1].label


def _has_shadow(hit: Hit) -> bool:
    return hit[0].shadow == "yes"


def _shadow_is_not_assessable(hit: Hit) -> bool:
    return hit[0].shadow == "not assessable"


def _target_has_label(label: str) -> Callable[[Hit], bool]:
    return lambda hit: hit[1].label == label


def _target_shadow_is(present: bool) -> Callable[[Hit], bool]:
    """Return a test for assessable foci whose target has a shadow, or has none."""
    return lambda hit: hit[1].shadow is present and not _shadow_is_not_assessable(hit)


def _diameter_ratio(hits_by_image: Sequence[Sequence[Hit]]) -> Result:
    """Return the median of measured over true diameter, for coarse foci."""
    ratios = [
        [
            focus.diameter_px / target.diameter
            for focus, target in hits
            if focus.diameter_px and _is_coarse(focus, target)
        ]
        for hits in hits_by_image
    ]

    def median(drawn: Indices) -> float:
        drawn_ratios = [ratio for i in drawn for ratio in ratios[i]]
        return float(np.median(drawn_ratios)) if drawn_ratios else float("nan")

    name = "measured / true diameter of foci of at least 0.6 mm, median"
    return name, bootstrap(median, len(ratios)), len(ratios)


def _is_coarse(focus: Focus, target: Target) -> bool:
    """Return True if the true diameter is at least COARSE_MM."""
    if focus.diameter_mm is None or focus.diameter_px is None:
        return False
    return target.diameter * focus.diameter_mm / focus.diameter_px >= COARSE_MM


def measure_twinkling(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Measure twinkling of all foci that hit a target, listed or not.

    A twinkling score that is not assessable counts as 0.
    """
    hits_by_image = [listed_hits(outcome, 0.0) for outcome in outcomes]
    if not hits_by_image:
        return []

    def ranking(drawn: Indices) -> float:
        hits = [hit for i in drawn for hit in hits_by_image[i]]
        return auc(
            [focus.twinkling_score or 0.0 for focus, _ in hits],
            [bool(target.twinkling) for _, target in hits],
        )

    def verdicts(present: bool, *names: str) -> Estimate:
        facts = [
            [focus.twinkling in names for focus, target in hits if target.twinkling is present]
            for hits in hits_by_image
        ]
        return _fraction_over_images(facts)

    count = len(hits_by_image)
    return [
        ("twinkling score, AUC", bootstrap(ranking, count), count),
        ("twinkling yes, sensitivity", verdicts(True, "yes"), count),
        ("twinkling yes or possible, sensitivity", verdicts(True, "yes", "possible"), count),
        ("twinkling yes, false-positive rate", verdicts(False, "yes"), count),
        ("twinkling possible, false-positive rate", verdicts(False, "possible"), count),
    ]


def _fraction_over_images(facts: Sequence[Sequence[bool]]) -> Estimate:
    """Estimate the fraction of facts that are true, with its interval over images."""
    return bootstrap(lambda drawn: fraction([fact for i in drawn for fact in facts[i]]), len(facts))
