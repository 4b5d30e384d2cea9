"""Masses: outlines and confidences, from the mass probability of a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from usmicro.anatomy.network import (
    Prediction,
    Region,
    averaged_with_mirror_image,
    predict,
    probable_parts,
)
from usmicro.model.arrays import BoolImage, FloatImage, LabelImage
from usmicro.model.view import View
from usmicro.numerics.logistic import read_models
from usmicro.settings import AnatomySettings

REGION_MODELS = Path(__file__).with_name("regions.json")
"""Logistic models of the confidence of a region: `masses`, fitted by `python -m
training.mass_confidence`, `ducts`, by `training.duct_confidence`, and `nonmass`, by
`training.nonmass`."""
NETWORK = Path(__file__).with_name("masses.onnx")
"""The network, trained by `python -m training.masses`."""
SIZE = (192, 192)
"""Rows and columns of the input of the network."""
BORDER = 12
"""Width, in pixels, of the empty border on every side of the input. With it the network finds more
of the masses at the edge of the view."""
DOUBTFUL_MEAN = 0.9
"""A region that may be a mass is doubtful if its mean probability is below this.

With 0.8, 0.85, 0.88, 0.9 and 0.92, a share of 0.810, 0.815, 0.816, 0.817 and 0.816 of the masses
was found: means of the hospitals, each left out, at 0.1 to 0.4 false masses per normal image. It
was 0.816 with the mirror image of every view, and 0.811 without any. Except for the last one, these
differences are within the noise. No program repeats this comparison.
"""
LEAST_PEAK = 0.6
"""A region is dropped if its highest probability is below this. Chosen by eye on the sample scans;
no measurement is recorded."""
SMALLEST_MM, LARGEST_MM = 2.5, 60.0
"""Diameters, in mm, of circles with the smallest and the largest area that a mass may have. Smaller
lesions than 2.5 mm are rarely outlined, and a scan is seldom wider than 60 mm."""
NECK_FRACTION, NECK_MM = 0.2, 2.0
"""Largest width of a neck at which a region is cut: as a fraction of the diameter of a circle of
its area, and in mm. Chosen by eye on the sample scans; no measurement is recorded."""
ROUNDING = 1.5
"""Distance from a core, as a multiple of half the width of a neck, up to which corners and spicules
are kept. A factor of 1.41 restores the corner of a square."""
RING_MM = 3.0
"""Width, in mm, of the ring around a region with which its grey level and probability are compared.
Chosen by eye; no measurement is recorded."""
FEATURES = (
    "peak",
    "mean",
    "size",
    "solidity",
    "flatness",
    "share",
    "contrast",
    "fit",
    "border",
    "depth",
)
"""Names of the inputs of the logistic model of masses."""


def find_masses(
    view: View, candidates: Sequence[tuple[float, Region]], settings: AnatomySettings
) -> tuple[LabelImage, tuple[float, ...]]:
    """Label the masses of a view.

    Parameters
    ----------
    view : View
    candidates : sequence of (confidence, Region)
        From `scored`.
    settings : AnatomySettings
        A region is a mass if its confidence is at least `mass_threshold`.

    Returns
    -------
    labels : array, shape of the view, int32
        0 outside, 1 to n inside the masses, the most confident first.
    confidence : tuple of float
        Confidence of each mass.
    """
    accepted = [
        (confidence, region)
        for confidence, region in candidates
        if confidence >= settings.mass_threshold
    ]
    labels = np.zeros(view.shape, np.int32)
    for number, (_, region) in enumerate(accepted, start=1):
        part = labels[region.box]
        part[region.inside & (part == 0)] = number
    return labels, tuple(confidence for confidence, _ in accepted)


def predict_masses(
    view: View, network: Path = NETWORK, *, mirrored: bool = True
) -> tuple[Prediction, FloatImage, list[Region]]:
    """Run a mass network on a view, and on its mirror image if a region is doubtful.

    Parameters
    ----------
    view : View
    network : Path
        ONNX file.
    mirrored : bool
        Run the network on the mirror image too if the mean probability of a region is below
        DOUBTFUL_MEAN.

    Returns
    -------
    prediction : Prediction
        That of the view, or the mean of both.
    probability : array, shape of the view, float32
        Its probability on the grid of the view.
    regions : list of Region
        Every region that may be a mass.

    Raises
    ------
    SettingsError
        If the file is not a network for inputs of SIZE.
    """
    prediction = predict(view, network, SIZE, border=BORDER)
    probability = prediction.probability_on(view)
    found = regions(view, prediction, probability)
    if mirrored and any(region.features["mean"] < DOUBTFUL_MEAN for region in found):
        prediction = averaged_with_mirror_image(prediction, network, border=BORDER)
        probability = prediction.probability_on(view)
        found = regions(view, prediction, probability)
    return prediction, probability, found


def scored(found: Sequence[Region]) -> list[tuple[float, Region]]:
    """Return regions that may be masses with their confidences, the most confident first."""
    model = read_models(REGION_MODELS)["masses"]
    confidences = ((float(model.probability(region.features)), region) for region in found)
    return sorted(confidences, key=lambda item: -item[0])


def regions(view: View, prediction: Prediction, probability: FloatImage) -> list[Region]:
    """Return every region that may be a mass, on the grid of the view, with its features.

    Parameters
    ----------
    view : View
    prediction : Prediction
        Output of the mass network.
    probability : array, shape of the view, float32
        Its probability on the grid of the view.
    """
    parts = list(probable_parts(probability, 4))
    if not parts:
        return []
    grey = np.asarray(
        cv2.resize(prediction.rank, (view.shape[1], view.shape[0]), interpolation=cv2.INTER_LINEAR),
        dtype=np.float32,
    )
    total = float(probability.sum())
    smallest_area, largest_area = (
        np.pi / 4 * view.grid.pixels(diameter) ** 2 for diameter in (SMALLEST_MM, LARGEST_MM)
    )
    out = []
    for (part_rows, part_columns), part in parts:
        if not smallest_area <= np.count_nonzero(part) <= largest_area:
            continue
        whole = _without_holes(part)
        top, left = part_rows.start, part_columns.start
        for (rows, columns), inside in cut_at_necks(whole, view.grid.pixels(NECK_MM)):
            box = (
                slice(top + rows.start, top + rows.stop),
                slice(left + columns.start, left + columns.stop),
            )
            if inside.sum() >= smallest_area and probability[box][inside].max() >= LEAST_PEAK:
                features = _features(view, inside, box, probability, grey, total)
                out.append(Region(box, inside, features))
    return out


def cut_at_necks(region: BoolImage, widest: float) -> list[tuple[tuple[slice, slice], BoolImage]]:
    """Cut a region at thin necks, and remove tails that are as thin.

    Parameters
    ----------
    region : array, shape (rows, columns), bool
        A connected region.
    widest : float
        Largest width of a neck in pixels. NECK_FRACTION limits it too.

    Returns
    -------
    list of (box, inside)
        Rows and columns of the box around each part, and the part in it.
    """
    radius = min(widest, NECK_FRACTION * float(np.sqrt(4 / np.pi * region.sum()))) / 2
    padded = np.pad(region, 1).astype(np.uint8)
    cores = (cv2.distanceTransform(padded, cv2.DIST_L2, 5) > radius).astype(np.uint8)
    # distance of every pixel to the nearest core, and the number of that core
    distance, nearest = cv2.distanceTransformWithLabels(
        1 - cores, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    nearest = np.where((distance <= ROUNDING * radius) & (padded > 0), nearest, 0)[1:-1, 1:-1]
    parts = []
    for number in range(1, int(nearest.max()) + 1):
        part = nearest == number
        if part.any():
            x, y, width, height = cv2.boundingRect(part.astype(np.uint8))
            box = (slice(y, y + height), slice(x, x + width))
            parts.append((box, part[box]))
    return parts


def _without_holes(region: BoolImage) -> BoolImage:
    """Fill the holes of a region."""
    contours, _ = cv2.findContours(
        region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    return np.asarray(
        cv2.drawContours(np.zeros(region.shape, np.uint8), contours, -1, 1, cv2.FILLED) > 0
    )


def _features(
    view: View,
    inside: BoolImage,
    box: tuple[slice, slice],
    probability: FloatImage,
    grey: FloatImage,
    total: float,
) -> dict[str, float]:
    """Measure the features of a region.

    `probability` and `grey` are the mass probability and the rank of the grey level on the grid of
    the view, `total` is the sum of `probability`.
    """
    contours, _ = cv2.findContours(
        inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    outline = max(contours, key=len)
    area = float(inside.sum())
    hull = max(cv2.contourArea(cv2.convexHull(outline)), area)
    reach = round(view.grid.pixels(RING_MM))
    around = tuple(
        slice(max(part.start - reach, 0), min(part.stop + reach, size))
        for part, size in zip(box, view.shape, strict=True)
    )
    padded = np.zeros([part.stop - part.start for part in around], np.uint8)
    padded[
        tuple(slice(b.start - a.start, b.stop - a.start) for a, b in zip(around, box, strict=True))
    ] = inside
    ring = (
        (cv2.distanceTransform(1 - padded, cv2.DIST_L2, 5) <= reach)
        & (padded == 0)
        & view.tissue[around]
    )
    values = probability[box][inside]
    outside = float(grey[around][ring].mean()) if ring.any() else 0.5
    beyond = float(probability[around][ring].mean()) if ring.any() else 0.0
    rows, columns = inside.shape
    touching = (box[0].start == 0) * inside[0].sum() + (box[0].stop == view.shape[0]) * inside[
        -1
    ].sum()
    touching += (box[1].start == 0) * inside[:, 0].sum() + (box[1].stop == view.shape[1]) * inside[
        :, -1
    ].sum()
    depth = (
        float(view.scan_lines.depth((box[1].start + box[1].stop - 1) / 2, box[0].start))
        * view.grid.pixel_mm
    )
    return {
        "peak": float(np.log(values.max() / (1.0001 - values.max()))),
        "mean": float(values.mean()),
        "size": float(np.log(area) + 2 * np.log(view.grid.pixel_mm)),
        "solidity": area / hull,
        "flatness": float(np.log(columns / rows)),
        "share": float(values.sum() / max(total, 1e-6)),
        "contrast": outside - float(grey[box][inside].mean()),
        "fit": float(values.mean()) - beyond,
        "border": float(touching) / len(outline),
        "depth": float(np.log1p(max(depth, 0.0))),
    }
