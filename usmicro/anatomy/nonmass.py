"""Nonmass areas: discrete areas of altered echotexture that do not form a mass.

A network finds them. It was trained on simulated areas.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from usmicro.anatomy.masses import REGION_MODELS
from usmicro.anatomy.network import Prediction, Region, predict_at, probable_parts
from usmicro.model.arrays import BoolImage, LabelImage
from usmicro.model.view import View
from usmicro.numerics.logistic import read_models
from usmicro.settings import AnatomySettings

NETWORK = Path(__file__).with_name("nonmass.onnx")
"""The network, trained by `python -m training.nonmass`."""
NONMASS_PIXEL_MM = 0.4
"""Pixel size of the input of the network, in mm: about twice the speckle size."""
SMALLEST_MM = 3.0
"""Diameter, in mm, of a circle with the smallest area that is kept. Smaller ones are speckle and
fat lobules. Chosen by eye on the sample scans; no measurement is recorded."""
OVERLAP_FRACTION = 0.3
"""An area is dropped if masses and ducts cover at least this fraction of it: it is then the rim of
one of them. Chosen by eye on the sample scans; no measurement is recorded."""
RING_PX = 7
"""Width, in pixels of the network, of the ring around an area with which its grey level is
compared. Chosen by eye; no measurement is recorded."""
FEATURES = ("peak", "mean", "size", "contrast", "share")
"""Names of the inputs of the logistic model of nonmass areas."""


def predict_nonmass(view: View) -> Prediction:
    """Run the nonmass network on a view, on pixels of about NONMASS_PIXEL_MM."""
    return predict_at(view, NETWORK, NONMASS_PIXEL_MM)


def find_nonmass(
    view: View, masses: LabelImage, ducts: LabelImage, settings: AnatomySettings
) -> BoolImage:
    """Find areas of altered echotexture outside masses and ducts.

    Parameters
    ----------
    view : View
    masses, ducts : array, shape of the view, int32
        Label images.
    settings : AnatomySettings
        An area is kept if its confidence is at least `nonmass_threshold`.

    Returns
    -------
    array, shape of the view, bool
    """
    prediction = predict_nonmass(view)
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
    return np.asarray(inside & ~taken & (covered < OVERLAP_FRACTION)[numbered])


def areas(view: View, prediction: Prediction) -> list[Region]:
    """Return every region that may be a nonmass area, on the pixels of the network."""
    probability = prediction.probability
    pixel_mm2 = prediction.pixel_mm(view) ** 2
    total = max(float(probability[prediction.tissue].sum()), 1e-6)
    square = np.ones((2 * RING_PX + 1, 2 * RING_PX + 1), np.uint8)
    out = []
    for box, inside in probable_parts(probability, 4):
        size = int(np.count_nonzero(inside))
        if size * pixel_mm2 < np.pi / 4 * SMALLEST_MM**2:
            continue
        values = probability[box][inside]
        area = np.zeros(probability.shape, np.bool_)
        area[box] = inside
        around = (cv2.dilate(area.astype(np.uint8), square) > 0) & ~area & prediction.tissue
        outside = float(prediction.rank[around].mean()) if around.any() else 0.5
        features = {
            "peak": float(prediction.logit[box][inside].max()),
            "mean": float(values.mean()),
            "size": float(np.log(size * pixel_mm2)),
            "contrast": outside - float(prediction.rank[box][inside].mean()),
            "share": float(values.sum()) / total,
        }
        out.append(Region(box, inside, features))
    return out
