"""What decided the confidence of a focus, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from usmicro.numerics.logistic import Logistic

Floats = NDArray[np.float64]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "appearance": ("appearance",),
    "contrast": ("log_grey_contrast", "relative_contrast", "place_times_log_grey_contrast"),
    "prominence above the speckle": (
        "log_blobness_to_texture",
        "log_rarity",
        "relative_blobness",
        "place_times_log_blobness_to_texture",
        "place_times_log_rarity",
    ),
    "size": ("log_scale_mm",),
    "shape": (
        "line",
        "elongation",
        "log_ridge_mm",
        "log_faint_ridge_mm",
        "roundness_wide",
        "across_beam",
        "place_times_line",
    ),
    "sharpness of the edge": ("log_steepness_across", "log_steepness_along"),
    "depth": ("depth_mm", "log_depth_mm"),
    "distance to the edge of the image": ("tissue_share",),
    "brightness of the tissue around it": (
        "ring_quantile",
        "region_quantile",
        "place_times_region_quantile",
    ),
    "position relative to masses": (
        "mass_log_odds",
        "mass_distance_mm",
        "mass_confidence",
        "place_log_odds",
    ),
    "position relative to ducts": ("duct_log_odds",),
    "number of similar bright points": ("log_crowd", "log_group", "place_times_log_crowd"),
    "confidence of its neighbours": (
        "log_near_3mm",
        "log_near_8mm",
        "log_elsewhere",
        "best_other",
    ),
}
"""Inputs of the model `focus` by the measure that they describe, in words.

Inputs of one measure are correlated, so that only the sum of their contributions has a meaning.
"""
NAMED = 3
"""Number of measures that are named for each focus."""
LEAST_CONTRIBUTION = 0.05
"""Smallest contribution, in log odds, of a measure that is named: 5 % of the odds."""


def confidence_reasons(model: Logistic, features: Mapping[str, Floats]) -> list[str]:
    """Name the three measures that moved the confidence of each candidate most.

    The contribution of a measure is the change of the log odds against a candidate whose measure is
    the mean over the candidates to which the model was fitted.

    Parameters
    ----------
    model : Logistic
        The model `focus`, with the means of its inputs.
    features : mapping of str to array, shape (n,)
        Its inputs.

    Returns
    -------
    list of str
        n texts such as "Raised by appearance and contrast; lowered by depth."
    """
    names, contributions = list(GROUPS), _contributions(model, features)
    order = np.argsort(-np.abs(contributions), axis=0, kind="stable")[:NAMED]
    # lists: a candidate has few numbers, and NumPy takes longer for each of them
    return [
        _sentence(names, largest, values)
        for largest, values in zip(order.T.tolist(), contributions.T.tolist(), strict=True)
    ]


def lowering_measures(model: Logistic, features: Mapping[str, Floats]) -> list[str]:
    """Name the measures, up to three, that lowered the confidence of each candidate most.

    Parameters
    ----------
    model : Logistic
        The model `focus`, with the means of its inputs.
    features : mapping of str to array, shape (n,)
        Its inputs.

    Returns
    -------
    list of str
        n texts such as "depth and size"; empty where no measure lowered it.
    """
    names, contributions = list(GROUPS), _contributions(model, features)
    order = np.argsort(contributions, axis=0, kind="stable")[:NAMED]
    texts = []
    for smallest, values in zip(order.T.tolist(), contributions.T.tolist(), strict=True):
        lowered = [names[i] for i in smallest if values[i] <= -LEAST_CONTRIBUTION]
        texts.append(_joined(lowered) if lowered else "")
    return texts


def _contributions(model: Logistic, features: Mapping[str, Floats]) -> Floats:
    """Return the contribution of each measure to the log odds, (measures, n)."""
    return np.array(
        [
            sum(
                model.weights.get(name, 0.0) * (features[name] - model.means.get(name, 0.0))
                for name in GROUPS[group]
            )
            for group in GROUPS
        ]
    )


def _sentence(names: list[str], order: Sequence[int], contributions: Sequence[float]) -> str:
    """Return the reason from the indices of the named measures and all contributions."""
    raised = [names[i] for i in order if contributions[i] >= LEAST_CONTRIBUTION]
    lowered = [names[i] for i in order if contributions[i] <= -LEAST_CONTRIBUTION]
    parts = []
    if raised:
        parts.append(f"raised by {_joined(raised)}")
    if lowered:
        parts.append(f"lowered by {_joined(lowered)}")
    text = "; ".join(parts) or "all measures are average"
    return f"{text[0].upper()}{text[1:]}."


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
