"""Fit the confidence of foci and the calcification score: `python -m training.confidence DATA WORK` writes usmicro/confidence.json.

The confidence learns from the marks of `echogenic-foci-marks` below DATA and from simulated scans, the score from the radiologist's
descriptors of `breast-lesions-usg`. The figures printed are cross-validated over images: each is scored by a confidence and a mass model
that have not seen it. The models written are those of all images.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.logistic import fit_logistic
from training.unseen import unseen_networks
from usmicro.anatomy import find_anatomy
from usmicro.evaluation.metrics import auc
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
"""Of a candidate in a simulated image against one in a real image."""
RIDGE = 3e-3
FOLDS = 10
FIRST_SEED = 50_000
"""Of the simulated scans; other seeds serve tests and benchmarks."""


@dataclass(frozen=True)
class Example:
    """The candidates of one image."""

    features: dict[str, NDArray[np.float64]]
    """By name, one value a candidate."""
    hit: NDArray[np.float64]
    """1 a marked focus, 0 not; NaN neither (marked by one reader only)."""
    marks: int
    weight: float


def found_on(
    scan: Scan, networks: Mapping[str, Path]
) -> Iterator[tuple[View, Candidates, Anatomy]]:
    """What is found on the views of the first frame of a scan, with the network that has not seen it."""
    own = networks.get(Path(scan.name).stem)
    settings = AnatomySettings(mass_network=str(own)) if own else AnatomySettings()
    for view in prepare(next(scan.frames()), spacing=scan.spacing, regions=scan.regions):
        yield view, find_candidates(view), find_anatomy(view, settings)


def matched(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    marks: list[dict[str, float]],
    ignored: list[dict[str, float]],
) -> NDArray[np.float64]:
    """1 for the nearest candidate to each mark within its radius or 6 px, NaN for others there and at ignored marks, else 0."""
    hit = np.zeros(len(x))
    for mark in ignored + marks:
        hit[np.hypot(x - mark["x"], y - mark["y"]) <= max(mark["d"] / 2, 6)] = np.nan
    for mark in marks:
        distance = np.hypot(x - mark["x"], y - mark["y"])
        if len(x) and distance.min() <= max(mark["d"] / 2, 6):
            hit[distance.argmin()] = 1
    return hit


def example(
    scan: Scan,
    marks: list[dict[str, float]],
    ignored: list[dict[str, float]],
    weight: float,
    networks: Mapping[str, Path],
) -> Example:
    """Detect on the first frame of a scan and compare with its marks."""
    tables, positions = [], []
    for view, candidates, anatomy in found_on(scan, networks):
        tables.append(focus_features(view, candidates, anatomy))
        positions.append(np.column_stack(view.grid.to_image(candidates.x, candidates.y)))
    where = np.concatenate(positions)
    features = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    return Example(features, matched(where[:, 0], where[:, 1], marks, ignored), len(marks), weight)


def cases(data: Path) -> dict[str, dict[str, str]]:
    """Rows of breast-lesions-usg by file name."""
    with (data / "breast-lesions-usg" / "cases.csv").open(encoding="utf-8") as file:
        return {row["Image_filename"]: row for row in csv.DictReader(file)}


def spacing_of(case: dict[str, str] | None) -> Spacing | None:
    """Pixel size of a case, which the table gives in cm."""
    return (
        Spacing(10 * float(case["Pixel_size"]), 10 * float(case["Pixel_size"]), "given")
        if case
        else None
    )


def marks_of(data: Path) -> list[dict[str, Any]]:
    """The images that two readings marked: their `path` below `data`, foci that `both` marked and that only `one` did."""
    return list(
        json.loads(
            (data / "echogenic-foci-marks" / "marks.json").read_text(encoding="utf-8")
        ).values()
    )


def real_examples(data: Path, networks: Mapping[str, Path]) -> list[Example]:
    """The marked images, with the pixel sizes that are known."""
    known, examples = cases(data), []
    for entry in marks_of(data):
        path = data / entry["path"]
        scan = load(path, spacing=spacing_of(known.get(path.name)))
        examples.append(example(scan, entry["both"], entry["one"], 1.0, networks))
    return examples


def simulated_examples(seeds: range) -> list[Example]:
    """Simulated B-mode scenes with their true foci."""
    examples = []
    for phantom in phantom_set("mixed", seeds):
        pixel = phantom.spacing.x_mm or 0.08
        marks = [
            {"x": f.x_px[0], "y": f.y_px[0], "d": f.diameter_mm / pixel} for f in phantom.truth.foci
        ]
        examples.append(example(phantom.scan(), marks, [], PHANTOM_WEIGHT, {}))
    return examples


def fit(examples: list[Example]) -> Logistic:
    """The confidence that suits the examples best."""
    names = list(examples[0].features)
    features = {name: np.concatenate([e.features[name] for e in examples]) for name in names}
    hit = np.concatenate([e.hit for e in examples])
    weight = np.concatenate([np.full(len(e.hit), e.weight) for e in examples])
    known = np.isfinite(hit)
    return fit_logistic(
        {name: values[known] for name, values in features.items()},
        hit[known],
        weight[known],
        ridge=RIDGE,
    )


def fold_models(examples: list[Example]) -> list[Logistic]:
    """One model a fold, fitted to the other folds; an image's fold is its place in the list modulo FOLDS."""
    return [fit([e for i, e in enumerate(examples) if i % FOLDS != fold]) for fold in range(FOLDS)]


def calibrated(
    model: Logistic, examples: list[Example], scores: list[NDArray[np.float64]]
) -> Logistic:
    """The model with its log odds stretched and shifted to be probabilities on real scans; the order of the foci stays.

    `scores` are those of the real examples by models that have not seen them (Platt scaling). Simulated scans show far more foci.
    """
    hit, score = (
        np.concatenate([e.hit for e in examples]),
        np.clip(np.concatenate(scores), 1e-6, 1 - 1e-6),
    )
    known = np.isfinite(hit)
    fitted = fit_logistic(
        {"log_odds": np.log(score / (1 - score))[known]}, hit[known], ridge=1e-7
    )  # marks are rare: no pull towards 0
    slope = fitted.weights["log_odds"]
    weights = {name: round(slope * weight, 4) for name, weight in model.weights.items()}
    return Logistic(round(fitted.intercept + slope * model.intercept, 4), weights)


def operating_point(
    examples: list[Example], scores: list[NDArray[np.float64]], false_positives: float
) -> tuple[float, float]:
    """Share of the marks found at a number of false positives an image, and the confidence at which that is reached."""
    hit, score = np.concatenate([e.hit for e in examples]), np.concatenate(scores)
    known = np.isfinite(hit)
    order = np.argsort(-score[known], kind="stable")
    allowed = np.cumsum(1 - hit[known][order]) <= false_positives * len(examples)
    return float(hit[known][order][allowed].sum() / sum(e.marks for e in examples)), float(
        score[known][order][allowed][-1]
    )


def fit_image_score(
    data: Path, networks: Mapping[str, Path], marked: Mapping[str, Logistic], model: Logistic
) -> Logistic:
    """The score that tells calcified from other BrEaST images, both counted alike; "indefinable" and "not applicable" are left out.

    `marked` has a confidence model for each image with marks, one that has not seen it; the others are judged by `model`.
    """
    measured, calcified = [], []
    for name, case in cases(data).items():
        if case["Calcifications"] in ("no", "in a mass", "intraductal"):
            scan = load(data / "breast-lesions-usg" / "images" / name, spacing=spacing_of(case))
            found = np.concatenate(
                [
                    focus_confidence(*parts, marked.get(name, model))
                    for parts in found_on(scan, networks)
                ]
            )
            measured.append(image_features(found.tolist()))
            calcified.append(case["Calcifications"] != "no")
    truth = np.array(calcified)
    features = {name: np.array([each[name] for each in measured]) for name in measured[0]}
    image = fit_logistic(features, truth, np.where(truth, 1 / truth.sum(), 1 / (~truth).sum()))
    score = image.probability(features)
    print(
        f"image score: {len(truth)} images, {truth.sum()} calcified; AUC {auc(list(score), truth):.3f}"
    )
    for share in (0.1, 0.15, 0.2):
        cut = np.quantile(score[~truth], 1 - share)
        print(
            f"  {share:.0%} of the others reach {cut:.3f}, and {np.mean(score[truth] >= cut):.0%} of the calcified"
        )
    return image


def main() -> None:
    """Fit, report and write the models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "data", type=Path, help="folder with echogenic-foci-marks and breast-lesions-usg"
    )
    parser.add_argument(
        "--phantoms", type=int, default=100, help="how many simulated scans to learn from"
    )
    parser.add_argument(
        "work",
        type=Path,
        help="folder with the networks that training.masses fitted without some of the patients",
    )
    arguments = parser.parse_args()
    networks = unseen_networks(arguments.work)
    real = real_examples(arguments.data, networks)
    simulated = simulated_examples(range(FIRST_SEED, FIRST_SEED + arguments.phantoms))
    examples = real + simulated
    models = fold_models(examples)
    raw = [np.asarray(models[i % FOLDS].probability(e.features)) for i, e in enumerate(real)]
    models = [calibrated(model, real, raw) for model in models]
    scores = [np.asarray(models[i % FOLDS].probability(e.features)) for i, e in enumerate(examples)]
    for name, part in (
        ("marked scans", slice(None, len(real))),
        ("simulated scans", slice(len(real), None)),
    ):
        marks, hits = (
            sum(e.marks for e in examples[part]),
            sum(int((e.hit == 1).sum()) for e in examples[part]),
        )
        print(f"{name}: {len(examples[part])} with {marks} foci, {hits} of them candidates")
        for rate in (1, 3.1):
            sensitivity, confidence = operating_point(examples[part], scores[part], rate)
            print(
                f"  sensitivity {sensitivity:.2f} at {rate} false positives an image, where the confidence is {confidence:.2f}"
            )
    focus = calibrated(fit(examples), real, raw)
    unseen = {
        Path(entry["path"]).name: models[i % FOLDS]
        for i, entry in enumerate(marks_of(arguments.data))
    }
    write_models(
        {"focus": focus, "image": fit_image_score(arguments.data, networks, unseen, focus)}, MODELS
    )
    print(MODELS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
