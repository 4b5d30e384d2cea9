"""Hyperechoic foci: blob responses with their local maxima, background rings, extent along directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool1D, Bool2D, Float1D, Float2D, jit

LEVELS = 256


@jit
def blob_maxima(
    image: Float2D, usable: Bool2D, least: np.float32, position: Float2D, strength: Float1D
) -> int:
    """Local maxima of the bright-blob response of a smoothed image; gives how many were found.

    The response is the square root of the Hessian's determinant where both of its eigenvalues are negative, else 0. `position`
    gets (x, y) of the peak of a parabola through the response along each axis, `strength` the response at the pixel, both up to
    their length. Only `usable` pixels with a response of `least` or more count.
    """
    rows, columns = image.shape
    response = np.zeros(
        (3, columns), np.float32
    )  # the last three rows: maxima are taken while the responses are still in cache
    found = np.zeros(columns, np.bool_)
    count = 0
    for r in range(1, rows):
        above, middle, below = response[(r - 2) % 3], response[(r - 1) % 3], response[r % 3]
        if r < rows - 1:
            _blobness(image[r - 1], image[r], image[r + 1], below)
        else:
            below[:] = 0
        _mark_maxima(above, middle, below, usable[r - 1], least, found)
        for c in range(1, columns - 1):
            if found[c]:
                if count == strength.size:
                    return count
                position[count, 0] = c + _peak(middle[c - 1], middle[c], middle[c + 1])
                position[count, 1] = r - 1 + _peak(above[c], middle[c], below[c])
                strength[count] = middle[c]
                count += 1
    return count


@jit
def _blobness(upper: Float1D, row: Float1D, lower: Float1D, out: Float1D) -> None:
    """Bright-blob response of one row, but for its ends; without branches, so that LLVM vectorises it."""
    quarter, two, zero = np.float32(0.25), np.float32(2), np.float32(0)
    for left in range(
        row.size - 2
    ):  # no negative index: numba would have it count from the end, which is no vector
        c, right = left + 1, left + 2
        across = row[left] + row[right] - two * row[c]
        along = upper[c] + lower[c] - two * row[c]
        mixed = quarter * (upper[left] + lower[right] - upper[right] - lower[left])
        root = np.sqrt(max(across * along - mixed * mixed, zero))
        out[c] = root if across + along < zero else zero


@jit
def _mark_maxima(
    above: Float1D,
    middle: Float1D,
    below: Float1D,
    usable: Bool1D,
    least: np.float32,
    found: Bool1D,
) -> None:
    """Which pixels of the middle row, but for its ends, are maxima of their 3 x 3; a plateau counts once, at its first pixel."""
    for left in range(middle.size - 2):
        c, right = left + 1, left + 2
        value = middle[c]
        before = (
            (value > middle[left])
            & (value > above[left])
            & (value > above[c])
            & (value > above[right])
        )
        after = (
            (value >= middle[right])
            & (value >= below[left])
            & (value >= below[c])
            & (value >= below[right])
        )
        found[c] = before & after & (value >= least) & usable[c]


@jit
def _peak(before: np.float32, here: np.float32, after: np.float32) -> np.float32:
    """Offset of the peak of the parabola through three values, the middle one the largest."""
    curvature = before + after - np.float32(2) * here
    return (
        np.float32(0.5) * (before - after) / curvature
        if curvature < np.float32(0)
        else np.float32(0)
    )


@jit
def suppress_non_maxima(x: Float1D, y: Float1D, reach: Float1D, kept: NDArray[np.bool_]) -> None:
    """Which positions, given strongest first, lie farther from every stronger one that is kept than that one's `reach`."""
    if x.size == 0:
        return
    edge = max(
        np.float32(2) * reach.min(), np.float32(1)
    )  # of the square bins: each lists the kept ones that reach into it
    left, top = x.min(), y.min()
    columns, rows = int((x.max() - left) / edge) + 1, int((y.max() - top) / edge) + 1
    first = np.full((rows, columns), -1, np.int32)
    following, listed = np.empty(4 * x.size, np.int32), np.empty(4 * x.size, np.int32)
    entries = 0
    for i in range(x.size):
        entry = first[int((y[i] - top) / edge), int((x[i] - left) / edge)]
        while entry >= 0:
            j = listed[entry]
            across, down = x[i] - x[j], y[i] - y[j]
            if across * across + down * down <= reach[j] * reach[j]:
                break
            entry = following[entry]
        kept[i] = entry < 0
        if not kept[i]:
            continue
        # rounding must not leave out a bin that a position at the very end of the reach falls into
        far = reach[i] * np.float32(1.001)
        most_row, most_column = (
            min(int((y[i] + far - top) / edge), rows - 1),
            min(int((x[i] + far - left) / edge), columns - 1),
        )
        for r in range(max(int((y[i] - far - top) / edge), 0), most_row + 1):
            for c in range(max(int((x[i] - far - left) / edge), 0), most_column + 1):
                if entries == listed.size:
                    following, listed = _doubled(following), _doubled(listed)
                following[entries], listed[entries] = first[r, c], i
                first[r, c] = entries
                entries += 1


@jit
def _doubled(values: NDArray[np.int32]) -> NDArray[np.int32]:
    longer = np.empty(2 * values.size, np.int32)
    longer[: values.size] = values
    return longer


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
    usable ring pixels, estimated from every `step`-th row and column. Positions outside the image count as at its edge.
    """
    if x.size == 0:
        return
    rows, columns = levels.shape
    margin = int(np.ceil(outer.max()))
    marked = _marked(levels, usable, margin).ravel()
    pitch = columns + 2 * margin
    offsets = _ring_offsets(inner[0], outer[0], step[0], margin, pitch)
    # two histograms in turn: an addition to a level need not wait for the one before it
    even, odd = np.zeros(LEVELS + 1, np.int32), np.zeros(LEVELS + 1, np.int32)
    for i in range(x.size):
        if i > 0 and (
            inner[i] != inner[i - 1] or outer[i] != outer[i - 1] or step[i] != step[i - 1]
        ):
            offsets = _ring_offsets(inner[i], outer[i], step[i], margin, pitch)
        row, column = (
            min(max(int(np.round(y[i])), 0), rows - 1),
            min(max(int(np.round(x[i])), 0), columns - 1),
        )
        corner = np.uint64(row * pitch + column)
        even[:], odd[:] = 0, 0
        for k in range(offsets.size // 2):
            even[marked[corner + offsets[2 * k]]] += 1
            odd[marked[corner + offsets[2 * k + 1]]] += 1
        if offsets.size % 2:
            even[marked[corner + offsets[-1]]] += 1
        total = offsets.size - even[LEVELS] - odd[LEVELS]
        counted[i] = total * step[i] * step[i]
        below, level = 0, 0
        for k in range(shares.size):
            wanted = shares[k] * total
            while level < LEVELS - 1 and below + even[level] + odd[level] < wanted:
                below += even[level] + odd[level]
                level += 1
            here = even[level] + odd[level]
            out[i, k] = level - 0.5 + ((wanted - below) / here if here > 0 else 0.5)


@jit
def _marked(levels: NDArray[np.uint8], usable: Bool2D, margin: int) -> NDArray[np.uint16]:
    """Levels with a margin all round; there and where not usable LEVELS, a bin of its own, so that a ring needs no test a pixel."""
    rows, columns = levels.shape
    marked = np.full((rows + 2 * margin, columns + 2 * margin), LEVELS, np.uint16)
    for r in range(rows):
        inside, row, mask = marked[r + margin, margin : margin + columns], levels[r], usable[r]
        for c in range(columns):
            inside[c] = row[c] if mask[c] else LEVELS
    return marked


@jit
def _ring_offsets(
    inner: np.float32, outer: np.float32, stride: int, margin: int, pitch: int
) -> NDArray[np.uint64]:
    """Where the sampled pixels of a ring lie in rows of `pitch` pixels, counted from `margin` pixels left of and above its middle."""
    reach, least, most = int(np.ceil(outer)), inner * inner, outer * outer
    reach -= reach % stride  # the sampled rows and columns lie symmetric about the middle
    across = 2 * (reach // stride) + 1
    offsets, count = np.empty(across * across, np.uint64), 0
    for dy in range(-reach, reach + 1, stride):
        for dx in range(-reach, reach + 1, stride):
            distance = np.float32(dx * dx + dy * dy)
            if distance > least and distance <= most:
                offsets[count] = (dy + margin) * pitch + dx + margin
                count += 1
    return offsets[:count]


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
def second_differences(image: Float2D, x: Float1D, y: Float1D, out: Float2D) -> None:
    """Second differences of a smoothed image at positions: across (xx), along (yy) and mixed (xy), a row a position."""
    for i in range(x.size):
        here = _sample(image, x[i], y[i])
        out[i, 0] = _sample(image, x[i] - 1, y[i]) + _sample(image, x[i] + 1, y[i]) - 2 * here
        out[i, 1] = _sample(image, x[i], y[i] - 1) + _sample(image, x[i], y[i] + 1) - 2 * here
        diagonal = _sample(image, x[i] - 1, y[i] - 1) + _sample(image, x[i] + 1, y[i] + 1)
        other = _sample(image, x[i] + 1, y[i] - 1) + _sample(image, x[i] - 1, y[i] + 1)
        out[i, 2] = 0.25 * (diagonal - other)


@jit
def radial_extents(
    image: Float2D, x: Float1D, y: Float1D, level: Float1D, most: Float1D, out: Float2D
) -> None:
    """How far from each position the image first falls below `level`, along evenly spread directions, at most `most` pixels.

    `out` has a row a position and a column a direction: the first along +x, turning towards +y.
    """
    directions = out.shape[1]
    across, down = np.empty(directions), np.empty(directions)
    for k in range(directions):
        angle = 2 * np.pi * k / directions
        across[k], down[k] = np.cos(angle), np.sin(angle)
    for i in range(x.size):
        middle = _sample(image, x[i], y[i])
        for k in range(directions):
            dx, dy = across[k], down[k]
            before, distance = middle, 0.0
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
def ridge_lengths(
    image: Float2D,
    x: Float1D,
    y: Float1D,
    angle: Float1D,
    levels: Float2D,
    most: np.float32,
    out: Float2D,
) -> None:
    """How far a bright ridge through each position reaches, both ways together, while it stays above each of its `levels`.

    Each walk sets out along `angle` and at every pixel turns by up to 20 degrees towards the brightest continuation; it goes at
    most `most` pixels each way. `levels` and `out` have a row a position; the levels of a row descend, and one walk tells all lengths.
    """
    turns = np.array([-0.35, -0.175, 0.0, 0.175, 0.35])
    for i in range(x.size):
        out[i] = 0
        for way in range(2):
            heading = angle[i] + np.pi * way
            column, row = float(x[i]), float(y[i])
            reached = 0  # the first of the levels that the ridge is above
            for _ in range(int(most)):
                best, chosen, across, down = -np.inf, heading, 0.0, 0.0
                for k in range(5):
                    dx, dy = np.cos(heading + turns[k]), np.sin(heading + turns[k])
                    value = _sample(image, column + dx, row + dy)
                    if value > best:
                        best, chosen, across, down = value, heading + turns[k], dx, dy
                while reached < levels.shape[1] and best < levels[i, reached]:
                    reached += 1
                if reached == levels.shape[1]:
                    break
                heading = chosen
                column += across
                row += down
                out[i, reached:] += 1
