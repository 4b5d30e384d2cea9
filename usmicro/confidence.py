"""Confidence: how sure each focus is, from what was measured at it and where it lies; and the score of the image as a whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from usmicro.findings import Anatomy, Candidates, Focus
from usmicro.view import View

AROUND_MM = 0.3
"""The mass probability at a focus is averaged over this distance (standard deviation)."""


@dataclass(frozen=True, slots=True)
class LogisticModel:
    """p = 1 / (1 + exp(-(intercept + sum of weight * (feature - mean) / scale)))."""

    features: tuple[str, ...]
    """Names from `focus_features`."""
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    intercept: float

    def probability(self, values: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Probability for n items, from arrays of n values by feature name."""
        table = np.column_stack([values[name] for name in self.features])
        logit = self.intercept + ((table - self.mean) / self.scale) @ self.weights
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))))


@cache
def shipped_model() -> LogisticModel:
    """The model that `python -m training.confidence` fitted."""
    return model_from(json.loads(files("usmicro").joinpath("confidence.json").read_text(encoding="utf-8")))


def model_from(parameters: dict[str, object]) -> LogisticModel:
    """A model from its JSON form."""
    arrays = {name: np.asarray(parameters[name], float) for name in ("mean", "scale", "weights")}
    return LogisticModel(features=tuple(parameters["features"]), intercept=float(parameters["intercept"]), **arrays)  # type: ignore[arg-type]


def focus_features(view: View, candidates: Candidates, anatomy: Anatomy) -> dict[str, NDArray[np.float64]]:
    """What the confidence is judged by, for each candidate: what was measured at it, and the anatomy around it.

    Lengths are in mm by the grid's scale, which is an estimate where the spacing is unknown. Quantities that span decades are
    taken as logarithms, the mass probability as log odds. `usmicro.foci.measures.measure` says what the others are.
    """
    import cv2

    measured = candidates.features
    rows, columns = view.shape
    row = np.clip(np.rint(candidates.y).astype(int), 0, rows - 1)
    column = np.clip(np.rint(candidates.x).astype(int), 0, columns - 1)
    around = cv2.GaussianBlur(anatomy.mass_probability, (0, 0), view.grid.pixels(AROUND_MM))
    mass = np.clip(around[row, column].astype(float), 0.001, 0.999)
    return {
        "log_blobness_to_texture": np.log(np.maximum(measured["blobness_to_texture"], 1e-3)),
        "log_response": np.log(np.maximum(measured["response"], 0.1)),
        "log_grey_contrast": np.log(np.maximum(measured["grey_contrast"], 1.0)),
        "log_scale_mm": np.log(measured["scale_mm"]),
        "log_ridge_mm": np.log(np.maximum(measured["ridge_mm"], 0.0) + 0.1),
        "line": candidates.line,
        "roundness_wide": measured["roundness_wide"],
        "across_beam": measured["across_beam"],
        "depth_mm": measured["depth_mm"],
        "ring_quantile": measured["ring_quantile"],
        "region_quantile": measured["region_quantile"],
        "mass_log_odds": np.log(mass / (1 - mass)),
    }


def focus_confidence(view: View, candidates: Candidates, anatomy: Anatomy, model: LogisticModel | None = None) -> NDArray[np.float64]:
    """Confidence of each candidate, 0 to 1: the probability that a reader would mark it as an echogenic focus.

    Parameters
    ----------
    view, candidates, anatomy
        Of one frame, on one grid.
    model : LogisticModel, optional
        The shipped one if not given.

    Returns
    -------
    array, shape (n,)
    """
    if not len(candidates):
        return np.empty(0)
    return (model or shipped_model()).probability(focus_features(view, candidates, anatomy))


def calcification_score(foci: Sequence[Focus]) -> float:
    """How strongly an image as a whole shows calcification, 0 to 1: the probability that at least one of its foci is real.

    Foci are taken as independent; `foci` are all candidates, so that the score does not depend on which are listed.
    """
    return float(1 - np.prod([1 - focus.confidence for focus in foci]))
