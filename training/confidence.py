"""Fit the confidence of foci and the calcification score of images.

Run
    python -m training.confidence DATA
Needs
    DATA with the folders `echogenic-foci-marks` and `breast-lesions-usg`, and the networks of
    `training.masses`.
Takes
    About 6 minutes on one core (extrapolated from a few scans).
Writes
    usmicro/foci/confidence.json. It prints sensitivities and the AUC of the score.

The confidence is fitted to the marks of `echogenic-foci-marks` and to simulated scans; the score is
fitted to the descriptors that radiologists gave for `breast-lesions-usg`. The printed figures are
cross-validated over images: each image is analysed with a confidence model and a mass network that
are not fitted to it. The models that are written are fitted to all images.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.held_out import NETWORKS
from training.logistic import fit_logistic
from usmicro.anatomy import find_anatomy
from usmicro.errors import UsageError
from usmicro.evaluation.datasets import (
    LabelledImage,
    held_out_network,
    read_breast_lesions_usg,
    read_echogenic_foci_marks,
    read_held_out_networks,
    targets_of_phantom,
)
from usmicro.evaluation.metrics import LEAST_DISTANCE_PX, auc
from usmicro.evaluation.targets import Target
from usmicro.foci import find_candidates
from usmicro.foci.confidence import MODELS, focus_confidence, focus_features, image_features
from usmicro.loading import load
from usmicro.model.anatomy import Anatomy
from usmicro.model.findings import Candidates
from usmicro.model.scan import Scan, Spacing
from usmicro.model.view import View
from usmicro.numerics.logistic import Logistic, write_models
from usmicro.phantom import phantom_set
from usmicro.preparation import prepare
from usmicro.settings import AnatomySettings

PHANTOM_WEIGHT = 0.3
"""Weight of a candidate in a simulated image; one in a real image has the weight 1.

Chosen by judgement; no measurement is recorded. Simulated images have many more foci.
"""

RIDGE = 3e-3
"""Ridge penalty of the confidence model, see `fit_logistic`.

Chosen by judgement; no measurement is recorded.
"""

CALIBRATION_RIDGE = 1e-7
"""Ridge penalty of the calibration. Marks are rare, and a larger one would shrink the slope."""

FOLDS = 10
"""Number of folds of the cross-validation over images."""

FIRST_SEED = 50_000
"""First seed of the simulated scans. Tests and benchmarks use other seeds."""

FALSE_POSITIVES_PER_IMAGE = (1, 3.1)
"""Rates of false positives at which the sensitivity is printed; 3.1 is that of the published
detector in Med. Phys. 40 (2013) 102901."""

FALSE_POSITIVE_RATES = (0.1, 0.15, 0.2)
"""False-positive rates of the image score at which the sensitivity is printed."""


@dataclass(frozen=True)
class Example:
    """The candidates of one image, and which of them are foci."""

    features: dict[str, NDArray[np.float64]]
    """Features by name, one value per candidate."""
    is_focus: NDArray[np.float64]
    """1 for a focus, 0 for another candidate, NaN if unclear (marked by one reader only)."""
    foci: int
    """Number of foci in the image, found or not."""
    weight: float
    """Weight of a candidate."""


def find_on(scan: Scan, network: Path | None) -> Iterator[tuple[View, Candidates, Anatomy]]:
    """Yield each view of the first frame with its candidates and anatomy.

    `network` is the file of the mass network; by default the shipped one.
    """
    settings = AnatomySettings(mass_network=str(network)) if network else AnatomySettings()
    for view in prepare(next(scan.frames()), spacing=scan.spacing, regions=scan.regions):
        yield view, find_candidates(view), find_anatomy(view, settings)


def matched(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    foci: Sequence[Target],
    uncertain_foci: Sequence[Target],
) -> NDArray[np.float64]:
    """Match candidates with marks.

    Parameters
    ----------
    x, y : array, shape (n,)
        Column and row of each candidate in pixels of the image.
    foci, uncertain_foci : sequence of Target
        Foci that both readers marked, and all other marks.

    Returns
    -------
    array, shape (n,)
        1 for the candidate nearest to a focus; NaN for any other candidate near a focus or an
        uncertain mark; 0 for the rest.
    """
    is_focus = np.zeros(len(x))
    for target in (*uncertain_foci, *foci):
        column, row, diameter = target.at(0)
        is_focus[np.hypot(x - column, y - row) <= max(diameter / 2, LEAST_DISTANCE_PX)] = np.nan
    for target in foci:
        column, row, diameter = target.at(0)
        distance = np.hypot(x - column, y - row)
        if len(x) and distance.min() <= max(diameter / 2, LEAST_DISTANCE_PX):
            is_focus[distance.argmin()] = 1
    return is_focus


def example(
    scan: Scan,
    foci: Sequence[Target],
    uncertain_foci: Sequence[Target],
    weight: float,
    network: Path | None,
) -> Example:
    """Find the candidates on the first frame of a scan and match them with its foci."""
    tables, positions = [], []
    for view, candidates, anatomy in find_on(scan, network):
        tables.append(focus_features(view, candidates, anatomy))
        positions.append(np.column_stack(view.grid.to_image(candidates.x, candidates.y)))
    position = np.concatenate(positions)
    features = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    is_focus = matched(position[:, 0], position[:, 1], foci, uncertain_foci)
    return Example(features, is_focus, len(foci), weight)


def network_for(image: LabelledImage) -> Path:
    """Return the mass network that has not seen the hospital of an image.

    Raises
    ------
    UsageError
        If there is none.
    """
    source = image.source or image.dataset
    network = held_out_network(read_held_out_networks(NETWORKS), source, image.path.stem)
    if network is None:
        raise UsageError(
            f"{image.path}: found no network in {NETWORKS} that has not seen {source}; "
            "train one with `python -m training.masses`"
        )
    return network


def marked_examples(data: Path) -> dict[str, Example]:
    """Return an example for each marked image, by its file name, in the order of the marks."""
    return {
        image.path.name: example(
            load(image.path, spacing=known_spacing(image.spacing)),
            image.foci or (),
            image.uncertain_foci,
            1.0,
            network_for(image),
        )
        for image in read_echogenic_foci_marks(data)
    }


def known_spacing(spacing: Spacing) -> Spacing | None:
    """Return the pixel size, or None if it is unknown."""
    return spacing if spacing.known else None


def simulated_examples(seeds: range) -> list[Example]:
    """Return an example for each of several simulated B-mode scans with foci."""
    return [
        example(phantom.scan(), targets_of_phantom(phantom), (), PHANTOM_WEIGHT, None)
        for phantom in phantom_set("mixed", seeds)
    ]


def fit(examples: Sequence[Example]) -> Logistic:
    """Fit the confidence to examples."""
    names = list(examples[0].features)
    features = {name: np.concatenate([e.features[name] for e in examples]) for name in names}
    is_focus = np.concatenate([e.is_focus for e in examples])
    weight = np.concatenate([np.full(len(e.is_focus), e.weight) for e in examples])
    clear = np.isfinite(is_focus)
    return fit_logistic(
        {name: values[clear] for name, values in features.items()},
        is_focus[clear],
        weight[clear],
        ridge=RIDGE,
    )


def fit_folds(examples: Sequence[Example]) -> list[Logistic]:
    """Fit one model per fold, to the examples of all other folds.

    The fold of an example is its position in the list modulo `FOLDS`.
    """
    return [fit([e for i, e in enumerate(examples) if i % FOLDS != fold]) for fold in range(FOLDS)]


def calibrated(
    model: Logistic, examples: Sequence[Example], scores: Sequence[NDArray[np.float64]]
) -> Logistic:
    """Calibrate a model on real scans by Platt scaling; the order of the foci does not change.

    Simulated scans have many more foci than real ones, so the fitted probabilities are too high.

    Parameters
    ----------
    model : Logistic
    examples : sequence of Example
        Those of the real scans.
    scores : sequence of array
        Probabilities of their candidates from models that are not fitted to them.

    References
    ----------
    Platt, Advances in Large Margin Classifiers (1999) 61.
    """
    is_focus = np.concatenate([e.is_focus for e in examples])
    score = np.clip(np.concatenate(scores), 1e-6, 1 - 1e-6)
    clear = np.isfinite(is_focus)
    log_odds = np.log(score / (1 - score))[clear]
    fitted = fit_logistic({"log_odds": log_odds}, is_focus[clear], ridge=CALIBRATION_RIDGE)
    slope = fitted.weights["log_odds"]
    weights = {name: round(slope * weight, 4) for name, weight in model.weights.items()}
    return Logistic(round(fitted.intercept + slope * model.intercept, 4), weights)


def operating_point(
    examples: Sequence[Example], scores: Sequence[NDArray[np.float64]], false_positives: float
) -> tuple[float, float]:
    """Return sensitivity and confidence threshold at a number of false positives per image."""
    is_focus, score = np.concatenate([e.is_focus for e in examples]), np.concatenate(scores)
    clear = np.isfinite(is_focus)
    order = np.argsort(-score[clear], kind="stable")
    hits, score = is_focus[clear][order], score[clear][order]
    allowed = np.cumsum(1 - hits) <= false_positives * len(examples)
    sensitivity = hits[allowed].sum() / sum(e.foci for e in examples)
    return float(sensitivity), float(score[allowed][-1])


def fit_image_score(
    data: Path,
    models_of_marked: Mapping[str, Logistic],
    model: Logistic,
) -> Logistic:
    """Fit the calcification score to the images of BrEaST-Lesions-USG, and print its AUC.

    Calcified images together have the same weight as the others together. Images whose
    calcification was not assessed are left out.

    Parameters
    ----------
    data : Path
    models_of_marked : mapping of str to Logistic
        Confidence model, by file name, for each image with marks; it is not fitted to that image.
    model : Logistic
        Confidence model for all other images.
    """
    rows, labels = [], []
    for image in read_breast_lesions_usg(data):
        if image.calcification is None:
            continue
        scan = load(image.path, spacing=image.spacing)
        focus_model = models_of_marked.get(image.name, model)
        confidence = np.concatenate(
            [focus_confidence(*found, focus_model) for found in find_on(scan, network_for(image))]
        )
        rows.append(image_features(confidence.tolist()))
        labels.append(image.calcification != "none")
    calcified = np.array(labels)
    features = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    weight = np.where(calcified, 1 / calcified.sum(), 1 / (~calcified).sum())
    score_model = fit_logistic(features, calcified, weight)
    score = np.asarray(score_model.probability(features))
    print(
        f"image score: {len(calcified)} images, {calcified.sum()} calcified; "
        f"AUC {auc(score, calcified):.3f}"
    )
    for rate in FALSE_POSITIVE_RATES:
        threshold = np.quantile(score[~calcified], 1 - rate)
        print(
            f"  false-positive rate {rate:.0%} at a score of {threshold:.3f}: "
            f"sensitivity {np.mean(score[calcified] >= threshold):.0%}"
        )
    return score_model


def report(name: str, examples: Sequence[Example], scores: Sequence[NDArray[np.float64]]) -> None:
    """Print the number of foci among the candidates, and sensitivities at false-positive rates."""
    foci = sum(e.foci for e in examples)
    candidates = sum(int((e.is_focus == 1).sum()) for e in examples)
    print(f"{name}: {len(examples)} with {foci} foci, {candidates} of them candidates")
    for rate in FALSE_POSITIVES_PER_IMAGE:
        sensitivity, confidence = operating_point(examples, scores, rate)
        print(
            f"  sensitivity {sensitivity:.2f} at {rate} false positives per image, "
            f"where the confidence is {confidence:.2f}"
        )


def main() -> None:
    """Fit the models, print their figures and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "data", type=Path, help="folder with echogenic-foci-marks and breast-lesions-usg"
    )
    parser.add_argument(
        "--phantoms", type=int, default=100, help="number of simulated scans to fit to"
    )
    arguments = parser.parse_args()
    examples_of_marked = marked_examples(arguments.data)
    marked = list(examples_of_marked.values())
    simulated = simulated_examples(range(FIRST_SEED, FIRST_SEED + arguments.phantoms))
    examples = marked + simulated

    fold_models = fit_folds(examples)
    raw_scores = _probabilities(fold_models, marked)
    fold_models = [calibrated(model, marked, raw_scores) for model in fold_models]
    scores = _probabilities(fold_models, examples)
    report("marked scans", marked, scores[: len(marked)])
    report("simulated scans", simulated, scores[len(marked) :])

    focus_model = calibrated(fit(examples), marked, raw_scores)
    models_of_marked = {name: fold_models[i % FOLDS] for i, name in enumerate(examples_of_marked)}
    score_model = fit_image_score(arguments.data, models_of_marked, focus_model)
    write_models({"focus": focus_model, "image": score_model}, MODELS)
    print(MODELS.read_text(encoding="utf-8"))


def _probabilities(
    fold_models: Sequence[Logistic], examples: Sequence[Example]
) -> list[NDArray[np.float64]]:
    """Return the probabilities of the candidates, each from the model of its fold."""
    return [
        np.asarray(fold_models[i % FOLDS].probability(e.features)) for i, e in enumerate(examples)
    ]


if __name__ == "__main__":
    main()
