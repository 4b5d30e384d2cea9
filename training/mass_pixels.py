"""Train the mass model: `python -m training.mass_pixels DATA`, with DATA as described in its README.

Two perceptrons over coarse pixels (`usmicro.anatomy.network`) are fitted to the outlines of BUS-BRA and BrEaST-Lesions-USG, then a
logistic model that says how sure a region is a mass. Out-of-fold values train whatever comes after a step, and give the numbers
that the command prints. NumPy only; the seeds are fixed, so that the same data give the same weights.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.outlines import Outlined, coarse_outline, read_outlined
from usmicro.anatomy.features import Coarse, coarse_view, pixel_features, with_context
from usmicro.anatomy.network import WEIGHTS, MassModel, Perceptron, first_pass, write_model
from usmicro.arrays import FloatImage

HIDDEN = (96, 32)
EPOCHS = 8
BATCH = 512
RATE = 2e-3
DROPOUT = 0.2
INSIDE, OUTSIDE = 100, 200
"""Coarse pixels drawn from an image, inside and outside the outlines."""
SCALE_SPREAD = 0.25
"""Spread of the natural logarithm of the scale: where the spacing is unknown, the grid's scale is a guess."""
COPIES = {"bus-bra": 1, "breast-lesions-usg": 4}
"""Jittered copies of an image: the smaller set would drown."""


@dataclass(frozen=True)
class Example:
    """One image on the coarse grid, with its outline."""

    image: str
    half: int
    """Which of two halves of the patients it belongs to."""
    coarse: Coarse
    outline: FloatImage
    """Fraction of the coarse pixel that lies inside an outline."""


Features = Callable[[Example], NDArray[np.float32]]


def jittered(scan: Outlined, generator: np.random.Generator) -> Example:
    """The scan on the coarse grid at a scale that is a little wrong."""
    factor = float(np.exp(generator.uniform(-SCALE_SPREAD, SCALE_SPREAD)))
    view = scan.view
    coarse = coarse_view(replace(view, grid=replace(view.grid, pixel_mm=view.grid.pixel_mm * factor)))
    return Example(scan.image, scan.half, coarse, coarse_outline(scan.outline, coarse))


def draw(examples: Sequence[Example], features: Features, seed: int) -> tuple[NDArray[np.float32], ...]:
    """Features (n, features), target (n,) and weight (n,) of pixels drawn from each image."""
    generator = np.random.default_rng(seed)
    values, targets, weights = [], [], []
    for example in examples:
        flat = features(example).reshape(-1, example.outline.size)
        target, tissue = example.outline.ravel(), example.coarse.tissue.ravel() > 0.5
        for inside, wanted in ((True, INSIDE), (False, OUTSIDE)):
            pixels = np.flatnonzero(tissue & ((target > 0.5) == inside))
            drawn = generator.choice(pixels, min(wanted, len(pixels)), replace=False) if len(pixels) else pixels
            values.append(flat[:, drawn].T)
            targets.append(target[drawn])
            # a lesion weighs a quarter of its image, however small, but no pixel more than two
            weights.append(np.full(len(drawn), min(0.25 * OUTSIDE / max(len(drawn), 1), 2.0) if inside else 1.0))
    return np.concatenate(values), np.concatenate(targets).astype(np.float32), np.concatenate(weights).astype(np.float32)


def fit(values: NDArray[np.float32], target: NDArray[np.float32], weight: NDArray[np.float32], seed: int) -> Perceptron:
    """Fit by weighted cross-entropy: Adam (Kingma and Ba 2015) with a cosine rate and dropout on the hidden units."""
    generator = np.random.default_rng(seed)
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-3
    sizes = (values.shape[1], *HIDDEN, 1)
    weights = [(generator.standard_normal((a, b)) * np.sqrt(2 / a)).astype(np.float32) for a, b in pairwise(sizes)]
    biases = [np.zeros(size, np.float32) for size in sizes[1:]]
    parameters = weights + biases
    first, second = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    steps, step = EPOCHS * (len(values) // BATCH), 0
    for _ in range(EPOCHS):
        order = generator.permutation(len(values))
        for start in range(0, len(values) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            layers, kept = [(values[batch] - mean) / scale], []
            for matrix, bias in zip(weights[:-1], biases[:-1], strict=True):
                hidden = np.maximum(layers[-1] @ matrix + bias, 0)
                kept.append((generator.random(hidden.shape, dtype=np.float32) > DROPOUT) / np.float32(1 - DROPOUT))
                layers.append(hidden * kept[-1])
            logit = (layers[-1] @ weights[-1] + biases[-1])[:, 0]
            error = (1 / (1 + np.exp(-np.clip(logit, -30, 30))) - target[batch]) * weight[batch] / BATCH
            back = error[:, None].astype(np.float32)
            gradients: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(parameters)
            for layer in range(len(weights) - 1, -1, -1):
                gradients[layer], gradients[len(weights) + layer] = layers[layer].T @ back, back.sum(axis=0)
                if layer:
                    back = (back @ weights[layer].T) * (layers[layer] > 0) * kept[layer - 1]
            step += 1
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            for parameter, gradient, m, v in zip(parameters, gradients, first, second, strict=True):
                m += 0.1 * (gradient - m)
                v += 0.001 * (gradient * gradient - v)
                parameter -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return Perceptron(mean.astype(np.float32), scale.astype(np.float32), tuple(weights), tuple(biases))


def fit_model(examples: Sequence[Example], seed: int) -> MassModel:
    """Both passes; the second learns from what first passes fitted without an image say of that image."""
    names = sorted({example.image for example in examples})
    side = {name: i % 2 for i, name in enumerate(names)}

    def see(example: Example) -> NDArray[np.float32]:
        return pixel_features(example.coarse)

    unseen: dict[int, FloatImage] = {}
    for out in (0, 1):
        layer = fit(*draw([e for e in examples if side[e.image] != out], see, seed + out), seed + out)
        for e in examples:
            if side[e.image] == out:
                unseen[id(e)] = first_pass(layer, pixel_features(e.coarse))

    def see_context(example: Example) -> NDArray[np.float32]:
        return with_context(pixel_features(example.coarse), unseen[id(example)], example.coarse.tissue)

    first = fit(*draw(examples, see, seed + 2), seed + 2)
    return MassModel(first, fit(*draw(examples, see_context, seed + 3), seed + 3))


def area_under_curve(score: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    """Area under the receiver operating characteristic, by ranks."""
    from scipy.stats import rankdata

    ranks, count = rankdata(score), int(positive.sum())
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


def report(title: str, model: MassModel, examples: Sequence[Example]) -> None:
    """Print how well a model does on images that it was not trained on."""
    generator, scores, inside, dice = np.random.default_rng(1), [], [], []
    for example in examples:
        probability, outline = model.probability(example.coarse), example.outline > 0.5
        drawn = generator.choice(outline.size, 600)
        scores.append(probability.ravel()[drawn])
        inside.append(outline.ravel()[drawn])
        if outline.any():
            found = probability > 0.5
            dice.append(2 * (found & outline).sum() / (found.sum() + outline.sum()))
    area = area_under_curve(np.concatenate(scores), np.concatenate(inside))
    print(f"{title}: {len(examples)} images, pixel AUC {area:.4f}, pixel Dice at 0.5 {np.mean(dice):.3f}", flush=True)


def main() -> None:
    """Train, print out-of-fold numbers, write the weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with bus-bra and breast-lesions-usg")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="weights file to write")
    parser.add_argument("--halves", type=Path, help="folder for the weights fitted without each half of the patients")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    started = time.perf_counter()
    generator = np.random.default_rng(0)
    plain: list[Example] = []
    training: list[Example] = []
    sets: dict[str, str] = {}
    for scan in read_outlined(options.data):
        coarse = coarse_view(scan.view)
        plain.append(Example(scan.image, scan.half, coarse, coarse_outline(scan.outline, coarse)))
        training += [jittered(scan, generator) for _ in range(COPIES[scan.source])]
        sets[scan.image] = scan.source
    print(f"{len(plain)} images read, {time.perf_counter() - started:.0f} s", flush=True)
    for half in (0, 1):
        model = fit_model([e for e in training if e.half != half], seed=100 * (half + 1))
        for source in COPIES:
            report(f"half {half}, {source}", model, [e for e in plain if e.half == half and sets[e.image] == source])
        if options.halves:
            write_model(model, options.halves / f"without-half-{half}.npz")
    model = fit_model([e for e in training if sets[e.image] == "bus-bra"], seed=300)
    report("bus-bra alone, on breast-lesions-usg", model, [e for e in plain if sets[e.image] == "breast-lesions-usg"])
    if options.halves:
        write_model(model, options.halves / "bus-bra-alone.npz")
    write_model(fit_model(training, seed=0), options.out)
    print(f"{options.out} written, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
