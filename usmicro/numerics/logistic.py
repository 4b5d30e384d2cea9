"""Logistic models of a few named features: the small models of the package, readable in the files that hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Logistic:
    """p = 1 / (1 + exp(-(intercept + sum of weight * feature)))."""

    intercept: float
    weights: dict[str, float]

    def probability(self, features: Mapping[str, Any]) -> Any:
        """Probability for features by name, numbers or arrays of one shape; other features are left unused."""
        logit = self.intercept + sum(
            weight * features[name] for name, weight in self.weights.items()
        )
        return 1 / (1 + np.exp(-np.clip(logit, -30, 30)))


@cache
def read_models(file: Path) -> dict[str, Logistic]:
    """The models that a JSON file holds, by name."""
    return {
        name: Logistic(**model)
        for name, model in json.loads(file.read_text(encoding="utf-8")).items()
    }


def write_models(models: Mapping[str, Logistic], file: Path) -> None:
    """Write models into a JSON file; those of other names in it stay."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    known |= {name: asdict(model) for name, model in models.items()}
    file.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
