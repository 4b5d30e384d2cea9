"""A small two-pass perceptron that says of each coarse pixel how much it looks like the inside of something; NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.anatomy.features import BOTH_MIRRORED, PIXEL_MIRRORED, Coarse, pixel_features, with_context
from usmicro.arrays import BoolImage, FloatImage


@dataclass(frozen=True)
class Perceptron:
    """Standardise, then layers of weights with a rectifier between; the last gives a logit."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    def logit(self, features: NDArray[np.float32], order: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Logit of features of shape (features, n), taken in an order of their own if one is given."""
        scaled = self.weights[0] / self.scale[:, None]  # the standardisation is folded into the first layer
        offset = self.biases[0] - self.mean @ scaled
        if order is not None:
            scaled = scaled[np.argsort(order)]  # the weights are far fewer than the features
        values: NDArray[np.floating[Any]] = scaled.T @ features
        values += offset[:, None]
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            values = weight.T @ np.maximum(values, 0, out=values)
            values += bias[:, None]
        return np.asarray(values[0], dtype=np.float32)


@dataclass(frozen=True)
class PixelModel:
    """Two passes: the second also sees what the first says of the surroundings (auto-context).

    References
    ----------
    Tu and Bai, IEEE Trans. Pattern Analysis and Machine Intelligence 32 (2010) 1744.
    """

    first: Perceptron
    second: Perceptron

    def probability(self, coarse: Coarse, where: BoolImage | None = None) -> FloatImage:
        """Probability of every coarse pixel, the mean of the image and its mirror image; 0 where `where` is not set."""
        features = pixel_features(coarse)
        seen = with_context(features, one_pass(self.first, features, where), coarse.tissue)
        return one_pass(self.second, seen, where)


def one_pass(layer: Perceptron, features: NDArray[np.float32], where: BoolImage | None = None) -> FloatImage:
    """What a pass says of its features, of shape (features, rows, columns), seen as they are and in the mirror."""
    mirrored = PIXEL_MIRRORED if len(features) == len(PIXEL_MIRRORED) else BOTH_MIRRORED
    chosen = features.reshape(len(features), -1) if where is None else features[:, where]
    logit = (layer.logit(chosen) + layer.logit(chosen, mirrored)) / 2
    # beyond 30 the logistic function is 0 or 1 in single precision, and exp would overflow
    probability = (1 / (1 + np.exp(-np.clip(logit, -30, 30)))).astype(np.float32)
    if where is None:
        return probability.reshape(features.shape[1:])
    out = np.zeros(features.shape[1:], np.float32)
    out[where] = probability
    return out


def read_model(file: Path) -> PixelModel:
    """Weights as the scripts in `training` write them."""
    with np.load(file) as arrays:
        passes = []
        for name in ("first", "second"):
            read = {key.removeprefix(f"{name}_"): arrays[key].astype(np.float32) for key in arrays if key.startswith(name)}
            count = sum(key.startswith("weight") for key in read)
            weights, biases = (tuple(read[f"{kind}{i}"] for i in range(count)) for kind in ("weight", "bias"))
            passes.append(Perceptron(read["mean"], read["scale"], weights, biases))
    return PixelModel(*passes)


def write_model(model: PixelModel, file: Path) -> None:
    """Write weights as half-precision floats."""
    arrays: dict[str, NDArray[np.float32]] = {}
    for name, layer in (("first", model.first), ("second", model.second)):
        arrays |= {f"{name}_mean": layer.mean, f"{name}_scale": layer.scale}
        arrays |= {f"{name}_weight{i}": weight for i, weight in enumerate(layer.weights)}
        arrays |= {f"{name}_bias{i}": bias for i, bias in enumerate(layer.biases)}
    np.savez(file, **{key: value.astype(np.float16) for key, value in arrays.items()})  # type: ignore[arg-type]


def weights_file(name: str) -> Path:
    """Where the weights for `name`, "mass" or "duct", lie in the package."""
    return Path(__file__).with_name(f"{name}_pixels.npz")


@cache
def shipped_model(name: str) -> PixelModel:
    """The model for `name`, "mass" or "duct", that comes with the package."""
    return read_model(weights_file(name))
