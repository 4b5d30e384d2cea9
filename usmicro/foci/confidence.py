"""Confidence: how sure each focus is, from what was measured at it and where it lies; and the score of the image as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usmicro.model.anatomy import Anatomy
from usmicro.model.arrays import FloatImage
from usmicro.model.findings import Candidates
from usmicro.model.view import View
from usmicro.numerics.logistic import Logistic, read_models

MODELS = Path(__file__).with_name("confidence.json")
"""`focus` and `image`, as `python -m training.confidence` fits them."""

WEIGHED_BY_PLACE = (
    "log_grey_contrast",
    "log_rarity",
    "log_blobness_to_texture",
    "log_crowd",
    "region_quantile",
    "line",
)
"""What counts differently in a mass or duct, dark and even as they are, than in the tissue outside."""
SUREST = 3
"""Foci that the score of an image is built from."""
CROWD = 0.8
"""A candidate stands out as much as another from this share of its contrast and blobness on."""


def focus_features(
    view: View, candidates: Candidates, anatomy: Anatomy
) -> dict[str, NDArray[np.float64]]:
    """What the confidence is judged by, for each candidate: what was measured at it, and the anatomy around it.

    Lengths are in mm by the grid's scale, which is an estimate where the spacing is unknown. Quantities that span decades are
    taken as logarithms, the probabilities of mass and duct as log odds. `log_rarity` is of minus the decimal logarithm of the
    false-alarm probability: how seldom speckle alone responds as strongly. `log_crowd` counts the candidates of the view, itself included,
    that stand out as much: where a scanner shows every speckle grain as a bright point there are many. The place is a mass or duct,
    whichever is likelier. For the others see `usmicro.foci.features.measure`.
    """
    measured = candidates.features
    contrast, blobness = (
        np.maximum(measured["grey_contrast"], 1.0),
        np.maximum(measured["blobness_to_texture"], 1e-3),
    )
    alike = (contrast >= CROWD * contrast[:, np.newaxis]) & (
        blobness >= CROWD * blobness[:, np.newaxis]
    )
    where = _pixels(view, candidates)
    features = {
        "log_blobness_to_texture": np.log(blobness),
        "log_rarity": np.log(-np.log10(candidates.false_alarm)),
        "log_grey_contrast": np.log(contrast),
        "log_crowd": np.log(np.maximum(alike.sum(axis=1), 1)),
        "log_scale_mm": np.log(measured["scale_mm"]),
        "log_ridge_mm": np.log(np.maximum(measured["ridge_mm"], 0.0) + 0.1),
        "line": candidates.line,
        "roundness_wide": measured["roundness_wide"],
        "across_beam": measured["across_beam"],
        "depth_mm": measured["depth_mm"],
        "ring_quantile": measured["ring_quantile"],
        "region_quantile": measured["region_quantile"],
        "mass_log_odds": log_odds(_at(anatomy.mean_mass_probability, where)),
        "duct_log_odds": log_odds(_at(anatomy.mean_duct_probability, where)),
    }
    place = np.maximum(features["mass_log_odds"], features["duct_log_odds"])
    return (
        features
        | {"place_log_odds": place}
        | {f"place_times_{name}": place * features[name] for name in WEIGHED_BY_PLACE}
    )


def _at(
    image: FloatImage, pixels: tuple[NDArray[np.int_], NDArray[np.int_]]
) -> NDArray[np.float64]:
    """Values of an image at pixels, given as rows and columns."""
    return np.asarray(image[pixels], dtype=float)


def log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the odds of probabilities, those within 0.001 of 0 or 1 as if that far."""
    within = np.clip(probability, 0.001, 0.999)
    return np.asarray(np.log(within / (1 - within)))


def _pixels(view: View, candidates: Candidates) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Rows and columns of the grid pixels nearest to the candidates."""
    rows, columns = view.shape
    row = np.clip(np.rint(candidates.y).astype(int), 0, rows - 1)
    return row, np.clip(np.rint(candidates.x).astype(int), 0, columns - 1)


def focus_confidence(
    view: View, candidates: Candidates, anatomy: Anatomy, model: Logistic | None = None
) -> NDArray[np.float64]:
    """Confidence of each candidate, 0 to 1: the probability that a reader would mark it as an echogenic focus.

    Parameters
    ----------
    view, candidates, anatomy
        Of one frame, on one grid.
    model : Logistic, optional
        The shipped one if not given.

    Returns
    -------
    array, shape (n,)
    """
    return np.asarray(
        (model or read_models(MODELS)["focus"]).probability(
            focus_features(view, candidates, anatomy)
        )
    )


def calcification_score(confidences: Iterable[float], model: Logistic | None = None) -> float:
    """How strongly an image as a whole shows calcification, 0 to 1.

    Parameters
    ----------
    confidences : iterable of float
        Of its foci, listed or not.
    model : Logistic, optional
        The shipped one if not given.
    """
    return float((model or read_models(MODELS)["image"]).probability(image_features(confidences)))


def image_features(confidences: Iterable[float]) -> dict[str, float]:
    """What the score of an image is judged by: the mean log odds of its SUREST surest foci, of which missing ones have confidence 0.

    Calcifications come in groups, false foci alone. More than these would let a long cine, with new candidates in every frame, add up
    to anything.
    """
    surest = sorted(confidences, reverse=True)[:SUREST]
    return {
        "surest_log_odds": float(
            np.mean(log_odds(np.array(surest + [0.0] * (SUREST - len(surest)))))
        )
    }
