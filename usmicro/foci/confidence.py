"""Confidence of each focus from its features and the anatomy; the score of the whole image."""

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
"""File of the models `focus` and `image`, fitted by `python -m training.confidence`."""

PLACE_DEPENDENT_FEATURES = (
    "log_grey_contrast",
    "log_rarity",
    "log_blobness_to_texture",
    "log_crowd",
    "region_quantile",
    "line",
)
"""Features whose weight depends on whether the focus lies in a mass or duct.

Masses and ducts are dark and even; the tissue outside is not.
"""
SCORED_FOCI = 3
"""Number of foci, those of highest confidence, from which the score of an image is computed.

Calcifications occur in groups, false foci alone. With more foci, the score of a long cine would
grow with the number of its candidates. Chosen by eye; variants that were tried are in
docs/accuracy.md.
"""
PROMINENCE_SHARE = 0.8
"""Smallest contrast and blobness of a candidate that is as prominent as another one.

Both are fractions of the values of the other one.
Chosen by eye; no measurement is recorded.
"""
LEAST_CONTRAST, LEAST_BLOBNESS, RIDGE_OFFSET_MM = 1.0, 1e-3, 0.1
"""Smallest grey contrast (grey levels), smallest blobness, and addend to the length of ridges.

They are applied before logarithms are taken.
They keep the logarithms finite and are below what candidates usually have. Chosen by eye; no
measurement is recorded.
"""
LEAST_PROBABILITY = 0.001
"""Distance from 0 and 1 to which probabilities are cut before their log odds are taken.

It keeps the log odds within 6.9. Chosen by eye; no measurement is recorded.
"""


def focus_features(
    view: View, candidates: Candidates, anatomy: Anatomy
) -> dict[str, NDArray[np.float64]]:
    """Return the inputs of the confidence model: features of each candidate and of the anatomy.

    Parameters
    ----------
    view, candidates, anatomy
        View of one frame, and its candidates and anatomy on the same grid.

    Returns
    -------
    dict of array, shape (n,), float64
        Lengths are in mm of the grid, whose pixel size is an estimate where the spacing is unknown.
        Quantities that span decades are logarithms. Probabilities of mass and duct are log odds.

        - `log_rarity`: natural logarithm of minus the decimal logarithm of the false-alarm
          probability;
        - `log_crowd`: logarithm of the number of candidates of the view, itself included, that are
          at least as prominent; there are many if a scanner shows every speckle grain as a bright
          point;
        - `place_log_odds`: the larger of the log odds of mass and duct;
        - `place_times_NAME`: the product of these log odds with another feature.

        For the others see `usmicro.foci.features.measure_blobs`.
    """
    measured = candidates.features
    contrast = np.maximum(measured["grey_contrast"], LEAST_CONTRAST)
    blobness = np.maximum(measured["blobness_to_texture"], LEAST_BLOBNESS)
    as_prominent = (contrast >= PROMINENCE_SHARE * contrast[:, np.newaxis]) & (
        blobness >= PROMINENCE_SHARE * blobness[:, np.newaxis]
    )
    pixels = _nearest_pixels(view, candidates)
    features = {
        "log_blobness_to_texture": np.log(blobness),
        "log_rarity": np.log(-np.log10(candidates.false_alarm)),
        "log_grey_contrast": np.log(contrast),
        "log_crowd": np.log(np.maximum(as_prominent.sum(axis=1), 1)),
        "log_scale_mm": np.log(measured["scale_mm"]),
        "log_ridge_mm": np.log(np.maximum(measured["ridge_mm"], 0.0) + RIDGE_OFFSET_MM),
        "line": candidates.line,
        "roundness_wide": measured["roundness_wide"],
        "across_beam": measured["across_beam"],
        "depth_mm": measured["depth_mm"],
        "ring_quantile": measured["ring_quantile"],
        "region_quantile": measured["region_quantile"],
        "mass_log_odds": log_odds(_values_at(anatomy.mean_mass_probability, pixels)),
        "duct_log_odds": log_odds(_values_at(anatomy.mean_duct_probability, pixels)),
    }
    place = np.maximum(features["mass_log_odds"], features["duct_log_odds"])
    products = {f"place_times_{name}": place * features[name] for name in PLACE_DEPENDENT_FEATURES}
    return features | {"place_log_odds": place} | products


def log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log odds of probabilities, which are clipped LEAST_PROBABILITY from 0 and 1."""
    within = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(np.log(within / (1 - within)))


def _nearest_pixels(
    view: View, candidates: Candidates
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return the rows and columns, both (n,), of the grid pixels nearest to the candidates."""
    rows, columns = view.shape
    row = np.clip(np.rint(candidates.y).astype(int), 0, rows - 1)
    return row, np.clip(np.rint(candidates.x).astype(int), 0, columns - 1)


def _values_at(
    image: FloatImage, pixels: tuple[NDArray[np.int_], NDArray[np.int_]]
) -> NDArray[np.float64]:
    """Return the values (n,) of an image at pixels, given as rows and columns."""
    return np.asarray(image[pixels], dtype=float)


def focus_confidence(
    view: View, candidates: Candidates, anatomy: Anatomy, model: Logistic | None = None
) -> NDArray[np.float64]:
    """Compute the confidence of each candidate.

    Parameters
    ----------
    view, candidates, anatomy
        View of one frame, and its candidates and anatomy on the same grid.
    model : Logistic, optional
        The model `focus` of the package if not given.

    Returns
    -------
    array, shape (n,), float64
        Probability that a reader would mark the candidate as an echogenic focus.
    """
    model = model or read_models(MODELS)["focus"]
    return np.asarray(model.probability(focus_features(view, candidates, anatomy)))


def calcification_score(confidences: Iterable[float], model: Logistic | None = None) -> float:
    """Compute the calcification score of an image as a whole.

    Parameters
    ----------
    confidences : iterable of float
        Confidences of its foci, whether listed or not.
    model : Logistic, optional
        The model `image` of the package if not given.

    Returns
    -------
    float
        0 to 1.
    """
    return float((model or read_models(MODELS)["image"]).probability(image_features(confidences)))


def image_features(confidences: Iterable[float]) -> dict[str, float]:
    """Return the input of the model `image`: mean log odds of the SCORED_FOCI best foci.

    These are the foci of highest confidence. Missing foci count as confidence 0.
    """
    highest = sorted(confidences, reverse=True)[:SCORED_FOCI]
    padded = highest + [0.0] * (SCORED_FOCI - len(highest))
    return {"surest_log_odds": float(np.mean(log_odds(np.array(padded))))}
