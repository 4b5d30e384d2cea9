"""Shape and size of bright spots: second differences, extents, centroids, lengths of ridges."""

from __future__ import annotations

import numpy as np

from usmicro.kernels._jit import Float1D, Float2D, jit

RIDGE_TURN = 0.175
"""Step of the directions that are tried at each pixel along a ridge, radians: 10 degrees, two of
them to either side. Chosen by eye on the sample scans; no measurement is recorded."""


@jit
def _sample(image: Float2D, x: float, y: float) -> float:
    """Return the bilinear interpolation of an image at (x, y), pixels; outside, of its edge."""
    rows, columns = image.shape
    x = min(max(x, 0.0), columns - 1.0)
    y = min(max(y, 0.0), rows - 1.0)
    c, r = min(int(x), max(columns - 2, 0)), min(int(y), max(rows - 2, 0))
    right, below = min(c + 1, columns - 1), min(r + 1, rows - 1)
    u, v = x - c, y - r
    upper = image[r, c] * (1 - u) + image[r, right] * u
    lower = image[below, c] * (1 - u) + image[below, right] * u
    return float(upper * (1 - v) + lower * v)


@jit
def second_differences(image: Float2D, x: Float1D, y: Float1D, out: Float2D) -> None:
    """Compute the second differences of a smoothed image at positions between pixels.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    x, y : array, shape (n,), float32
        Positions, pixels.
    out : array, shape (n, 3), float32
        Receives the elements xx, yy and xy of the Hessian, in the unit of the image per squared
        pixel.
    """
    for i in range(x.size):
        # float64, so that `_sample` is compiled once for all of its callers
        column, row = np.float64(x[i]), np.float64(y[i])
        here = _sample(image, column, row)
        out[i, 0] = _sample(image, column - 1, row) + _sample(image, column + 1, row) - 2 * here
        out[i, 1] = _sample(image, column, row - 1) + _sample(image, column, row + 1) - 2 * here
        diagonal = _sample(image, column - 1, row - 1) + _sample(image, column + 1, row + 1)
        other = _sample(image, column + 1, row - 1) + _sample(image, column - 1, row + 1)
        out[i, 2] = 0.25 * (diagonal - other)


@jit
def radial_extents(
    image: Float2D, x: Float1D, y: Float1D, level: Float1D, most: Float1D, out: Float2D
) -> None:
    """Measure how far an image stays above a level in several directions from each position.

    Cosines and sines of the directions are computed once for all positions.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    x, y : array, shape (n,), float32
        Positions, pixels.
    level : array, shape (n,), float32
        Level of each position, in the unit of the image.
    most : array, shape (n,), float32
        Largest distance, pixels.
    out : array, shape (n, m), float32
        Receives the distance to the first crossing of the level in each of m directions, pixels.
        The directions are evenly spread; the first is +x, the next ones turn towards +y.
    """
    directions = out.shape[1]
    across, down = np.empty(directions), np.empty(directions)
    for k in range(directions):
        angle = 2 * np.pi * k / directions
        across[k], down[k] = np.cos(angle), np.sin(angle)
    for i in range(x.size):
        centre = _sample(image, np.float64(x[i]), np.float64(y[i]))
        for k in range(directions):
            dx, dy = across[k], down[k]
            before, distance = centre, 0.0
            while distance < most[i]:
                after = _sample(image, x[i] + (distance + 1) * dx, y[i] + (distance + 1) * dy)
                if after < level[i]:
                    distance += (before - level[i]) / (before - after) if before > level[i] else 0.0
                    break
                distance += 1
                before = after
            out[i, k] = min(distance, most[i])


@jit
def centroids(
    image: Float2D, x: Float1D, y: Float1D, level: Float1D, radius: Float1D, out: Float2D
) -> None:
    """Compute the centroid of the part of an image above a level, near each position.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    x, y : array, shape (n,), float32
        Positions, pixels.
    level : array, shape (n,), float32
        Level of each position, in the unit of the image. A pixel has the weight by which it exceeds
        the level.
    radius : array, shape (n,), float32
        Radius of the disc around each position, pixels.
    out : array, shape (n, 2), float32
        Receives x and y of the centroids, pixels; the position itself if no pixel exceeds the
        level.
    """
    rows, columns = image.shape
    for i in range(x.size):
        column, row, reach = int(np.round(x[i])), int(np.round(y[i])), int(np.ceil(radius[i])) + 1
        total, total_x, total_y = 0.0, 0.0, 0.0
        for r in range(max(row - reach, 0), min(row + reach + 1, rows)):
            for c in range(max(column - reach, 0), min(column + reach + 1, columns)):
                weight = float(image[r, c] - level[i])
                if weight > 0 and (c - x[i]) ** 2 + (r - y[i]) ** 2 <= radius[i] ** 2:
                    total += weight
                    total_x += weight * (c - x[i])
                    total_y += weight * (r - y[i])
        out[i, 0] = x[i] + (total_x / total if total > 0 else 0.0)
        out[i, 1] = y[i] + (total_y / total if total > 0 else 0.0)


@jit
def ridge_lengths(
    image: Float2D,
    x: Float1D,
    y: Float1D,
    angle: Float1D,
    levels: Float2D,
    most: np.float32,
    out: Float2D,
) -> None:
    """Measure how far a bright ridge through each position stays above several levels.

    The ridge is followed both ways in steps of one pixel. Each step turns by up to twice RIDGE_TURN
    towards the brightest of five continuations. One walk measures the lengths for all levels.

    Parameters
    ----------
    image : array, shape (rows, columns), float32
    x, y : array, shape (n,), float32
        Positions, pixels.
    angle : array, shape (n,), float32
        Direction in which each ridge starts, radians from +x towards +y.
    levels : array, shape (n, m), float32
        Levels of each ridge in descending order, in the unit of the image.
    most : float32
        Largest length each way, pixels.
    out : array, shape (n, m), float32
        Receives the lengths, both ways together, pixels.
    """
    # a direction is turned by the sine and cosine of each turn: no other ones are computed
    turn_cos, turn_sin = np.empty(5), np.empty(5)
    for k in range(5):
        turn_cos[k], turn_sin[k] = np.cos(RIDGE_TURN * (k - 2)), np.sin(RIDGE_TURN * (k - 2))
    for i in range(x.size):
        out[i] = 0
        for way in range(2):
            heading = angle[i] + np.pi * way
            across, down = np.cos(heading), np.sin(heading)
            column, row = float(x[i]), float(y[i])
            first_exceeded = 0  # index of the first level that the ridge still exceeds
            for _ in range(int(most)):
                best, best_across, best_down = -np.inf, across, down
                for k in range(5):
                    dx = across * turn_cos[k] - down * turn_sin[k]
                    dy = down * turn_cos[k] + across * turn_sin[k]
                    value = _sample(image, column + dx, row + dy)
                    if value > best:
                        best, best_across, best_down = value, dx, dy
                while first_exceeded < levels.shape[1] and best < levels[i, first_exceeded]:
                    first_exceeded += 1
                if first_exceeded == levels.shape[1]:
                    break
                across, down = best_across, best_down
                column += across
                row += down
                for j in range(first_exceeded, levels.shape[1]):
                    out[i, j] += 1
