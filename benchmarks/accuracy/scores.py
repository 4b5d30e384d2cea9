"""From outcomes to rows of results: each measure applies to the cases that know its truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.cases import Target
from benchmarks.accuracy.metrics import Detections, Estimate, auc, bootstrap, free_response, kappa, match
from benchmarks.accuracy.runs import Outcome
from usmicro.findings import Focus

RATES = (1.0, 3.1)
"""False positives an image at which sensitivity is read; 3.1 is that of the published detector."""
DESCRIPTORS = ("in a mass", "intraductal", "outside a mass")
"""Order in which one descriptor is taken of several."""


@dataclass(frozen=True, slots=True)
class Row:
    """One result."""

    dataset: str
    measure: str
    estimate: Estimate
    images: int
    """Images that it rests on; those are drawn for the interval."""


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
        rows += [Row(dataset, "images that failed", _plain(sum(bool(outcome.error) for outcome in own)), len(own))]
        own = [outcome for outcome in own if not outcome.error]
        for measure in (calcification, posterior_features, masses, foci, foci_in_outlines, behaviour, speed):
            rows += [Row(dataset, *result) for result in measure(own, listed)]
    clips = [outcome for outcome in outcomes if any(target.twinkling is not None for target in outcome.targets or ())]
    rows += [Row("phantom colour clips", *result) for result in twinkling(clips, listed)]
    return [row for row in rows if np.isfinite(row.estimate.value)]


Result = tuple[str, Estimate, int]
Fact = Callable[[Focus, Target], bool]


def _plain(value: float) -> Estimate:
    """A count or time, which has no interval."""
    return Estimate(float(value), float("nan"), float("nan"))


def _over(outcomes: Sequence[Outcome], statistic: Callable[[list[Outcome]], float], name: str) -> Result:
    """A statistic of outcomes, with its interval over images."""
    estimate = bootstrap(lambda drawn: statistic([outcomes[i] for i in drawn]), len(outcomes))
    return name, estimate, len(outcomes)


def _fraction(hits: Sequence[bool] | NDArray[np.bool_]) -> float:
    return float(np.mean(hits)) if len(hits) else float("nan")


def calcification(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Image-level calcification: ranking by score, agreement of the descriptor."""
    own = [outcome for outcome in outcomes if outcome.case.calcification is not None]
    if not own:
        return []

    def calcified(outcome: Outcome) -> bool:
        return outcome.case.calcification != "none"

    def called(outcome: Outcome) -> bool:
        return outcome.calcification != "none"

    def presence(drawn: list[Outcome]) -> float:
        return kappa([str(calcified(outcome)) for outcome in drawn], [str(called(outcome)) for outcome in drawn])

    def agreement(drawn: list[Outcome]) -> float:
        return kappa([str(outcome.case.calcification) for outcome in drawn], [one_descriptor(outcome.calcification) for outcome in drawn])

    return [
        _over(own, lambda drawn: auc([o.score for o in drawn], [calcified(o) for o in drawn]), "calcification score, AUC"),
        _over(own, presence, "calcification present, kappa"),
        _over(own, agreement, "calcification descriptor, kappa"),
        _over(own, lambda drawn: _fraction([called(o) for o in drawn if calcified(o)]), "calcified images called calcified"),
        _over(own, lambda drawn: _fraction([called(o) for o in drawn if not calcified(o)]), "other images called calcified"),
    ]


def one_descriptor(text: str) -> str:
    """One descriptor of those that are joined by `+`: the lesion's own first."""
    given = text.split("+")
    return next((name for name in DESCRIPTORS if name in given), text)


def posterior_features(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Posterior feature of the largest true mass; a mass that is missed or not assessable scores 0 and agrees with no class."""
    own = [outcome for outcome in outcomes if outcome.case.posterior is not None]
    if not own:
        return []

    def value(outcome: Outcome) -> float:
        measured = None if outcome.mass is None else outcome.mass.posterior_score
        return 0.0 if measured is None else measured

    def against_rest(feature: str, sign: int, *, without: str = "") -> Callable[[list[Outcome]], float]:
        def statistic(drawn: list[Outcome]) -> float:
            kept = [outcome for outcome in drawn if outcome.case.posterior != without]
            return auc([sign * value(outcome) for outcome in kept], [outcome.case.posterior == feature for outcome in kept])

        return statistic

    def agreement(drawn: list[Outcome]) -> float:
        return kappa([str(o.case.posterior) for o in drawn], ["not assessable" if o.mass is None else o.mass.posterior for o in drawn])

    return [
        _over(own, against_rest("shadowing", -1), "posterior shadowing against the rest, AUC"),
        _over(own, against_rest("enhancement", 1, without="combined"), "posterior enhancement against none and shadowing, AUC"),
        _over(own, agreement, "posterior feature of four, kappa"),
    ]


def masses(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Masses against their outlines."""
    own = [outcome for outcome in outcomes if outcome.masses is not None]
    with_mass = [outcome for outcome in own if outcome.masses is not None and outcome.masses.found]

    def overlaps(drawn: list[Outcome]) -> list[float]:
        return [outcome.masses.union for outcome in drawn if outcome.masses is not None]

    def found(drawn: list[Outcome]) -> list[bool]:
        return [value is not None for outcome in drawn if outcome.masses is not None for value in outcome.masses.found]

    def extra(drawn: list[Outcome]) -> float:
        return float(np.mean([outcome.masses.extra for outcome in drawn if outcome.masses is not None]))

    results = []
    if with_mass:
        results += [
            _over(with_mass, lambda drawn: float(np.mean(overlaps(drawn))), "masses, mean Dice"),
            _over(with_mass, lambda drawn: float(np.median(overlaps(drawn))), "masses, median Dice"),
            _over(with_mass, lambda drawn: _fraction(found(drawn)), "masses found (Dice above 0.5)"),
        ]
    return results + ([_over(own, extra, "other masses an image")] if own else [])


def matched(outcome: Outcome, *, in_outline: bool = False) -> Detections:
    """The foci of one case against its targets; optionally only those within the true outlines."""
    targets = list(outcome.targets or ())
    points = [_in_first_frame(focus, targets) for focus in outcome.foci]
    confidence = [focus.confidence for focus in outcome.foci]
    if in_outline:
        inside = np.asarray(outcome.in_outline, dtype=bool)
        points = [point for point, kept in zip(points, inside, strict=True) if kept]
        confidence = [value for value, kept in zip(confidence, inside, strict=True) if kept]
        targets = [target for target, kept in zip(targets, outcome.targets_in_outline or (), strict=True) if kept]
    return match(points, confidence, [target.at(0) for target in targets], [target.at(0) for target in outcome.case.ignored])


def _in_first_frame(focus: Focus, targets: Sequence[Target]) -> tuple[float, float]:
    """Where a focus of a cine would be in the first frame, by the motion of the target nearest to it."""
    if not targets or focus.frame == 0:
        return focus.x_px, focus.y_px
    there = [target.at(focus.frame) for target in targets]
    nearest = int(np.argmin([np.hypot(x - focus.x_px, y - focus.y_px) for x, y, _ in there]))
    x, y, _ = targets[nearest].at(0)
    return focus.x_px + x - there[nearest][0], focus.y_px + y - there[nearest][1]


def hits(outcome: Outcome, listed: float) -> list[tuple[Focus, Target]]:
    """The listed foci that hit a target, with that target."""
    found = matched(outcome)
    chosen = np.flatnonzero((found.target >= 0) & (found.confidence >= listed))
    return [(outcome.foci[found.index[i]], (outcome.targets or ())[found.target[i]]) for i in chosen]


def free_response_results(images: Sequence[Detections], listed: float | None, where: str = "") -> list[Result]:
    """Sensitivity along the free-response curve, and at the confidence from which foci are listed."""
    count, targets = len(images), sum(image.targets for image in images)

    def sensitivity(rate: float) -> Callable[[NDArray[np.intp]], float]:
        return lambda drawn: free_response(images, np.bincount(drawn, minlength=count)).sensitivity_at(rate)

    def false(drawn: NDArray[np.intp]) -> float:
        return float(np.mean([(images[i].counts & (images[i].confidence >= listed)).sum() for i in drawn]))

    def recall(drawn: NDArray[np.intp]) -> float:
        total = sum(images[i].targets for i in drawn)
        hit = sum(int(((images[i].target >= 0) & (images[i].confidence >= listed)).sum()) for i in drawn)
        return hit / total if total else float("nan")

    results = []
    if targets:
        name = f"foci{where}, sensitivity at"
        results += [(f"{name} {rate:g} false an image", bootstrap(sensitivity(rate), count), count) for rate in RATES]
    if listed is not None:
        if targets:
            results.append((f"foci listed{where}, sensitivity", bootstrap(recall, count), count))
        results.append((f"foci listed{where}, false an image", bootstrap(false, count), count))
    return results


def foci(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Foci on the whole image."""
    own = [matched(outcome) for outcome in outcomes if outcome.targets is not None]
    return free_response_results(own, listed) if own else []


def foci_in_outlines(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Foci within the true outlines only, as published detectors are scored."""
    own = [
        matched(outcome, in_outline=True)
        for outcome in outcomes
        if outcome.targets is not None and outcome.in_outline is not None and not outcome.case.dataset.startswith("phantom")
    ]
    return free_response_results(own, None, " in true outlines") if own else []


def behaviour(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Label and shadow of the listed foci that hit a target which knows them; colour clips are about twinkling only."""
    own = [hits(outcome, listed) for outcome in outcomes if any(t.label and t.twinkling is None for t in outcome.targets or ())]
    if not own:
        return []

    def over(name: str, right: Fact, kept: Fact = always) -> Result:
        facts = [[right(*pair) for pair in pairs if kept(*pair)] for pairs in own]
        estimate = bootstrap(lambda drawn: _fraction([fact for i in drawn for fact in facts[i]]), len(facts))
        return name, estimate, len(facts)

    def assessable(present: bool) -> Fact:
        return lambda focus, target: target.shadow is present and focus.shadow != "not assessable"

    def label_is(name: str) -> Fact:
        return lambda focus, target: target.label == name

    return [
        over("labels right", label_is_right),
        *(over(f"{name} foci labelled right", label_is_right, label_is(name)) for name in ("intramass", "extramass", "intraductal")),
        over("shadows found", shadow_seen, assessable(True)),
        over("foci without shadow given one", shadow_seen, assessable(False)),
        over("shadow not assessable", lambda focus, target: focus.shadow == "not assessable"),
    ]


def always(focus: Focus, target: Target) -> bool:
    """Keep every pair."""
    return True


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
        return auc([focus.twinkling_score or 0.0 for focus, _ in pairs], [bool(target.twinkling) for _, target in pairs])

    def said(verdict: str, present: bool) -> Callable[[NDArray[np.intp]], float]:
        facts = [[focus.twinkling == verdict for focus, target in pairs if target.twinkling is present] for pairs in own]
        return lambda drawn: _fraction([fact for i in drawn for fact in facts[i]])

    return [
        (name, bootstrap(statistic, len(own)), len(own))
        for name, statistic in (
            ("twinkling score, AUC", ranking),
            ("twinkling foci called yes", said("yes", True)),
            ("twinkling foci called yes or possible", lambda drawn: said("yes", True)(drawn) + said("possible", True)(drawn)),
            ("other foci called yes", said("yes", False)),
            ("other foci called possible", said("possible", False)),
        )
    ]


def speed(outcomes: Sequence[Outcome], listed: float) -> list[Result]:
    """Time of one analysis."""
    if not outcomes:
        return []
    return [("seconds a scan, median", _plain(float(np.median([outcome.seconds for outcome in outcomes]))), len(outcomes))]
