"""Hyperechoic foci: blob responses with their local maxima, background rings, extent along directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool2D, Float1D, Float2D, jit

LEVELS = 256


@jit
def blob_maxima(image: Float2D, usable: Bool2D, least: np.float32, position: Float2D, strength: Float1D) -> int:
    """Local maxima of the bright-blob response of a smoothed image; gives how many were found.

    The response is the square root of the Hessian's determinant where both of its eigenvalues are negative, else 0. `position`
    gets (x, y) of the peak of a parabola through the response along each axis, `strength` the response at the pixel, both up to
    their length. Only `usable` pixels with a response of `least` or more count.
    """
    rows, columns = image.shape
    response = np.zeros((3, columns), np.float32)  # the last three rows: maxima are taken while the responses are still in cache
    quarter, two = np.float32(0.25), np.float32(2)
    count = 0
    for r in range(1, rows):
        above, middle, below = response[(r - 2) % 3], response[(r - 1) % 3], response[r % 3]
        if r < rows - 1:
            for c in range(1, columns - 1):
                here = image[r, c]
                across = image[r, c - 1] + image[r, c + 1] - two * here
                along = image[r - 1, c] + image[r + 1, c] - two * here
                mixed = quarter * (image[r - 1, c - 1] + image[r + 1, c + 1] - image[r - 1, c + 1] - image[r + 1, c - 1])
                determinant = across * along - mixed * mixed
                bright = across + along < np.float32(0)
                below[c] = np.sqrt(determinant) if bright and determinant > np.float32(0) else np.float32(0)
        else:
            below[:] = 0
        for c in range(1, columns - 1):
            value = middle[c]
            if value < least or not usable[r - 1, c]:
                continue
            before = max(middle[c - 1], above[c], above[c - 1], above[c + 1])
            after = max(middle[c + 1], below[c], below[c - 1], below[c + 1])
            if value > before and value >= after:  # a plateau counts once
                if count == strength.size:
                    return count
                position[count, 0] = c + _peak(middle[c - 1], value, middle[c + 1])
                position[count, 1] = r - 1 + _peak(above[c], value, below[c])
                strength[count] = value
                count += 1
    return count


@jit
def _peak(before: np.float32, here: np.float32, after: np.float32) -> np.float32:
    """Offset of the peak of the parabola through three values, the middle one the largest."""
    curvature = before + after - np.float32(2) * here
    return np.float32(0.5) * (before - after) / curvature if curvature < np.float32(0) else np.float32(0)


@jit
def strongest_apart(x: Float1D, y: Float1D, reach: Float1D, kept: NDArray[np.bool_]) -> None:
    """Which positions, given strongest first, lie farther from every stronger one that is kept than that one's `reach`."""
    edge = np.float32(1)  # of the square bins in which neighbours are looked up: no reach is longer
    for i in range(x.size):
        edge = max(edge, reach[i])
    if x.size == 0:
        return
    left, top = x.min(), y.min()
    columns, rows = int((x.max() - left) / edge) + 1, int((y.max() - top) / edge) + 1
    first, following = np.full((rows, columns), -1, np.int32), np.empty(x.size, np.int32)
    for i in range(x.size):
        column, row = int((x[i] - left) / edge), int((y[i] - top) / edge)
        kept[i] = True
        for r in range(max(row - 1, 0), min(row + 2, rows)):
            for c in range(max(column - 1, 0), min(column + 2, columns)):
                j = first[r, c]
                while j >= 0:
                    across, down = x[i] - x[j], y[i] - y[j]
                    if across * across + down * down <= reach[j] * reach[j]:
                        kept[i] = False
                    j = following[j]
        if kept[i]:
            following[i] = first[row, column]
            first[row, column] = i


@jit
def ring_quantiles(
    levels: NDArray[np.uint8],
    usable: Bool2D,
    x: Float1D,
    y: Float1D,
    inner: Float1D,
    outer: Float1D,
    step: NDArray[np.int32],
    shares: Float1D,
    out: Float2D,
    counted: Float1D,
) -> None:
    """Quantiles of the grey levels in a ring around each position, from a histogram with each level spread over its bin.

    `shares` are the quantiles wanted, ascending, `out` has a row a position and a column a share; `counted` gets the number of
    usable ring pixels, estimated from every `step`-th row and column.
    """
    rows, columns = levels.shape
    histogram = np.zeros(LEVELS, np.int32)
    for i in range(x.size):
        histogram[:] = 0
        total = 0
        reach, stride = int(np.ceil(outer[i])), step[i]
        row, column = int(np.round(y[i])), int(np.round(x[i]))
        least, most = inner[i] * inner[i], outer[i] * outer[i]
        reach -= reach % stride  # the sampled rows and columns lie symmetric about the middle
        for dy in range(-reach, reach + 1, stride):
            r = row + dy
            if r < 0 or r >= rows:
                continue
            for dx in range(-reach, reach + 1, stride):
                c = column + dx
                distance = np.float32(dx * dx + dy * dy)
                if c >= 0 and c < columns and distance > least and distance <= most and usable[r, c]:
                    histogram[levels[r, c]] += 1
                    total += 1
        counted[i] = total * stride * stride
        below, level = 0, 0
        for k in range(shares.size):
            wanted = shares[k] * total
            while level < LEVELS - 1 and below + histogram[level] < wanted:
                below += histogram[level]
                level += 1
            inside = (wanted - below) / histogram[level] if histogram[level] > 0 else 0.5
            out[i, k] = level - 0.5 + inside


@jit
def _sample(image: Float2D, x: float, y: float) -> float:
    """Bilinear interpolation; positions outside take the nearest edge pixel."""
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
def curvatures(image: Float2D, x: Float1D, y: Float1D, out: Float2D) -> None:
    """Second differences of a smoothed image at positions: across (xx), along (yy) and mixed (xy), a row a position."""
    for i in range(x.size):
        here = _sample(image, x[i], y[i])
        out[i, 0] = _sample(image, x[i] - 1, y[i]) + _sample(image, x[i] + 1, y[i]) - 2 * here
        out[i, 1] = _sample(image, x[i], y[i] - 1) + _sample(image, x[i], y[i] + 1) - 2 * here
        diagonal = _sample(image, x[i] - 1, y[i] - 1) + _sample(image, x[i] + 1, y[i] + 1)
        other = _sample(image, x[i] + 1, y[i] - 1) + _sample(image, x[i] - 1, y[i] + 1)
        out[i, 2] = 0.25 * (diagonal - other)


@jit
def radii(image: Float2D, x: Float1D, y: Float1D, level: Float1D, most: Float1D, out: Float2D) -> None:
    """How far from each position the image first falls below `level`, along evenly spread directions, at most `most` pixels.

    `out` has a row a position and a column a direction: the first along +x, turning towards +y.
    """
    directions = out.shape[1]
    for i in range(x.size):
        for k in range(directions):
            angle = 2 * np.pi * k / directions
            dx, dy = np.cos(angle), np.sin(angle)
            before = _sample(image, x[i], y[i])
            distance = 0.0
            while distance < most[i]:
                after = _sample(image, x[i] + (distance + 1) * dx, y[i] + (distance + 1) * dy)
                if after < level[i]:
                    distance += (before - level[i]) / (before - after) if before > level[i] else 0.0
                    break
                distance += 1
                before = after
            out[i, k] = min(distance, most[i])


@jit
def centroids(image: Float2D, x: Float1D, y: Float1D, level: Float1D, radius: Float1D, out: Float2D) -> None:
    """Centre (x, y) of what rises above `level` within a radius of each position; the position itself where nothing does."""
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
def ridge_lengths(image: Float2D, x: Float1D, y: Float1D, angle: Float1D, level: Float1D, most: np.float32, out: Float1D) -> None:
    """How far a bright ridge through each position reaches, both ways together, while it stays above `level`.

    Each walk sets out along `angle` and at every pixel turns by up to 20 degrees towards the brightest continuation; it goes at
    most `most` pixels each way.
    """
    turns = np.array([-0.35, -0.175, 0.0, 0.175, 0.35])
    for i in range(x.size):
        out[i] = 0
        for way in range(2):
            heading = angle[i] + np.pi * way
            column, row = float(x[i]), float(y[i])
            for _ in range(int(most)):
                best, chosen = -np.inf, heading
                for k in range(5):
                    value = _sample(image, column + np.cos(heading + turns[k]), row + np.sin(heading + turns[k]))
                    if value > best:
                        best, chosen = value, heading + turns[k]
                if best < level[i]:
                    break
                heading = chosen
                column += np.cos(heading)
                row += np.sin(heading)
                out[i] += 1
