"""Pictures as another scanner would show them: what differs between scanners must not matter to a network."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.pictures import Picture
from usmicro.anatomy.network import INPUT_MULTIPLE, network_input
from usmicro.model.arrays import BoolImage, FloatImage

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Geometry:
    """Which part of a picture a network sees, and how far it is moved about."""

    pixel_mm: float | None = None
    """Size of a network's pixel; None: the whole picture is stretched over the network's input."""
    zoom: tuple[float, float] = (-0.5, 0.12)
    """Natural logarithm of the part that is taken against the whole picture or the right scale, least and most."""
    stretch: float = 0.18
    """The same of height against width, to either side."""
    tilt: float = 0.14
    """Largest rotation, radians."""
    elsewhere: float = 0.08
    """How often a part without any mass is taken."""


def augmented(
    picture: Picture,
    target: FloatImage,
    size: tuple[int, int],
    geometry: Geometry,
    generator: np.random.Generator,
) -> tuple[NDArray[np.float32], FloatImage]:
    """Input and target of a network, of `size` (rows, columns), from a picture seen in another way."""
    matrix = (
        _elsewhere(picture, size, generator) if generator.random() < geometry.elsewhere else None
    )
    if matrix is None:
        matrix = _window(picture, target, size, geometry, generator)

    def moved(image: NDArray[np.generic]) -> FloatImage:
        fine = (2 * size[1], 2 * size[0])
        wide = cv2.warpAffine(
            image.astype(np.float32), 2 * matrix[:2], fine, flags=cv2.INTER_LINEAR
        )
        return np.asarray(
            cv2.resize(wide, size[::-1], interpolation=cv2.INTER_AREA), dtype=np.float32
        )

    weight = moved(picture.tissue)
    tissue = weight > 0.5
    if generator.random() < 0.15:
        tissue &= _sector(size, generator)
    grey = _normalised(moved(picture.grey * picture.tissue), weight)
    return network_input(other_display(grey, generator), tissue), moved(target) * tissue


def plain(
    picture: Picture, target: FloatImage, size: tuple[int, int], geometry: Geometry
) -> tuple[NDArray[np.float32], FloatImage]:
    """Input and target from a picture as it is; with a pixel size, of as many pixels as it takes."""
    if geometry.pixel_mm is not None:
        rows, columns = (
            round(n * picture.pixel_mm / geometry.pixel_mm / INPUT_MULTIPLE) * INPUT_MULTIPLE
            for n in picture.grey.shape
        )
        size = (rows, columns)

    def small(image: NDArray[np.generic]) -> FloatImage:
        return np.asarray(
            cv2.resize(image.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA),
            dtype=np.float32,
        )

    weight = small(picture.tissue)
    return network_input(
        _normalised(small(picture.grey * picture.tissue), weight), weight > 0.5
    ), small(target)


def _normalised(total: FloatImage, weight: FloatImage) -> FloatImage:
    """Divide resampled grey levels by the resampled tissue, 0 to 1, that they were summed over."""
    return np.asarray(total / np.maximum(weight, 0.01), dtype=np.float32)


def _placed(
    picture: Picture,
    centre: Matrix,
    part: tuple[float, float],
    angle: float,
    mirrored: bool,
    size: tuple[int, int],
) -> Matrix:
    """Affine map from picture to network pixels: `part` of the height and width around the centre (x, y) fills the size."""
    rows, columns = picture.grey.shape
    scale = np.array([size[1] / (part[1] * columns), size[0] / (part[0] * rows)])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = np.diag(scale * ([-1, 1] if mirrored else [1, 1])) @ turn
    shift = np.array([size[1], size[0]]) / 2 - linear @ centre
    return np.column_stack([linear, shift])


def _window(
    picture: Picture,
    target: FloatImage,
    size: tuple[int, int],
    geometry: Geometry,
    generator: np.random.Generator,
) -> Matrix:
    """A part that keeps most of what is to be found."""
    rows, columns = picture.grey.shape
    whole = (1.0, 1.0)
    if geometry.pixel_mm is not None:
        factor = geometry.pixel_mm / picture.pixel_mm
        whole = (size[0] * factor / rows, size[1] * factor / columns)
    mirrored, angle = bool(generator.random() < 0.5), 0.0
    if generator.random() < 0.3:
        angle = generator.uniform(-geometry.tilt, geometry.tilt)
    y, x = np.nonzero(target > 0.5)
    for _ in range(6):
        zoom, stretch = (
            generator.uniform(*geometry.zoom),
            generator.uniform(-geometry.stretch, geometry.stretch),
        )
        part = (whole[0] * float(np.exp(zoom + stretch)), whole[1] * float(np.exp(zoom - stretch)))
        room = np.abs(1 - np.array([part[1], part[0]])) / 2
        centre = np.array([columns, rows]) * (0.5 + generator.uniform(-room, room))
        matrix = _placed(picture, centre, part, angle, mirrored, size)
        if not len(x) or geometry.pixel_mm is not None:
            break
        seen = matrix @ np.stack([x, y, np.ones(len(x))])
        inside = (seen >= 0).all(axis=0) & (seen < np.array([[size[1]], [size[0]]])).all(axis=0)
        if inside.mean() > 0.7:
            break
    else:
        matrix = _placed(picture, np.array([columns, rows]) / 2, whole, angle, mirrored, size)
    return matrix


def _elsewhere(
    picture: Picture, size: tuple[int, int], generator: np.random.Generator
) -> Matrix | None:
    """A part of at least a third of either side without any mass, if there is one."""
    rows, columns = picture.grey.shape
    for _ in range(12):
        height, width = generator.uniform(0.33, 0.8, 2)
        top, left = (
            generator.uniform(0, 1 - height) * rows,
            generator.uniform(0, 1 - width) * columns,
        )
        box = np.s_[int(top) : int(top + height * rows), int(left) : int(left + width * columns)]
        if not picture.outline[box].any() and picture.tissue[box].mean() > 0.8:
            centre = np.array([left + width * columns / 2, top + height * rows / 2])
            return _placed(
                picture, centre, (height, width), 0.0, bool(generator.random() < 0.5), size
            )
    return None


def _sector(size: tuple[int, int], generator: np.random.Generator) -> BoolImage:
    """Inside of a sector that fills the picture, or of slanted sides."""
    rows, columns = size
    y, x = np.mgrid[:rows, :columns]
    apex = -generator.uniform(0.1, 1.5) * rows
    half = generator.uniform(0.45, 0.7) * columns / (rows - apex)
    middle = columns / 2 + generator.uniform(-0.05, 0.05) * columns
    inside = np.abs(x - middle) < half * (y - apex) * generator.uniform(1.0, 1.3)
    if generator.random() < 0.6:
        radius = np.hypot(x - middle, y - apex)
        inside &= (radius > -apex + generator.uniform(0, 0.05) * rows) & (radius < rows - apex)
    return np.asarray(inside)


def other_display(grey: FloatImage, generator: np.random.Generator) -> FloatImage:
    """Another gain, time-gain compensation, grey map, noise, resolution, shadows and caliper marks; grey is 0 to 255."""
    rows, columns = grey.shape
    x = np.clip(grey / 255, 0, 1)
    if generator.random() < 0.7:
        x = x ** np.float32(np.exp(generator.uniform(-0.45, 0.45)))
    if generator.random() < 0.6:
        knots = generator.normal(0, generator.uniform(0.01, 0.1), (4, 3)).astype(np.float32)
        x = x + cv2.resize(knots, (columns, rows), interpolation=cv2.INTER_CUBIC)
    if generator.random() < 0.4:
        x = x * np.float32(generator.uniform(0.7, 1.4)) + np.float32(generator.uniform(-0.12, 0.08))
    if generator.random() < 0.2:
        left, width = generator.uniform(0, columns), generator.uniform(0.03, 0.15) * columns
        across = np.exp(-(((np.arange(columns) - left) / width) ** 2))
        down = 1 / (1 + np.exp(-(np.arange(rows) - generator.uniform(0.05, 0.8) * rows) / 2))
        x = x * (1 - generator.uniform(0.2, 0.7) * np.outer(down, across))
    if generator.random() < 0.5:
        noise = generator.standard_normal((rows, columns), dtype=np.float32)
        across, along = generator.uniform(0.3, 1.8), generator.uniform(0.3, 1.0)
        noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=across, sigmaY=along)
        x = x + noise * np.float32(generator.uniform(0, 0.05) / max(float(noise.std()), 1e-3))
    if generator.random() < 0.3:
        x = cv2.GaussianBlur(x.astype(np.float32), (0, 0), generator.uniform(0.3, 1.0))
    out = np.clip(x, 0, 1).astype(np.float32) * 255
    if generator.random() < 0.12:
        for _ in range(int(generator.integers(2, 6))):
            place = (int(generator.integers(columns)), int(generator.integers(rows)))
            cv2.drawMarker(
                out,
                place,
                generator.uniform(180, 255),
                int(generator.integers(0, 3)),
                int(generator.integers(3, 7)),
            )
    return out
