"""Logistic models of a few named features, read from regions.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

MODELS = Path(__file__).with_name("regions.json")


@dataclass(frozen=True, slots=True)
class Logistic:
    """p = 1 / (1 + exp(-(intercept + sum of weight * feature)))."""

    intercept: float
    weights: dict[str, float]

    def probability(self, features: Mapping[str, float]) -> float:
        """Probability for one set of features."""
        logit = self.intercept + sum(weight * features[name] for name, weight in self.weights.items())
        return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))


@cache
def shipped(name: str) -> Logistic:
    """The model for `name`, "masses" or "ducts", that comes with the package."""
    return Logistic(**json.loads(MODELS.read_text(encoding="utf-8"))[name])


def write_models(models: Mapping[str, Logistic], file: Path = MODELS) -> None:
    """Write models; those of other names in the file stay."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    known |= {name: asdict(model) for name, model in models.items()}
    file.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
