"""From outcomes to rows of results: each measure applies to the cases that know its truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.anatomy import anatomy_speed, ducts, masses
from benchmarks.accuracy.runs import Outcome
from usmicro.evaluation.measures import Called, calcification_results, free_response_results
from usmicro.evaluation.metrics import Detections, auc, bootstrap, free_response, kappa
from usmicro.evaluation.rows import Result, Row, fraction, over, plain
from usmicro.evaluation.targets import Target, match_foci
from usmicro.model.findings import Focus

RATES = (1.0, 3.1)
"""False positives an image at which sensitivity is read; 3.1 is that of the published detector."""
LABELS = ("intramass", "extramass", "intraductal")
CONTRASTS = {
    "under 14 dB": (-np.inf, 14.0),
    "14 to 17 dB": (14.0, 17.0),
    "above 17 dB": (17.0, np.inf),
}
"""Ranges of the true contrast by which what is missed is told apart."""
COARSE_MM = 0.6
"""Diameter from which a focus is wider than the lateral resolution of the simulated scans."""

Fact = Callable[[Focus, Target], bool]


def score(outcomes: Sequence[Outcome], *, listed: float) -> list[Row]:
    """All rows of results that could be measured, data set by data set.

    Parameters
    ----------
    outcomes : sequence of Outcome
    listed : float
        Confidence from which a focus is listed by default.
    """
    rows = []
    for dataset in dict.fromkeys(outcome.case.dataset for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.case.dataset == dataset]
        rows += [
            Row(
                dataset,
                "images that failed",
                plain(sum(bool(outcome.error) for outcome in own)),
                len(own),
            )
        ]
        own = [outcome for outcome in own if not outcome.error]
        for measure in MEASURES:
            rows += [Row(dataset, *result) for result in measure(own, listed)]
    clips = [
        outcome
        for outcome in outcomes
        if any(target.twinkling is not None for target in outcome.targets or ())
    ]
    rows += [Row("phantom colour clips", *result) for result in twinkling(clips, listed)]
    rows += [
        Row("all images", *result)
        for result in anatomy_speed([outcome for outcome in outcomes if not outcome.error])
    ]
    return [row for row in rows if np.isfinite(row.estimate.value)]


def calcification(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Image-level calcification: ranking by score, agreement of the descriptor."""
    own = [outcome for outcome in outcomes if outcome.case.calcification is not None]
    return calcification_results(
        [
            Called(str(outcome.case.calcification), outcome.calcification, outcome.score)
            for outcome in own
        ]
    )


def posterior_features(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Posterior feature of the largest true mass; a mass that is missed or not assessable scores 0 and agrees with no class."""
    own = [outcome for outcome in outcomes if outcome.case.posterior is not None]
    if not own:
        return []

    def value(outcome: Outcome) -> float:
        measured = None if outcome.mass is None else outcome.mass.posterior_score
        return 0.0 if measured is None else measured

    def against_rest(
        feature: str, sign: int, *, without: str = ""
    ) -> Callable[[list[Outcome]], float]:
        def statistic(drawn: list[Outcome]) -> float:
            kept = [outcome for outcome in drawn if outcome.case.posterior != without]
            return auc(
                [sign * value(outcome) for outcome in kept],
                [outcome.case.posterior == feature for outcome in kept],
            )

        return statistic

    def agreement(drawn: list[Outcome]) -> float:
        return kappa(
            [str(o.case.posterior) for o in drawn],
            ["not assessable" if o.mass is None else o.mass.posterior for o in drawn],
        )

    return [
        over(own, against_rest("shadowing", -1), "posterior shadowing against the rest, AUC"),
        over(
            own,
            against_rest("enhancement", 1, without="combined"),
            "posterior enhancement against none and shadowing, AUC",
        ),
        over(own, agreement, "posterior feature of four, kappa"),
    ]


def matched(outcome: Outcome, *, in_outline: bool = False) -> Detections:
    """The foci of one case against its targets; optionally only those within the true outlines."""
    targets, foci = list(outcome.targets or ()), list(outcome.foci)
    if in_outline:
        foci = [focus for focus, kept in zip(foci, outcome.in_outline or (), strict=True) if kept]
        targets = [
            target
            for target, kept in zip(targets, outcome.targets_in_outline or (), strict=True)
            if kept
        ]
    return match_foci(foci, targets, outcome.case.ignored)


def hits(outcome: Outcome, listed: float) -> list[tuple[Focus, Target]]:
    """The listed foci that hit a target, with that target."""
    found = matched(outcome)
    chosen = np.flatnonzero((found.target >= 0) & (found.confidence >= listed))
    return [
        (outcome.foci[found.index[i]], (outcome.targets or ())[found.target[i]]) for i in chosen
    ]


def foci(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Foci on the whole image."""
    own = [matched(outcome) for outcome in outcomes if outcome.targets is not None]
    return free_response_results(own, listed, rates=RATES) if own else []


def foci_in_outlines(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Foci within the true outlines only, as published detectors are scored."""
    own = [
        matched(outcome, in_outline=True)
        for outcome in outcomes
        if outcome.targets is not None
        and outcome.in_outline is not None
        and outcome.masses is not None
        and outcome.masses.found  # an image without an outline has no inside, and would only dilute the false positives
        and not outcome.case.dataset.startswith("phantom")
    ]
    return free_response_results(own, None, " in true outlines", rates=RATES) if own else []


def foci_by_group(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Sensitivity at one false positive an image by contrast and by place, where both are known; colour clips are about twinkling only."""
    own = [outcome for outcome in outcomes if outcome.targets is not None]
    targets = [target for outcome in own for target in outcome.targets or ()]
    if not any(target.contrast_db is not None for target in targets) or any(
        target.twinkling is not None for target in targets
    ):
        return []
    images = [matched(outcome) for outcome in own]

    def sensitivity(kept: Callable[[Target], bool]) -> Callable[[NDArray[np.intp]], float]:
        chosen = [
            np.array([kept(target) for target in outcome.targets or ()], dtype=bool)
            for outcome in own
        ]
        # confidence with which each chosen target is hit; below every threshold where it is missed
        confidence = []
        for image, group in zip(images, chosen, strict=True):
            each = np.full(len(group), -np.inf)
            each[image.target[image.target >= 0]] = image.confidence[image.target >= 0]
            confidence.append(each[group])

        def statistic(drawn: NDArray[np.intp]) -> float:
            threshold = free_response(
                images, np.bincount(drawn, minlength=len(images))
            ).threshold_at(1.0)
            return fraction(np.concatenate([confidence[i] for i in drawn]) >= threshold)

        return statistic

    def of_contrast(low: float, high: float) -> Callable[[Target], bool]:
        return lambda target: target.contrast_db is not None and low <= target.contrast_db < high

    def of_label(label: str) -> Callable[[Target], bool]:
        return lambda target: target.label == label

    groups = [(f"foci {name}", of_contrast(low, high)) for name, (low, high) in CONTRASTS.items()]
    groups += [(f"{label} foci", of_label(label)) for label in LABELS]
    return [
        (
            f"{name}, sensitivity at 1 false an image",
            bootstrap(sensitivity(kept), len(own)),
            len(own),
        )
        for name, kept in groups
    ]


def behaviour(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Label and shadow of the listed foci that hit a target which knows them; colour clips are about twinkling only."""
    own = [
        hits(outcome, listed)
        for outcome in outcomes
        if any(t.label and t.twinkling is None for t in outcome.targets or ())
    ]
    if not own:
        return []

    def of_hits(name: str, right: Fact, kept: Fact = always) -> Result:
        facts = [[right(*pair) for pair in pairs if kept(*pair)] for pairs in own]
        estimate = bootstrap(
            lambda drawn: fraction([fact for i in drawn for fact in facts[i]]), len(facts)
        )
        return name, estimate, len(facts)

    def assessable(present: bool) -> Fact:
        return lambda focus, target: target.shadow is present and focus.shadow != "not assessable"

    def label_is(name: str) -> Fact:
        return lambda focus, target: target.label == name

    ratios = [
        [
            focus.diameter_px / target.diameter
            for focus, target in pairs
            if focus.diameter_px and coarse(focus, target)
        ]
        for pairs in own
    ]

    def median_ratio(drawn: NDArray[np.intp]) -> float:
        drawn_ratios = [ratio for i in drawn for ratio in ratios[i]]
        return float(np.median(drawn_ratios)) if drawn_ratios else float("nan")

    return [
        (
            "diameter over the true one, foci of 0.6 mm and more, median",
            bootstrap(median_ratio, len(own)),
            len(own),
        ),
        of_hits("labels right", label_is_right),
        *(
            of_hits(f"{name} foci labelled right", label_is_right, label_is(name))
            for name in LABELS
        ),
        of_hits("shadows found", shadow_seen, assessable(True)),
        of_hits("foci without shadow given one", shadow_seen, assessable(False)),
        of_hits("shadow not assessable", lambda focus, target: focus.shadow == "not assessable"),
    ]


def always(focus: Focus, target: Target) -> bool:
    """Keep every pair."""
    return True


def coarse(focus: Focus, target: Target) -> bool:
    """Whether a target is wider than any resolution of the simulated scans."""
    if focus.diameter_mm is None or focus.diameter_px is None:
        return False
    return target.diameter * focus.diameter_mm / focus.diameter_px >= COARSE_MM


def label_is_right(focus: Focus, target: Target) -> bool:
    """Whether a focus has the label of its target."""
    return focus.label == target.label


def shadow_seen(focus: Focus, target: Target) -> bool:
    """Whether a focus is given a shadow."""
    return focus.shadow == "yes"


def twinkling(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Twinkling of the foci found on colour clips of all sets together; where it is not assessable its score counts as 0."""
    own = [hits(outcome, 0.0) for outcome in outcomes]
    if not own:
        return []

    def ranking(drawn: NDArray[np.intp]) -> float:
        pairs = [pair for i in drawn for pair in own[i]]
        return auc(
            [focus.twinkling_score or 0.0 for focus, _ in pairs],
            [bool(target.twinkling) for _, target in pairs],
        )

    def said(verdict: str, present: bool) -> Callable[[NDArray[np.intp]], float]:
        facts = [
            [focus.twinkling == verdict for focus, target in pairs if target.twinkling is present]
            for pairs in own
        ]
        return lambda drawn: fraction([fact for i in drawn for fact in facts[i]])

    return [
        (name, bootstrap(statistic, len(own)), len(own))
        for name, statistic in (
            ("twinkling score, AUC", ranking),
            ("twinkling foci called yes", said("yes", True)),
            (
                "twinkling foci called yes or possible",
                lambda drawn: said("yes", True)(drawn) + said("possible", True)(drawn),
            ),
            ("other foci called yes", said("yes", False)),
            ("other foci called possible", said("possible", False)),
        )
    ]


def speed(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Time of one analysis."""
    if not outcomes:
        return []
    return [
        (
            "seconds a scan, median",
            plain(float(np.median([outcome.seconds for outcome in outcomes]))),
            len(outcomes),
        )
    ]


MEASURES: tuple[Callable[[Sequence[Outcome], float], list[Result]], ...] = (
    calcification,
    posterior_features,
    masses,
    ducts,
    foci,
    foci_by_group,
    foci_in_outlines,
    behaviour,
    speed,
)
"""What is measured on each data set, in the order of the tables."""
