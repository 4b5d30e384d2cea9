"""Fit the probabilities behind the labels to simulated scans: `python -m training.labels` writes usmicro/labels.json.

No data set says of a focus in which duct or mass it lies, so exact truth comes from phantoms. Half of the scans gives the models whose
figures on the other half are printed; the models written are those of all.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.logistic import fit_logistic
from usmicro.anatomy import find_anatomy
from usmicro.labelling.labels import MODELS, label_evidence
from usmicro.numerics.logistic import Logistic, write_models
from usmicro.phantom import phantom_set
from usmicro.preparation import prepare
from usmicro.settings import LabelSettings

FIRST_SEED = 60_000
"""Other seeds serve tests, benchmarks and the other models."""

Row = tuple[str, dict[str, float], dict[str, float]]
"""True label of a focus, and the evidence for mass and duct."""


def rows_of(seeds: Sequence[int]) -> list[Row]:
    """Every focus of the simulated scans."""
    rows: list[Row] = []
    for phantom in phantom_set("mixed", seeds):
        scan = phantom.scan()
        for view in prepare(next(scan.frames()), spacing=scan.spacing, regions=scan.regions):
            x, y = view.grid.from_image(
                *(
                    np.array([getattr(focus, axis)[0] for focus in phantom.truth.foci])
                    for axis in ("x_px", "y_px")
                )
            )
            row, column = np.rint(y).astype(int), np.rint(x).astype(int)
            shown = (row >= 0) & (row < view.shape[0]) & (column >= 0) & (column < view.shape[1])
            labels = [
                focus.label
                for focus, inside in zip(phantom.truth.foci, shown, strict=True)
                if inside
            ]
            evidence = label_evidence(
                view, find_anatomy(view), row[shown], column[shown], LabelSettings()
            )
            for i, label in enumerate(labels):
                mass, duct = (
                    {name: values[i] for name, values in part.features.items()}
                    for part in (evidence.mass, evidence.duct)
                )
                rows.append((label, mass, duct))
    return rows


def fit(rows: Sequence[Row]) -> dict[str, Logistic]:
    """The models that suit the rows best."""
    evidence: dict[str, tuple[str, list[dict[str, float]]]] = {
        "mass": ("intramass", [mass for _, mass, _ in rows]),
        "duct": ("intraductal", [duct for _, _, duct in rows]),
    }
    models = {}
    for name, (label, measured) in evidence.items():
        features = {key: [values[key] for values in measured] for key in measured[0]}
        models[name] = fit_logistic(features, [row[0] == label for row in rows])
    return models


def shares(models: dict[str, Logistic], rows: Sequence[Row]) -> NDArray[np.float64]:
    """Probability of each label: intramass, intraductal, extramass."""
    duct = np.array([models["duct"].probability(row[2]) for row in rows])
    mass = np.array([models["mass"].probability(row[1]) for row in rows]) * (1 - duct)
    return np.stack([mass, duct, 1 - mass - duct])


def main() -> None:
    """Fit, report and write the models."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--phantoms", type=int, default=160, help="how many simulated scans to learn from"
    )
    count = parser.parse_args().phantoms
    rows = rows_of(range(FIRST_SEED, FIRST_SEED + count))
    half = len(rows) // 2
    found = shares(fit(rows[:half]), rows[half:])
    names = np.array(["intramass", "intraductal", "extramass"])[found.argmax(axis=0)]
    right, confidence = names == np.array([row[0] for row in rows[half:]]), found.max(axis=0)
    print(
        f"{len(right)} foci not learnt from: {right.mean():.3f} of the labels right, Brier score {np.mean((confidence - right) ** 2):.3f}"
    )
    for least, most in ((0, 0.7), (0.7, 0.9), (0.9, 0.97), (0.97, 1.01)):
        inside = (confidence >= least) & (confidence < most)
        if inside.any():
            print(
                f"  confidence {confidence[inside].mean():.2f}: {inside.sum()} labels, {right[inside].mean():.2f} right"
            )
    write_models(fit(rows), MODELS)
    print(MODELS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
