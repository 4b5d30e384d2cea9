"""Fit the confidence of foci, its operating points and the calcification score of images.

Run
    python -m training.confidence WORK
Needs
    WORK with the candidates of `training.candidates` and the networks of `training.appearance`.
Takes
    About 3 minutes on one core.
Writes
    confidence.json and curve.json in usmicro/foci, and in training/networks/foci-without-HOSPITAL
    for each hospital.

The printed figures are cross-validated: each image gets its confidences from a mass network that
has not seen its hospital, and from a focus network and models that have not seen its patient
("patients left out") or its hospital ("hospital left out"). The duct network and the model of the
confidence of masses have seen all hospitals. The logistic models are fitted to outputs of networks
that may have seen other images of the hospital that is left out. The models that are written to
usmicro/foci are fitted to all images.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.focus_examples import (
    ALL,
    MARKED,
    SIMULATED,
    WITHOUT_FOLD,
    WITHOUT_HOSPITAL,
    ImageCandidates,
    models_folder,
    read_candidates,
)
from training.focus_fitting import FittedFoci, appearances, fit_foci, held_out_scores
from training.logistic import fit_logistic
from training.marked import SOURCES
from training.tables import Row, print_table, write_part
from usmicro.evaluation.metrics import auc
from usmicro.foci.confidence import image_features
from usmicro.foci.models import CURVE_FILE, LOGISTIC_FILE
from usmicro.foci.operating_point import confidence_at
from usmicro.numerics.logistic import Logistic, write_models

Floats = NDArray[np.float64]

RATES = (0.5, 1.0, 2.0, 3.1)
"""False positives per image at which the sensitivity is printed; 3.1 is that of the published
detector in Med. Phys. 40 (2013) 102901."""

CURVE_RATES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.5, 7.0, 10.0, 20.0)
"""False positives per image of the points of the operating curve."""

BINS = (0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.01)
"""Limits of the confidence between which the reliability is printed."""

LEAST_CANDIDATES = 10
"""Smallest number of candidates whose share of foci is printed."""

SHOWN_RATES = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.1, 5.0)
"""False positives per image with a lesion of the printed operating points."""

PATIENTS, HOSPITAL = "patients left out", "hospital left out"
"""Titles of the two kinds of cross-validation."""

NORMAL_RATE = 0.5
"""Foci per normal image at which the sensitivity on images with a lesion is printed."""


def select(
    images: Sequence[ImageCandidates],
    scores: Sequence[Floats | None],
    wanted: Callable[[ImageCandidates], bool],
) -> list[tuple[ImageCandidates, Floats]]:
    """Return the images that are wanted, with their confidences."""
    return [
        (image, score)
        for image, score in zip(images, scores, strict=True)
        if score is not None and wanted(image)
    ]


Scored = Sequence[tuple[ImageCandidates, Floats]]
"""Images with the confidences of their candidates."""


def threshold_at(scored: Scored, false_positives: float) -> float:
    """Return the confidence above which there are so many false positives per image."""
    false = np.concatenate([score[image.is_focus == 0] for image, score in scored])
    allowed = int(false_positives * len(scored))
    if allowed >= len(false):
        return 0.0
    return float(np.sort(false)[::-1][allowed])


def sensitivity_above(scored: Scored, confidence: float) -> float:
    """Return the share of the foci whose candidate is above a confidence."""
    found = sum(
        int(((image.is_focus == 1) & (score > confidence)).sum()) for image, score in scored
    )
    return found / max(sum(image.foci for image, _ in scored), 1)


def false_positives_above(scored: Scored, confidence: float) -> float:
    """Return the false positives per image above a confidence."""
    false = sum(
        int(((image.is_focus == 0) & (score > confidence)).sum()) for image, score in scored
    )
    return false / max(len(scored), 1)


def has_lesion(image: ImageCandidates) -> bool:
    """Return True for a read image that is not normal, outside training/readings.json."""
    return image.read and not image.further and not image.normal and image.source != SIMULATED


def operating_curve(scored: Scored) -> list[tuple[float, float]]:
    """Return pairs of false positives per image and confidence, by rising rate.

    Each hospital has the same weight, however many images it has.
    """
    by_source = [
        np.concatenate([score[image.is_focus == 0] for image, score in of_source])
        for of_source in _by_source(scored).values()
    ]
    counts = [len(of_source) for of_source in _by_source(scored).values()]
    false = np.concatenate(by_source)
    weight = np.concatenate(
        [
            np.full(len(own), 1 / (count * len(counts)))
            for own, count in zip(by_source, counts, strict=True)
        ]
    )
    order = np.argsort(-false, kind="stable")
    rate = np.cumsum(weight[order])
    allowed = np.searchsorted(rate, CURVE_RATES, side="right")
    return [
        (target, round(float(false[order][count - 1]), 6))
        for target, count in zip(CURVE_RATES, allowed.tolist(), strict=True)
        if 0 < count < len(false)
    ]


def _by_source(scored: Scored) -> dict[str, list[tuple[ImageCandidates, Floats]]]:
    """Return scored images by data set."""
    by_source: dict[str, list[tuple[ImageCandidates, Floats]]] = {}
    for image, score in scored:
        by_source.setdefault(image.source, []).append((image, score))
    return by_source


def sensitivities(scored: Mapping[str, Scored]) -> dict[str, Row]:
    """Return a table of the sensitivities of several sets of images."""
    return {
        name: {
            "images": len(of_set),
            "foci": sum(image.foci for image, _ in of_set),
            **{
                f"at {rate:g}": sensitivity_above(of_set, threshold_at(of_set, rate))
                for rate in RATES
            },
        }
        for name, of_set in scored.items()
        if of_set
    }


def curve_table(lesions: Scored, normal: Scored) -> dict[str, Row]:
    """Return what a confidence lists on images with a lesion and on normal images."""
    table: dict[str, Row] = {}
    for rate in SHOWN_RATES:
        confidence = threshold_at(lesions, rate)
        called = [bool((score > confidence).any()) for _, score in normal]
        table[f"{rate:g}"] = {
            "confidence": confidence,
            "sensitivity": sensitivity_above(lesions, confidence),
            "foci per normal image": false_positives_above(normal, confidence),
            "normal images with a focus": float(np.mean(called)),
        }
    return table


def reliability(scored: Scored) -> dict[str, Row]:
    """Return the share of marked foci among candidates of similar confidence, by data set.

    Shares of fewer than LEAST_CANDIDATES candidates are left out.
    """
    by_source = {"all": list(scored)} | _by_source(scored)
    table: dict[str, Row] = {}
    for low, high in pairwise(BINS):
        row: dict[str, float | None] = {}
        for source in ("all", *SOURCES):
            of_source = by_source.get(source, [])
            score = np.concatenate([np.empty(0), *(own for _, own in of_source)])
            is_focus = np.concatenate([np.empty(0), *(image.is_focus for image, _ in of_source)])
            inside = (score >= low) & (score < high) & np.isfinite(is_focus)
            if source == "all":
                row["candidates"] = int(inside.sum())
                row["mean confidence"] = float(score[inside].mean()) if inside.any() else None
            enough = inside.sum() >= LEAST_CANDIDATES
            row[source] = float(is_focus[inside].mean()) if enough else None
        table[f"{low:g} to {min(high, 1):g}"] = row
    return table


def image_answers(images: Sequence[ImageCandidates]) -> list[bool | None]:
    """Return whether each image shows calcifications; None if unknown.

    The answers of the two readers count where they agree, otherwise the descriptor of the
    radiologist. A normal breast that nobody read shows none.
    """
    answers: list[bool | None] = []
    for image in images:
        if image.read and image.calcified is not None:
            answers.append(image.calcified)
        elif image.calcification is not None:
            answers.append(image.calcification != "none")
        else:
            answers.append(False if image.normal and not image.read else None)
    return answers


def fit_image_score(
    images: Sequence[ImageCandidates], scores: Sequence[Floats], used: Sequence[bool]
) -> Logistic:
    """Fit the calcification score; images with and without calcification weigh the same."""
    answers = image_answers(images)
    chosen = [i for i, use in enumerate(used) if use and answers[i] is not None]
    tables = [image_features(scores[i].tolist()) for i in chosen]
    calcified = np.array([bool(answers[i]) for i in chosen])
    weight = np.where(calcified, 1 / calcified.sum(), 1 / (~calcified).sum())
    features = {name: np.array([table[name] for table in tables]) for name in tables[0]}
    return fit_logistic(features, calcified, weight)


def write_folder(
    folder: Path, models: FittedFoci, image: Logistic, curve: Sequence[tuple[float, float]]
) -> None:
    """Write the models of a name beside its network."""
    write_models(
        {"alone": models.alone, "focus": models.focus, "image": image}, folder / LOGISTIC_FILE
    )
    lines = ",\n".join(f" [{rate:g}, {confidence:g}]" for rate, confidence in curve)
    (folder / CURVE_FILE).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main() -> None:
    """Fit the models, print their figures and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path, help="folder with the candidates and networks")
    parser.add_argument("--docs", type=Path, metavar="FILE.md", help="update a part of a document")
    parser.add_argument("--keep", action="store_true", help="print the figures, write no model")
    arguments = parser.parse_args()
    printed = io.StringIO()
    with redirect_stdout(printed):
        fit_all(arguments.work, write=not arguments.keep)
    print(printed.getvalue())
    if arguments.docs:
        write_part(arguments.docs, "python -m training.confidence", printed.getvalue())


def fit_all(work: Path, *, write: bool) -> None:
    """Fit the models of all names, print their figures and write them if `write`."""
    images = [image for part in (MARKED, SIMULATED) for image in read_candidates(work, part)]
    log_odds = appearances(work, images)
    patients: list[Floats | None] = [None] * len(images)
    hospital: list[Floats | None] = [None] * len(images)
    image_scores: dict[str, list[float | None]] = {
        title: [None] * len(images) for title in (PATIENTS, HOSPITAL)
    }
    operating: dict[str, Row] = {}
    for name in (*WITHOUT_FOLD, *WITHOUT_HOSPITAL, ALL):
        models, scores = fit_foci(name, images, log_odds)
        held_out = held_out_scores(work, name, models, images)
        target = patients if name in WITHOUT_FOLD else hospital
        for i, score in held_out.items():
            target[i] = score
        used = [image.source != SIMULATED and i not in held_out for i, image in enumerate(images)]
        image_model = fit_image_score(images, scores, used)
        title = PATIENTS if name in WITHOUT_FOLD else HOSPITAL
        for i, score in held_out.items():
            features = image_features(score.tolist())
            image_scores[title][i] = float(image_model.probability(features))
        if name in WITHOUT_FOLD:
            continue
        known = [score if use else None for score, use in zip(scores, used, strict=True)]
        curve = operating_curve(select(images, known, has_lesion))
        if name != ALL:
            operating[name] = _rates_on(select(images, hospital, _of(name)), curve)
        if write:
            write_folder(models_folder(name), models, image_model, curve)
    for title, scores_of in ((PATIENTS, patients), (HOSPITAL, hospital)):
        print_figures(title, images, scores_of)
    print_table(
        "False positives per image that were asked for and found, hospital left out", operating
    )
    for title, scores_of_images in image_scores.items():
        print_image_score(title, images, scores_of_images)


def _of(name: str) -> Callable[[ImageCandidates], bool]:
    """Return a test for images with a lesion, or normal, of the hospital that a name leaves out."""
    return lambda image: f"without-{image.source}" == name and image.known


def _rates_on(scored: Scored, curve: Sequence[tuple[float, float]]) -> Row:
    """Return the false positives per image on a hospital at confidences of a curve."""
    lesions = [(image, score) for image, score in scored if has_lesion(image)]
    normal = [(image, score) for image, score in scored if image.normal]
    row: dict[str, float | None] = {"images with a lesion": len(lesions)}
    for rate in RATES:
        row[f"at {rate:g}"] = false_positives_above(lesions, confidence_at(curve, rate))
    row["normal images"] = len(normal)
    row["normal, at 1"] = (
        false_positives_above(normal, confidence_at(curve, 1.0)) if normal else None
    )
    return row


def print_figures(
    title: str, images: Sequence[ImageCandidates], scores: Sequence[Floats | None]
) -> None:
    """Print sensitivities, what is listed on normal images, and reliability."""
    lesions = select(images, scores, has_lesion)
    normal = select(images, scores, lambda image: image.normal)
    sets: dict[str, Scored] = {"all with a lesion": lesions}
    sets |= {source: _by_source(lesions).get(source, []) for source in SOURCES}
    sets["training/readings.json"] = select(
        images, scores, lambda image: image.further and not image.normal
    )
    sets["simulated"] = select(images, scores, lambda image: image.source == SIMULATED)
    print_table(f"Sensitivity at false positives per image, {title}", sensitivities(sets))
    print_table(
        f"Operating points by false positives per image with a lesion, {title}",
        curve_table(lesions, normal),
    )
    confidence = threshold_at(normal, NORMAL_RATE)
    print(
        f"\nAt {NORMAL_RATE:g} foci per normal image ({len(normal)} images, {title}) the "
        f"sensitivity is {sensitivity_above(lesions, confidence):.2f}, with "
        f"{false_positives_above(lesions, confidence):.2f} false positives per image with a lesion."
    )
    known = select(images, scores, lambda image: image.known and image.source != SIMULATED)
    print_table(f"Share of marked foci by confidence, {title}", reliability(known))


def print_image_score(
    title: str, images: Sequence[ImageCandidates], score: Sequence[float | None]
) -> None:
    """Print the AUC of the calcification score, and its false alarms."""
    of_image = {i: value for i, value in enumerate(score) if value is not None}
    known = list(of_image)
    readers = [i for i in known if images[i].read and images[i].calcified is not None]
    standard = [i for i in readers if not images[i].further]
    breast = [i for i in known if images[i].calcification is not None]
    normal = [i for i in known if images[i].normal]
    rows: dict[str, Row] = {}
    for name, chosen, truth in (
        (
            "two readers, without training/readings.json",
            standard,
            [bool(images[i].calcified) for i in standard],
        ),
        ("two readers, all", readers, [bool(images[i].calcified) for i in readers]),
        ("radiologist", breast, [images[i].calcification != "none" for i in breast]),
    ):
        rows[name] = {
            "images": len(chosen),
            "calcified": sum(truth),
            "AUC": auc([of_image[i] for i in chosen], truth),
        }
    print_table(f"Calcification score, {title}", rows)
    false_alarms: dict[str, Row] = {}
    calcified = [i for i in readers if images[i].calcified]
    for rate in (0.05, 0.08, 0.1, 0.15, 0.2):
        threshold = float(np.quantile([of_image[i] for i in normal], 1 - rate))
        false_alarms[f"{rate:g} of normal images called calcified"] = {
            "score": threshold,
            "sensitivity, readers": float(np.mean([of_image[i] >= threshold for i in calcified])),
        }
    print_table(f"Threshold of the calcification score, {title}", false_alarms)


if __name__ == "__main__":
    main()
