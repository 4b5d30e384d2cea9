"""Bright connected components at several grey levels, and their grey levels and moments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from usmicro.kernels._jit import Bool2D, Float2D, jit

ByteImage = NDArray[np.uint8]
Whole1D = NDArray[np.int32]
Whole2D = NDArray[np.int32]

STRAIGHT, DIAGONAL = 3, 4
"""Length of a step to a neighbour in the chamfer distance, thirds of a pixel (Borgefors 1986)."""
FAR = 1 << 20
"""Chamfer distance that is longer than any in an image."""


@jit
def _root(parent: Whole1D, pixel: int) -> int:
    """Return the root of a pixel in a forest, and shorten its path."""
    while parent[pixel] != pixel:
        parent[pixel] = parent[parent[pixel]]
        pixel = parent[pixel]
    return pixel


@jit
def _joined(parent: Whole1D, box: Whole2D, root: int, pixel: int) -> int:
    """Join the component of a pixel with that of `root`, if not -1; return the new root.

    `box` is that of `components_by_level`.
    """
    other = _root(parent, pixel)
    if root < 0 or other == root:
        return other
    if box[other, 0] > box[root, 0]:
        root, other = other, root
    parent[other] = root
    box[root, 0] += box[other, 0]
    box[root, 1] = min(box[root, 1], box[other, 1])
    box[root, 2] = min(box[root, 2], box[other, 2])
    box[root, 3] = max(box[root, 3], box[other, 3])
    box[root, 4] = max(box[root, 4], box[other, 4])
    return root


@jit
def components_by_level(
    image: ByteImage,
    usable: Bool2D,
    thresholds: Whole1D,
    least_pixels: int,
    largest_side: int,
    found: Whole2D,
) -> int:
    """List the connected components above each of several grey levels.

    Pixels are added from the brightest to the darkest and joined in a forest, so that one pass
    gives the components of all levels. Pixels have 8 neighbours.

    Parameters
    ----------
    image : array, shape (rows, columns), uint8
    usable : array, shape (rows, columns), bool
        Other pixels belong to no component.
    thresholds : array, shape (n,), int32
        Grey levels, descending. A pixel is above a threshold if it is at least as bright.
    least_pixels : int
        Smallest number of pixels of a component that is listed.
    largest_side : int
        Largest width and height of a component that is listed, pixels.
    found : array, shape (m, 8), int32
        Receives, for each component: index of its threshold, one of its pixels (row * columns +
        column), number of pixels, left, top, right and bottom of its box (the last two are
        inclusive), and the index of the listed component of the next threshold that contains it,
        -1 if there is none. Components of higher thresholds come first, and of the same threshold
        by the row-major order of their first pixels.

    Returns
    -------
    int
        Number of components; further ones than `found` has rows for are left out.
    """
    rows, columns = image.shape
    # a border that belongs to no component saves the test whether a neighbour is in the image
    stride = columns + 2
    parent = np.full((rows + 2) * stride, -1, np.int32)
    box = np.empty((parent.size, 5), np.int32)  # pixels, left, top, right, bottom of a root
    listed = np.full(parent.size, -1, np.int32)
    # pixels in the order of thresholds, by counting
    order = np.empty(rows * columns, np.int32)
    rank = np.full(256, len(thresholds), np.int32)
    for grey in range(256):
        for k in range(len(thresholds)):
            if grey >= thresholds[k]:
                rank[grey] = k
                break
    start = np.zeros(len(thresholds) + 2, np.int32)
    for r in range(rows):
        for c in range(columns):
            if usable[r, c]:
                start[rank[image[r, c]] + 1] += 1
    for k in range(len(thresholds) + 1):
        start[k + 1] += start[k]
    place = start.copy()
    for r in range(rows):
        for c in range(columns):
            if usable[r, c]:
                k = rank[image[r, c]]
                order[place[k]] = (r + 1) * stride + c + 1
                place[k] += 1
    count, open_from = 0, 0
    for k in range(len(thresholds)):
        r = 0
        for i in range(start[k], start[k + 1]):
            pixel = order[i]
            while pixel >= (r + 2) * stride:
                r += 1
            c = pixel - (r + 1) * stride - 1
            # Neighbours that touch each other are in one component already, so that only one of
            # them is looked up.
            upper, lower = pixel - stride, pixel + stride
            left, right = parent[pixel - 1] >= 0, parent[pixel + 1] >= 0
            above, below = parent[upper] >= 0, parent[lower] >= 0
            root = -1
            if left:
                root = _root(parent, pixel - 1)
            if right and not (left and (above or below)):
                root = _joined(parent, box, root, pixel + 1)
            if above and not (left or right):
                root = _joined(parent, box, root, upper)
            if below and not (left or right):
                root = _joined(parent, box, root, lower)
            if not (left or above) and parent[upper - 1] >= 0:
                root = _joined(parent, box, root, upper - 1)
            if not (right or above) and parent[upper + 1] >= 0:
                root = _joined(parent, box, root, upper + 1)
            if not (left or below) and parent[lower - 1] >= 0:
                root = _joined(parent, box, root, lower - 1)
            if not (right or below) and parent[lower + 1] >= 0:
                root = _joined(parent, box, root, lower + 1)
            if root < 0:
                parent[pixel] = pixel
                box[pixel, 0] = 1
                box[pixel, 1], box[pixel, 2], box[pixel, 3], box[pixel, 4] = c, r, c, r
                continue
            parent[pixel] = root
            box[root, 0] += 1
            box[root, 1], box[root, 2] = min(box[root, 1], c), min(box[root, 2], r)
            box[root, 3], box[root, 4] = max(box[root, 3], c), max(box[root, 4], r)
        first = count
        # every new or larger component has a pixel of this threshold
        for i in range(start[k], start[k + 1]):
            if i > start[k] and order[i] == order[i - 1] + 1:
                continue  # in the same component as the previous pixel
            root = _root(parent, order[i])
            if listed[root] >= first or count == len(found):
                continue
            width = box[root, 3] - box[root, 1] + 1
            height = box[root, 4] - box[root, 2] + 1
            if box[root, 0] >= least_pixels and max(width, height) <= largest_side:
                listed[root] = count
                found[count, 0], found[count, 1] = k, order[i]
                for j in range(5):
                    found[count, 2 + j] = box[root, j]
                found[count, 7] = -1
                count += 1
        still_open = open_from
        for e in range(open_from, first):
            if found[e, 7] != -1:
                continue
            root = _root(parent, found[e, 1])
            if listed[root] >= first:
                found[e, 7] = listed[root]
            elif found[e, 2] != box[root, 0]:
                found[e, 7] = -2  # the component that contains it is too large
        while still_open < first and found[still_open, 7] != -1:
            still_open += 1
        open_from = still_open
    for e in range(count):
        found[e, 7] = max(found[e, 7], -1)
        found[e, 1] = (found[e, 1] // stride - 1) * columns + found[e, 1] % stride - 1
    return count


@jit
def component_mask(
    image: ByteImage, usable: Bool2D, threshold: int, seed: int, left: int, top: int, out: ByteImage
) -> None:
    """Mark the connected component above a grey level that contains a pixel.

    Parameters
    ----------
    image : array, shape (rows, columns), uint8
    usable : array, shape (rows, columns), bool
    threshold : int
        Smallest grey level of the component.
    seed : int
        Pixel of the component: row * columns + column.
    left, top : int
        Place of the window in the image.
    out : array, shape (height, width), uint8
        Window that receives 1 in the component, else 0. The component is cut at its edges.
    """
    rows, columns = image.shape
    height, width = out.shape
    out[:] = 0
    stack = np.empty(height * width, np.int32)
    r, c = seed // columns - top, seed % columns - left
    if not (0 <= r < height and 0 <= c < width):
        return
    stack[0], size = r * width + c, 1
    out[r, c] = 1
    while size:
        size -= 1
        r, c = stack[size] // width, stack[size] % width
        for row in range(max(r - 1, 0), min(r + 2, height)):
            for column in range(max(c - 1, 0), min(c + 2, width)):
                y, x = row + top, column + left
                if out[row, column] or not (0 <= y < rows and 0 <= x < columns):
                    continue
                if usable[y, x] and image[y, x] >= threshold:
                    out[row, column] = 1
                    stack[size] = row * width + column
                    size += 1


@jit
def _chamfer_distance(mask: ByteImage, out: Whole2D) -> None:
    """Compute the distance from a mask (rows, columns) in thirds of a pixel, by two passes.

    `out`, (rows + 2, columns + 2), has a border that saves the tests for the edges of the mask.
    """
    rows, columns = mask.shape
    out[:] = FAR
    for r in range(rows):
        _nearest_of_row(out[r], out[r + 1])
        here = out[r + 1]
        for c in range(columns):
            nearest = min(here[c + 1], here[c] + STRAIGHT)
            here[c + 1] = 0 if mask[r, c] else nearest
    for r in range(rows, 0, -1):
        _nearest_of_row(out[r + 1], out[r])
        here = out[r]
        for c in range(columns, 0, -1):
            here[c] = min(here[c], here[c + 1] + STRAIGHT)


@jit
def _nearest_of_row(before: Whole1D, out: Whole1D) -> None:
    """Lower the chamfer distances in a row, (n,), to those by way of the row before, (n,).

    The first and the last stay as they are. The loop is apart, so that LLVM vectorises it.
    """
    for left in range(out.size - 2):
        c, right = left + 1, left + 2
        diagonal = min(before[left], before[right]) + DIAGONAL
        out[c] = min(out[c], min(before[c] + STRAIGHT, diagonal))


@jit
def _quantile(histogram: Whole1D, count: int, share: float) -> int:
    """Return the smallest grey level up to which a share of the counted pixels lies."""
    total = 0
    for grey in range(256):
        total += histogram[grey]
        if total >= share * count:
            return grey
    return 255


@jit
def measure_components(
    image: ByteImage,
    usable: Bool2D,
    thresholds: Whole1D,
    found: Whole2D,
    inner: float,
    outer: float,
    out: Float2D,
) -> None:
    """Measure grey levels in and around components, and their moments.

    Parameters
    ----------
    image, usable, thresholds
        As for `components_by_level`.
    found : array, shape (n, 8), int32
        Result of `components_by_level`.
    inner, outer : float
        Smallest and largest distance of the ring around a component, pixels.
    out : array, shape (n, 13), float32
        Receives the quartiles of the grey level in the component; the quartiles and the quantile
        0.9 in the usable part of the ring; the usable share of the ring; column and row of the
        centroid; and the central moments xx, yy and xy divided by the number of pixels. Pixels of a
        ring outside the image are not usable.
    """
    rows, columns = image.shape
    margin = int(np.ceil(outer)) + 1
    least, most = int(np.ceil(STRAIGHT * inner)), int(np.floor(STRAIGHT * outer))
    within, around = np.empty(256, np.int32), np.empty(256, np.int32)
    for e in range(len(found)):
        left, top = found[e, 3] - margin, found[e, 4] - margin
        height, width = found[e, 6] + margin + 1 - top, found[e, 5] + margin + 1 - left
        mask = np.empty((height, width), np.uint8)
        distance = np.empty((height + 2, width + 2), np.int32)
        threshold = thresholds[found[e, 0]]
        component_mask(image, usable, threshold, found[e, 1], left, top, mask)
        _chamfer_distance(mask, distance)
        within[:] = 0
        around[:] = 0
        x, y, xx, yy, xy = 0.0, 0.0, 0.0, 0.0, 0.0
        pixels, ring, counted = 0, 0, 0
        for r in range(height):
            row = r + top
            for c in range(width):
                column = c + left
                if mask[r, c]:
                    within[image[row, column]] += 1
                    pixels += 1
                    x += c
                    y += r
                    xx += c * c
                    yy += r * r
                    xy += c * r
                elif least <= distance[r + 1, c + 1] <= most:
                    ring += 1
                    if 0 <= row < rows and 0 <= column < columns and usable[row, column]:
                        around[image[row, column]] += 1
                        counted += 1
        x, y = x / pixels, y / pixels
        for k in range(3):
            out[e, k] = _quantile(within, pixels, 0.25 * (k + 1))
            out[e, 3 + k] = _quantile(around, counted, 0.25 * (k + 1)) if counted else 0
        out[e, 6] = _quantile(around, counted, 0.9) if counted else 0
        out[e, 7] = counted / max(ring, 1)
        out[e, 8], out[e, 9] = x + left, y + top
        # out[e, 10:] are the moments about the centroid; a pixel has a size of its own
        out[e, 10] = xx / pixels - x * x + 1 / 12
        out[e, 11] = yy / pixels - y * y + 1 / 12
        out[e, 12] = xy / pixels - x * y
