"""Fit the confidence of foci: `python -m training.confidence DATA` writes usmicro/confidence.json.

Learns from the marks of `echogenic-foci-marks` below DATA and from simulated scans. The figures printed are cross-validated over
images: each is scored by a model that has not seen it. The weights written are those of all images.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from usmicro.anatomy import find_anatomy
from usmicro.confidence import LogisticModel, focus_features
from usmicro.foci import find_candidates
from usmicro.loading import load
from usmicro.phantom import phantom_set
from usmicro.preparation import prepare
from usmicro.scan import Scan, Spacing

MODEL = Path(__file__).parents[1] / "usmicro" / "confidence.json"
PENALTY = 1.0
"""Of the squared weights, in units of one candidate."""
PHANTOM_WEIGHT = 0.3
"""Of a simulated image against a real one."""
FOLDS = 10
FIRST_SEED = 10_000
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


def matched(
    x: NDArray[np.float64], y: NDArray[np.float64], marks: list[dict[str, float]], ignored: list[dict[str, float]]
) -> NDArray[np.float64]:
    """1 for the nearest candidate to each mark within its radius or 6 px, NaN for others there and at ignored marks, else 0."""
    hit = np.zeros(len(x))
    for group, value in ((ignored, np.nan), (marks, np.nan)):
        for mark in group:
            hit[np.hypot(x - mark["x"], y - mark["y"]) <= max(mark["d"] / 2, 6)] = value
    for mark in marks:
        distance = np.hypot(x - mark["x"], y - mark["y"])
        if len(x) and distance.min() <= max(mark["d"] / 2, 6):
            hit[distance.argmin()] = 1
    return hit


def example(scan: Scan, marks: list[dict[str, float]], ignored: list[dict[str, float]], weight: float) -> Example:
    """Detect on the first frame of a scan and compare with its marks."""
    tables, positions = [], []
    for view in prepare(next(scan.frames()), spacing=scan.spacing, regions=scan.regions):
        candidates = find_candidates(view)
        tables.append(focus_features(view, candidates, find_anatomy(view)))
        positions.append(np.column_stack(view.grid.to_image(candidates.x, candidates.y)))
    where = np.concatenate(positions)
    features = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    return Example(features, matched(where[:, 0], where[:, 1], marks, ignored), len(marks), weight)


def real_examples(data: Path) -> list[Example]:
    """The marked images, with the pixel sizes that are known."""
    with (data / "breast-lesions-usg" / "cases.csv").open(encoding="utf-8") as file:
        millimetres = {row["Image_filename"]: 10 * float(row["Pixel_size"]) for row in csv.DictReader(file)}
    marks = json.loads((data / "echogenic-foci-marks" / "marks.json").read_text(encoding="utf-8"))
    examples = []
    for entry in marks.values():
        path = data / entry["path"]
        size = millimetres.get(path.name)
        scan = load(path, spacing=Spacing(size, size, "given") if size else None)
        examples.append(example(scan, entry["both"], entry["one"], weight=1.0))
    return examples


def simulated_examples(seeds: range) -> list[Example]:
    """Simulated B-mode scenes with their true foci."""
    examples = []
    for phantom in phantom_set("mixed", seeds):
        pixel = phantom.spacing.x_mm or 0.08
        marks = [{"x": f.x_px[0], "y": f.y_px[0], "d": f.diameter_mm / pixel} for f in phantom.truth.foci]
        examples.append(example(phantom.scan(), marks, [], PHANTOM_WEIGHT))
    return examples


def fit(examples: list[Example]) -> LogisticModel:
    """Logistic regression with a penalty on the squared weights, by maximum likelihood."""
    names = tuple(examples[0].features)
    values = np.concatenate([np.column_stack([e.features[name] for name in names]) for e in examples])
    hit = np.concatenate([e.hit for e in examples])
    weight = np.concatenate([np.full(len(e.hit), e.weight) for e in examples])
    known = np.isfinite(hit)
    values, hit, weight = values[known], hit[known], weight[known]
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-9
    table = np.column_stack([np.ones(len(values)), (values - mean) / scale])

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logit = table @ w
        slack = np.r_[0.0, w[1:]]
        value = float(weight @ (np.logaddexp(0, logit) - hit * logit) + PENALTY * slack @ slack / 2)
        return value, table.T @ (weight * (1 / (1 + np.exp(-logit)) - hit)) + PENALTY * slack

    w = minimize(loss, np.zeros(table.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x
    return LogisticModel(names, mean, scale, w[1:], float(w[0]))


def sensitivity(examples: list[Example], scores: list[NDArray[np.float64]], false_positives: float) -> float:
    """Share of the marks found at a number of false positives an image."""
    hit = np.concatenate([e.hit for e in examples])
    score = np.concatenate(scores)
    order = np.argsort(-score[np.isfinite(hit)], kind="stable")
    hit = hit[np.isfinite(hit)][order]
    allowed = np.cumsum(1 - hit) <= false_positives * len(examples)
    return float(hit[allowed].sum() / sum(e.marks for e in examples))


def cross_validated(examples: list[Example]) -> list[NDArray[np.float64]]:
    """Scores of each example by a model fitted to the other folds; an image's fold is its place in the list modulo FOLDS."""
    models = [fit([e for i, e in enumerate(examples) if i % FOLDS != fold]) for fold in range(FOLDS)]
    return [models[i % FOLDS].probability(e.features) for i, e in enumerate(examples)]


def main() -> None:
    """Fit, report and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with echogenic-foci-marks and breast-lesions-usg")
    parser.add_argument("--phantoms", type=int, default=100, help="how many simulated scans to learn from")
    arguments = parser.parse_args()
    real = real_examples(arguments.data)
    simulated = simulated_examples(range(FIRST_SEED, FIRST_SEED + arguments.phantoms))
    examples = real + simulated
    scores = cross_validated(examples)
    for name, part in (("marked scans", slice(None, len(real))), ("simulated scans", slice(len(real), None))):
        found = [f"{sensitivity(examples[part], scores[part], rate):.2f} at {rate}" for rate in (1, 3.1)]
        marks, hits = sum(e.marks for e in examples[part]), sum(int((e.hit == 1).sum()) for e in examples[part])
        print(
            f"{name}: {len(examples[part])} with {marks} foci, {hits} of them candidates;"
            f" sensitivity {', '.join(found)} false positives an image"
        )
    model = fit(examples)
    parameters = {
        "features": list(model.features),
        "mean": np.round(model.mean, 6).tolist(),
        "scale": np.round(model.scale, 6).tolist(),
        "weights": np.round(model.weights, 6).tolist(),
        "intercept": round(model.intercept, 6),
    }
    for name, weight in zip(model.features, model.weights, strict=True):
        print(f"{name:26s}{weight:+.2f}")
    MODEL.write_text(json.dumps(parameters, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
