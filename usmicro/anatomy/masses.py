"""Masses: where they are, how far they reach, how sure that is."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from usmicro.anatomy.features import Coarse
from usmicro.arrays import FloatImage, LabelImage
from usmicro.settings import AnatomySettings
from usmicro.view import View

SMALLEST_MM = 3.0
CORE = 0.5
RIM = 0.4


def on_view(image: FloatImage, view: View) -> FloatImage:
    """A coarse image on the view's grid."""
    return np.asarray(cv2.resize(image, (view.shape[1], view.shape[0]), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def find_masses(view: View, coarse: Coarse, probability: FloatImage, settings: AnatomySettings) -> tuple[LabelImage, tuple[float, ...]]:
    """Regions of high mass probability, most certain first, with a confidence each."""
    fine = on_view(probability, view)
    found, count = ndimage.label(fine > RIM)
    labels = np.zeros(view.shape, np.int32)
    smallest = np.pi / 4 * view.grid.pixels(SMALLEST_MM) ** 2
    regions = []
    for number, box in enumerate(ndimage.find_objects(found, count), start=1):
        region = found[box] == number
        if region.sum() < smallest:
            continue
        confidence = float(np.quantile(fine[box][region], 0.75))
        if confidence >= settings.mass_threshold:
            regions.append((confidence, box, ndimage.binary_fill_holes(region)))
    regions.sort(key=lambda item: -item[0])
    for number, (_, box, region) in enumerate(regions, start=1):
        labels[box][region & (labels[box] == 0)] = number
    return labels, tuple(confidence for confidence, _, _ in regions)
