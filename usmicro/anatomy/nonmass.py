"""Nonmass areas: discrete areas of altered echotexture that do not form a mass, found by a network that learnt them from simulated ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from usmicro.anatomy.masses import REGION_MODELS
from usmicro.anatomy.network import Prediction, Region, predict_at
from usmicro.model.arrays import BoolImage, LabelImage
from usmicro.model.view import View
from usmicro.numerics.logistic import read_models
from usmicro.settings import AnatomySettings

NETWORK = Path(__file__).with_name("nonmass.onnx")
"""The network, as `training.nonmass` fits it."""
NONMASS_PIXEL_MM = 0.4
"""Pixel that areas are looked for on: about two speckle cells."""
EDGE = 0.5
"""Probability at the outline."""
SMALLEST_MM = 3.0
"""Diameter of the circle of the smallest area; smaller ones are speckle and fat lobules."""
MOSTLY = 0.3
"""An area of which this part lies in a mass or duct is what surrounds it."""
FEATURES = ("peak", "mean", "size", "contrast", "share")


def judge_nonmass(view: View) -> Prediction:
    """What the network says of a view, on pixels of about `NONMASS_PIXEL_MM`."""
    return predict_at(view, NETWORK, NONMASS_PIXEL_MM)


def find_nonmass(
    view: View, masses: LabelImage, ducts: LabelImage, settings: AnatomySettings
) -> BoolImage:
    """Areas of altered echotexture outside of masses and ducts.

    Parameters
    ----------
    view : View
    masses, ducts : array, shape of the view
        What was found already.
    settings : AnatomySettings
        `nonmass_threshold` decides from which confidence on an area counts.
    """
    prediction = judge_nonmass(view)
    model = read_models(REGION_MODELS)["nonmass"]
    inside = np.zeros(view.shape, np.bool_)
    for area in areas(view, prediction):
        if model.probability(area.features) >= settings.nonmass_threshold:
            inside |= prediction.outline_on(view, area.box, area.inside) & view.tissue
    if not inside.any():
        return inside
    taken = (masses > 0) | (ducts > 0)
    _, numbered = cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)
    size = np.maximum(np.bincount(numbered.ravel()), 1)
    covered = np.bincount(numbered[taken], minlength=len(size)) / size
    return np.asarray(inside & ~taken & (covered < MOSTLY)[numbered])


def areas(view: View, prediction: Prediction) -> list[Region]:
    """Every region that may be a nonmass area, on the network's pixels, with what tells it from the rest."""
    probability = prediction.probability
    count, found, stats, _ = cv2.connectedComponentsWithStats(
        (probability > EDGE).astype(np.uint8), connectivity=4
    )
    pixel = (view.shape[0] * view.shape[1] / probability.size) * view.grid.pixel_mm**2
    total = max(float(probability[prediction.tissue].sum()), 1e-6)
    out = []
    for number in range(1, count):
        left, top, width, height, size = (int(value) for value in stats[number])
        if size * pixel < np.pi / 4 * SMALLEST_MM**2:
            continue
        box = (slice(top, top + height), slice(left, left + width))
        inside = np.asarray(found[box] == number)
        values = probability[box][inside]
        around = (
            (cv2.dilate((found == number).astype(np.uint8), np.ones((15, 15), np.uint8)) > 0)
            & (found != number)
            & prediction.tissue
        )
        outside = float(prediction.rank[around].mean()) if around.any() else 0.5
        features = {
            "peak": float(prediction.logit[box][inside].max()),
            "mean": float(values.mean()),
            "size": float(np.log(size * pixel)),
            "contrast": outside - float(prediction.rank[box][inside].mean()),
            "share": float(values.sum()) / total,
        }
        out.append(Region(box, inside, features))
    return out
