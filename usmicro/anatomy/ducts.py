"""Ducts: dark tubes, found by a network and assessed one by one.

The network was trained on simulated ducts.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from usmicro.anatomy.masses import REGION_MODELS
from usmicro.anatomy.network import (
    Prediction,
    Region,
    logistic,
    predict_at,
    probable_parts,
)
from usmicro.model.arrays import BoolImage, FloatImage, LabelImage
from usmicro.model.view import View
from usmicro.numerics.logistic import read_models
from usmicro.settings import AnatomySettings

NETWORK = Path(__file__).with_name("ducts.onnx")
"""The network, trained by `python -m training.ducts`."""
DUCT_PIXEL_MM = 0.2
"""Pixel size of the input of the network, in mm: less than half the narrowest lumen."""
LEAST_PEAK = 0.7
"""A tube is dropped if its highest probability is below this. Chosen by eye on the sample scans; no
measurement is recorded."""
SHORTEST_MM = 4.0
"""Length of the shortest tube that is kept, in mm: shorter ones are cysts. Chosen by eye on the
sample scans; no measurement is recorded."""
ELONGATION = 3.0
"""Smallest ratio of length to width of a duct. Chosen by eye on the sample scans; no measurement is
recorded."""
WIDEST_MM = 5.0
"""Width of the widest duct that is kept, in mm. Chosen by eye on the sample scans; no measurement
is recorded."""
WALL_MM = 0.3
"""Thickness of the wall around the lumen, in mm. Chosen by eye on the sample scans; no measurement
is recorded."""
FLANK_GAP_PX, FLANK_REACH_PX = 2, 6
"""Distances from a tube, in pixels of the network, at which its flanks begin and end. Chosen by eye
on the sample scans; no measurement is recorded."""
FEATURES = (
    "mean",
    "length",
    "elongation",
    "width",
    "weaker_flank",
    "stronger_flank",
    "lumen",
    "along_beam",
    "mass",
    "depth",
)
"""Names of the inputs of the logistic model of ducts."""
SHALLOWEST_MM = 2.0
"""Smallest depth of the middle of a duct, in mm: tissue above is mostly skin, which has no ducts.
Chosen by eye; no measurement is recorded."""
VESSEL_FRACTION = 0.3
"""A tube is a vessel if colour flow covers at least this fraction of its lumen. Twinkling in a duct
covers less. Chosen by eye on simulated scans; no measurement is recorded."""


def predict_ducts(view: View) -> Prediction:
    """Run the duct network on a view, on pixels of about DUCT_PIXEL_MM."""
    return predict_at(view, NETWORK, DUCT_PIXEL_MM)


def find_ducts(
    view: View, prediction: Prediction, mass: FloatImage, settings: AnatomySettings
) -> tuple[LabelImage, tuple[float, ...]]:
    """Label the ducts of a view, walls included.

    Parameters
    ----------
    view : View
    prediction : Prediction
        From `predict_ducts`.
    mass : array, shape of the view, float32
        Mass probability. It distinguishes ducts from clefts in a mass.
    settings : AnatomySettings
        A tube is a duct if its confidence is at least `duct_threshold`.

    Returns
    -------
    labels : array, shape of the view, int32
        0 outside, 1 to n inside the ducts, the most confident first.
    confidence : tuple of float
        Confidence of each duct.
    """
    model = read_models(REGION_MODELS)["ducts"]
    not_vessels = (
        tube for tube in tubes(view, prediction, mass) if not _is_vessel(view, prediction, tube)
    )
    scored = [(float(model.probability(tube.features)), tube) for tube in not_vessels]
    accepted = sorted(
        (item for item in scored if item[0] >= settings.duct_threshold), key=lambda item: -item[0]
    )
    labels = np.zeros(view.shape, np.int32)
    for number, (_, tube) in enumerate(accepted, start=1):
        _draw(labels, view, prediction, tube, number)
    return labels, tuple(confidence for confidence, _ in accepted)


def _is_vessel(view: View, prediction: Prediction, tube: Region) -> bool:
    """True if colour flow shows that a tube is a vessel."""
    if view.colour is None:
        return False
    lumen = prediction.outline_on(view, tube.box, tube.inside)
    return bool(lumen.any() and view.colour.mask[lumen].mean() >= VESSEL_FRACTION)


def tubes(view: View, prediction: Prediction, mass: FloatImage) -> list[Region]:
    """Return the lumen of every tube that may be a duct, on the pixels of the network.

    The parameters are those of `find_ducts`.
    """
    probability = prediction.probability
    masses: FloatImage | None = None
    out = []
    for box, region in probable_parts(probability, 8):
        if np.hypot(*region.shape) * prediction.pixel_mm(view) < SHORTEST_MM:
            continue
        if masses is None:  # most views have no tube of this length, and the resampling takes long
            masses = cv2.resize(mass, probability.shape[::-1], interpolation=cv2.INTER_AREA)
        features = _features(view, prediction, region, box, masses)
        slim = features["width"] <= WIDEST_MM and features["elongation"] >= np.log(ELONGATION)
        if (
            slim
            and probability[box][region].max() >= LEAST_PEAK
            and features["depth"] >= SHALLOWEST_MM / 10
        ):
            out.append(Region(box, region, features))
    return out


def _features(
    view: View,
    prediction: Prediction,
    region: BoolImage,
    box: tuple[slice, slice],
    masses: FloatImage,
) -> dict[str, float]:
    """Measure the size, shape and contrast of a tube.

    `region` is the tube in its box, `masses` is the mass probability on the pixels of the network.
    Of the features, `length` (in mm) and `elongation` are natural
    logarithms, `width` is in mm and `depth` in cm. `weaker_flank` and `stronger_flank` are the
    differences between the mean ranks of the grey level of the two flanks and of the lumen.
    """
    y, x = np.nonzero(region)
    padded = np.pad(region, 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    # the mean distance to the edge of a long tube is a quarter of its width
    width = max(4 * (float(distance[region].mean()) - 0.25), 1.0)
    length = float(region.sum()) / width
    centred = np.column_stack([x - x.mean(), y - y.mean()])
    axis = np.linalg.eigh(centred.T @ centred)[1][:, 1]
    # the network sees a whole number of pixels, so that theirs is not exactly DUCT_PIXEL_MM
    rows, columns = (n / m for n, m in zip(view.shape, prediction.rank.shape, strict=True))
    pixel_mm = prediction.pixel_mm(view)
    middle = ((x.mean() + box[1].start + 0.5) * columns, (y.mean() + box[0].start + 0.5) * rows)
    beam_x, beam_y = view.scan_lines.direction(*middle)
    margin = FLANK_REACH_PX + 2
    grown = tuple(slice(max(part.start - margin, 0), part.stop + margin) for part in box)
    mask = np.zeros(prediction.rank.shape, np.uint8)
    mask[box] = region
    within_gap, within_reach = (
        cv2.dilate(mask[grown], np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)) > 0
        for radius in (FLANK_GAP_PX, FLANK_REACH_PX)
    )
    ring = within_reach & ~within_gap & prediction.tissue[grown]
    lumen = float(prediction.rank[box][region].mean())
    side = -(np.arange(ring.shape[1]) - x.mean() - box[1].start + grown[1].start) * axis[1]
    side = (
        side
        + ((np.arange(ring.shape[0]) - y.mean() - box[0].start + grown[0].start) * axis[0])[:, None]
    )
    flanks = [
        float(prediction.rank[grown][part].mean()) - lumen if part.any() else 0.0
        for part in (ring & (side < 0), ring & (side > 0))
    ]
    values = logistic(prediction.logit[box][region])
    return {
        "mean": float(values.mean()),
        "length": float(np.log(length * pixel_mm)),
        "elongation": float(np.log(length / width)),
        "width": width * pixel_mm,
        "weaker_flank": min(flanks),
        "stronger_flank": max(flanks),
        "lumen": float(prediction.level[box][region].mean()),
        "along_beam": float(abs(axis[0] * beam_x + axis[1] * beam_y)),
        "mass": float(masses[box][region].mean()),
        "depth": float(view.scan_lines.depth(*middle)) * view.grid.pixel_mm / 10,
    }


def _draw(
    labels: LabelImage, view: View, prediction: Prediction, tube: Region, number: int
) -> None:
    """Draw a tube and its wall into the label image on the grid of the view."""
    lumen = prediction.outline_on(view, tube.box, tube.inside)
    if not lumen.any():  # the lumen is thinner than a pixel of the grid
        return
    rows, columns = np.flatnonzero(lumen.any(axis=1)), np.flatnonzero(lumen.any(axis=0))
    reach = view.grid.pixels(WALL_MM)
    margin = int(np.ceil(reach)) + 1
    box = (
        slice(max(rows[0] - margin, 0), rows[-1] + 1 + margin),
        slice(max(columns[0] - margin, 0), columns[-1] + 1 + margin),
    )
    span = np.arange(-margin, margin + 1)
    disc = np.sqrt(span[:, None] ** 2 + span**2) <= reach
    walled = cv2.dilate(lumen[box].astype(np.uint8), disc.astype(np.uint8)) > 0
    part = labels[box]
    part[walled & view.tissue[box] & (part == 0)] = number
