"""Logistic models of a few named features, stored as readable JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

LARGEST_LOGIT = 30.0
"""Largest magnitude of a logit. It keeps the exponential from overflowing; probabilities beyond
1e-13 from 0 or 1 are not distinguished."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """Logistic model: p = 1 / (1 + exp(-(intercept + sum of weight * feature)))."""

    intercept: float
    """Log odds if all features are 0."""
    weights: dict[str, float]
    """Log odds for one unit of each feature, by name of the feature."""
    means: dict[str, float] = field(default_factory=dict)
    """Mean of each feature over the data to which the model was fitted; empty if not needed."""

    def probability(self, features: Mapping[str, Any]) -> Any:
        """Return the probability that the model predicts.

        Parameters
        ----------
        features : mapping of str to float or array
            All features of the model, by name; arrays have one shape. Other features are ignored.

        Returns
        -------
        float or array
            Probability, in the shape of the features.
        """
        logit = self.intercept + sum(
            weight * features[name] for name, weight in self.weights.items()
        )
        return 1 / (1 + np.exp(-np.clip(logit, -LARGEST_LOGIT, LARGEST_LOGIT)))


@cache
def read_models(file: Path) -> dict[str, Logistic]:
    """Read the models in a JSON file, by name. They are read once in each process."""
    return models_in(file)


def models_in(file: Path) -> dict[str, Logistic]:
    """Read the models in a JSON file, by name, as it is now."""
    models = json.loads(file.read_text(encoding="utf-8"))
    return {name: Logistic(**model) for name, model in models.items()}


def write_models(models: Mapping[str, Logistic], file: Path) -> None:
    """Write models, by name, into a JSON file. Other models in the file are kept."""
    stored = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    stored |= {
        name: {key: value for key, value in asdict(model).items() if key != "means" or value}
        for name, model in models.items()
    }
    file.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="utf-8")
