"""Fit the probabilities on which the labels of foci are based.

Run
    python -m training.labels
Needs
    No data: the scans are simulated. It uses the shipped mass and duct networks.
Takes
    About 2 minutes on one core (extrapolated from a few scans).
Writes
    usmicro/labelling/labels.json. It prints accuracy and Brier score.

No data set tells in which duct or mass a focus lies, so the truth comes from simulated scans. The
printed figures are of one half of the foci, with models fitted to the other half. The models that
are written are fitted to all.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.logistic import fit_logistic
from usmicro.anatomy import find_anatomy
from usmicro.labelling.labels import MODELS, label_evidence
from usmicro.model.findings import Label
from usmicro.numerics.logistic import Logistic, write_models
from usmicro.phantom import phantom_set
from usmicro.preparation import prepare
from usmicro.settings import LabelSettings

FIRST_SEED = 60_000
"""First seed of the simulated scans. Tests, benchmarks and other models use other seeds."""

LABELS: tuple[Label, ...] = ("intramass", "intraductal", "extramass")
"""Order of the labels in `label_probabilities`."""

CONFIDENCE_BINS = ((0, 0.7), (0.7, 0.9), (0.9, 0.97), (0.97, 1.01))
"""Ranges of the confidence for which the accuracy is printed."""


@dataclass(frozen=True)
class Example:
    """A focus of a simulated scan."""

    label: Label
    """True label."""
    mass: dict[str, float]
    """Evidence that the focus is in a mass, by feature."""
    duct: dict[str, float]
    """Evidence that the focus is in a duct, by feature."""


def examples_of(seeds: Sequence[int]) -> list[Example]:
    """Return the foci of simulated scans that are within a view."""
    examples: list[Example] = []
    for phantom in phantom_set("mixed", seeds):
        scan, foci = phantom.scan(), phantom.truth.foci
        x_px, y_px = (np.array([f.x_px[0] for f in foci]), np.array([f.y_px[0] for f in foci]))
        for view in prepare(next(scan.frames()), spacing=scan.spacing, regions=scan.regions):
            x, y = view.grid.from_image(x_px, y_px)
            row, column = np.rint(y).astype(int), np.rint(x).astype(int)
            inside = (row >= 0) & (row < view.shape[0]) & (column >= 0) & (column < view.shape[1])
            evidence = label_evidence(
                view, find_anatomy(view), row[inside], column[inside], LabelSettings()
            )
            for i, number in enumerate(np.flatnonzero(inside)):
                mass, duct = (
                    {name: float(values[i]) for name, values in part.features.items()}
                    for part in (evidence.mass, evidence.duct)
                )
                examples.append(Example(foci[number].label, mass, duct))
    return examples


def fit(examples: Sequence[Example]) -> dict[str, Logistic]:
    """Fit the models `mass` and `duct` to examples."""
    return {
        "mass": _fit_model(
            [example.mass for example in examples],
            [example.label == "intramass" for example in examples],
        ),
        "duct": _fit_model(
            [example.duct for example in examples],
            [example.label == "intraductal" for example in examples],
        ),
    }


def _fit_model(rows: Sequence[dict[str, float]], target: Sequence[bool]) -> Logistic:
    return fit_logistic({name: [row[name] for row in rows] for name in rows[0]}, target)


def label_probabilities(
    models: dict[str, Logistic], examples: Sequence[Example]
) -> NDArray[np.float64]:
    """Return the probability of each label, shape (3, n), in the order of `LABELS`."""
    duct = np.array([models["duct"].probability(example.duct) for example in examples])
    mass = np.array([models["mass"].probability(example.mass) for example in examples])
    mass = mass * (1 - duct)
    return np.stack([mass, duct, 1 - mass - duct])


def report(models: dict[str, Logistic], examples: Sequence[Example]) -> None:
    """Print accuracy and Brier score of the labels of examples."""
    probability = label_probabilities(models, examples)
    labels = np.array(LABELS)[probability.argmax(axis=0)]
    is_right = labels == np.array([example.label for example in examples])
    confidence = probability.max(axis=0)
    print(
        f"{len(is_right)} foci that were not used for the fit: "
        f"{is_right.mean():.3f} of the labels right, "
        f"Brier score {np.mean((confidence - is_right) ** 2):.3f}"
    )
    for least, most in CONFIDENCE_BINS:
        inside = (confidence >= least) & (confidence < most)
        if inside.any():
            print(
                f"  confidence {confidence[inside].mean():.2f}: "
                f"{inside.sum()} labels, {is_right[inside].mean():.2f} right"
            )


def main() -> None:
    """Fit the models, print their figures and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--phantoms", type=int, default=160, help="number of simulated scans to fit to"
    )
    count = parser.parse_args().phantoms
    examples = examples_of(range(FIRST_SEED, FIRST_SEED + count))
    half = len(examples) // 2
    report(fit(examples[:half]), examples[half:])
    write_models(fit(examples), MODELS)
    print(MODELS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
