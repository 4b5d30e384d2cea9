"""Measures of each candidate, of its neighbours and of the anatomy: inputs of the confidence."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.anatomy import Anatomy
from usmicro.model.findings import Candidates
from usmicro.model.view import View

Floats = NDArray[np.float64]
Pixels = tuple[NDArray[np.int_], NDArray[np.int_]]
"""Rows and columns of pixels, both of shape (n,)."""

PLACE_DEPENDENT_MEASURES = (
    "log_grey_contrast",
    "log_rarity",
    "log_blobness_to_texture",
    "log_crowd",
    "region_quantile",
    "line",
)
"""Measures whose weight depends on whether the focus lies in a mass or duct.

Masses and ducts are dark and even; the tissue outside is not.
"""
PROMINENCE_SHARE = 0.8
"""Smallest contrast and blobness of a candidate that is as prominent as another one.

Both are fractions of the values of the other one.
Chosen by eye; no measurement is recorded.
"""
GROUP_MM = 5.0
"""Radius, in mm, in which the candidates of a group are counted.

Calcifications occur in groups. Chosen by judgement; no measurement is recorded.
"""
EDGE_MM = 5.0
"""Width, in mm, of the square around a candidate of which the share of tissue is measured.

Chosen by judgement; no measurement is recorded.
"""
FARTHEST_MM = 10.0
"""Distances to the outline of a mass are limited to this magnitude, in mm.

A mass that is farther away tells nothing about a focus. Chosen by judgement; no measurement is
recorded.
"""
LEAST_CONTRAST, LEAST_BLOBNESS, RIDGE_OFFSET_MM = 1.0, 1e-3, 0.1
"""Smallest grey contrast (grey levels), smallest blobness, and addend to the length of ridges.

They are applied before logarithms are taken.
They keep the logarithms finite and are below what candidates usually have. Chosen by eye; no
measurement is recorded.
"""
LEAST_STEEPNESS, LEAST_DEPTH_MM = 0.05, 0.3
"""Smallest steepness, and smallest depth in mm, before logarithms are taken."""
LEAST_PROBABILITY = 0.001
"""Distance from 0 and 1 to which probabilities are cut before their log odds are taken.

It keeps the log odds within 6.9. Chosen by eye; no measurement is recorded.
"""


def measured_features(view: View, candidates: Candidates, anatomy: Anatomy) -> dict[str, Floats]:
    """Return the measures of each candidate and of the anatomy around it.

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
        - `log_crowd`, `log_group`: logarithm of the number of candidates of the view, and of those
          within GROUP_MM, that are at least as prominent, itself included; a view has many if a
          scanner shows every speckle grain as a bright point;
        - `relative_contrast`, `relative_blobness`: logarithms of the ratio to the highest contrast
          and blobness of the view;
        - `tissue_share`: share of the square around the candidate that is tissue;
        - `mass_distance_mm`: distance to the outline of the nearest mass, positive inside;
        - `mass_confidence`: confidence of the mass in which the candidate lies, 0 outside;
        - `place_log_odds`: the larger of the log odds of mass and duct;
        - `place_times_NAME`: the product of these log odds with another measure.

        For the others see `usmicro.foci.features.measure_blobs`.
    """
    measured, pixels = candidates.features, _nearest_pixels(view, candidates)
    contrast = np.maximum(measured["grey_contrast"], LEAST_CONTRAST)
    blobness = np.maximum(measured["blobness_to_texture"], LEAST_BLOBNESS)
    ridge, faint_ridge = (
        np.log(np.maximum(measured[name], 0.0) + RIDGE_OFFSET_MM)
        for name in ("ridge_mm", "faint_ridge_mm")
    )
    steep_across, steep_along = (
        np.log(np.maximum(measured[name], LEAST_STEEPNESS))
        for name in ("steepness_across", "steepness_along")
    )
    features = {
        "log_blobness_to_texture": np.log(blobness),
        "log_rarity": np.log(-np.log10(candidates.false_alarm)),
        "log_grey_contrast": np.log(contrast),
        **_prominence(candidates, contrast, blobness, view.grid.pixels(GROUP_MM)),
        "log_scale_mm": np.log(measured["scale_mm"]),
        "log_ridge_mm": ridge,
        "log_faint_ridge_mm": faint_ridge,
        "line": candidates.line,
        "elongation": measured["elongation"],
        "roundness_wide": measured["roundness_wide"],
        "across_beam": measured["across_beam"],
        "log_steepness_across": steep_across,
        "log_steepness_along": steep_along,
        "depth_mm": measured["depth_mm"],
        "log_depth_mm": np.log(np.maximum(measured["depth_mm"], LEAST_DEPTH_MM)),
        "tissue_share": _tissue_share(view, pixels),
        "ring_quantile": measured["ring_quantile"],
        "region_quantile": measured["region_quantile"],
        "mass_log_odds": log_odds(anatomy.mean_mass_probability(*pixels)),
        "duct_log_odds": log_odds(anatomy.mean_duct_probability(*pixels)),
        "mass_distance_mm": _mass_distance_mm(anatomy, pixels),
        "mass_confidence": np.array([0.0, *anatomy.mass_confidence])[anatomy.masses[pixels]],
    }
    place = np.maximum(features["mass_log_odds"], features["duct_log_odds"])
    products = {f"place_times_{name}": place * features[name] for name in PLACE_DEPENDENT_MEASURES}
    return features | {"place_log_odds": place} | products


def log_odds(probability: Floats) -> Floats:
    """Return the log odds of probabilities, which are clipped LEAST_PROBABILITY from 0 and 1."""
    within = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(np.log(within / (1 - within)))


def distances(x: Floats, y: Floats) -> Floats:
    """Return the distances (n, n) between positions, whose columns and rows have shape (n,)."""
    # much faster than np.hypot, which guards against overflow
    return np.asarray(np.sqrt((x[:, np.newaxis] - x) ** 2 + (y[:, np.newaxis] - y) ** 2))


def _prominence(
    candidates: Candidates, contrast: Floats, blobness: Floats, radius: float
) -> dict[str, Floats]:
    """Return how each candidate compares with the others; `radius` is that of a group, pixels."""
    as_prominent = (contrast >= PROMINENCE_SHARE * contrast[:, np.newaxis]) & (
        blobness >= PROMINENCE_SHARE * blobness[:, np.newaxis]
    )
    in_group = as_prominent & (distances(candidates.x, candidates.y) <= radius)
    return {
        "log_crowd": np.log(np.maximum(as_prominent.sum(axis=1), 1)),
        "log_group": np.log(np.maximum(in_group.sum(axis=1), 1)),
        "relative_contrast": np.log(contrast / np.max(contrast, initial=LEAST_CONTRAST)),
        "relative_blobness": np.log(blobness / np.max(blobness, initial=LEAST_BLOBNESS)),
    }


def _nearest_pixels(view: View, candidates: Candidates) -> Pixels:
    """Return the grid pixels nearest to the candidates."""
    rows, columns = view.shape
    row = np.clip(np.rint(candidates.y).astype(int), 0, rows - 1)
    return row, np.clip(np.rint(candidates.x).astype(int), 0, columns - 1)


def _tissue_share(view: View, pixels: Pixels) -> Floats:
    """Return the share of tissue (n,) in a square of EDGE_MM around pixels; none lies outside."""
    reach = max(round(view.grid.pixels(EDGE_MM) / 2), 1)
    sums = cv2.integral(view.tissue.astype(np.uint8))
    rows, columns = view.shape
    row, column = pixels
    top, bottom = np.maximum(row - reach, 0), np.minimum(row + reach + 1, rows)
    left, right = np.maximum(column - reach, 0), np.minimum(column + reach + 1, columns)
    inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return np.asarray(inside / (2 * reach + 1) ** 2, dtype=float)


def _mass_distance_mm(anatomy: Anatomy, pixels: Pixels) -> Floats:
    """Return the signed distance (n,) of pixels to the nearest mass, limited to FARTHEST_MM."""
    distance, _ = anatomy.mass_distance.signed_distance(*pixels)
    return np.clip(distance * anatomy.pixel_mm, -FARTHEST_MM, FARTHEST_MM)
