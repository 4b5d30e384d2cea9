"""A two-layer perceptron that says of each coarse pixel how much it looks like the inside of a mass; NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usmicro.anatomy.features import BOTH_MIRRORED, PIXEL_MIRRORED, Coarse, pixel_features, with_context
from usmicro.arrays import FloatImage

WEIGHTS = Path(__file__).with_name("mass_pixels.npz")


@dataclass(frozen=True)
class Perceptron:
    """Standardise, then layers of weights with a rectifier between; the last gives a logit."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    def logit(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logit of features of shape (features, n)."""
        values = (features - self.mean[:, None]) / self.scale[:, None]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = np.maximum(weight.T @ values + bias[:, None], 0)
        return np.asarray((self.weights[-1].T @ values + self.biases[-1][:, None])[0], dtype=np.float32)


@dataclass(frozen=True)
class MassModel:
    """Two passes: the second also sees what the first says of the surroundings (auto-context).

    References
    ----------
    Tu and Bai, IEEE Trans. Pattern Analysis and Machine Intelligence 32 (2010) 1744.
    """

    first: Perceptron
    second: Perceptron

    def probability(self, coarse: Coarse) -> FloatImage:
        """Mass probability of every coarse pixel, the mean of the image and its mirror image."""
        features = pixel_features(coarse)
        context = with_context(features, first_pass(self.first, features), coarse.tissue)
        return _both_ways(self.second, context, BOTH_MIRRORED)


def first_pass(layer: Perceptron, features: NDArray[np.float32]) -> FloatImage:
    """What the first pass says of `pixel_features`; shape (rows, columns)."""
    return _both_ways(layer, features, PIXEL_MIRRORED)


def _both_ways(layer: Perceptron, features: NDArray[np.float32], mirrored: NDArray[np.intp]) -> FloatImage:
    flat = features.reshape(len(features), -1)
    logit = (layer.logit(flat) + layer.logit(flat[mirrored])) / 2
    # beyond 30 the logistic function is 0 or 1 in single precision, and exp would overflow
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))), dtype=np.float32).reshape(features.shape[1:])


def read_model(file: Path) -> MassModel:
    """Weights as `training.mass_pixels` writes them."""
    with np.load(file) as arrays:
        passes = []
        for name in ("first", "second"):
            count = sum(key.startswith(f"{name}_weight") for key in arrays)
            read = {key: arrays[key].astype(np.float32) for key in arrays if key.startswith(name)}
            weights = tuple(read[f"{name}_weight{i}"] for i in range(count))
            biases = tuple(read[f"{name}_bias{i}"] for i in range(count))
            passes.append(Perceptron(read[f"{name}_mean"], read[f"{name}_scale"], weights, biases))
    return MassModel(*passes)


def write_model(model: MassModel, file: Path) -> None:
    """Write weights as half-precision floats."""
    arrays = {}
    for name, layer in (("first", model.first), ("second", model.second)):
        arrays |= {f"{name}_mean": layer.mean, f"{name}_scale": layer.scale}
        arrays |= {f"{name}_weight{i}": weight for i, weight in enumerate(layer.weights)}
        arrays |= {f"{name}_bias{i}": bias for i, bias in enumerate(layer.biases)}
    np.savez(file, **{key: value.astype(np.float16) for key, value in arrays.items()})


@cache
def shipped_model() -> MassModel:
    """The model that comes with the package."""
    return read_model(WEIGHTS)
