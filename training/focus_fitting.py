"""Fit the confidence of foci to candidates. This module is not a program.

The confidence has two stages. The model `alone` gives a first confidence from the measures of a
candidate and from the focus network. The model `focus` also knows the first confidences of the
candidates around it. A candidate of the training never gets its network output or its first
confidence from a model that was fitted to its patient, because such values would be too good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.focus_examples import (
    FOLDS,
    SIMULATED,
    WITHOUT_FOLD,
    ImageCandidates,
    is_held_out,
    learns_from,
    stacked,
    work_file,
)
from training.logistic import fit_logistic
from usmicro.foci.appearance import network_log_odds
from usmicro.numerics.logistic import Logistic

Floats = NDArray[np.float64]
Table = Mapping[str, Floats]

SIMULATED_WEIGHT = 0.1
"""Weight of a candidate in a simulated image; one in a real image has the weight 1.

Simulated images have many more foci. With 0.01, 0.03, 0.1 and 0.3, sensitivities at 1 false
positive per image were 0.73, 0.72, 0.71 and 0.70 on real images and 0.82, 0.84, 0.86 and 0.88 on
simulated ones (patients left out).
"""

RIDGE = 1e-3
"""Ridge penalty of the models, see `fit_logistic`.

With 3e-3, 1e-3, 3e-4 and 1e-5, sensitivities at 2 false positives per image were 0.78, 0.79, 0.79
and 0.76 for patients left out, and at 1 false positive per image there were 0.51, 0.57, 0.63 and
0.70 foci per normal image.
"""

CALIBRATION_RIDGE = 1e-7
"""Ridge penalty of the calibration. Marks are rare, and a larger one would shrink the slope."""

LEAST_PROBABILITY = 1e-6
"""Probabilities are cut so far from 0 and 1 before the calibration."""


@dataclass(frozen=True)
class FittedFoci:
    """The two models of the confidence."""

    alone: Logistic
    focus: Logistic

    def confidence(self, image: ImageCandidates, appearance: Floats) -> Floats:
        """Return the confidence of each candidate; `appearance` is the output of the network."""
        table = {**image.features, "appearance": appearance}
        context = image.context(np.asarray(self.alone.probability(table)))
        return np.asarray(self.focus.probability(table | context))


def appearances(
    work: Path, images: Sequence[ImageCandidates], name: str | None = None
) -> list[Floats]:
    """Run the focus network on the candidates of images.

    Parameters
    ----------
    work : Path
        Folder of the networks of `training.appearance`.
    images : sequence of ImageCandidates
    name : str, optional
        Name of the network; by default the one that has not seen the fold of the patient.
    """
    return [
        network_log_odds(
            image.patches.astype(np.float32), work_file(work, name or WITHOUT_FOLD[image.fold])
        )
        for image in images
    ]


def fit_foci(
    name: str, images: Sequence[ImageCandidates], appearance: Sequence[Floats]
) -> tuple[FittedFoci, list[Floats]]:
    """Fit the models of a name.

    Parameters
    ----------
    name : str
        One of `training.focus_examples.NAMES`; it says from which images the models learn.
    images : sequence of ImageCandidates
        All real and simulated images.
    appearance : sequence of array
        Output of the network that has not seen the patient, for each image.

    Returns
    -------
    models : FittedFoci
    scores : list of array
        Calibrated confidences of all images, each from logistic models that were fitted without its
        fold. The calibration, which has two numbers, is fitted to all folds.
    """
    learned = [learns_from(name, image) for image in images]
    tables: list[Table] = [
        {**image.features, "appearance": log_odds}
        for image, log_odds in zip(images, appearance, strict=True)
    ]
    alone_names = list(tables[0])
    alone_by_fold = _fitted_by_fold(images, tables, learned, alone_names)
    tables = [
        {**table, **image.context(np.asarray(alone_by_fold[image.fold].probability(table)))}
        for image, table in zip(images, tables, strict=True)
    ]
    names = list(tables[0])
    by_fold = _fitted_by_fold(images, tables, learned, names)
    raw = [
        np.asarray(by_fold[image.fold].probability(table))
        for image, table in zip(images, tables, strict=True)
    ]
    calibration = _calibration(
        [
            (image.is_focus, score)
            for image, score, is_learned in zip(images, raw, learned, strict=True)
            if is_learned and image.source != SIMULATED
        ]
    )
    scores = [_calibrated_scores(calibration, score) for score in raw]
    alone = _fitted(images, tables, learned, alone_names)
    focus = _calibrated(calibration, _fitted(images, tables, learned, names))
    return FittedFoci(alone, focus), scores


def held_out_scores(
    work: Path,
    name: str,
    models: FittedFoci,
    images: Sequence[ImageCandidates],
) -> dict[int, Floats]:
    """Return the confidences of the images that the models must not see, by index."""
    chosen = [i for i, image in enumerate(images) if is_held_out(name, image)]
    log_odds = appearances(work, [images[i] for i in chosen], name)
    return {i: models.confidence(images[i], own) for i, own in zip(chosen, log_odds, strict=True)}


def _fitted_by_fold(
    images: Sequence[ImageCandidates],
    tables: Sequence[Table],
    learned: Sequence[bool],
    names: Sequence[str],
) -> list[Logistic]:
    """Fit one model per fold of the patients, to the images of all other folds."""
    return [
        _fitted(
            images,
            tables,
            [use and image.fold != fold for use, image in zip(learned, images, strict=True)],
            names,
        )
        for fold in range(FOLDS)
    ]


def _fitted(
    images: Sequence[ImageCandidates],
    tables: Sequence[Table],
    learned: Sequence[bool],
    names: Sequence[str],
) -> Logistic:
    """Fit a model to the images that are to be learned from."""
    chosen = [i for i, use in enumerate(learned) if use]
    is_focus = np.concatenate([images[i].is_focus for i in chosen])
    clear = np.isfinite(is_focus)
    features = {
        name: values[clear] for name, values in stacked([tables[i] for i in chosen], names).items()
    }
    weight = np.concatenate(
        [
            np.full(
                len(images[i].is_focus), SIMULATED_WEIGHT if images[i].source == SIMULATED else 1.0
            )
            for i in chosen
        ]
    )[clear]
    model = fit_logistic(features, is_focus[clear], weight, ridge=RIDGE)
    means = {
        name: round(float(np.average(values, weights=weight)), 4)
        for name, values in features.items()
    }
    return replace(model, means=means)


def _calibration(pairs: Sequence[tuple[Floats, Floats]]) -> Logistic:
    """Fit the calibration to pairs of `is_focus` and score, by Platt scaling.

    Simulated scans have many more foci than real ones, so the fitted probabilities are too high.

    References
    ----------
    Platt, Advances in Large Margin Classifiers (1999) 61.
    """
    is_focus = np.concatenate([known for known, _ in pairs])
    clear = np.isfinite(is_focus)
    log_odds = _log_odds(np.concatenate([score for _, score in pairs]))[clear]
    return fit_logistic({"log_odds": log_odds}, is_focus[clear], ridge=CALIBRATION_RIDGE)


def _log_odds(score: Floats) -> Floats:
    within = np.clip(score, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(np.log(within / (1 - within)))


def _calibrated_scores(calibration: Logistic, score: Floats) -> Floats:
    return np.asarray(calibration.probability({"log_odds": _log_odds(score)}))


def _calibrated(calibration: Logistic, model: Logistic) -> Logistic:
    """Return a model with the calibration applied; the order of the foci does not change."""
    slope = calibration.weights["log_odds"]
    return replace(
        model,
        intercept=round(calibration.intercept + slope * model.intercept, 4),
        weights={name: round(slope * weight, 4) for name, weight in model.weights.items()},
    )
