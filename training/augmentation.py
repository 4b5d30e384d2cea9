"""Vary the pictures that a network is trained on, as if other scanners had made them.

A network should not depend on what differs among scanners: position, scale, gain, grey map, noise,
resolution and burned-in marks. This module is not a program. The ranges of the variations were
chosen by eye on the development scans; no measurement is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.pictures import Picture
from usmicro.anatomy.network import INPUT_MULTIPLE, network_input
from usmicro.model.arrays import BoolImage, FloatImage

Matrix = NDArray[np.float64]
"""Affine map from pixels of a picture to pixels of the input of a network, shape (2, 3)."""

LEAST_TISSUE = 0.8
"""Smallest fraction of a crop without mass that is tissue."""

WINDOW_ATTEMPTS, FREE_ATTEMPTS = 6, 12
"""Number of attempts to draw a crop that shows the target, and one without a mass."""


@dataclass(frozen=True)
class CropSettings:
    """Position and size of the part of a picture that a network sees, and their variation."""

    pixel_mm: float | None = None
    """Pixel size of the input in mm; None: the whole picture is stretched to the input."""
    zoom: tuple[float, float] = (-0.5, 0.12)
    """Range of the natural logarithm of the size of the crop over that of the whole picture, or
    over the size that gives `pixel_mm`. Positive values show the picture smaller."""
    stretch: float = 0.18
    """The height is multiplied by up to exp(stretch) and the width divided by it, or vice versa."""
    tilt: float = 0.14
    """Largest rotation, radians."""
    without_mass: float = 0.08
    """Probability of a crop without any mass."""
    least_visible: float = 0.7
    """Fraction of the target that a crop must show, otherwise another crop is drawn."""


def augmented(
    picture: Picture,
    target: FloatImage,
    size: tuple[int, int],
    crop: CropSettings,
    generator: np.random.Generator,
) -> tuple[NDArray[np.float32], FloatImage]:
    """Return a random crop of a picture with a random display.

    Parameters
    ----------
    picture : Picture
    target : array, shape of the picture
        Target of the network, 0 to 1.
    size : (int, int)
        Rows and columns of the input of the network.
    crop : CropSettings
    generator : numpy.random.Generator

    Returns
    -------
    input : array, shape (CHANNELS, *size), float32
    target : array, shape `size`, float32
    """
    free_crop = None
    if generator.random() < crop.without_mass:
        free_crop = _crop_without_mass(picture, size, generator)
    matrix = (
        _crop_of_target(picture, target, size, crop, generator) if free_crop is None else free_crop
    )

    def resample(image: NDArray[np.generic]) -> FloatImage:
        # twice as fine first: the mean over 2 x 2 pixels avoids aliasing
        fine_size = (2 * size[1], 2 * size[0])
        values = image.astype(np.float32)
        fine = cv2.warpAffine(values, 2 * matrix, fine_size, flags=cv2.INTER_LINEAR)
        coarse = cv2.resize(fine, size[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(coarse, dtype=np.float32)

    tissue_fraction = resample(picture.tissue)
    tissue = tissue_fraction > 0.5
    if generator.random() < 0.15:
        tissue &= _random_sector(size, generator)
    grey = _grey_of_tissue(picture, tissue_fraction, resample)
    return network_input(vary_display(grey, generator), tissue), resample(target) * tissue


def resampled(
    picture: Picture, target: FloatImage, size: tuple[int, int], crop: CropSettings
) -> tuple[NDArray[np.float32], FloatImage]:
    """Return the input and the target of a network from a whole picture, without variation.

    Parameters and results are those of `augmented`. With `crop.pixel_mm` the size follows from the
    picture instead of `size`.
    """
    if crop.pixel_mm is not None:
        rows, columns = (
            max(round(n * picture.pixel_mm / crop.pixel_mm / INPUT_MULTIPLE), 1) * INPUT_MULTIPLE
            for n in picture.grey.shape
        )
        size = (rows, columns)

    def resample(image: NDArray[np.generic]) -> FloatImage:
        values = image.astype(np.float32)
        coarse = cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(coarse, dtype=np.float32)

    tissue_fraction = resample(picture.tissue)
    grey = _grey_of_tissue(picture, tissue_fraction, resample)
    return network_input(grey, tissue_fraction > 0.5), resample(target)


def _grey_of_tissue(
    picture: Picture,
    tissue_fraction: FloatImage,
    resample: Callable[[NDArray[np.generic]], FloatImage],
) -> FloatImage:
    """Return the mean grey level of the tissue in each resampled pixel."""
    total = resample(picture.grey * picture.tissue)
    return np.asarray(total / np.maximum(tissue_fraction, 0.01), dtype=np.float32)


def _affine_map(
    picture: Picture,
    centre: NDArray[np.float64],
    part: tuple[float, float],
    angle: float,
    mirrored: bool,
    size: tuple[int, int],
) -> Matrix:
    """Return the map of a crop to the input.

    Parameters
    ----------
    picture : Picture
    centre : array, shape (2,)
        Column and row of the centre of the crop.
    part : (float, float)
        Height and width of the crop as fractions of those of the picture.
    angle : float
        Rotation, radians.
    mirrored : bool
        Exchange left and right.
    size : (int, int)
        Rows and columns of the input.
    """
    rows, columns = picture.grey.shape
    scale = np.array([size[1] / (part[1] * columns), size[0] / (part[0] * rows)])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = np.diag(scale * ([-1, 1] if mirrored else [1, 1])) @ rotation
    shift = np.array([size[1], size[0]]) / 2 - linear @ centre
    return np.column_stack([linear, shift])


def _crop_of_target(
    picture: Picture,
    target: FloatImage,
    size: tuple[int, int],
    crop: CropSettings,
    generator: np.random.Generator,
) -> Matrix:
    """Return the map of a random crop that shows most of the target.

    It is the map of the whole picture if no such crop was drawn. With `crop.pixel_mm` the crop may
    show less of the target.
    """
    rows, columns = picture.grey.shape
    whole = (1.0, 1.0)
    if crop.pixel_mm is not None:
        factor = crop.pixel_mm / picture.pixel_mm
        whole = (size[0] * factor / rows, size[1] * factor / columns)
    mirrored, angle = bool(generator.random() < 0.5), 0.0
    if generator.random() < 0.3:
        angle = generator.uniform(-crop.tilt, crop.tilt)
    y, x = np.nonzero(target > 0.5)
    corner, middle = np.array([columns, rows]), np.array([columns, rows]) / 2
    for _ in range(WINDOW_ATTEMPTS):
        zoom = generator.uniform(*crop.zoom)
        stretch = generator.uniform(-crop.stretch, crop.stretch)
        part = (whole[0] * float(np.exp(zoom + stretch)), whole[1] * float(np.exp(zoom - stretch)))
        room = np.abs(1 - np.array([part[1], part[0]])) / 2
        centre = corner * (0.5 + generator.uniform(-room, room))
        matrix = _affine_map(picture, centre, part, angle, mirrored, size)
        if not len(x) or crop.pixel_mm is not None:
            return matrix
        mapped = matrix @ np.stack([x, y, np.ones(len(x))])
        end = np.array([[size[1]], [size[0]]])
        visible = (mapped >= 0).all(axis=0) & (mapped < end).all(axis=0)
        if visible.mean() > crop.least_visible:
            return matrix
    return _affine_map(picture, middle, whole, angle, mirrored, size)


def _crop_without_mass(
    picture: Picture, size: tuple[int, int], generator: np.random.Generator
) -> Matrix | None:
    """Return the map of a random crop without mass, at least a third of the picture each way.

    None if there is no such crop.
    """
    rows, columns = picture.grey.shape
    for _ in range(FREE_ATTEMPTS):
        height, width = generator.uniform(0.33, 0.8, 2)
        top = generator.uniform(0, 1 - height) * rows
        left = generator.uniform(0, 1 - width) * columns
        box = np.s_[int(top) : int(top + height * rows), int(left) : int(left + width * columns)]
        if not picture.outline[box].any() and picture.tissue[box].mean() > LEAST_TISSUE:
            centre = np.array([left + width * columns / 2, top + height * rows / 2])
            mirrored = bool(generator.random() < 0.5)
            return _affine_map(picture, centre, (height, width), 0.0, mirrored, size)
    return None


def _random_sector(size: tuple[int, int], generator: np.random.Generator) -> BoolImage:
    """Return a mask, shape `size`, of a random sector or of a picture with slanted sides."""
    rows, columns = size
    y, x = np.mgrid[:rows, :columns]
    apex = -generator.uniform(0.1, 1.5) * rows
    slope = generator.uniform(0.45, 0.7) * columns / (rows - apex)
    middle = columns / 2 + generator.uniform(-0.05, 0.05) * columns
    inside = np.abs(x - middle) < slope * (y - apex) * generator.uniform(1.0, 1.3)
    if generator.random() < 0.6:
        radius = np.hypot(x - middle, y - apex)
        face = -apex + generator.uniform(0, 0.05) * rows
        inside &= (radius > face) & (radius < rows - apex)
    return np.asarray(inside)


def vary_display(grey: FloatImage, generator: np.random.Generator) -> FloatImage:
    """Vary gain, time-gain compensation, grey map, noise, resolution, shadows and caliper marks.

    Parameters
    ----------
    grey : array, shape (rows, columns)
        Grey levels, 0 to 255.
    generator : numpy.random.Generator

    Returns
    -------
    array, shape (rows, columns), float32
        Grey levels, 0 to 255.
    """
    rows, columns = grey.shape
    x = np.clip(grey / 255, 0, 1)
    if generator.random() < 0.7:  # grey map
        x = x ** np.float32(np.exp(generator.uniform(-0.45, 0.45)))
    if generator.random() < 0.6:  # time-gain compensation and uneven contact
        nodes = generator.normal(0, generator.uniform(0.01, 0.1), (4, 3)).astype(np.float32)
        x = x + cv2.resize(nodes, (columns, rows), interpolation=cv2.INTER_CUBIC)
    if generator.random() < 0.4:  # gain
        x = x * np.float32(generator.uniform(0.7, 1.4)) + np.float32(generator.uniform(-0.12, 0.08))
    if generator.random() < 0.2:  # shadow
        left, width = generator.uniform(0, columns), generator.uniform(0.03, 0.15) * columns
        across = np.exp(-(((np.arange(columns) - left) / width) ** 2))
        down = 1 / (1 + np.exp(-(np.arange(rows) - generator.uniform(0.05, 0.8) * rows) / 2))
        x = x * (1 - generator.uniform(0.2, 0.7) * np.outer(down, across))
    if generator.random() < 0.5:  # noise with the texture of speckle
        noise = generator.standard_normal((rows, columns), dtype=np.float32)
        sigma_across, sigma_along = generator.uniform(0.3, 1.8), generator.uniform(0.3, 1.0)
        noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=sigma_across, sigmaY=sigma_along)
        x = x + noise * np.float32(generator.uniform(0, 0.05) / max(float(noise.std()), 1e-3))
    if generator.random() < 0.3:  # resolution
        x = cv2.GaussianBlur(x.astype(np.float32), (0, 0), generator.uniform(0.3, 1.0))
    out = np.clip(x, 0, 1).astype(np.float32) * 255
    if generator.random() < 0.12:
        _draw_marks(out, generator)
    return out


def _draw_marks(grey: FloatImage, generator: np.random.Generator) -> None:
    """Draw two to five bright marks, such as calipers, in place."""
    rows, columns = grey.shape
    for _ in range(int(generator.integers(2, 6))):
        position = (int(generator.integers(columns)), int(generator.integers(rows)))
        level = generator.uniform(180, 255)
        kind, size = int(generator.integers(0, 3)), int(generator.integers(3, 7))
        cv2.drawMarker(grey, position, level, kind, size)
