"""What a coarse pixel sees: grey and texture around it at growing distances, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.arrays import BoolImage, FloatImage
from usmicro.view import View

GREY_RADII = (3, 6, 10, 16, 24, 36)
TEXTURE_RADII = (4, 10, 20)
CONTEXT_RADII = (2, 4, 8, 14, 22, 32)
"""Distances that are looked at, in coarse pixels."""
DIRECTIONS = 8
GREY_BINS = 4096
"""Steps of the grey histogram, fine enough that none shows."""
COLUMNS_BESIDE = 16
BLUR = 0.4
"""Blur at a distance, over that distance: what is far is seen coarsely, as in a retina."""
_OVERSAMPLING = 2


@dataclass(frozen=True, slots=True)
class Coarse:
    """A view on the coarse grid; all arrays have one shape."""

    grey: FloatImage
    """Equalised grey, 0 to 1 over the tissue: the same for every gain, dynamic range and grey map."""
    level: FloatImage
    """Grey between the 2 % and 98 % quantiles of the tissue: tells anechoic from merely dark."""
    texture: FloatImage
    """Standard deviation of the equalised grey over about two pixels."""
    tissue: FloatImage
    """Fraction of the pixel that is tissue."""
    depth_mm: FloatImage
    """Distance from the transducer along the beam."""


def weighted_blur(image: FloatImage, weight: FloatImage, sigma: float) -> FloatImage:
    """Gaussian blur that takes no account of pixels without weight, and carries the nearest tissue outwards."""
    low = np.float32(1e-4)
    above = cv2.GaussianBlur(image * weight + low * image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    below = cv2.GaussianBlur(weight, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE) + low
    return np.asarray(above / below, dtype=np.float32)


def coarse_view(view: View, pixel_mm: float) -> Coarse:
    """Reduce a view to pixels of about `pixel_mm`, whatever its own grid; burned-in text and colour count as missing."""
    rows = max(round(view.shape[0] * view.grid.pixel_mm / pixel_mm), 4)
    columns = max(round(view.shape[1] * view.grid.pixel_mm / pixel_mm), 4)
    fine = (columns * _OVERSAMPLING, rows * _OVERSAMPLING)
    usable = view.usable.astype(np.float32)
    weight = cv2.resize(usable, fine, interpolation=cv2.INTER_AREA)
    grey = cv2.resize(view.grey * usable, fine, interpolation=cv2.INTER_AREA) / np.maximum(weight, 1e-3)
    equal, level = equalised(grey, weight > 0.5)

    sigma = 1.0
    mean = weighted_blur(equal, weight, sigma)
    square = weighted_blur(equal * equal, weight, sigma)
    texture = np.sqrt(np.maximum(square - mean * mean, 0))

    def reduce(image: FloatImage) -> FloatImage:
        total = cv2.resize(image * weight, (columns, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(total / np.maximum(tissue, 1e-3), dtype=np.float32)

    tissue = cv2.resize(weight, (columns, rows), interpolation=cv2.INTER_AREA)
    pixel = (view.shape[0] / rows, view.shape[1] / columns)
    y, x = np.mgrid[:rows, :columns]
    depth = view.beams.depth((x + 0.5) * pixel[1] - 0.5, (y + 0.5) * pixel[0] - 0.5) * view.grid.pixel_mm
    coarse_tissue = np.asarray(tissue, dtype=np.float32)
    # missing pixels take the value of what lies around them
    fill = [
        np.where(tissue > 0.3, reduce(i), weighted_blur(reduce(i), coarse_tissue, 2.0)).astype(np.float32) for i in (equal, level, texture)
    ]
    return Coarse(
        grey=fill[0],
        level=fill[1],
        texture=fill[2],
        tissue=coarse_tissue,
        depth_mm=np.maximum(depth, 0).astype(np.float32),
    )


def equalised(grey: FloatImage, tissue: BoolImage) -> tuple[FloatImage, FloatImage]:
    """Rank of each pixel's grey among the tissue, 0 to 1, and where it lies between the darkest and brightest 1.5 % of the tissue.

    The first is the same under every rising map of the grey, the second under every linear one.
    """
    values = grey[tissue] if tissue.any() else grey.ravel()
    low, high = float(values.min()), float(values.max())
    bins = np.clip((grey - low) * ((GREY_BINS - 1) / max(high - low, 1e-6)) + 0.5, 0, GREY_BINS - 1).astype(np.intp)
    count = np.bincount(bins[tissue] if tissue.any() else bins.ravel(), minlength=GREY_BINS)
    below = np.cumsum(count)
    rank = ((below - count / 2) / below[-1]).astype(np.float32)
    dark, bright = np.searchsorted(below, (0.015 * below[-1], 0.985 * below[-1]))
    level = np.clip((bins - dark) / np.float32(max(bright - dark, 1)), 0, 1)
    return rank[bins], np.asarray(level, dtype=np.float32)


def ring(image: FloatImage, weight: FloatImage, radius: int) -> list[FloatImage]:
    """The blurred image itself, then as seen from each pixel at `radius` in eight directions, clockwise from the right."""
    blurred = weighted_blur(image, weight, max(BLUR * radius, 0.5))
    reach = radius + 1
    padded = cv2.copyMakeBorder(blurred, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    rows, columns = image.shape
    seen = [blurred]
    for k in range(DIRECTIONS):
        angle = 2 * np.pi * k / DIRECTIONS
        dx = int(np.rint(np.cos(angle) * radius))
        dy = int(np.rint(np.sin(angle) * radius))
        seen.append(padded[reach + dy : reach + dy + rows, reach + dx : reach + dx + columns])
    return seen


def _column_clues(coarse: Coarse) -> list[FloatImage]:
    """Mean grey below and above in the same column, and against the columns beside: dark all the way down is a shadow."""
    grey = cv2.GaussianBlur(coarse.grey * coarse.tissue, (3, 1), 0.8, borderType=cv2.BORDER_REPLICATE)
    weight = cv2.GaussianBlur(coarse.tissue, (3, 1), 0.8, borderType=cv2.BORDER_REPLICATE)
    clues = []
    for reverse in (False, True):
        order = slice(None, None, -1) if reverse else slice(None)
        total, count = np.cumsum(grey[order], axis=0)[order], np.cumsum(weight[order], axis=0)[order]
        mean = np.asarray(total / np.maximum(count, 1e-3), dtype=np.float32)
        wide = cv2.blur(mean, (2 * COLUMNS_BESIDE + 1, 1), borderType=cv2.BORDER_REPLICATE)
        clues += [mean, mean - wide]
    return clues


def pixel_features(coarse: Coarse) -> NDArray[np.float32]:
    """Features of every coarse pixel, shape (features, rows, columns); see `mirrored` for their order under a left-right flip."""
    planes: list[FloatImage] = []
    centre = weighted_blur(coarse.grey, coarse.tissue, 0.8)
    planes += [coarse.grey, centre, coarse.level, weighted_blur(coarse.level, coarse.tissue, 2.0)]
    planes += [coarse.texture, weighted_blur(coarse.texture, coarse.tissue, 1.5)]
    planes += _column_clues(coarse)
    rows, columns = coarse.grey.shape
    share = np.broadcast_to(((np.arange(rows, dtype=np.float32) + 0.5) / rows)[:, None], (rows, columns))
    across = np.broadcast_to(((np.arange(columns, dtype=np.float32) + 0.5) / columns - 0.5)[None, :], (rows, columns))
    deep = np.asarray(np.minimum(coarse.depth_mm, 60) / 20, dtype=np.float32)
    planes += [deep, np.sqrt(deep), share, np.abs(across) * 2]
    planes.append(coarse.tissue)
    for radius in GREY_RADII:
        blurred, *around = ring(coarse.grey, coarse.tissue, radius)
        planes += [blurred, *(seen - centre for seen in around)]
    for radius in TEXTURE_RADII:
        planes += ring(coarse.texture, coarse.tissue, radius)
    return np.stack([np.asarray(plane, dtype=np.float32) for plane in planes])


def context_features(probability: FloatImage, tissue: FloatImage) -> NDArray[np.float32]:
    """What the first pass says around every coarse pixel, shape (features, rows, columns)."""
    planes: list[FloatImage] = [probability]
    for radius in CONTEXT_RADII:
        planes += ring(probability, tissue, radius)
    inside = probability * tissue
    planes.append(np.broadcast_to(inside.max(initial=0), inside.shape))
    planes.append(np.broadcast_to(inside.mean(axis=0), inside.shape))
    planes.append(np.broadcast_to(np.float32(inside.mean()), inside.shape))
    return np.stack([np.asarray(plane, dtype=np.float32) for plane in planes])


def with_context(features: NDArray[np.float32], probability: FloatImage, tissue: FloatImage) -> NDArray[np.float32]:
    """Features of the second pass: those of the first and what it says around."""
    return np.concatenate([features, context_features(probability, tissue)])


_SINGLE = 15
_FLIP = [0, *(1 + (4 - k) % DIRECTIONS for k in range(DIRECTIONS))]


def _mirrored(singles: int, rings: int, after: int) -> NDArray[np.intp]:
    order = list(range(singles))
    for k in range(rings):
        start = singles + k * (DIRECTIONS + 1)
        order += [start + i for i in _FLIP]
    order += range(len(order), len(order) + after)
    return np.array(order)


PIXEL_MIRRORED = _mirrored(_SINGLE, len(GREY_RADII) + len(TEXTURE_RADII), 0)
"""Order of `pixel_features` as seen in a mirror."""
CONTEXT_MIRRORED = _mirrored(1, len(CONTEXT_RADII), 3)
"""Order of `context_features` as seen in a mirror."""
BOTH_MIRRORED = np.concatenate([PIXEL_MIRRORED, len(PIXEL_MIRRORED) + CONTEXT_MIRRORED])
"""Order of `with_context` as seen in a mirror."""
