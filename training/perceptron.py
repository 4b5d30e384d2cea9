"""Fit a two-pass pixel model (`usmicro.anatomy.network`) in NumPy; the seeds are fixed, so that the same data give the same weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from usmicro.anatomy.features import Coarse, pixel_features, with_context
from usmicro.anatomy.network import Perceptron, PixelModel, one_pass
from usmicro.arrays import BoolImage, FloatImage

EPOCHS = 8
BATCH = 512
RATE = 2e-3
DROPOUT = 0.2
INSIDE, OUTSIDE = 100, 200
"""Coarse pixels drawn from an image, inside and outside the outlines."""


@dataclass(frozen=True)
class Example:
    """One image on the coarse grid, with its outline."""

    image: str
    source: str
    half: int
    """0 or 1; all images of a patient are in one half."""
    coarse: Coarse
    outline: FloatImage
    """Fraction of the coarse pixel that lies inside an outline."""
    where: BoolImage
    """Pixels that the model is asked about."""


Features = Callable[[Example], NDArray[np.float32]]


def draw(examples: Sequence[Example], features: Features, seed: int) -> tuple[NDArray[np.float32], ...]:
    """Features (n, features), target (n,) and weight (n,) of pixels drawn from each image."""
    generator = np.random.default_rng(seed)
    values, targets, weights = [], [], []
    for example in examples:
        flat = features(example).reshape(-1, example.outline.size)
        target = example.outline.ravel()
        for inside, wanted in ((True, INSIDE), (False, OUTSIDE)):
            pixels = np.flatnonzero(example.where.ravel() & ((target > 0.5) == inside))
            drawn = generator.choice(pixels, min(wanted, len(pixels)), replace=False) if len(pixels) else pixels
            values.append(flat[:, drawn].T)
            targets.append(target[drawn])
            # what is outlined weighs a quarter of its image, however small, but no pixel more than two
            weights.append(np.full(len(drawn), min(0.25 * OUTSIDE / max(len(drawn), 1), 2.0) if inside else 1.0))
    return np.concatenate(values), np.concatenate(targets).astype(np.float32), np.concatenate(weights).astype(np.float32)


def fit(
    values: NDArray[np.float32], target: NDArray[np.float32], weight: NDArray[np.float32], hidden: tuple[int, ...], seed: int
) -> Perceptron:
    """Fit by weighted cross-entropy: Adam (Kingma and Ba 2015) with a cosine rate and dropout on the hidden units."""
    generator = np.random.default_rng(seed)
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-3
    weights = [(generator.standard_normal((a, b)) * np.sqrt(2 / a)).astype(np.float32) for a, b in pairwise((values.shape[1], *hidden, 1))]
    biases = [np.zeros(matrix.shape[1], np.float32) for matrix in weights]
    parameters = weights + biases
    first, second = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    steps, step = EPOCHS * (len(values) // BATCH), 0
    for _ in range(EPOCHS):
        order = generator.permutation(len(values))
        for start in range(0, len(values) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            layers, kept = [(values[batch] - mean) / scale], []
            for matrix, bias in zip(weights[:-1], biases[:-1], strict=True):
                active = np.maximum(layers[-1] @ matrix + bias, 0)
                kept.append((generator.random(active.shape, dtype=np.float32) > DROPOUT) / np.float32(1 - DROPOUT))
                layers.append(active * kept[-1])
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


def fit_model(examples: Sequence[Example], hidden: tuple[int, ...], seed: int) -> PixelModel:
    """Both passes; the second learns from what first passes fitted without an image say of that image."""
    side = {name: i % 2 for i, name in enumerate(sorted({example.image for example in examples}))}

    def see(example: Example) -> NDArray[np.float32]:
        return pixel_features(example.coarse)

    unseen: dict[int, FloatImage] = {}
    for out in (0, 1):
        layer = fit(*draw([e for e in examples if side[e.image] != out], see, seed + out), hidden, seed + out)
        for example in examples:
            if side[example.image] == out:
                unseen[id(example)] = one_pass(layer, see(example), example.where)

    def see_context(example: Example) -> NDArray[np.float32]:
        return with_context(see(example), unseen[id(example)], example.coarse.tissue)

    first = fit(*draw(examples, see, seed + 2), hidden, seed + 2)
    return PixelModel(first, fit(*draw(examples, see_context, seed + 3), hidden, seed + 3))


def area_under_curve(score: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    """Area under the receiver operating characteristic, by ranks."""
    from scipy.stats import rankdata

    ranks, count = rankdata(score), int(positive.sum())
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


def report(title: str, model: PixelModel, examples: Sequence[Example]) -> None:
    """Print how well a model does on images that it was not trained on."""
    generator, scores, inside, dice = np.random.default_rng(1), [], [], []
    for example in examples:
        probability, outline = model.probability(example.coarse, example.where), example.outline > 0.5
        drawn = generator.choice(outline.size, 600)
        scores.append(probability.ravel()[drawn])
        inside.append(outline.ravel()[drawn])
        if outline.any():
            found = probability > 0.5
            dice.append(2 * (found & outline).sum() / (found.sum() + outline.sum()))
    area = area_under_curve(np.concatenate(scores), np.concatenate(inside))
    print(f"{title}: {len(examples)} images, pixel AUC {area:.4f}, pixel Dice at 0.5 {np.mean(dice):.3f}", flush=True)
