"""The working grid: square pixels of a fixed physical size over the box around the tissue."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, ByteImage, FloatImage
from usmicro.model.scan import Spacing
from usmicro.model.view import Grid
from usmicro.preparation.spacing import pixel_aspect

MOST_ENLARGED = 4.0
"""Largest number of grid pixels per input pixel along an axis: further interpolation adds work, but
no detail."""
MOST_PIXELS = 4_000_000
"""Largest number of grid pixels: 160 x 160 mm at 0.08 mm. It limits the memory."""
LEAST_OVERLAP = 1e-3
"""Smallest fraction of a grid pixel that an input pixel must cover to count as touching it: larger
than rounding errors."""


def grid_over(
    box: tuple[int, int, int, int], spacing: Spacing, nominal_mm: float, grid_mm: float
) -> tuple[Grid, tuple[int, int]]:
    """Return the grid over a box of the input image, and its shape (rows, columns).

    Parameters
    ----------
    box : tuple
        Left, top, right, bottom in input pixels; right and bottom are one past the last.
    spacing : Spacing
        Credible spacing, or unknown.
    nominal_mm : float
        Estimated width of an input pixel in mm, used if the spacing is unknown.
    grid_mm : float
        Desired edge of a grid pixel in mm; it is larger if the image is too coarse or too large.
    """
    left, top, right, bottom = box
    x_mm, y_mm = spacing.x_mm, spacing.y_mm
    if not spacing.known:
        x_mm, y_mm = nominal_mm, nominal_mm * pixel_aspect(spacing)
    assert x_mm is not None
    assert y_mm is not None
    pixel_mm = max(grid_mm, min(x_mm, y_mm) / MOST_ENLARGED)
    area = (right - left) * x_mm * (bottom - top) * y_mm
    pixel_mm = max(pixel_mm, float(np.sqrt(area / MOST_PIXELS)))
    grid = Grid(
        left=left,
        top=top,
        step_x=pixel_mm / x_mm,
        step_y=pixel_mm / y_mm,
        pixel_mm=pixel_mm,
        spacing=spacing,
    )
    rows = max(1, round((bottom - top) / grid.step_y))
    columns = max(1, round((right - left) / grid.step_x))
    return grid, (rows, columns)


def _resize_axis(image: FloatImage, size: int, step: float, axis: int) -> FloatImage:
    """Resize one axis so that a grid pixel covers exactly `step` input pixels."""
    if step == 1 and image.shape[axis] == size:
        return image
    shape = (image.shape[1], size) if axis == 0 else (size, image.shape[0])
    matrix_scale = (1.0, 1.0 / step) if axis == 0 else (1.0 / step, 1.0)
    if step > 1:
        # OpenCV keeps the exact scale only if it chooses the size, which rounds like `grid_over`
        out = cv2.resize(
            image, None, fx=matrix_scale[0], fy=matrix_scale[1], interpolation=cv2.INTER_AREA
        )
        if out.shape[axis] == size:
            return np.asarray(out, dtype=np.float32)
        return np.asarray(cv2.resize(image, shape, interpolation=cv2.INTER_AREA), dtype=np.float32)
    out = cv2.resize(
        image, None, fx=matrix_scale[0], fy=matrix_scale[1], interpolation=cv2.INTER_CUBIC
    )
    if out.shape[axis] != size:
        out = cv2.resize(image, shape, interpolation=cv2.INTER_CUBIC)
    return np.asarray(out, dtype=np.float32)


def on_grid(image: FloatImage, grid: Grid, shape: tuple[int, int]) -> FloatImage:
    """Resample a grey image, cut to the box of the grid, to the grid.

    It is averaged over areas where it shrinks, and interpolated cubically where it grows.
    """
    if min(grid.step_x, grid.step_y) > 1:
        # one pass is enough if both axes shrink and OpenCV chooses this size
        out = cv2.resize(
            image, None, fx=1 / grid.step_x, fy=1 / grid.step_y, interpolation=cv2.INTER_AREA
        )
        if out.shape == shape:
            return np.asarray(out, dtype=np.float32)
    out = _resize_axis(_resize_axis(image, shape[1], grid.step_x, 1), shape[0], grid.step_y, 0)
    return np.clip(out, 0, 255)


def nearest(grid: Grid, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of the input image nearest to those of the grid."""
    rows = np.floor((np.arange(shape[0]) + 0.5) * grid.step_y + grid.top).astype(np.intp)
    columns = np.floor((np.arange(shape[1]) + 0.5) * grid.step_x + grid.left).astype(np.intp)
    return rows, columns


def touched(mask: BoolImage, grid: Grid, shape: tuple[int, int]) -> BoolImage:
    """Return the grid pixels that a mask, cut to the box of the grid, touches."""
    from usmicro.kernels.graphics import mark_touched_pixels

    out = np.zeros(shape, dtype=np.bool_)
    rows, columns = (
        _covered(size, step, most)
        for size, step, most in zip(mask.shape, (grid.step_y, grid.step_x), shape, strict=True)
    )
    mark_touched_pixels(np.ascontiguousarray(mask), rows, columns, out)
    return out


def _covered(size: int, step: float, most: int) -> NDArray[np.int32]:
    """Return the range of grid pixels that each input pixel covers along an axis, shape (2, size).

    These are the first grid pixel and the one after the last. `size` is the number of input pixels,
    `most` that of grid pixels, `step` the number of input pixels per grid pixel.
    """
    pixel = np.arange(size)
    if step <= 1:
        # a grid pixel inside an input pixel takes its value, so that no part of the mask is lost
        index = np.minimum(((np.arange(most) + 0.5) * step).astype(np.intp), size - 1)
        found = np.searchsorted(index, pixel, "left"), np.searchsorted(index, pixel, "right")
    else:
        found = (
            np.floor(pixel / step + LEAST_OVERLAP),
            np.minimum(np.ceil((pixel + 1) / step - LEAST_OVERLAP), most),
        )
    return np.array(found, dtype=np.int32)


def sampled(image: ByteImage | BoolImage, grid: Grid, shape: tuple[int, int]) -> np.ndarray:
    """Resample a full input image to the grid by nearest neighbour; no colours or labels mix."""
    from usmicro.kernels.graphics import take_pixels

    rows, columns = nearest(grid, shape)
    rows = np.minimum(rows, image.shape[0] - 1)
    columns = np.minimum(columns, image.shape[1] - 1)
    out = np.empty((*shape, *image.shape[2:]), dtype=image.dtype)
    channels = image.reshape(*image.shape[:2], -1).view(np.uint8)
    take_pixels(channels, rows, columns, out.reshape(*shape, -1).view(np.uint8))
    return out
